#![doc = include_str!("../README.md")]

mod check;
mod error;
mod foreign;
pub mod future;
pub mod lazy_static;
mod learned;
mod notation;
mod operation;
mod quiet;
mod replay;
mod report;
mod rules;
mod run;
mod sample;
mod schedule;
mod scheduler;
mod search;
mod shrink;
pub mod simulation;
pub mod spin;
mod state;
pub mod std;
pub mod sync;
mod task_local;
pub mod thread;
pub mod tracked;

#[cfg(test)]
mod litmus;

pub use check::{check, check_dfs, check_pct, check_random};
pub use error::Error;
pub use notation::NotASchedule;
pub use operation::{Access, Footprint, Kind, Object, Operation, TaskNumber};
pub use replay::{follow, replay, replay_and, replay_with_stacks};
pub use sample::Sample;
pub use schedule::{Execution, Frame, Outcome, Schedule, Step, TaskPanic};
pub use search::{
    Checkpoint, Coverage, Estimate, NotACheckpoint, Prefix, Reading, Search, Searched,
};
pub use shrink::{Failing, shrink};
/// The primitives as `parking_lot` has them: without poison, so that `lock()` returns the guard.
pub use sync as parking_lot;
pub use task_local::{AccessError, LocalKey};

/// Writes into the ledger with this number: a section of its own, or a part of the section of an acquisition directly
/// before it.
///
/// A search keeps only the order of steps that conflict. If a property depends on more (did two
/// computes overlap? did one request begin after another had ended?), call this at the beginnings and
/// ends. Then they are sections of one object, and every order of them is explored.
#[track_caller]
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

/// What has a name among the objects: the primitives.
pub trait Announced {
    /// Its name.
    fn object(&self) -> Object;
}

/// Gives a primitive a name for reports and [`Execution::names`].
pub fn named(primitive: &impl Announced, name: &str) {
    let object = primitive.object();
    state::with(|state| {
        if state.recording {
            state.run.names.insert(object, name.to_owned());
        }
    });
}
