//! The scenario text on Shuttle's own primitives, for Shuttle's own depth-first search.

mod dfs;

pub use dfs::{Searched, search};

mod backend {
    pub(super) use xfetch_core_plain as core;

    /// A clock that some tasks move while others read it.
    pub(super) use self::core::ManualClock as TickingClock;

    pub(super) mod thread {
        pub(crate) use shuttle::thread::{JoinHandle, spawn};

        /// A task that is like others of its class, which no search here makes use of.
        pub(crate) fn spawn_alike<F, T>(_class: u32, task: F) -> JoinHandle<T>
        where
            F: FnOnce() -> T + Send + 'static,
            T: Send + 'static,
        {
            spawn(task)
        }
    }

    /// The scenario's own number of workers.
    pub(super) fn workers(of_scenario: usize) -> usize {
        of_scenario
    }

    /// Main is 0; workers and callers count from 1.
    pub(super) fn current_task() -> usize {
        shuttle::current::me().into()
    }

    /// Nothing to do, because the scheduler knows the task.
    pub(super) fn begin(_caller: usize) {}

    /// Nothing to do, because Shuttle explores the order of everything.
    pub(super) fn overlap() {}

    /// As the scenario says: a task that waits for ever is a deadlock.
    pub(super) fn patience(of_scenario: std::time::Duration) -> std::time::Duration {
        of_scenario
    }

    pub(super) fn current_step() -> usize {
        0
    }

    /// Shuttle may run a caller before the next one is spawned. That adds no outcome.
    #[derive(Clone)]
    pub(super) struct Start;

    impl Start {
        pub(super) fn new(_callers: usize) -> Self {
            Self
        }

        pub(super) fn wait(&self) {}
    }

    /// Shuttle can switch tasks between the sections of a compute, so this does nothing.
    pub(super) fn work() {}
}

#[path = "../../text/mod.rs"]
mod text;

pub use text::{Decision, backend_name, decisions, run, run_with_decisions, unfinished};
