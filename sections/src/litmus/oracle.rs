//! An oracle for programs: it visits every state that some interleaving reaches.
//!
//! It knows nothing of schedulers, sections or footprints. A task is a list of instructions, each of them
//! atomic and no coarser than an operation of a real program. From every state every task takes its next
//! instruction. A set of the states seen makes this finite and fast. Memory is sequentially consistent.

use super::checkers::Outcomes;
use super::program::{FAILED, FLAG, Op, PANICKED, Program, TIMED_OUT, WOKEN, child};
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

/// The read-write lock. The mutexes have the numbers before it.
const RWLOCK: usize = 3;

/// An instruction. A place is that of an instruction in the same code.
#[derive(Clone, Debug)]
enum Instruction {
    Acquire {
        lock: usize,
        shared: bool,
    },
    /// Takes the lock, or notes the failure and goes on at a place.
    Try(usize, usize),
    Release {
        lock: usize,
        shared: bool,
    },
    /// Notes the value of a lock.
    Note(usize),
    /// Notes and changes the value of a lock.
    Change(usize),
    Raise,
    Atomic(Op),
    NotifyOne,
    NotifyAll,
    /// If the flag is there, notes it and goes on at a place.
    Check(usize),
    Register,
    Park {
        timed: bool,
    },
    NoteWaking,
    Spawn(usize),
    /// Joins the oldest child, or all of them.
    Join {
        all: bool,
    },
    Panic,
    Jump(usize),
}
use Instruction::{
    Acquire, Atomic, Change, Check, Join, Jump, Note, NoteWaking, NotifyAll, NotifyOne, Panic,
    Park, Raise, Register, Release, Spawn, Try,
};

/// Translates tasks. A task is the number of its code.
#[derive(Default)]
struct Translator {
    codes: Vec<Vec<Instruction>>,
}

/// The code of a task under translation.
#[derive(Default)]
struct Code {
    instructions: Vec<Instruction>,
    /// The locks around the next instruction, and whether they are shared. The innermost is the last.
    held: Vec<(usize, bool)>,
    /// The jumps of panics.
    panics: Vec<usize>,
}

impl Code {
    fn push(&mut self, instruction: Instruction) -> usize {
        self.instructions.push(instruction);
        self.instructions.len() - 1
    }

    fn holds(&self, lock: usize) -> bool {
        self.held.iter().any(|(held, _)| *held == lock)
    }
}

impl Translator {
    fn task(&mut self, ops: &[Op]) -> usize {
        let mut code = Code::default();
        self.all(ops, &mut code);
        let end = code.push(Join { all: true });
        code.panics.iter().for_each(|place| code.instructions[*place] = Jump(end));
        self.codes.push(code.instructions);
        self.codes.len() - 1
    }

    fn all(&mut self, ops: &[Op], code: &mut Code) {
        ops.iter().for_each(|op| self.op(op, code));
    }

    fn op(&mut self, op: &Op, code: &mut Code) {
        match op {
            Op::Lock(lock, body) => self.locked(*lock, false, body, code),
            Op::Read(body) => self.locked(RWLOCK, true, body, code),
            Op::Write(body) => self.locked(RWLOCK, false, body, code),
            Op::TryLock(lock, body) => {
                let tries = code.push(Try(*lock, 0));
                self.holding(*lock, false, body, code);
                code.instructions[tries] = Try(*lock, code.instructions.len());
            }
            Op::Notify { all, flag } => {
                let flag = *flag && !code.holds(FLAG);
                if flag {
                    code.push(Acquire { lock: FLAG, shared: false });
                    code.push(Raise);
                }
                code.push(if *all { NotifyAll } else { NotifyOne });
                if flag {
                    code.push(Release { lock: FLAG, shared: false });
                }
            }
            Op::Wait { checks, timed } => Self::wait(*checks, *timed, code),
            Op::Spawn(body) => {
                let task = self.task(body);
                code.push(Spawn(task));
            }
            Op::Join => {
                code.push(Join { all: false });
            }
            Op::Panic => {
                code.push(Panic);
                for (lock, shared) in code.held.clone().into_iter().rev() {
                    code.push(Release { lock, shared });
                }
                let jump = code.push(Jump(0));
                code.panics.push(jump);
            }
            Op::Load(_)
            | Op::Store(..)
            | Op::FetchAdd(..)
            | Op::Add(..)
            | Op::CompareExchange(..) => {
                code.push(Atomic(op.clone()));
            }
        }
    }

