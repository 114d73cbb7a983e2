//! The scenario text on the announced primitives of `sections`.

mod backend {
    pub(super) use xfetch_core_shuttle as core;

    /// A clock that some tasks move while others read it.
    pub(super) use self::core::ManualClock as TickingClock;

    pub(super) mod thread {
        pub(crate) use sections::thread::{JoinHandle, spawn, spawn_alike};
    }

    /// The scenario's own number of workers.
    pub(super) fn workers(of_scenario: usize) -> usize {
        of_scenario
    }

    /// Main is 0; workers and callers count from 1.
    pub(super) fn current_task() -> usize {
        sections::task()
    }

    /// Nothing to do, because the scheduler knows the task.
    pub(super) fn begin(_caller: usize) {}

    /// A section of the ledger of all computes, so that every order of their beginnings and ends is
    /// explored.
    pub(super) fn overlap() {
        sections::ledger(0);
    }

    /// As the scenario says: a task that waits for ever is a deadlock.
    pub(super) fn patience(of_scenario: std::time::Duration) -> std::time::Duration {
        of_scenario
    }

    /// The number of decisions so far. The current section is the last of them.
    pub(super) fn current_step() -> usize {
        sections::decisions()
    }

    /// All callers are ready when the scheduler takes its first decision.
    #[derive(Clone)]
    pub(super) struct Start;

    impl Start {
        pub(super) fn new(_callers: usize) -> Self {
            Self
        }

        pub(super) fn wait(&self) {}
    }

    /// The scheduler can switch tasks between the sections of a compute, so this does nothing.
    pub(super) fn work() {}
}

mod open;
mod refined;
mod sample;
mod search;
mod seen;
#[path = "../../text/mod.rs"]
mod text;
mod urw;

pub use open::{Opened, Options, Parts, Served, hash_of, open, plain_event};
pub use refined::{Refined, not_in_the_table, refinement_took};
pub use sample::{Chance, Draws, sample};
pub use search::{resume, search};
pub use seen::{Example, Seen, check, check_unfinished};
pub use text::stage::{Compute, Value};
pub use text::{Decision, backend_name, decisions, run, run_with_decisions, unfinished};
