//! What destructors do while their task unwinds.
//!
//! Shuttle cannot schedule a task that unwinds, because all tasks share the panic count of one OS thread. So an
//! operation of a destructor is done at once, if it is possible now.

use super::{State, with};
use crate::error::Error;
use crate::operation::{Kind, Operation, TaskNumber};
use crate::schedule::Schedule;
use crate::state::Status;
use std::time::Duration;

/// A destructor is about to do this while its task unwinds. Returns if it is possible without another task.
pub(super) fn go_on(operation: Operation) {
    let possible = with(|state| {
        if state.reads_again(operation) {
            let (task, lock) = (state.current, operation.object);
            state.fail(Error::RecursiveRead { task, lock });
        }
        state.unexplored |= !state.aborting;
        if !state.aborting && state.main_steps_in(operation) {
            state.discover_main();
        }
        state.is_possible(operation)
    });
    if !possible {
        with(|state| state.cannot_unwind(operation));
        get_stuck();
    }
}

/// Leaves this OS thread as it is: see [`run`](crate::run). In a destructor a panic would end the process.
pub(super) fn get_stuck() -> ! {
    with(|state| state.stuck = true);
    loop {
        // Shuttle asks for the next task, and the bridge does not return.
        shuttle::thread::sleep(Duration::ZERO);
    }
}

impl State {
    fn is_possible(&self, operation: Operation) -> bool {
        let Operation { kind, object } = operation;
        // Shuttle does not run the stacks of a simulation. An operation outside of an exploration is refused elsewhere.
        if self.clockwork.is_some() || !self.running {
            return true;
        }
        match kind {
            Kind::Lock | Kind::WriteLock => self.free(object, false),
            Kind::ReadLock => self.free(object, true),
            Kind::Woken => self.notified(object, self.current),
            // A task that was given up has no result. A destructor that insists on one would panic.
            Kind::Join => object.task().is_some_and(|task| self.returned(task)),
            _ => true,
        }
    }

    /// Nothing is lost if the execution is given up anyway. Otherwise it cannot be told how it goes on.
    fn cannot_unwind(&mut self, operation: Operation) {
        if self.aborting {
            return;
        }
        let others = self.tasks.iter().enumerate().filter_map(|(task, state)| match state.status {
            Status::Announced(operation) => Some((task, operation)),
            _ => None,
        });
        let waiting: Vec<(TaskNumber, Operation)> =
            [(self.current, operation)].into_iter().chain(others).collect();
        let schedule = Schedule::new(self.run.choices.clone()).knowing(&self.learned);
        self.fail(Error::CannotUnwind { schedule, waiting });
    }
}