    fn locked(&mut self, lock: usize, shared: bool, body: &[Op], code: &mut Code) {
        if !code.holds(lock) {
            code.push(Acquire { lock, shared });
            self.holding(lock, shared, body, code);
        }
    }

    fn holding(&mut self, lock: usize, shared: bool, body: &[Op], code: &mut Code) {
        code.push(if shared { Note(lock) } else { Change(lock) });
        code.held.push((lock, shared));
        self.all(body, code);
        code.held.pop();
        code.push(Release { lock, shared });
    }

    fn wait(checks: bool, timed: bool, code: &mut Code) {
        if code.holds(FLAG) {
            return;
        }
        let flag = FLAG;
        code.push(Acquire { lock: flag, shared: false });
        let check = checks.then(|| code.push(Check(0)));
        code.push(Register);
        code.push(Release { lock: flag, shared: false });
        code.push(Park { timed });
        code.push(Acquire { lock: flag, shared: false });
        code.push(NoteWaking);
        code.push(Note(flag));
        let end = code.push(Release { lock: flag, shared: false });
        if let Some(check) = check {
            code.instructions[check] = Check(end);
        }
    }
}

/// What a task knows of its wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Waiting {
    #[default]
    No,
    Registered,
    Notified,
    TimedOut,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Task {
    code: usize,
    place: usize,
    waiting: Waiting,
    panicked: bool,
    spawned: u32,
    /// The labels of the children that are not joined, the oldest first.
    children: Vec<u32>,
    notes: Vec<i64>,
}

/// A state of the program. A task is named by its label, so the order of spawns by different tasks
/// leaves no mark.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct State {
    tasks: BTreeMap<u32, Rc<Task>>,
    written: [bool; 4],
    readers: [u8; 4],
    values: [i64; 4],
    atomics: [i64; 2],
}

impl State {
    fn task(&mut self, label: u32) -> &mut Task {
        Rc::make_mut(self.tasks.entry(label).or_default())
    }

    fn free(&self, lock: usize, shared: bool) -> bool {
        !self.written[lock] && (shared || self.readers[lock] == 0)
    }

    fn take(&mut self, lock: usize, shared: bool) {
        if shared {
            self.readers[lock] += 1;
        } else {
            self.written[lock] = true;
        }
    }

    fn release(&mut self, lock: usize, shared: bool) {
        if shared {
            self.readers[lock] -= 1;
        } else {
            self.written[lock] = false;
        }
    }

    /// Returns what the task notes.
    fn access(&mut self, op: &Op) -> Option<i64> {
        let atomics = &mut self.atomics;
        match *op {
            Op::Load(atomic) => return Some(atomics[atomic]),
            Op::Store(atomic, value) => atomics[atomic] = value,
            Op::Add(atomic, value) => atomics[atomic] += value,
            Op::FetchAdd(atomic, value) => {
                atomics[atomic] += value;
                return Some(atomics[atomic] - value);
            }
            Op::CompareExchange(atomic, from, to) => {
                let found = atomics[atomic];
                if found == from {
                    atomics[atomic] = to;
                }
                return Some(found);
            }
            _ => unreachable!("not an atomic access: {op:?}"),
        }
        None
    }

    fn registered(&self) -> impl Iterator<Item = u32> {
        let tasks = self.tasks.iter().filter(|(_, task)| task.waiting == Waiting::Registered);
        tasks.map(|(label, _)| *label)
    }

