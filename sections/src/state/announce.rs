//! The place where a task meets the scheduler. It announces its next operation and pauses until it is
//! chosen.

use super::{State, Status, unwinding, with};
use crate::error::Error;
use crate::foreign;
use crate::operation::{Kind, MAIN, Object, Operation};
use crate::rules::{Rule, on};
use crate::simulation::runtime;
use std::backtrace::Backtrace;
use std::panic::{Location, resume_unwind};
use std::time::Duration;

/// How often a task is unwound that catches the panic and goes on. It could do so for ever.
const MAX_ABORTS: u32 = 100;

/// The panic that unwinds a task of an execution that is given up.
pub(crate) struct Aborted;

impl State {
    fn announce(&mut self, operation: Operation, place: &'static Location<'static>) -> Next {
        if self.over {
            return Next::Go;
        }
        if self.aborting {
            return Next::Abort;
        }
        self.announcements += 1;
        let me = self.current;
        if self.task(me).status == Status::Finished {
            // A destructor of Shuttle's thread-locals or of its statics.
            self.fail(Error::ForeignSchedulingPoint { task: me, place: foreign::place() });
            return Next::Abort;
        }
        if self.reads_again(operation) {
            self.fail(Error::RecursiveRead { task: me, lock: operation.object });
            return Next::Abort;
        }
        if self.main_steps_in(operation) {
            self.discover_main();
            return Next::Abort;
        }
        let joins = matches!(operation.kind, Kind::Join | Kind::End);
        if me == MAIN && !joins && !self.learned.main_takes_part {
            return Next::Go;
        }
        if self.rides(operation) {
            self.acquiring = false;
            return Next::Go;
        }
        self.acquiring = false;
        self.task(me).status = Status::Announced(operation);
        self.task(me).place = Some(place);
        self.stay_awake();
        Next::Switch
    }

    /// Whether main takes part, and the exploration does not know.
    pub(super) fn main_steps_in(&self, operation: Operation) -> bool {
        let joins = matches!(operation.kind, Kind::Join | Kind::End);
        self.current == MAIN
            && !joins
            && !self.learned.main_takes_part
            && self.unjoined > 0
            && self.clockwork.is_none()
            && !self.over
            && on(Rule::MainOnlySpawnsAndJoins)
    }

    /// A step may acquire, then do one operation that does not move, then release (Lipton). So the
    /// operation directly after an acquisition belongs to the same step, unless it could block.
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

/// A name for a new object, which the running task makes.
#[track_caller]
pub(crate) fn new_object() -> Object {
    let place = Location::caller();
    with(|state| {
        assert!(state.running, "sections: an object was made outside of an exploration");
        let me = state.current;
        let number = state.clockwork.as_mut().and_then(|clockwork| clockwork.number(me));
        let number = number.unwrap_or_else(|| {
            let task = state.task(me);
            task.made += 1;
            task.made
        });
        let object = Object::made_by(me, number);
        if state.recording {
            state.run.made_at.insert(object, place);
        }
        object
    })
}

/// Records the calls that led to the announcement, if they are asked for.
fn record_stack() {
    if with(|state| state.stacks) {
        let stack = Backtrace::force_capture();
        with(|state| {
            let me = state.current;
            state.task(me).stack = Some(stack);
        });
    }
}

/// Announces the task's next operation, and returns when the task is chosen.
#[track_caller]
pub(crate) fn announce(kind: Kind, object: Object) {
    let place = Location::caller();
    if std::thread::panicking() {
        unwinding::go_on(Operation { kind, object });
        return;
    }
    let next = with(|state| {
        assert!(state.running, "sections: {kind:?} outside of an exploration");
        state.announce(Operation { kind, object }, place)
    });
    match next {
        Next::Go => {}
        Next::Abort => abort(),
        Next::Switch => {
            record_stack();
            pause();
        }
    }
}

/// Lets the scheduler choose the next task.
fn pause() {
    let simulated = with(|state| {
        state.asks = true;
        state.clockwork.is_some()
    });
    if simulated {
        runtime::pause();
    } else {
        // This is Shuttle's plain scheduling point. Shuttle does not model time.
        shuttle::thread::sleep(Duration::ZERO);
    }
    if with(|state| state.aborting) {
        abort();
    }
}

fn abort() -> ! {
    let catches = with(|state| {
        let me = state.current;
        let aborts = &mut state.task(me).aborts;
        *aborts += 1;
        *aborts > MAX_ABORTS && state.clockwork.is_none()
    });
    if catches {
        unwinding::get_stuck();
    }
    resume_unwind(Box::new(Aborted))
}

/// Parks a waiter until it is chosen. Returns `true` if a broadcast woke it, so that it is about to
/// take its mutex again.
#[track_caller]
pub(crate) fn park(kind: Kind, condvar: Object, mutex: Object) -> bool {
    let place = Location::caller();
    if std::thread::panicking() && with(|state| state.clockwork.is_none()) {
        // No other task comes before the end of the wait, so only a time-out does.
        unwinding::go_on(Operation { kind, object: condvar });
        return false;
    }
    with(|state| {
        let me = state.current;
        let waiter = state.condvars.of(condvar).iter_mut().find(|waiter| waiter.task == me);
        let operation = match waiter {
            Some(waiter) => {
                waiter.parked = true;
                Operation { kind, object: condvar }
            }
            // A broadcast came between the registration and the release of a mutex that some task
            // tries.
            None => Operation { kind: Kind::Lock, object: mutex },
        };
        state.acquiring = false;
        state.task(me).status = Status::Announced(operation);
        state.task(me).place = Some(place);
        state.stay_awake();
    });
    record_stack();
    pause();
    with(|state| {
        let me = state.current;
        !state.condvars.of(condvar).iter().any(|waiter| waiter.task == me)
    })
}

/// The running task of a simulation goes on at this moment.
pub(crate) fn sleep(until: Duration) {
    if std::thread::panicking() {
        return;
    }
    if with(|state| state.aborting) {
        abort();
    }
    with(|state| state.sleep(until));
    pause();
}

/// Main waits until every task has finished, even if all of them unwind. Its thread-locals belong to it if it takes
/// part, and otherwise come after all tasks.
pub(crate) fn end() -> std::thread::Result<()> {
    let takes_part = with(|state| state.learned.main_takes_part);
    let dropped = if takes_part { super::locals::end() } else { Ok(()) };
    loop {
        let live = with(|state| {
            let object = Object::of_task(MAIN);
            state.current = MAIN;
            state.asks = true;
            state.task(MAIN).status = Status::Announced(Operation { kind: Kind::End, object });
            state.live > 0
        });
        if !live {
            break;
        }
        shuttle::thread::sleep(Duration::ZERO);
    }
    with(|state| state.task(MAIN).status = Status::Running);
    let dropped = dropped.and(super::locals::end());
    crate::std::sync::end();
    with(|state| state.over = true);
    dropped
}
