//! The scenarios and the protocols, written once. The module above says what they run on.

mod ledger;
mod locks;
mod protocols;
mod scenes;
mod stage;

use super::backend::{
    Start, TickingClock, begin, core, current_step, current_task, overlap, patience, thread, work,
    workers,
};
use crate::catalogue::{Protocol, Scenario};
use crate::history::{History, Record};

/// What the core's primitives are made of in this build.
pub fn backend_name() -> &'static str {
    core::steps::BACKEND
}

/// Runs a scenario once, under whatever scheduler is in charge.
pub fn run(scenario: Scenario, protocol: Protocol, callers: usize) -> History {
    macro_rules! dispatch {
        ($($Type:ident, $slug:literal, $phase:literal, $reported:literal,
           [$($where:ident: $breaks:ident),*], $what:literal;)*) => {
            match protocol {
                $(Protocol::$Type => stage::perform::<protocols::$Type>(scenario, protocol, callers)),*
            }
        };
    }
    for_each_protocol!(dispatch)
}

/// What was written down of the last execution on this OS thread, if it did not come to its end.
pub fn unfinished() -> Vec<Record> {
    ledger::unfinished()
}
