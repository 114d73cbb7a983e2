//! The scenario text on real threads and the shipped locks.

mod backend {
    use std::cell::Cell;
    use std::sync::{Arc, Barrier};
    use std::time::Duration;

    pub(super) use xfetch_core as core;

    /// A clock that some threads move while others read it.
    pub(super) use self::core::ManualClock as TickingClock;

    pub(super) mod thread {
        pub(crate) use std::thread::{JoinHandle, spawn};

        /// A task that is like others of its class, which no search here makes use of.
        pub(crate) fn spawn_alike<F, T>(_class: u32, task: F) -> JoinHandle<T>
        where
            F: FnOnce() -> T + Send + 'static,
            T: Send + 'static,
        {
            spawn(task)
        }
    }

    thread_local! {
        static CALLER: Cell<usize> = const { Cell::new(0) };
    }

    /// As many as in the field report.
    pub(super) fn workers(_: usize) -> usize {
        4
    }

    /// Main and workers are 0; callers count from 1.
    pub(super) fn current_task() -> usize {
        CALLER.get()
    }

    /// Makes this thread the caller with this number.
    pub(super) fn begin(caller: usize) {
        CALLER.set(caller);
    }

    /// Nothing to do, because real computes overlap in real time.
    pub(super) fn overlap() {}

    /// A twin may leave a caller waiting for ever, and then the round would never end.
    pub(super) fn patience(of_scenario: Duration) -> Duration {
        of_scenario.min(Duration::from_secs(5))
    }

    pub(super) fn current_step() -> usize {
        0
    }

    /// No caller starts before all of them are ready.
    #[derive(Clone)]
    pub(super) struct Start(Arc<Barrier>);

    impl Start {
        pub(super) fn new(callers: usize) -> Self {
            Self(Arc::new(Barrier::new(callers)))
        }

        pub(super) fn wait(&self) {
            self.0.wait();
        }
    }

    /// Long enough for every other caller to look while the compute runs.
    pub(super) fn work() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[path = "../../text/mod.rs"]
mod text;

pub use text::{Decision, backend_name, decisions, run, run_with_decisions, unfinished};
