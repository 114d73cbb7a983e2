//! What a primitive knows of itself: its name, and the execution that made it.

use super::{Aborted, STATE, State, announce, new_object, unwinding, with};
use crate::error::Error;
use crate::operation::{Kind, Object, TaskNumber};
use std::fmt;
use std::panic::{Location, resume_unwind};

/// The name of an object, which is good for one execution: the next one gives the same names again.
#[derive(Clone, Copy)]
pub(crate) struct Identity {
    object: Object,
    execution: u64,
    made_at: &'static Location<'static>,
}

impl Identity {
    /// A new object, which the running task makes. Outside of an exploration it has a name that no task may use.
    #[track_caller]
    pub(crate) fn new() -> Self {
        let made_at = Location::caller();
        let execution = with(|state| state.present());
        let object = if execution == 0 { Object::of_task(0) } else { new_object() };
        Self { object, execution, made_at }
    }

    /// The task as an object of this execution.
    #[track_caller]
    pub(crate) fn of_task(task: TaskNumber) -> Self {
        let execution = with(|state| state.present());
        Self { object: Object::of_task(task), execution, made_at: Location::caller() }
    }

    pub(crate) fn object(self) -> Object {
        self.object
    }

    /// Announces an operation on the object, and returns when the task is chosen. `false` after the last execution of
    /// this OS thread: then there are no tasks, and the state is of no use.
    #[must_use]
    #[track_caller]
    pub(crate) fn announce(self, kind: Kind) -> bool {
        match self.age(kind) {
            Age::Present => {
                announce(kind, self.object);
                true
            }
            Age::Outlived if std::thread::panicking() => unwinding::get_stuck(),
            Age::Outlived => resume_unwind(Box::new(Aborted)),
            Age::After => false,
        }
    }

    /// How old the object is for an operation. If it has outlived its execution, the present one is given up.
    pub(crate) fn age(self, kind: Kind) -> Age {
        let age = STATE.try_with(|state| {
            let state = &mut *state.borrow_mut();
            match state.present() {
                0 if state.execution > 0 => Age::After,
                // Outside of an exploration: it is refused with a panic.
                0 => Age::Present,
                present if present == self.execution => Age::Present,
                _ => {
                    let (task, made_at) = (state.current, self.made_at);
                    state.fail(Error::Outlived { task, kind, made_at });
                    Age::Outlived
                }
            }
        });
        age.unwrap_or(Age::After)
    }

    /// The object is gone.
    pub(crate) fn forget(self) {
        let _ = STATE.try_with(|state| {
            let state = &mut *state.borrow_mut();
            if state.present() == self.execution {
                state.forget(self.object);
            }
        });
    }
}

/// How old an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    /// The present execution has made it.
    Present,
    /// It was made elsewhere.
    Outlived,
    /// This OS thread has no more executions. Its own thread-locals are dropped, or what a simulation has returned is
    /// used.
    After,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.object.fmt(f)
    }
}

impl State {
    /// The number of the present execution. 0 if there is none.
    fn present(&self) -> u64 {
        if self.running { self.execution } else { 0 }
    }
}
