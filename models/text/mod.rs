//! The scenarios and the twins, written once. Each backend is a package that has this text as a module; its
//! module `backend` says what the text runs on.

mod decisions;
pub(crate) mod locks;
pub(crate) mod recorder;
pub(crate) mod stage;
pub(crate) mod twins;

use super::backend::{
    Start, TickingClock, begin, core, current_step, current_task, overlap, patience, thread, work,
    workers,
};
use core::steps::DoubleRecheck;
pub use decisions::Decision;
use twins::Twin;
use xfetch_vocabulary::catalogue::{Protocol, Scenario};
use xfetch_vocabulary::history::{History, Record};

/// What the core's primitives are made of in this build.
pub fn backend_name() -> &'static str {
    core::steps::BACKEND
}

/// Runs a scenario once, under whatever scheduler is in charge.
pub fn run(scenario: Scenario, protocol: Protocol, callers: usize) -> History {
    match protocol {
        Protocol::DoubleRecheck | Protocol::DefaultConfig => {
            stage::perform(DoubleRecheck, scenario, protocol, callers)
        }
        twin => stage::perform(Twin(twin), scenario, protocol, callers),
    }
}

/// The same, and which steps a twin took in its own way, where.
pub fn run_with_decisions(scenario: Scenario, protocol: Protocol, callers: usize) -> History {
    decisions::keep();
    run(scenario, protocol, callers)
}

/// The steps of the last execution on this OS thread that a twin took in its own way.
pub fn decisions() -> Vec<Decision> {
    decisions::taken()
}

/// What was written down of the last execution on this OS thread, if it did not come to its end.
pub fn unfinished() -> Vec<Record> {
    recorder::unfinished()
}
