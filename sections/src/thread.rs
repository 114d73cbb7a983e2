//! Tasks: spawning and joining.

use crate::operation::{Kind, TaskNumber};
use crate::simulation::runtime;
use crate::state::{Aborted, Identity, locals, with};
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

type Slot<T> = Arc<Mutex<Option<std::thread::Result<T>>>>;

/// Starts a task. Its code before its first synchronising operation belongs to the step that spawned
/// it. No other task can observe the difference.
#[track_caller]
pub fn spawn<F, T>(task: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let slot: Slot<T> = Arc::default();
    let result = Arc::clone(&slot);
    let work = move || {
        // A panic must not end the execution. It is the task's result, or the execution is being given up.
        let given_up = end(result, catch_unwind(AssertUnwindSafe(task)));
        with(|state| state.finish(given_up));
    };
    let task = if with(|state| state.clockwork.is_some()) {
        let stack = runtime::stack(work);
        with(|state| state.enlist(stack))
    } else {
        with(|state| state.asks = true);
        shuttle::thread::spawn(work).thread().id().into()
    };
    with(|state| state.spawned(task));
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
    pub fn join(self) -> std::thread::Result<T> {
        if self.identity.announce(Kind::Join) {
            with(|state| state.joined(self.identity.object()));
        }
        self.result()
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
