//! The state of the execution on this OS thread, which the primitives and the scheduler share.
//!
//! Shuttle runs all tasks of an execution on one OS thread. So one thread-local state is enough, and
//! explorations on several OS threads are independent.

mod announce;
mod clockwork;
mod condvars;
mod identity;
pub(crate) mod locals;
mod locks;
mod tasks;
mod unwinding;
mod watching;

pub(crate) use announce::{Aborted, announce, end, new_object, park, sleep};
pub(crate) use clockwork::{Chooser, Clockwork, Stack, Turn};
pub(crate) use identity::{Age, Identity};
pub(crate) use tasks::{Class, Status};

use crate::error::Error;
use crate::learned::{Discovery, Learned};
use crate::operation::{Access, Footprint, Kind, MAIN, Object, Operation, TaskNumber};
use crate::rules::{Rule, on};
use crate::schedule::{Step, TaskPanic};
use crate::scheduler::Setup;
use condvars::Waiter;
use locks::Owners;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tasks::TaskState;

/// The number of the next execution.
static EXECUTIONS: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Runs `work` on the state. It must not switch tasks or run a user's code.
pub(crate) fn with<R>(work: impl FnOnce(&mut State) -> R) -> R {
    STATE.with(|state| work(&mut state.borrow_mut()))
}

/// A table with an entry for each object.
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

/// The state of the current execution.
#[derive(Default)]
pub(crate) struct State {
    running: bool,
    /// The number of the execution, which no other one on any OS thread has.
    execution: u64,
    /// The running task.
    pub(crate) current: TaskNumber,
    /// The task whose step was chosen last.
    pub(crate) last: TaskNumber,
    tasks: Vec<TaskState>,
    /// Tasks that have not finished, without main.
    live: usize,
    /// Tasks that were not joined.
    unjoined: usize,
    /// Main has joined a task. Its join returns only when all tasks have finished, so main may only
    /// join until it has joined them all.
    main_has_waited: bool,
    /// A destructor synchronised while its task unwound.
    pub(crate) unexplored: bool,
    locks: PerObject<Owners>,
    condvars: PerObject<Vec<Waiter>>,
    notifications: u64,
    /// What the current step has touched.
    pub(crate) step: Footprint,
    /// The current step has only acquired so far.
    acquiring: bool,
    /// Every task unwinds, because the execution is given up.
    pub(crate) aborting: bool,
    /// The body has ended, and so have all tasks. The judge may use what the body returned.
    pub(crate) over: bool,
    /// We ourselves are about to ask Shuttle for the next task.
    pub(crate) asks: bool,
    /// A destructor of a task that unwinds can never go on.
    pub(crate) stuck: bool,
    pub(crate) error: Option<Error>,
    pub(crate) deadlock: Option<Vec<(TaskNumber, Operation)>>,
    /// The same, kept for the driver.
    pub(crate) waiting: Vec<(TaskNumber, Operation)>,
    /// What the exploration knows of the scenario.
    pub(crate) learned: Arc<Learned>,
    /// Some task waits in a loop: see [`spin`](crate::spin).
    pub(crate) watching: bool,
    /// How many operations were announced on this OS thread.
    pub(crate) announcements: u64,
    /// What it did not know.
    pub(crate) discovered: Option<Discovery>,
    /// Whether steps are recorded.
    pub(crate) recording: bool,
    /// Whether each step is recorded with the calls that led to it.
    pub(crate) stacks: bool,
    pub(crate) run: Run,
    /// Only a simulation has one.
    pub(crate) clockwork: Option<Box<Clockwork>>,
}

/// The decisions of an execution.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    pub(crate) choices: Vec<u32>,
    pub(crate) preemptions: u32,
    pub(crate) redundant: bool,
    pub(crate) decisions: usize,
    pub(crate) steps: Vec<Step>,
    /// The tasks that have panicked.
    pub(crate) panics: Vec<TaskPanic>,
    /// Where each object was made.
    pub(crate) made_at: BTreeMap<Object, &'static Location<'static>>,
    pub(crate) names: BTreeMap<Object, String>,
    pub(crate) checksum: crc32fast::Hasher,
}

