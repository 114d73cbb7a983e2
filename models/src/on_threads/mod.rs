//! The scenario text on real threads and the locks that ship.

mod backend {
    use std::sync::{Arc, Barrier};
    use std::time::Duration;

    pub(super) use xfetch_core as core;

    pub(super) mod thread {
        pub(in super::super) use std::thread::spawn;
    }

    /// The judges need no names of threads.
    pub(super) fn current_task() -> usize {
        0
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

#[expect(clippy::duplicate_mod, reason = "one scenario text, once per backend")]
#[path = "../text/mod.rs"]
mod text;

pub use text::{backend_name, run};
