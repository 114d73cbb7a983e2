#![doc = include_str!("../README.md")]

mod error;
mod foreign;
mod learned;
mod notation;
mod operation;
mod replay;
mod rules;
mod run;
mod sample;
mod schedule;
mod scheduler;
mod search;
mod shrink;
pub mod simulation;
mod state;
pub mod sync;
mod task_local;
pub mod thread;

#[cfg(test)]
mod litmus;

pub use error::Error;
pub use notation::NotASchedule;
pub use operation::{Access, Footprint, Kind, Object, Operation, TaskNumber};
pub use replay::replay;
pub use sample::Sample;
pub use schedule::{Execution, Outcome, Schedule, Step};
pub use search::{Coverage, Search};
pub use shrink::{Failing, shrink};
pub use task_local::{AccessError, LocalKey};

/// Writes into the ledger with this number: a section of its own, or a part of the section of an acquisition directly
/// before it.
///
/// A search keeps only the order of steps that conflict. If a property depends on more (did two
/// computes overlap? did one request begin after another had ended?), call this at the beginnings and
/// ends. Then they are sections of one object, and every order of them is explored.
pub fn ledger(number: u32) {
    let object = Object::ledger(number);
    if rules::on(rules::Rule::LedgersAreSections) {
        state::announce(Kind::Ledger, object);
    }
    state::with(|state| state.touch(object, Access::Write));
}

/// The number of the running task. Main is 0.
pub fn task() -> TaskNumber {
    state::with(|state| state.current)
}

/// The number of decisions so far in this execution. The current step is the last of them.
pub fn decisions() -> usize {
    state::with(|state| state.run.decisions)
}
