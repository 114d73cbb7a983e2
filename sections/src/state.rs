//! What the primitives and the scheduler know of the execution on this OS thread.
//!
//! Shuttle runs all tasks of an execution on one OS thread, so one thread-local state serves them,
//! and explorations on several OS threads do not meet.

use crate::error::Error;
use crate::operation::{Access, Footprint, Kind, MAIN, Object, Operation, TaskNumber};
use crate::rules::{Rule, on};
use crate::schedule::Step;
use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Works on the state. Nothing that can switch tasks or run a user's code may be called inside.
pub(crate) fn with<R>(work: impl FnOnce(&mut State) -> R) -> R {
    STATE.with(|state| work(&mut state.borrow_mut()))
}

/// What unwinds a task of an execution that cannot go on.
pub(crate) struct Aborted;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Status {
    /// Has not run yet.
    #[default]
    New,
    /// Runs, or is past its last section.
    Running,
    /// Is about to do this.
    Announced(Operation),
    /// Has returned.
    Finished,
}

#[derive(Default)]
struct TaskState {
    status: Status,
    /// How many objects it has made.
    made: u32,
    /// What it learned when it was woken: its wait timed out.
    timed_out: bool,
    /// How many locks it holds.
    holds: u32,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Owners {
    writer: Option<TaskNumber>,
    readers: u32,
}

struct Waiter {
    task: TaskNumber,
    mutex: Object,
    /// Notifications to one that it could consume, the oldest first.
    notifications: VecDeque<u64>,
    /// Has released the mutex, and waits.
    parked: bool,
}

/// A table by object.
struct PerObject<T>(Vec<Vec<T>>);

impl<T> Default for PerObject<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Default> PerObject<T> {
    fn of(&mut self, object: Object) -> &mut T {
        let (maker, number) = object.place();
        if self.0.len() <= maker {
            self.0.resize_with(maker + 1, Vec::new);
        }
        let row = &mut self.0[maker];
        if row.len() <= number {
            row.resize_with(number + 1, T::default);
        }
        &mut row[number]
    }

    fn get(&self, object: Object) -> Option<&T> {
        let (maker, number) = object.place();
        self.0.get(maker)?.get(number)
    }

    fn clear(&mut self) {
        self.0.iter_mut().for_each(Vec::clear);
    }
}

/// An execution under way.
#[derive(Default)]
pub(crate) struct State {
    running: bool,
    /// Whose code is running.
    pub(crate) current: TaskNumber,
    /// Whose step was chosen last.
    pub(crate) last: TaskNumber,
    tasks: Vec<TaskState>,
    /// Tasks that have not finished, main aside.
    live: usize,
    /// Tasks that nobody has joined.
    unjoined: usize,
    /// Main has waited for one of several tasks. Its wait lasts until all have finished, so it must
    /// not do anything but join until it has joined them all.
    main_has_waited: bool,
    /// A destructor has synchronised while its task unwound.
    pub(crate) unexplored: bool,
    locks: PerObject<Owners>,
    condvars: PerObject<Vec<Waiter>>,
    notifications: u64,
    /// What the step under way has touched.
    pub(crate) step: Footprint,
    /// The step under way has only acquired so far.
    acquiring: bool,
    /// Every task unwinds: the execution cannot go on.
    pub(crate) aborting: bool,
    pub(crate) error: Option<Error>,
    pub(crate) deadlock: Option<Vec<(TaskNumber, Operation)>>,
    /// Locks that somebody tries somewhere, as far as the exploration knows.
    pub(crate) tried: Arc<BTreeSet<Object>>,
    /// A lock that is tried and not among them.
    pub(crate) discovered: Option<Object>,
    /// Whether steps are written down.
    pub(crate) recording: bool,
    pub(crate) run: Run,
}

/// What was decided in an execution.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    pub(crate) choices: Vec<u32>,
    pub(crate) preemptions: u32,
    pub(crate) redundant: bool,
    pub(crate) decisions: usize,
    pub(crate) steps: Vec<Step>,
    pub(crate) checksum: crc32fast::Hasher,
}

