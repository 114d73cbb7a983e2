//! The runtime of a simulation: it resumes the stack of the task whose turn it is.
//!
//! Shuttle keeps each step of an execution in memory, and builds a list of tasks for each. A day has many millions of
//! steps, so it runs on stacks of our own.

use super::{Simulated, Simulation};
use crate::run::message;
use crate::schedule::Outcome;
use crate::scheduler::Setup;
use crate::state::{Chooser, Clockwork, Stack, Turn, with};
use crate::thread;

/// Words of the stack of a task.
const STACK: usize = 0x4000;

/// The stack of a task that runs `work`.
pub(crate) fn stack(work: impl FnOnce() + Send + 'static) -> Stack {
    generator::Gn::new_opt(STACK, work)
}

/// Gives the OS thread back to the runtime until this task is chosen. It returns at once if that is now.
pub(crate) fn pause() {
    let me = crate::task();
    let switches = with(|state| match state.turn() {
        Turn::Of(task) if task == me => false,
        Turn::Of(task) => {
            state.clockwork().next = Some(task);
            true
        }
        // This task has announced an operation, so it has not finished.
        Turn::Over => true,
    });
    if switches {
        // The form with a scope would have to be handed down to every lock. loom uses this one too.
        #[expect(deprecated, reason = "it yields from any depth of the stack")]
        generator::yield_with(());
    }
}

pub(super) fn run<T: Send + 'static>(
    options: Simulation,
    chooser: Chooser,
    body: impl FnOnce() -> T + Send + 'static,
) -> Simulated<T> {
    with(|state| {
        assert!(!state.is_running(), "sections: a simulation inside of another exploration");
        state.begin(&Setup { recording: options.record, ..Setup::default() });
        state.clockwork = Some(Box::new(Clockwork::new(chooser)));
    });
    let handle = thread::spawn(body);
    let mut stacks: Vec<Option<Stack>> = Vec::new();
    loop {
        let task = with(|state| {
            let clockwork = state.clockwork();
            for (task, stack) in clockwork.stacks.drain(..) {
                if stacks.len() <= task {
                    stacks.resize_with(task + 1, || None);
                }
                stacks[task] = Some(stack);
            }
            match clockwork.next.take() {
                Some(task) => Some(task),
                None => match state.turn() {
                    Turn::Of(task) => Some(task),
                    Turn::Over => None,
                },
            }
        });
        let Some(task) = task else { break };
        let Some(stack) = stacks.get_mut(task).and_then(Option::as_mut) else {
            unreachable!("a task that has not finished has a stack")
        };
        stack.resume();
        if stack.is_done() {
            stacks[task] = None;
        }
    }
    crate::std::sync::end();
    let returned = handle.result();
    let (run, deadlock, clockwork) = with(|state| {
        state.stop();
        (std::mem::take(&mut state.run), state.deadlock.take(), state.clockwork.take())
    });
    let clockwork = clockwork.expect("a simulation has a clockwork");
    let outcome = match (deadlock, returned) {
        (Some(waiting), _) => Some(Outcome::Deadlock(waiting)),
        (None, _) if clockwork.stopped => None,
        (None, Ok(value)) => Some(Outcome::Returned(value)),
        (None, Err(panic)) => Some(Outcome::Panicked(message(panic.as_ref()))),
    };
    Simulated {
        outcome,
        now: clockwork.now(),
        decisions: run.decisions as u64,
        steps: clockwork.times.iter().copied().zip(run.steps).collect(),
        made_at: run.made_at,
    }
}