impl State {
    /// Prepares the state for a new execution.
    pub(crate) fn begin(&mut self, setup: &Setup) {
        self.running = true;
        self.execution = EXECUTIONS.fetch_add(1, Ordering::Relaxed);
        self.current = MAIN;
        self.last = MAIN;
        self.tasks.drain(..).for_each(|task| task.locals.forget());
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
        self.watching = false;
        self.stuck = false;
        self.over = false;
        // Shuttle begins with main.
        self.asks = true;
        self.error = None;
        self.deadlock = None;
        self.waiting.clear();
        self.learned = Arc::clone(&setup.learned);
        self.discovered = None;
        self.recording = setup.recording;
        self.stacks = setup.stacks;
        self.run = Run::default();
        self.clockwork = None;
        *self.task(MAIN) = TaskState { status: Status::Running, ..TaskState::default() };
    }

    /// The running task looks at something that is announced only if the exploration knows that some task looks at it: at
    /// whether a lock is held, for example. If it does not know yet, the exploration begins again, and knows.
    pub(crate) fn discover(&mut self, object: Object) {
        if !self.learned.tried.contains(&object) && !self.over {
            self.discovered = Some(Discovery::Tried(object));
        }
    }

    /// The number of this execution in this process.
    pub(crate) fn number(&self) -> u64 {
        self.execution
    }

    pub(crate) fn is_running(&self) -> bool {
        self.running
    }

    pub(crate) fn stop(&mut self) {
        self.running = false;
    }

    /// Gives the execution up.
    pub(crate) fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
        self.aborting = true;
    }

    /// Gives the execution up: main does more than an exploration without it can follow.
    pub(super) fn discover_main(&mut self) {
        self.discovered.get_or_insert(Discovery::MainTakesPart);
        self.aborting = true;
    }

    pub(crate) fn touch(&mut self, object: Object, access: Access) {
        self.touch_perhaps(object, access);
        self.touched(object, access);
    }

    /// The running task has accessed an object, and has changed it unless it only read.
    pub(crate) fn touched(&mut self, object: Object, access: Access) {
        if self.watching {
            self.watched(object, access);
        }
    }

    /// What the step may do with an object. What it did, [`touched`](Self::touched) says.
    pub(crate) fn touch_perhaps(&mut self, object: Object, access: Access) {
        if self.takes_steps() {
            self.step.touch(object, access);
        }
    }

    /// Whether what the running task does belongs to a step. Unless main takes part, it takes no steps:
    /// its operations before and after the tasks conflict with nothing. A task that unwinds in an
    /// execution that is given up takes no step either.
    fn takes_steps(&self) -> bool {
        let takes_part = self.current != MAIN || self.learned.main_takes_part;
        takes_part && !self.aborting && !self.over
    }

    /// Whether the task can do the operation that it announced.
    pub(crate) fn enabled(&self, task: TaskNumber, operation: Operation) -> bool {
        let Operation { kind, object } = operation;
        match kind {
            Kind::Lock | Kind::WriteLock => self.free(object, false) || !on(Rule::OwnersAreTracked),
            Kind::ReadLock => self.free(object, true) || !on(Rule::OwnersAreTracked),
            Kind::WokenOrTimeout if self.clockwork.is_some() => {
                self.is_due(task) || self.notified(object, task)
            }
            Kind::WokenOrTimeout if on(Rule::TimeoutsAreEnabled) => true,
            Kind::Woken | Kind::WokenOrTimeout => self.notified(object, task),
            Kind::Join => {
                let (joined, _) = object.place();
                let by_itself = task != MAIN || self.learned.main_takes_part;
                self.finished(joined) && (by_itself || self.live == 0)
            }
            Kind::Await => self.sees_a_change(task),
            Kind::End => self.live == 0,
            _ => true,
        }
    }
}