impl State {
    /// A fresh execution begins.
    pub(crate) fn begin(&mut self, tried: &Arc<BTreeSet<Object>>, recording: bool) {
        self.running = true;
        self.current = MAIN;
        self.last = MAIN;
        self.tasks.clear();
        self.live = 0;
        self.unjoined = 0;
        self.main_has_waited = false;
        self.unexplored = false;
        self.locks.clear();
        self.condvars.clear();
        self.notifications = 0;
        self.step.clear();
        self.acquiring = false;
        self.aborting = false;
        self.error = None;
        self.deadlock = None;
        self.tried = Arc::clone(tried);
        self.discovered = None;
        self.recording = recording;
        self.run = Run::default();
        *self.task(MAIN) = TaskState { status: Status::Running, ..TaskState::default() };
    }

    pub(crate) fn stop(&mut self) {
        self.running = false;
    }

    fn task(&mut self, task: TaskNumber) -> &mut TaskState {
        if self.tasks.len() <= task {
            self.tasks.resize_with(task + 1, TaskState::default);
        }
        &mut self.tasks[task]
    }

    pub(crate) fn status(&mut self, task: TaskNumber) -> Status {
        self.task(task).status
    }

    fn finished(&self, task: TaskNumber) -> bool {
        self.tasks.get(task).is_some_and(|task| task.status == Status::Finished)
    }

    pub(crate) fn holds_a_lock(&self, task: TaskNumber) -> bool {
        self.tasks.get(task).is_some_and(|task| task.holds > 0)
    }

