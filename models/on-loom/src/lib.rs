//! The scenario text on loom, and loom's search.

mod search;

pub use search::{Limits, MAX_THREADS, Searched, search, threads};

mod ledger {
    use loom::sync::atomic::AtomicU64;

    loom::lazy_static! {
        /// The ledger of all computes. Each execution has its own.
        pub(super) static ref LEDGER: AtomicU64 = AtomicU64::new(0);
    }
}

mod backend {
    use std::cell::Cell;

    pub(super) use xfetch_core_loom as core;

    use core::{Clock, Moment};
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    /// A clock that some threads move while others read it. Each read is an update, which sees the last
    /// value. With a load, as in `ManualClock`, loom's threads could read old times, which no real
    /// clock returns.
    #[derive(Clone)]
    pub(super) struct TickingClock(Arc<AtomicU64>);

    impl TickingClock {
        pub(super) fn new() -> Self {
            Self(Arc::new(AtomicU64::new(0)))
        }

        pub(super) fn advance(&self, span: Duration) {
            self.0.fetch_add(span.as_nanos() as u64, Ordering::SeqCst);
        }
    }

    impl Clock for TickingClock {
        fn now(&self) -> Moment {
            Moment::from_nanos(self.0.fetch_add(0, Ordering::SeqCst))
        }
    }

    pub(super) mod thread {
        pub(crate) use loom::thread::{JoinHandle, spawn};

        /// A task that is like others of its class, which no search here makes use of.
        pub(crate) fn spawn_alike<F, T>(_class: u32, task: F) -> JoinHandle<T>
        where
            F: FnOnce() -> T + Send + 'static,
            T: Send + 'static,
        {
            spawn(task)
        }
    }

    loom::thread_local! {
        static CALLER: Cell<usize> = Cell::new(0);
    }

    /// loom has five threads: main, two callers, the one that shuts the pool down, and one worker.
    pub(super) fn workers(_: usize) -> usize {
        1
    }

    /// Main is 0; callers count from 1.
    pub(super) fn current_task() -> usize {
        CALLER.with(Cell::get)
    }

    /// Makes this thread the caller with this number.
    pub(super) fn begin(caller: usize) {
        CALLER.with(|number| number.set(caller));
    }

    /// A place at which loom may switch threads, and which does not commute with other such places.
    /// Without it nothing could happen during a compute that does nothing.
    pub(super) fn overlap() {
        super::ledger::LEDGER.fetch_add(1, Ordering::SeqCst);
    }

    /// As the scenario says: a task that waits for ever is a deadlock.
    pub(super) fn patience(of_scenario: std::time::Duration) -> std::time::Duration {
        of_scenario
    }

    pub(super) fn current_step() -> usize {
        0
    }

    /// All callers are spawned before loom switches between them.
    #[derive(Clone)]
    pub(super) struct Start;

    impl Start {
        pub(super) fn new(_callers: usize) -> Self {
            Self
        }

        pub(super) fn wait(&self) {}
    }

    /// loom can switch threads between the sections of a compute, so this does nothing.
    pub(super) fn work() {}
}

#[path = "../../text/mod.rs"]
mod text;

pub use text::{Decision, backend_name, decisions, run, run_with_decisions, unfinished};
