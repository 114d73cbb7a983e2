//! Tasks.

use crate::operation::{Kind, Object, TaskNumber};
use crate::state::{announce, with};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

type Slot<T> = Arc<Mutex<Option<std::thread::Result<T>>>>;

/// Starts a task. What it does before its first synchronising operation belongs to the step that
/// spawned it: nobody can tell.
pub fn spawn<F, T>(task: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let slot: Slot<T> = Arc::default();
    let result = Arc::clone(&slot);
    let spawned = shuttle::thread::spawn(move || {
        // A task that unwinds must not end Shuttle's execution: its result is a panic, or it is
        // one of an execution that cannot go on.
        let returned = catch_unwind(AssertUnwindSafe(task));
        *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(returned);
        with(|state| state.finish());
    });
    let task = spawned.thread().id().into();
    with(|state| state.spawned(task));
    JoinHandle { task, slot }
}

/// A task to wait for.
pub struct JoinHandle<T> {
    task: TaskNumber,
    slot: Slot<T>,
}

impl<T> JoinHandle<T> {
    /// Waits for the task's end.
    ///
    /// # Errors
    ///
    /// What the task panicked with.
    pub fn join(self) -> std::thread::Result<T> {
        let object = Object::of_task(self.task);
        announce(Kind::Join, object);
        with(|state| state.joined(object));
        let result = self.slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        result.unwrap_or_else(|| Err(Box::new("the task has not returned")))
    }

    /// The task's number: main is 0, the others count up in the order in which they were spawned.
    pub fn task(&self) -> TaskNumber {
        self.task
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinHandle").field(&self.task).finish()
    }
}