    /// The execution cannot go on.
    pub(crate) fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
        self.aborting = true;
    }

    pub(crate) fn touch(&mut self, object: Object, access: Access) {
        // Main takes no steps: what it does before and after the others conflicts with nobody. Nor
        // does a task that unwinds because nobody can go on: the last step is over.
        if self.current != MAIN && !self.aborting {
            self.step.touch(object, access);
        }
    }

    fn free(&self, lock: Object, to_read: bool) -> bool {
        let owners = self.locks.get(lock).copied().unwrap_or_default();
        owners.writer.is_none() && (to_read || owners.readers == 0)
    }

    /// Whether the task, which has announced `operation`, can run.
    pub(crate) fn enabled(&self, task: TaskNumber, operation: Operation) -> bool {
        let Operation { kind, object } = operation;
        match kind {
            Kind::Lock | Kind::WriteLock => self.free(object, false) || !on(Rule::OwnersAreTracked),
            Kind::ReadLock => self.free(object, true) || !on(Rule::OwnersAreTracked),
            Kind::WokenOrTimeout if on(Rule::TimeoutsAreEnabled) => true,
            Kind::Woken | Kind::WokenOrTimeout => self.notified(object, task),
            Kind::Join => {
                let (joined, _) = object.place();
                self.finished(joined) && (task != MAIN || self.live == 0)
            }
            Kind::End => self.live == 0,
            _ => true,
        }
    }

    fn notified(&self, condvar: Object, task: TaskNumber) -> bool {
        let waiters = self.condvars.get(condvar);
        waiters.is_some_and(|waiters| {
            waiters.iter().any(|waiter| waiter.task == task && !waiter.notifications.is_empty())
        })
    }

    /// The scheduler lets the task do what it has announced.
    pub(crate) fn choose(&mut self, task: TaskNumber, operation: Operation) {
        self.step.clear();
        self.acquiring = operation.kind.moves_right() && !self.tried.contains(&operation.object);
        self.task(task).status = Status::Running;
        self.current = task;
        self.last = task;
    }

    /// The scheduler lets a new task run to its first announcement.
    pub(crate) fn start(&mut self, task: TaskNumber) {
        self.acquiring = false;
        self.task(task).status = Status::Running;
        self.current = task;
    }

    /// A task has been spawned.
    pub(crate) fn spawned(&mut self, task: TaskNumber) {
        self.task(task).status = Status::New;
        self.live += 1;
        // The child can come before whatever its parent does next.
        self.acquiring = false;
        self.unjoined += 1;
        if self.current == MAIN && self.main_has_waited && on(Rule::MainOnlySpawnsAndJoins) {
            let object = Object::of_task(task);
            self.fail(Error::MainTakesPart { operation: Operation { kind: Kind::Spawn, object } });
        }
    }

    /// The task that runs has joined another one.
    pub(crate) fn joined(&mut self, object: Object) {
        self.touch(object, Access::Read);
        self.unjoined -= 1;
        if self.current == MAIN {
            self.main_has_waited = self.unjoined > 0;
        }
    }

    /// The task that runs has returned.
    pub(crate) fn finish(&mut self) {
        let me = self.current;
        self.touch(Object::of_task(me), Access::Write);
        self.task(me).status = Status::Finished;
        self.live -= 1;
    }

    /// A task waits on the condition variable, whose mutex it has released.
    pub(crate) fn wait(&mut self, condvar: Object, mutex: Object) {
        let task = self.current;
        self.touch(condvar, Access::Write);
        let notifications = VecDeque::new();
        self.condvars.of(condvar).push(Waiter { task, mutex, notifications, parked: false });
    }

    /// The task that runs was woken without a broadcast: by a notification, or because time is up.
    pub(crate) fn woken(&mut self, condvar: Object) {
        let me = self.current;
        self.touch(condvar, Access::Write);
        let waiters = self.condvars.of(condvar);
        let Some(place) = waiters.iter().position(|waiter| waiter.task == me) else { return };
        let notification = waiters.remove(place).notifications.pop_front();
        if let Some(notification) = notification {
            for waiter in waiters.iter_mut() {
                waiter.notifications.retain(|other| *other != notification);
            }
        }
        self.task(me).timed_out = notification.is_none();
    }

    pub(crate) fn take_timed_out(&mut self) -> bool {
        let me = self.current;
        std::mem::take(&mut self.task(me).timed_out)
    }

    pub(crate) fn notify_one(&mut self, condvar: Object) {
        self.touch(condvar, Access::Write);
        self.notifications += 1;
        let notification = self.notifications;
        for waiter in self.condvars.of(condvar) {
            waiter.notifications.push_back(notification);
        }
    }

    /// A broadcast has nothing to consume: whoever is woken by it is about to lock again.
    pub(crate) fn notify_all(&mut self, condvar: Object) {
        self.touch(condvar, Access::Write);
        for Waiter { task, mutex, parked, .. } in std::mem::take(self.condvars.of(condvar)) {
            if !parked {
                continue;
            }
            let about_to_lock = Operation { kind: Kind::Lock, object: mutex };
            self.task(task).status = if on(Rule::WokenWaitersAreChosen) {
                Status::Announced(about_to_lock)
            } else {
                Status::New
            };
        }
    }

    /// Takes a lock; `false` if it is taken.
    pub(crate) fn acquire(&mut self, lock: Object, shared: bool) -> bool {
        self.touch(lock, if shared { Access::Read } else { Access::Write });
        if !self.free(lock, shared) {
            return false;
        }
        let me = self.current;
        self.task(me).holds += 1;
        let owners = self.locks.of(lock);
        if shared {
            owners.readers += 1;
        } else {
            owners.writer = Some(me);
        }
        true
    }

    pub(crate) fn release(&mut self, lock: Object, shared: bool) {
        if on(Rule::FootprintHasReleases) {
            self.touch(lock, if shared { Access::Read } else { Access::Write });
        }
        self.acquiring = false;
        let me = self.current;
        let holds = &mut self.task(me).holds;
        *holds = holds.saturating_sub(1);
        let owners = self.locks.of(lock);
        if shared {
            owners.readers = owners.readers.saturating_sub(1);
        } else {
            owners.writer = None;
        }
    }

    fn announce(&mut self, operation: Operation) -> Next {
        if self.aborting {
            return Next::Abort;
        }
        let me = self.current;
        let joins = matches!(operation.kind, Kind::Join | Kind::End);
        if me == MAIN && !joins {
            if self.unjoined > 0 && on(Rule::MainOnlySpawnsAndJoins) {
                self.fail(Error::MainTakesPart { operation });
                return Next::Abort;
            }
            return Next::Go;
        }
        if self.rides(operation) {
            self.acquiring = false;
            return Next::Go;
        }
        self.acquiring = false;
        self.task(me).status = Status::Announced(operation);
        Next::Switch
    }

    /// Lipton: a step may acquire, then do one thing that does not move, then release. So what
    /// comes directly after an acquisition belongs to its step, unless it could block.
    fn rides(&self, operation: Operation) -> bool {
        self.acquiring
            && matches!(
                operation.kind,
                Kind::Wait
                    | Kind::NotifyOne
                    | Kind::NotifyAll
                    | Kind::Load
                    | Kind::Store
                    | Kind::Update
                    | Kind::Add
                    | Kind::Ledger
            )
    }
}

