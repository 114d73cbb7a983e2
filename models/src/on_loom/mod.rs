//! The scenario text on loom.

mod backend {
    pub(super) use xfetch_core_loom as core;

    pub(super) mod thread {
        pub(in super::super) use loom::thread::spawn;
    }

    /// loom tells nobody who is running.
    pub(super) fn current_task() -> usize {
        0
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

    /// Others can run between the sections of a compute without its help.
    pub(super) fn work() {}
}

#[expect(clippy::duplicate_mod, reason = "one scenario text, once per backend")]
#[path = "../text/mod.rs"]
mod text;

pub use text::{backend_name, run};
