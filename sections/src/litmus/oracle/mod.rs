//! An oracle for programs: it visits every state that some interleaving reaches.
//!
//! It knows nothing of schedulers, sections or footprints. A task is a list of instructions, each of them
//! atomic and no coarser than an operation of a real program. From every state every task takes its next
//! instruction. A set of the states seen makes this finite and fast. Memory is sequentially consistent.
//!
//! Two choices differ from the search on purpose, so that agreement says something. A notification
//! chooses its waiter at once, not when the waiter wakes up. And a release is always a step of its own.

mod code;
mod state;

use super::checkers::Outcomes;
use super::program::{FAILED, FLAG, PANICKED, Program, TIMED_OUT, WOKEN, child};
use code::Instruction::{
    self, Acquire, Atomic, Change, Check, Join, Jump, Note, NoteWaking, NotifyAll, NotifyOne,
    Panic, Park, Raise, Register, Release, Spawn, Try,
};
use code::Translator;
use state::{State, Task, Waiting};
use std::collections::HashSet;
use std::rc::Rc;

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
