//! The tasks: their status, what each is about to do, and which ones were joined.

use super::State;
use super::clockwork::Timed;
use super::locals::Locals;
use super::watching::Watch;
use crate::operation::{Access, MAIN, Object, Operation, TaskNumber};
use crate::rules::{Rule, on};
use crate::schedule::{Frame, TaskPanic};
use std::backtrace::Backtrace;
use std::panic::Location;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Status {
    /// Has not run yet.
    #[default]
    New,
    /// Runs, or has passed its last section.
    Running,
    /// Is about to do this operation.
    Announced(Operation),
    /// Has finished.
    Finished,
}

/// Tasks are alike if one task spawned them with one number.
pub(crate) type Class = (TaskNumber, u32);

#[derive(Default)]
pub(super) struct TaskState {
    pub(super) status: Status,
    /// The line of the operation that it announced last.
    pub(super) place: Option<&'static Location<'static>>,
    /// The calls that led to it, where they are recorded.
    pub(super) stack: Option<Backtrace>,
    /// The class of tasks that are alike, if it was spawned as one: see [`spawn_alike`](crate::thread::spawn_alike).
    pub(super) class: Option<Class>,
    /// The number of objects that it has made.
    pub(super) made: u32,
    /// Whether its last wait timed out.
    pub(super) timed_out: bool,
    /// The number of locks that it holds.
    pub(super) holds: u32,
    /// In a simulation, what it waits for the clock for.
    pub(super) timed: Timed,
    pub(super) locals: Locals,
    pub(super) watch: Option<Watch>,
    /// Whether it ended because the execution was given up.
    pub(super) given_up: bool,
    /// How often it was unwound because the execution is given up.
    pub(super) aborts: u32,
}

impl State {
    pub(super) fn task(&mut self, task: TaskNumber) -> &mut TaskState {
        if self.tasks.len() <= task {
            self.tasks.resize_with(task + 1, TaskState::default);
        }
        &mut self.tasks[task]
    }

    pub(crate) fn status(&mut self, task: TaskNumber) -> Status {
        self.task(task).status
    }

    pub(super) fn finished(&self, task: TaskNumber) -> bool {
        self.tasks.get(task).is_some_and(|task| task.status == Status::Finished)
    }

    pub(crate) fn has_finished(&self, task: TaskNumber) -> bool {
        self.finished(task)
    }

    /// The running task has panicked, and ends.
    pub(crate) fn panicked(&mut self, message: String) {
        if !self.aborting {
            let task = self.current;
            self.run.panics.push(TaskPanic { task, message, seen: false });
        }
    }

    /// A task has joined this one with its handle, and has its panic, if there is one.
    pub(crate) fn panic_is_seen(&mut self, task: TaskNumber) {
        for panic in self.run.panics.iter_mut().filter(|panic| panic.task == task) {
            panic.seen = true;
        }
    }

    /// Whether the task has ended by itself.
    pub(super) fn returned(&self, task: TaskNumber) -> bool {
        self.finished(task) && !self.tasks[task].given_up
    }

    pub(crate) fn holds_a_lock(&self, task: TaskNumber) -> bool {
        self.tasks.get(task).is_some_and(|task| task.holds > 0)
    }

    /// The line of the operation that the task announced last, unless it is a line of this package: a destructor does not
    /// know who dropped it.
    pub(crate) fn place(&mut self, task: TaskNumber) -> Option<&'static Location<'static>> {
        let ours = file!().strip_suffix("state/tasks.rs").unwrap_or(file!());
        self.task(task).place.filter(|place| !place.file().starts_with(ours))
    }

    /// The calls that led to the operation that the task announced last, the innermost first.
    pub(crate) fn stack(&mut self, task: TaskNumber) -> Vec<Frame> {
        self.task(task).stack.take().map_or_else(Vec::new, |it| Frame::all(&it))
    }

    /// The running task's step has seen or written a value.
    pub(crate) fn saw(&mut self, value: String) {
        let me = self.current;
        if let Some(step) = self.run.steps.last_mut().filter(|step| step.task == me) {
            step.values.push(value);
        }
    }

    /// The scheduler chose the task for the operation that it announced.
    pub(crate) fn choose(&mut self, task: TaskNumber, operation: Operation) {
        self.step.clear();
        self.acquiring =
            operation.kind.moves_right() && !self.learned.tried.contains(&operation.object);
        self.task(task).status = Status::Running;
        self.current = task;
        self.last = task;
    }

    /// The scheduler lets the task run to its next announcement.
    pub(crate) fn start(&mut self, task: TaskNumber) {
        self.acquiring = false;
        self.task(task).status = Status::Running;
        self.current = task;
    }

    /// The class of the task, if there are tasks that are like it.
    pub(crate) fn class(&self, task: TaskNumber) -> Option<Class> {
        self.tasks.get(task)?.class
    }

    /// A task has been spawned.
    pub(crate) fn spawned(&mut self, task: TaskNumber, class: Option<u32>) {
        let parent = self.current;
        let spawned = self.task(task);
        (spawned.status, spawned.class) = (Status::New, class.map(|class| (parent, class)));
        self.live += 1;
        if self.takes_steps() {
            self.step.change(task);
        }
        // The child can run before the next operation of its parent.
        self.acquiring = false;
        self.unjoined += 1;
        let unseen = self.current == MAIN && self.main_has_waited && !self.learned.main_takes_part;
        if unseen && on(Rule::MainOnlySpawnsAndJoins) {
            self.discover_main();
        }
    }

    /// The running task has joined another one.
    pub(crate) fn joined(&mut self, object: Object) {
        self.touch(object, Access::Read);
        self.unjoined -= 1;
        if self.current == MAIN {
            self.main_has_waited = self.unjoined > 0;
        }
    }

    /// The running task has finished.
    pub(crate) fn finish(&mut self, given_up: bool) {
        let me = self.current;
        self.touch(Object::of_task(me), Access::Write);
        let task = self.task(me);
        (task.status, task.given_up) = (Status::Finished, given_up);
        self.live -= 1;
    }
}
