//! The scenarios and the protocols, written once. The module above says what they run on.

mod ledger;
mod locks;
mod scenes;
mod stage;
mod twins;

use super::backend::{
    Start, TickingClock, begin, core, current_step, current_task, overlap, patience, thread, work,
    workers,
};
use crate::catalogue::{Protocol, Scenario};
use crate::history::{History, Record};
use core::steps::DoubleRecheck;
use twins::Twin;

/// What the core's primitives are made of in this build.
pub fn backend_name() -> &'static str {
    core::steps::BACKEND
}

/// Runs a scenario once, under whatever scheduler is in charge.
pub fn run(scenario: Scenario, protocol: Protocol, callers: usize) -> History {
    match protocol {
        Protocol::DoubleRecheck | Protocol::AsBuilt => {
            stage::perform(DoubleRecheck, scenario, protocol, callers)
        }
        twin => stage::perform(Twin(twin), scenario, protocol, callers),
    }
}

/// What was written down of the last execution on this OS thread, if it did not come to its end.
pub fn unfinished() -> Vec<Record> {
    ledger::unfinished()
}
