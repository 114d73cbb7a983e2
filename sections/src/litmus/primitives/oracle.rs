//! The oracle: it visits every state that some interleaving reaches. Each instruction does at once what std documents of
//! the operation, or is split where a task waits.

use super::code::Instruction::{
    self, Acquire, Begin, Complete, Destroy, Do, DropWeaks, JoinAll, Note, Release, ShareArc,
    ShareWeak, Spawn, TakeSpinLock, Try, UntilNoArcs,
};
use super::code::Translator;
use super::noted::{
    DESTROYED, DISCONNECTED, EMPTY, FAILED, FOLLOWER, FULL, LEADER, NOTHING, RAN, SUCCEEDED,
    TIMED_OUT,
};
use super::{BARRIER, DESTRUCTION, Op, Program, Uses};
use crate::litmus::checkers::Outcomes;
use crate::litmus::program::child;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::rc::Rc;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Task {
    code: usize,
    place: usize,
    spawned: u32,
    children: Vec<u32>,
    known: Vec<u32>,
    senders: [bool; 2],
    receivers: [bool; 2],
    token: bool,
    arcs: i64,
    weaks: i64,
    /// It has dropped the last owner.
    destroys: bool,
    /// It waits at the barrier since this generation.
    arrived_in: Option<u32>,
    /// It waits for the receiver of the channel without room.
    offers: bool,
    notes: Vec<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Channel {
    /// Values, and who waits until they are taken.
    values: VecDeque<(i64, Option<u32>)>,
    senders: u32,
    connected: bool,
    /// The receiver waits, so that a sender need not.
    waiting: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Stage {
    #[default]
    New,
    Running,
    Done,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct State {
    /// By label.
    tasks: BTreeMap<u32, Rc<Task>>,
    written: [bool; 3],
    readers: [u8; 3],
    values: [i64; 3],
    atomics: [i64; 2],
    channels: [Channel; 2],
    arrived: usize,
    generation: u32,
    once: Stage,
    cell: Option<i64>,
    strong: i64,
    weak: i64,
}

/// How a task goes on after an instruction.
enum Then {
    Next,
    Note(i64),
    /// It stays at the instruction.
    Stay,
    GoTo(usize),
    NoteAndGoTo(i64, usize),
    /// It cannot take the instruction.
    Wait,
}
use Then::{GoTo, Next, NoteAndGoTo, Stay, Wait};

fn success(succeeds: bool) -> Then {
    Then::Note(if succeeds { SUCCEEDED } else { FAILED })
}

fn maybe(noted: Option<i64>) -> Then {
    noted.map_or(Next, Then::Note)
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

    /// What the oracle says of an instruction that the task takes. After [`Wait`] the state means nothing.
    fn step(&mut self, me: u32, instruction: &Instruction, bound: usize) -> Then {
        match *instruction {
            Acquire { lock, shared } if self.free(lock, shared) => self.take(lock, shared),
            Acquire { .. } => return Wait,
            Try { lock, shared, .. } if self.free(lock, shared) => self.take(lock, shared),
            Try { otherwise, .. } => return NoteAndGoTo(FAILED, otherwise),
            Release { lock, shared: true } => self.readers[lock] -= 1,
            Release { lock, shared: false } => self.written[lock] = false,
            Note { lock, change } => {
                let value = self.values[lock];
                if change {
                    self.values[lock] = 2 * value + i64::from(me);
                }
                return Then::Note(value);
            }
            Begin(otherwise) => match self.once {
                Stage::New => {
                    self.once = Stage::Running;
                    return Then::Note(RAN);
                }
                Stage::Running => return Wait,
                Stage::Done => return GoTo(otherwise),
            },
            Complete => self.once = Stage::Done,
            TakeSpinLock(atomic) if self.atomics[atomic] == 0 => self.atomics[atomic] = 1,
            TakeSpinLock(_) => return Wait,
            Destroy if std::mem::take(&mut self.task(me).destroys) => {
                let before = self.atomics[0];
                self.atomics[0] += DESTRUCTION;
                self.task(me).notes.push(DESTROYED);
                return Then::Note(before);
            }
            Destroy => {}
            ShareArc => self.strong += self.task(me).arcs.min(1),
            ShareWeak => self.weak += self.task(me).weaks.min(1),
            Spawn(code) => self.spawn(me, code),
            UntilNoArcs(place) if self.task(me).arcs > 0 => return GoTo(place),
            UntilNoArcs(_) => {}
            DropWeaks if self.task(me).weaks > 0 => {
                self.task(me).weaks -= 1;
                self.weak -= 1;
                return Stay;
            }
            DropWeaks => {}
            // Whether the children have ended is known to the caller.
            JoinAll => {
                let children = &mut self.task(me).children;
                if !children.is_empty() {
                    children.remove(0);
                    return Stay;
                }
            }
            Do(ref op) => return self.operation(me, op, bound),
        }
        Next
    }

    fn spawn(&mut self, me: u32, code: usize) {
        let task = self.task(me);
        task.spawned += 1;
        let label = child(me, task.spawned);
        let mut known = task.known.clone();
        known.push(me);
        task.known.push(label);
        task.children.push(label);
        let (senders, arcs, weaks) = (task.senders, task.arcs.min(1), task.weaks.min(1));
        for (channel, has) in self.channels.iter_mut().zip(senders) {
            channel.senders += u32::from(has);
        }
        *self.task(label) = Task { code, known, senders, arcs, weaks, ..Task::default() };
    }

    fn operation(&mut self, me: u32, op: &Op, bound: usize) -> Then {
        match *op {
            Op::Load(_) | Op::Store(..) | Op::CompareExchange(..) | Op::FetchUpdate(..) => {
                self.access(me, op)
            }
            Op::Spin(atomic) if self.atomics[atomic] == 0 => Wait,
            Op::Spin(atomic) => Then::Note(self.atomics[atomic]),
            Op::IsCompleted => Then::Note(i64::from(self.once == Stage::Done)),
            Op::Set(value) => {
                let succeeds = self.cell.is_none();
                self.cell.get_or_insert(value);
                success(succeeds)
            }
            Op::Get => Then::Note(self.cell.unwrap_or(NOTHING)),
            Op::GetOrInit(value) => Then::Note(*self.cell.get_or_insert(value)),
            Op::Barrier => self.barrier(me),
            // A time-out can come at any moment. Whether it waits for one is then no difference.
            Op::Park { timed } if self.task(me).token || timed => {
                self.task(me).token = false;
                Next
            }
            Op::Park { .. } => Wait,
            Op::Unpark(number) => {
                let known = &self.task(me).known;
                let its = known.get(number % known.len().max(1)).copied();
                its.into_iter().for_each(|its| self.task(its).token = true);
                Next
            }
            Op::Join => {
                let children = &mut self.task(me).children;
                children.drain(..children.len().min(1));
                Next
            }
            Op::Send(channel, value) => {
                let bound = if channel == 0 { None } else { Some(bound) };
                self.send(me, channel, value, bound)
            }
            Op::TrySend(value) => self.try_send(me, value, bound),
            Op::Recv(channel) | Op::TryRecv(channel) | Op::RecvTimeout(channel) => {
                self.receive(me, op, channel)
            }
            Op::DropSender(channel) => {
                let had = std::mem::take(&mut self.task(me).senders[channel]);
                self.channels[channel].senders -= u32::from(had);
                Next
            }
            Op::DropReceiver(channel) => {
                if std::mem::take(&mut self.task(me).receivers[channel]) {
                    self.channels[channel].connected = false;
                }
                Next
            }
            _ => self.count(me, op),
        }
    }

    fn access(&mut self, me: u32, op: &Op) -> Then {
        let atomics = &mut self.atomics;
        match *op {
            Op::Load(atomic) => Then::Note(atomics[atomic]),
            Op::Store(atomic, value) => {
                atomics[atomic] = value;
                Next
            }
            Op::CompareExchange(atomic, from, to) => {
                let found = atomics[atomic];
                if found == from {
                    atomics[atomic] = to;
                }
                Then::Note(found)
            }
            Op::FetchUpdate(atomic, limit) => {
                let found = atomics[atomic];
                let succeeds = found < limit;
                atomics[atomic] += i64::from(succeeds);
                self.task(me).notes.push(if succeeds { SUCCEEDED } else { FAILED });
                Then::Note(found)
            }
            _ => unreachable!("no access: {op:?}"),
        }
    }

    /// The last task to arrive leads, as in std's sources. Its documentation lets any task lead.
    fn barrier(&mut self, me: u32) -> Then {
        let generation = self.generation;
        let arrived_in = self.task(me).arrived_in;
        match arrived_in {
            Some(arrived_in) if arrived_in == generation => Wait,
            Some(_) => {
                self.task(me).arrived_in = None;
                Then::Note(FOLLOWER)
            }
            None if self.arrived + 1 == BARRIER => {
                self.arrived = 0;
                self.generation += 1;
                Then::Note(LEADER)
            }
            None => {
                self.arrived += 1;
                self.task(me).arrived_in = Some(generation);
                Stay
            }
        }
    }

    fn send(&mut self, me: u32, number: usize, value: i64, bound: Option<usize>) -> Then {
        if !self.task(me).senders[number] {
            return Next;
        }
        let offers = std::mem::take(&mut self.task(me).offers);
        let channel = &mut self.channels[number];
        if offers {
            let mine = |(_, sender): &(i64, Option<u32>)| *sender == Some(me);
            let Some(place) = channel.values.iter().position(mine) else { return Next };
            if channel.connected {
                return Wait;
            }
            channel.values.remove(place);
            return Then::Note(DISCONNECTED);
        }
        if !channel.connected {
            return Then::Note(DISCONNECTED);
        }
        match bound {
            Some(0) if channel.waiting && channel.values.is_empty() => {
                channel.values.push_back((value, None));
            }
            Some(0) => {
                channel.values.push_back((value, Some(me)));
                self.task(me).offers = true;
                return Stay;
            }
            Some(bound) if channel.values.len() >= bound => return Wait,
            _ => channel.values.push_back((value, None)),
        }
        Next
    }

    fn try_send(&mut self, me: u32, value: i64, bound: usize) -> Then {
        if !self.task(me).senders[1] {
            return Next;
        }
        let channel = &mut self.channels[1];
        let room = channel.values.len() < bound.max(usize::from(channel.waiting));
        if !channel.connected {
            return Then::Note(DISCONNECTED);
        }
        if !room {
            return Then::Note(FULL);
        }
        channel.values.push_back((value, None));
        Then::Note(SUCCEEDED)
    }

    /// A receiver that waits does so in a step of its own, because senders see it. The time-out is another step.
    fn receive(&mut self, me: u32, op: &Op, number: usize) -> Then {
        if !self.task(me).receivers[number] {
            return Next;
        }
        let channel = &mut self.channels[number];
        let waited = std::mem::take(&mut channel.waiting);
        if let Some((value, _)) = channel.values.pop_front() {
            return Then::Note(value);
        }
        if channel.senders == 0 {
            return Then::Note(DISCONNECTED);
        }
        match op {
            Op::TryRecv(_) => Then::Note(EMPTY),
            Op::RecvTimeout(_) if waited => Then::Note(TIMED_OUT),
            _ if waited => Wait,
            _ => {
                channel.waiting = true;
                Stay
            }
        }
    }

    fn count(&mut self, me: u32, op: &Op) -> Then {
        let (arcs, weaks) = (self.task(me).arcs, self.task(me).weaks);
        if if *op == Op::Upgrade { weaks == 0 } else { arcs == 0 } {
            return Next;
        }
        let alone = self.strong == 1;
        let (mut owners, mut noted) = (0, None);
        match *op {
            Op::CloneArc => owners = 1,
            Op::DropArc => owners = -1,
            Op::StrongCount => noted = Some(self.strong),
            Op::WeakCount => noted = Some(self.weak),
            Op::GetMut => return success(alone && self.weak == 0),
            Op::TryUnwrap => {
                owners = -i64::from(alone);
                noted = Some(if alone { SUCCEEDED } else { FAILED });
            }
            Op::Downgrade => {
                self.weak += 1;
                self.task(me).weaks += 1;
            }
            Op::Upgrade => {
                owners = i64::from(self.strong > 0);
                noted = Some(if self.strong > 0 { SUCCEEDED } else { FAILED });
            }
            _ => unreachable!("counts nothing: {op:?}"),
        }
        self.strong += owners;
        let last = owners < 0 && self.strong == 0;
        let task = self.task(me);
        task.arcs += owners;
        task.destroys = last;
        maybe(noted)
    }

    fn outcome(&self, over: bool) -> String {
        let word = |(label, notes): (u32, &[i64])| {
            let notes: Vec<_> = notes.iter().map(i64::to_string).collect();
            format!("{label}:{}", notes.join(","))
        };
        let finals: Vec<_> = self.values.into_iter().chain(self.atomics).collect();
        let main = over.then_some((0, &*finals)).into_iter();
        let tasks = self.tasks.iter().map(|(label, task)| (*label, &*task.notes));
        let noted = main.chain(tasks.filter(|(_, notes)| !notes.is_empty()));
        let mut words: Vec<_> = noted.map(word).collect();
        words.extend((!over).then(|| "deadlock".to_owned()));
        words.join(" ")
    }
}

struct Oracle {
    codes: Vec<Vec<Instruction>>,
    bound: usize,
}

impl Oracle {
    fn over(&self, task: &Task) -> bool {
        task.place == self.codes[task.code].len()
    }

    /// The state after the next instruction of a task.
    fn step(&self, state: &State, label: u32) -> Option<State> {
        let task = &state.tasks[&label];
        let instruction = self.codes[task.code].get(task.place)?;
        let joins = matches!(instruction, JoinAll | Do(Op::Join));
        let open = |child: &u32| !self.over(&state.tasks[child]);
        if joins && task.children.first().is_some_and(open) {
            return None;
        }
        let mut next = state.clone();
        let then = next.step(label, instruction, self.bound);
        let task = next.task(label);
        match then {
            Next => task.place += 1,
            Then::Note(value) => {
                task.notes.push(value);
                task.place += 1;
            }
            Stay => {}
            GoTo(place) => task.place = place,
            NoteAndGoTo(value, place) => {
                task.notes.push(value);
                task.place = place;
            }
            Wait => return None,
        }
        Some(next)
    }
}

fn start(program: &Program, translator: &mut Translator) -> State {
    let mut start = State::default();
    let tasks = program.tasks.len() as u32;
    let Uses { channels: [first, second], counts } = program.uses();
    let each = i64::from(counts);
    start.strong = each * i64::from(tasks);
    start.weak = each * i64::from(tasks);
    start.channels.iter_mut().for_each(|it| (it.senders, it.connected) = (tasks, true));
    for (ops, label) in program.tasks.iter().zip(1..) {
        *start.task(label) = Task {
            code: translator.task(ops),
            known: (1..label).collect(),
            senders: [first, second],
            receivers: [first && label == 1, second && label == 2],
            arcs: each,
            weaks: each,
            ..Task::default()
        };
    }
    start
}

/// Every outcome of the program, or nothing if it has more states than this.
pub(super) fn explore(program: &Program, at_most: usize) -> Option<Outcomes> {
    let mut translator = Translator { uses: program.uses(), ..Translator::default() };
    let start = start(program, &mut translator);
    let oracle = Oracle { codes: translator.codes, bound: program.bound };
    let (mut outcomes, mut seen) = (Outcomes::new(), HashSet::from([start.clone()]));
    let mut open = vec![start];
    while let Some(state) = open.pop() {
        let steps = state.tasks.keys().filter_map(|label| oracle.step(&state, *label));
        let next: Vec<_> = steps.collect();
        if next.is_empty() {
            let over = state.tasks.values().all(|task| oracle.over(task));
            outcomes.insert(state.outcome(over));
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
    Some(outcomes)
}
