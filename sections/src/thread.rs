//! Tasks: spawning and joining.

use crate::operation::Object;
use crate::operation::{Kind, TaskNumber};
use crate::run::message;
use crate::simulation::runtime;
use crate::state::{Aborted, Identity, announce, locals, with};
use crate::sync::announce_release;
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) type Slot<T> = Arc<Mutex<Option<std::thread::Result<T>>>>;

/// Starts a task. Its code before its first synchronising operation belongs to the step that spawned
/// it. No other task can observe the difference.
#[track_caller]
pub fn spawn<F, T>(task: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    spawn_in(None, task)
}

/// Starts a task that is like every other one that this task starts with this `class`: they run the same code on the same
/// data, and it makes no difference to the scenario or to its judge which of them does what. That is a promise.
/// A search with [`symmetry`](crate::Search::symmetry) relies on it.
#[track_caller]
pub fn spawn_alike<F, T>(class: u32, task: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    spawn_in(Some(class), task)
}

#[track_caller]
fn spawn_in<F, T>(class: Option<u32>, task: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let (work, slot) = work(task);
    let task = if with(|state| state.clockwork.is_some()) {
        let stack = runtime::stack(work);
        with(|state| state.enlist(stack))
    } else {
        with(|state| state.asks = true);
        shuttle::thread::spawn(work).thread().id().into()
    };
    with(|state| state.spawned(task, class));
    JoinHandle { task, identity: Identity::of_task(task), slot }
}

/// The running task has this result. All that it drops belongs to it, so it has not finished yet: the result, if there
/// is no handle, and then its thread-locals, as in std. Returns whether the task was given up.
fn end<T>(slot: Slot<T>, returned: std::thread::Result<T>) -> bool {
    let is_given_up = |panic: &Box<dyn Any + Send>| panic.is::<Aborted>();
    let given_up = returned.as_ref().is_err_and(is_given_up);
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(returned);
    let handle = Arc::downgrade(&slot);
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(slot)));
    let Err(panic) = dropped.and(locals::end()) else {
        return given_up;
    };
    let given_up = given_up || is_given_up(&panic);
    if let Some(slot) = handle.upgrade() {
        let before = slot.lock().unwrap_or_else(PoisonError::into_inner).replace(Err(panic));
        let _ = catch_unwind(AssertUnwindSafe(|| drop(before)));
    }
    given_up
}

/// What a task does, and where it puts its result.
pub(crate) fn work<'a, F, T>(task: F) -> (impl FnOnce() + Send + 'a, Slot<T>)
where
    F: FnOnce() -> T + Send + 'a,
    T: Send + 'a,
{
    let slot: Slot<T> = Arc::default();
    let result = Arc::clone(&slot);
    let work = move || {
        // A panic must not end the execution. It is the task's result, or the execution is being given up.
        let returned = catch_unwind(AssertUnwindSafe(task));
        if let Err(panic) = &returned {
            let text = message(panic.as_ref());
            with(|state| state.panicked(text));
        }
        let given_up = end(result, returned);
        // Some task may ask whether this one has finished. Then its end is a step.
        let me = Identity::of_task(crate::task());
        let ended = catch_unwind(AssertUnwindSafe(|| announce_release(me)));
        with(|state| state.finish(given_up || ended.is_err()));
    };
    (work, slot)
}

/// Waits for the end of a task.
#[track_caller]
pub(crate) fn wait_for(task: TaskNumber) {
    let object = Object::of_task(task);
    announce(Kind::Join, object);
    with(|state| state.joined(object));
}

/// The handle of a task. Joining it waits for the task's end.
pub struct JoinHandle<T> {
    task: TaskNumber,
    identity: Identity,
    slot: Slot<T>,
}

impl<T> JoinHandle<T> {
    /// Waits for the task's end.
    ///
    /// # Errors
    ///
    /// The panic of the task.
    #[track_caller]
    pub fn join(self) -> std::thread::Result<T> {
        if self.identity.announce(Kind::Join) {
            with(|state| {
                state.joined(self.identity.object());
                state.panic_is_seen(self.task);
            });
        }
        self.result()
    }

    pub(crate) fn of(task: TaskNumber, slot: Slot<T>) -> Self {
        Self { task, identity: Identity::of_task(task), slot }
    }

    /// What the task has returned, if it has finished.
    pub(crate) fn result(self) -> std::thread::Result<T> {
        let result = self.slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        result.unwrap_or_else(|| Err(Box::new("the task has not returned")))
    }

    /// The task's number. Main is 0; the others count up in the order of spawning.
    pub fn task(&self) -> TaskNumber {
        self.task
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinHandle").field(&self.task).finish()
    }
}