    /// The outcome of a state in which no task can go on.
    fn outcome(mut self, programs: u32, over: bool) -> String {
        if over {
            let panicked = (1..=programs).filter(|label| self.tasks[label].panicked);
            let mut notes: Vec<_> = panicked.map(|_| PANICKED).collect();
            notes.extend(self.values.into_iter().chain(self.atomics));
            self.task(0).notes = notes;
        }
        let noted = self.tasks.iter().filter(|(_, task)| !task.notes.is_empty());
        let mut words: Vec<_> = noted
            .map(|(label, task)| {
                let notes: Vec<_> = task.notes.iter().map(i64::to_string).collect();
                format!("{label}:{}", notes.join(","))
            })
            .collect();
        words.extend((!over).then(|| "deadlock".to_owned()));
        words.join(" ")
    }
}

/// A mistake that a test puts into the oracle, to see whether it is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    LocksAreShared,
    ReadersExclude,
    TriesWait,
    NotifyOneWakesNobody,
    NotifyOneWakesAll,
    TimeoutsNeverCome,
    WakingNeedsNoLock,
    JoinsDoNotWait,
    PanicsKeepLocks,
}

impl Fault {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::LocksAreShared,
        Self::ReadersExclude,
        Self::TriesWait,
        Self::NotifyOneWakesNobody,
        Self::NotifyOneWakesAll,
        Self::TimeoutsNeverCome,
        Self::WakingNeedsNoLock,
        Self::JoinsDoNotWait,
        Self::PanicsKeepLocks,
    ];
}

/// What the oracle found.
#[derive(Debug)]
pub struct Explored {
    pub outcomes: Outcomes,
    pub states: usize,
}

struct Oracle {
    codes: Vec<Vec<Instruction>>,
    fault: Option<Fault>,
}

impl Oracle {
    fn over(&self, task: &Task) -> bool {
        task.place == self.codes[task.code].len()
    }

    /// The states after the next instruction of a task: none if it has ended or cannot go on, and
    /// several if the instruction has a choice.
    fn steps(&self, state: &State, label: u32) -> Vec<State> {
        let task = &state.tasks[&label];
        if self.over(task) {
            return Vec::new();
        }
        let instruction = &self.codes[task.code][task.place];
        if !self.can_go_on(state, task, instruction) {
            return Vec::new();
        }
        let mut next = state.clone();
        next.task(label).place += 1;
        match *instruction {
            NotifyOne => return self.notify_one(next),
            Park { timed } => return self.park(next, label, timed),
            _ => self.take(&mut next, label, instruction),
        }
        vec![next]
    }

