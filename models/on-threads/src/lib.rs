//! The scenario text on real threads and the locks that ship.

mod backend {
    use std::cell::Cell;
    use std::sync::{Arc, Barrier};
    use std::time::Duration;

    pub(super) use xfetch_core as core;

    /// A clock that tasks move while others look at it.
    pub(super) use self::core::ManualClock as TickingClock;

    pub(super) mod thread {
        pub(crate) use std::thread::{JoinHandle, spawn};
    }

    thread_local! {
        static CALLER: Cell<usize> = const { Cell::new(0) };
    }

    /// As many as in the field report.
    pub(super) fn workers(_: usize) -> usize {
        4
    }

    /// 0 is main and workers, callers count from 1.
    pub(super) fn current_task() -> usize {
        CALLER.get()
    }

    /// This thread is the caller with this number.
    pub(super) fn begin(caller: usize) {
        CALLER.set(caller);
    }

    /// Real time needs no help.
    pub(super) fn overlap() {}

    /// A twin may leave a caller waiting for ever, and then the round would never end.
    pub(super) fn patience(of_scenario: Duration) -> Duration {
        of_scenario.min(Duration::from_secs(5))
    }

    pub(super) fn current_step() -> usize {
        0
    }

    /// Nobody starts before everybody is there.
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

    /// Long enough for every other caller to look while the compute is under way.
    pub(super) fn work() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[path = "../../text/mod.rs"]
mod text;

pub use text::{backend_name, run, unfinished};
