//! The clockwork of a simulation: virtual time, the tasks that sleep, and the choice of the next step.

use super::{State, Status};
use crate::operation::{Footprint, Kind, Object, Operation, TaskNumber};
use crate::schedule::Step;
use crate::simulation::{Alternatives, Move};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

/// A task as the runtime keeps it: its stack.
pub(crate) type Stack = generator::Generator<'static, (), ()>;
pub(crate) type Chooser = Box<dyn FnMut(&Alternatives) -> Move>;

/// The number of a timer. A task that was woken before its timer leaves the timer behind.
type Ticket = u64;

pub(crate) struct Clockwork {
    /// Nanoseconds since the start.
    now: u64,
    timers: BinaryHeap<Reverse<(u64, Ticket, TaskNumber)>>,
    tickets: Ticket,
    /// The tasks that have announced an operation and do not sleep, by number.
    awake: Vec<TaskNumber>,
    enabled: Vec<TaskNumber>,
    new: VecDeque<TaskNumber>,
    /// Stacks that the runtime has not fetched yet.
    pub(crate) stacks: Vec<(TaskNumber, Stack)>,
    /// The task that the runtime resumes next.
    pub(crate) next: Option<TaskNumber>,
    pub(crate) tasks: TaskNumber,
    chooser: Chooser,
    /// When each recorded step was taken.
    pub(crate) times: Vec<Duration>,
    pub(crate) stopped: bool,
    /// The numbers of condition variables that are gone, of each task that made one.
    free: Vec<Vec<u32>>,
}

/// The timers of a task.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timed {
    /// It sleeps, or is stalled, until this one.
    asleep: Option<Ticket>,
    /// It waits for a notification, at most until this one.
    waits: Option<Ticket>,
    /// That one has come.
    due: bool,
}

impl Timed {
    fn has(self, ticket: Ticket) -> bool {
        self.asleep == Some(ticket) || self.waits == Some(ticket)
    }
}

impl Clockwork {
    pub(crate) fn new(chooser: Chooser) -> Self {
        Self {
            now: 0,
            timers: BinaryHeap::new(),
            tickets: 0,
            awake: Vec::new(),
            enabled: Vec::new(),
            new: VecDeque::new(),
            stacks: Vec::new(),
            next: None,
            tasks: 0,
            chooser,
            times: Vec::new(),
            stopped: false,
            free: Vec::new(),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        Duration::from_nanos(self.now)
    }

    fn timer(&mut self, at: u64, task: TaskNumber) -> Ticket {
        self.tickets += 1;
        self.timers.push(Reverse((at, self.tickets, task)));
        self.tickets
    }

    fn wake(&mut self, task: TaskNumber) {
        if let Err(place) = self.awake.binary_search(&task) {
            self.awake.insert(place, task);
        }
    }

    fn lay_down(&mut self, task: TaskNumber) {
        if let Ok(place) = self.awake.binary_search(&task) {
            self.awake.remove(place);
        }
    }

    pub(super) fn number(&mut self, maker: TaskNumber) -> Option<u32> {
        self.free.get_mut(maker)?.pop()
    }
}

/// What the runtime does next.
pub(crate) enum Turn {
    /// It resumes this task.
    Of(TaskNumber),
    /// Every task has finished.
    Over,
}

impl State {
    /// The clockwork. Only a simulation asks for it.
    pub(crate) fn clockwork(&mut self) -> &mut Clockwork {
        self.clockwork.as_mut().expect("a simulation has a clockwork")
    }

    /// A new task of a simulation.
    pub(crate) fn enlist(&mut self, stack: Stack) -> TaskNumber {
        let clockwork = self.clockwork();
        clockwork.tasks += 1;
        let task = clockwork.tasks;
        clockwork.new.push_back(task);
        clockwork.stacks.push((task, stack));
        task
    }

    /// The running task sleeps until this moment.
    pub(crate) fn sleep(&mut self, until: Duration) {
        let me = self.current;
        let until = nanos(until);
        let operation = Operation { kind: Kind::Sleep, object: Object::of_task(me) };
        self.acquiring = false;
        self.task(me).status = Status::Announced(operation);
        let clockwork = self.clockwork();
        if until <= clockwork.now {
            clockwork.wake(me);
            return;
        }
        let ticket = clockwork.timer(until, me);
        self.task(me).timed.asleep = Some(ticket);
    }

    /// The running task waits for a notification, and no longer than this.
    pub(crate) fn wait_at_most(&mut self, timeout: Duration) {
        let me = self.current;
        if let Some(clockwork) = &mut self.clockwork {
            let at = clockwork.now.saturating_add(nanos(timeout));
            let ticket = clockwork.timer(at, me);
            self.task(me).timed.waits = Some(ticket);
        }
    }

    /// A broadcast has woken the task.
    pub(super) fn needs_no_timer(&mut self, task: TaskNumber) {
        let timed = &mut self.task(task).timed;
        (timed.waits, timed.due) = (None, false);
    }

    /// The running task has announced an operation.
    pub(super) fn stay_awake(&mut self) {
        let me = self.current;
        if let Some(clockwork) = &mut self.clockwork {
            clockwork.wake(me);
        }
    }

    /// The name of an object that is gone may be given again. In a search it may not: there an object has the same
    /// name in every interleaving.
    pub(super) fn forget(&mut self, object: Object) {
        let running = self.running;
        let Some(clockwork) = self.clockwork.as_mut().filter(|_| running) else { return };
        let (maker, number) = object.place();
        if clockwork.free.len() <= maker {
            clockwork.free.resize_with(maker + 1, Vec::new);
        }
        clockwork.free[maker].push(number as u32);
    }

