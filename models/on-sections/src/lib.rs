//! The scenario text on the announced primitives of `sections`, which are Shuttle's.

mod backend {
    pub(super) use xfetch_core_shuttle as core;

    /// A clock that tasks move while others look at it.
    pub(super) use self::core::ManualClock as TickingClock;

    pub(super) mod thread {
        pub(crate) use sections::thread::{JoinHandle, spawn};
    }

    /// As the scenario says.
    pub(super) fn workers(of_scenario: usize) -> usize {
        of_scenario
    }

    /// 0 is main; workers and callers count from 1.
    pub(super) fn current_task() -> usize {
        sections::task()
    }

    /// The scheduler knows.
    pub(super) fn begin(_caller: usize) {}

    /// A section of the one ledger of all computes: every order of their beginnings and ends.
    pub(super) fn overlap() {
        sections::ledger(0);
    }

    /// As the scenario says: a task that waits for ever is a deadlock.
    pub(super) fn patience(of_scenario: std::time::Duration) -> std::time::Duration {
        of_scenario
    }

    /// Decisions so far; the section under way is the last of them.
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

    /// Others can run between the sections of a compute without its help.
    pub(super) fn work() {}
}

mod sample;
mod search;
mod seen;
#[path = "../../text/mod.rs"]
mod text;
mod urw;

pub use sample::{Chance, Draws, sample};
pub use search::search;
pub use seen::{Example, Seen, check, check_unfinished};
pub use text::{backend_name, run, unfinished};