    fn can_go_on(&self, state: &State, task: &Task, instruction: &Instruction) -> bool {
        match *instruction {
            Acquire { .. } if self.is(Fault::LocksAreShared) => true,
            Acquire { lock, shared } => {
                state.free(lock, shared && !self.is(Fault::ReadersExclude))
                    || (self.is(Fault::WakingNeedsNoLock) && task.waiting != Waiting::No)
            }
            Try(lock, _) if self.is(Fault::TriesWait) => state.free(lock, false),
            Join { .. } => task.children.first().is_none_or(|child| {
                self.over(&state.tasks[child]) || self.is(Fault::JoinsDoNotWait)
            }),
            _ => true,
        }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// The instructions without a choice.
    fn take(&self, next: &mut State, label: u32, instruction: &Instruction) {
        let mut noted = None;
        match *instruction {
            Acquire { lock, shared } => next.take(lock, shared),
            Try(lock, _) if next.free(lock, false) => next.take(lock, false),
            Try(_, otherwise) => {
                noted = Some(FAILED);
                next.task(label).place = otherwise;
            }
            Release { .. } if self.is(Fault::PanicsKeepLocks) && next.task(label).panicked => {}
            Release { lock, shared } => next.release(lock, shared),
            Note(lock) => noted = Some(next.values[lock]),
            Change(lock) => {
                noted = Some(next.values[lock]);
                next.values[lock] = 2 * next.values[lock] + i64::from(label);
            }
            Raise => next.values[FLAG] += 1,
            Atomic(ref op) => noted = next.access(op),
            NotifyAll => {
                let waiters: Vec<_> = next.registered().collect();
                waiters.iter().for_each(|its| next.task(*its).waiting = Waiting::Notified);
            }
            Check(otherwise) if next.values[FLAG] > 0 => {
                noted = Some(next.values[FLAG]);
                next.task(label).place = otherwise;
            }
            Check(_) => {}
            Register => next.task(label).waiting = Waiting::Registered,
            NoteWaking => {
                let waiting = std::mem::take(&mut next.task(label).waiting);
                noted = Some(if waiting == Waiting::TimedOut { TIMED_OUT } else { WOKEN });
            }
            Spawn(code) => {
                next.task(label).spawned += 1;
                let its = child(label, next.task(label).spawned);
                next.task(label).children.push(its);
                let before = next.tasks.insert(its, Rc::new(Task { code, ..Task::default() }));
                assert_eq!(before, None, "two tasks have the label {its}");
            }
            Join { all } => noted = Self::join(next, label, all),
            Panic => next.task(label).panicked = true,
            Jump(place) => next.task(label).place = place,
            NotifyOne | Park { .. } => unreachable!("it has a choice"),
        }
        next.task(label).notes.extend(noted);
    }

    /// Returns what the task notes.
    fn join(next: &mut State, label: u32, all: bool) -> Option<i64> {
        let parent = next.task(label);
        if parent.children.is_empty() {
            return None;
        }
        let child = parent.children.remove(0);
        // It stays at this instruction until it has joined all.
        parent.place -= usize::from(all);
        next.task(child).panicked.then_some(PANICKED)
    }

    /// A task that waits at this moment is woken, whichever. Without one nothing happens.
    fn notify_one(&self, next: State) -> Vec<State> {
        let waiters: Vec<_> = next.registered().collect();
        if waiters.is_empty() || self.is(Fault::NotifyOneWakesNobody) {
            return vec![next];
        }
        if self.is(Fault::NotifyOneWakesAll) {
            let mut next = next;
            waiters.iter().for_each(|its| next.task(*its).waiting = Waiting::Notified);
            return vec![next];
        }
        let wake = |label| {
            let mut next = next.clone();
            next.task(label).waiting = Waiting::Notified;
            next
        };
        waiters.into_iter().map(wake).collect()
    }

    /// A task that is not notified can go on only by its time-out, which may come at any moment.
    fn park(&self, mut next: State, label: u32, timed: bool) -> Vec<State> {
        if next.task(label).waiting == Waiting::Notified {
            return vec![next];
        }
        if !timed || self.is(Fault::TimeoutsNeverCome) {
            return Vec::new();
        }
        next.task(label).waiting = Waiting::TimedOut;
        vec![next]
    }
}

/// Every outcome of the program, or nothing if it has more states than this.
pub fn explore(program: &Program, at_most: usize, fault: Option<Fault>) -> Option<Explored> {
    let mut translator = Translator::default();
    let mut start = State::default();
    for (ops, label) in program.0.iter().zip(1..) {
        start.task(label).code = translator.task(ops);
    }
    let oracle = Oracle { codes: translator.codes, fault };
    let programs = program.0.len() as u32;
    let (mut outcomes, mut seen) = (Outcomes::new(), HashSet::from([start.clone()]));
    let mut open = vec![start];
    while let Some(state) = open.pop() {
        let steps = state.tasks.keys().flat_map(|label| oracle.steps(&state, *label));
        let next: Vec<_> = steps.collect();
        if next.is_empty() {
            let over = state.tasks.values().all(|task| oracle.over(task));
            outcomes.insert(state.outcome(programs, over));
        }
        for state in next {
            if !seen.contains(&state) {
                seen.insert(state.clone());
                open.push(state);
            }
        }
        if seen.len() > at_most {
            return None;
        }
    }
    Some(Explored { outcomes, states: seen.len() })
}
