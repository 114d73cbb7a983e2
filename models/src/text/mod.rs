//! The scenarios and the protocols, written once. The module above says what they run on.

mod field;
mod ledger;
mod protocols;
mod stage;

use super::backend::{Start, core, current_step, current_task, thread, work};
use crate::catalogue::{Protocol, Scenario};
use crate::history::History;

/// What the core's primitives are made of in this build.
pub fn backend_name() -> &'static str {
    core::steps::BACKEND
}

/// Runs a scenario once, under whatever scheduler is in charge.
pub fn run(scenario: Scenario, protocol: Protocol, callers: usize) -> History {
    macro_rules! dispatch {
        ($($Type:ident, $slug:literal, $phase:literal, $reported:literal, $breaks:expr, $what:literal;)*) => {
            match protocol {
                $(Protocol::$Type => run_on::<protocols::$Type>(scenario, callers)),*
            }
        };
    }
    for_each_protocol!(dispatch)
}

fn run_on<P: core::steps::Protocol>(scenario: Scenario, callers: usize) -> History {
    match scenario {
        Scenario::Field => field::run::<P>(callers),
    }
}