enum Next {
    Go,
    Switch,
    Abort,
}

/// The name of a new object, made by the task that runs.
pub(crate) fn new_object() -> Object {
    with(|state| {
        assert!(state.running, "sections: an object was made outside of an exploration");
        let me = state.current;
        let task = state.task(me);
        task.made += 1;
        Object::made_by(me, task.made)
    })
}

/// Says what the task does next, and returns when it has been chosen to do it.
pub(crate) fn announce(kind: Kind, object: Object) {
    // Shuttle cannot schedule a task that unwinds: what a destructor does belongs to its step.
    if std::thread::panicking() {
        with(|state| state.unexplored |= !state.aborting);
        return;
    }
    let next = with(|state| {
        assert!(state.running, "sections: {kind:?} outside of an exploration");
        state.announce(Operation { kind, object })
    });
    match next {
        Next::Go => {}
        Next::Abort => abort(),
        Next::Switch => pause(),
    }
}

/// Lets the scheduler decide who goes on.
fn pause() {
    // Shuttle's plain scheduling point: it does not model time.
    shuttle::thread::sleep(Duration::ZERO);
    if with(|state| state.aborting) {
        abort();
    }
}

fn abort() -> ! {
    resume_unwind(Box::new(Aborted))
}

/// Parks a waiter until it is chosen: notified, timed out, or woken by a broadcast and about to
/// take its mutex again (`true`).
pub(crate) fn park(kind: Kind, condvar: Object, mutex: Object) -> bool {
    with(|state| {
        let me = state.current;
        let waiter = state.condvars.of(condvar).iter_mut().find(|waiter| waiter.task == me);
        let operation = match waiter {
            Some(waiter) => {
                waiter.parked = true;
                Operation { kind, object: condvar }
            }
            // A broadcast came between the registration and the release of a tried mutex.
            None => Operation { kind: Kind::Lock, object: mutex },
        };
        state.acquiring = false;
        state.task(me).status = Status::Announced(operation);
    });
    pause();
    with(|state| {
        let me = state.current;
        !state.condvars.of(condvar).iter().any(|waiter| waiter.task == me)
    })
}

/// Main waits until every task has finished, also if all of them are being unwound.
pub(crate) fn end() {
    loop {
        let live = with(|state| {
            let object = Object::of_task(MAIN);
            state.current = MAIN;
            state.task(MAIN).status = Status::Announced(Operation { kind: Kind::End, object });
            state.live > 0
        });
        if !live {
            break;
        }
        shuttle::thread::sleep(Duration::ZERO);
    }
    with(|state| state.task(MAIN).status = Status::Running);
}
