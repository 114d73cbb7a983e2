//! The scenario text on Shuttle's own primitives, for its own depth-first search: what `sections` is
//! compared with.

mod dfs;

pub use dfs::{Searched, search};

mod backend {
    pub(super) use xfetch_core_plain as core;

    /// A clock that tasks move while others look at it.
    pub(super) use self::core::ManualClock as TickingClock;

    pub(super) mod thread {
        pub(crate) use shuttle::thread::{JoinHandle, spawn};
    }

    /// As the scenario says.
    pub(super) fn workers(of_scenario: usize) -> usize {
        of_scenario
    }

    /// 0 is main; workers and callers count from 1.
    pub(super) fn current_task() -> usize {
        shuttle::current::me().into()
    }

    /// The scheduler knows.
    pub(super) fn begin(_caller: usize) {}

    /// Shuttle keeps the order of everything.
    pub(super) fn overlap() {}

    /// As the scenario says: a task that waits for ever is a deadlock.
    pub(super) fn patience(of_scenario: std::time::Duration) -> std::time::Duration {
        of_scenario
    }

    pub(super) fn current_step() -> usize {
        0
    }

    /// Shuttle may run a caller before the next one is spawned: one more order of those there are.
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

#[path = "../../text/mod.rs"]
mod text;

pub use text::{backend_name, run, unfinished};