    /// Time passes until the next timer. `false` if there is none.
    fn pass(&mut self) -> bool {
        let Some(at) = self.next_timer() else { return false };
        self.clockwork().now = at;
        while let Some(Reverse((due, ticket, task))) = self.clockwork().timers.peek().copied() {
            if due > at {
                break;
            }
            self.clockwork().timers.pop();
            let timed = &mut self.task(task).timed;
            if timed.waits == Some(ticket) {
                (timed.waits, timed.due) = (None, true);
            } else if timed.asleep == Some(ticket) {
                timed.asleep = None;
                self.clockwork().wake(task);
            }
        }
        true
    }

    /// When the next timer is due. Timers that were left behind are dropped.
    fn next_timer(&mut self) -> Option<u64> {
        loop {
            let Reverse((at, ticket, task)) = *self.clockwork().timers.peek()?;
            if self.task(task).timed.has(ticket) {
                return Some(at);
            }
            self.clockwork().timers.pop();
        }
    }

    /// Whether the time-out of the task's wait has come.
    pub(super) fn is_due(&self, task: TaskNumber) -> bool {
        self.tasks.get(task).is_some_and(|task| task.timed.due)
    }

    /// Chooses the next step of a simulation, and the task that takes it.
    pub(crate) fn turn(&mut self) -> Turn {
        loop {
            if self.aborting {
                return self.unwind_one();
            }
            if let Some(new) = self.clockwork().new.pop_front() {
                self.start(new);
                return Turn::Of(new);
            }
            let mut enabled = std::mem::take(&mut self.clockwork().enabled);
            enabled.clear();
            let awake = std::mem::take(&mut self.clockwork().awake);
            let able = awake.iter().copied().filter(|task| match self.status_of(*task) {
                Status::Announced(operation) => self.enabled(*task, operation),
                _ => false,
            });
            enabled.extend(able);
            self.clockwork().awake = awake;
            let stays = enabled.iter().position(|task| *task == self.last);
            if let Some(place) = stays {
                enabled[..=place].rotate_right(1);
            }
            if enabled.is_empty() {
                self.clockwork().enabled = enabled;
                if self.pass() {
                    continue;
                }
                if self.live == 0 {
                    return Turn::Over;
                }
                let clockwork = self.clockwork();
                let now = clockwork.now();
                (clockwork.chooser)(&Alternatives { tasks: &[], stays: false, now, next: None });
                self.lock_up();
                continue;
            }
            let next = self.next_timer().map(Duration::from_nanos);
            let clockwork = self.clockwork();
            let now = clockwork.now();
            let stays = stays.is_some();
            let moved = (clockwork.chooser)(&Alternatives { tasks: &enabled, stays, now, next });
            let task = match moved {
                Move::Run(index) | Move::Stall(index, _) => enabled.get(index).copied(),
                Move::Pass | Move::Stop => None,
            };
            self.clockwork().enabled = enabled;
            match (moved, task) {
                (Move::Run(index), Some(task)) => return self.take(task, stays && index > 0),
                (Move::Stall(_, span), Some(task)) => {
                    let clockwork = self.clockwork();
                    let until = clockwork.now.saturating_add(nanos(span).max(1));
                    let ticket = clockwork.timer(until, task);
                    clockwork.lay_down(task);
                    self.task(task).timed.asleep = Some(ticket);
                }
                (Move::Pass, _) if next.is_some() => drop(self.pass()),
                (Move::Stop, _) => {
                    self.clockwork().stopped = true;
                    self.aborting = true;
                }
                // The chooser named a task that is not there, or a timer that is not there.
                _ => {
                    let task = self.clockwork().enabled[0];
                    return self.take(task, false);
                }
            }
        }
    }

    fn status_of(&self, task: TaskNumber) -> Status {
        self.tasks.get(task).map_or(Status::New, |task| task.status)
    }

    fn take(&mut self, task: TaskNumber, preempts: bool) -> Turn {
        let Status::Announced(operation) = self.status_of(task) else {
            unreachable!("an enabled task has announced an operation")
        };
        self.clockwork().lay_down(task);
        if self.recording {
            let footprint = Footprint::default();
            let (place, values) = (self.place(task), Vec::new());
            let enabled = self.clockwork().enabled.len();
            let stack = Vec::new();
            let step = Step { task, operation, footprint, enabled, preempts, place, stack, values };
            self.run.steps.push(step);
            let now = self.clockwork().now();
            self.clockwork().times.push(now);
        }
        self.run.decisions += 1;
        self.run.preemptions += u32::from(preempts);
        self.choose(task, operation);
        self.task(task).timed = Timed::default();
        Turn::Of(task)
    }

    /// No task can go on, and no time-out comes.
    fn lock_up(&mut self) {
        let waiting = |(task, state): (TaskNumber, &super::TaskState)| match state.status {
            Status::Announced(operation) => Some((task, operation)),
            _ => None,
        };
        self.deadlock = Some(self.tasks.iter().enumerate().filter_map(waiting).collect());
        self.aborting = true;
    }

    /// The next task to unwind when a simulation is given up. One that holds a lock comes first.
    fn unwind_one(&mut self) -> Turn {
        self.clockwork().new.clear();
        let lives = |(task, state): &(TaskNumber, &super::TaskState)| {
            *task > 0 && state.status != Status::Finished
        };
        let holder = self.tasks.iter().enumerate().filter(lives).find(|(_, it)| it.holds > 0);
        let any = || self.tasks.iter().enumerate().find(lives);
        let Some(task) = holder.or_else(any).map(|(task, _)| task) else { return Turn::Over };
        self.start(task);
        Turn::Of(task)
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
