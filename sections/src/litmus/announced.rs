//! The backend of this package's primitives.

/// The types that the text uses.
pub(super) mod backend {
    pub use crate::sync::{Condvar, Mutex, RwLock};
    pub use crate::thread::{JoinHandle, spawn, spawn_alike};
    use std::sync::atomic::Ordering::SeqCst;

    /// Gives the running task its label.
    pub fn introduce(label: u32) {
        crate::litmus::log::name(crate::task(), label);
    }

    /// A number that tasks share.
    pub struct Atomic(crate::sync::atomic::AtomicI64);

    impl Atomic {
        pub fn new(value: i64) -> Self {
            Self(crate::sync::atomic::AtomicI64::new(value))
        }

        pub fn load(&self) -> i64 {
            self.0.load(SeqCst)
        }

        pub fn store(&self, value: i64) {
            self.0.store(value, SeqCst);
        }

        pub fn fetch_add(&self, value: i64) -> i64 {
            self.0.fetch_add(value, SeqCst)
        }

        pub fn add(&self, value: i64) {
            self.0.add(value, SeqCst);
        }

        pub fn compare_exchange(&self, from: i64, to: i64) -> Result<i64, i64> {
            self.0.compare_exchange(from, to, SeqCst, SeqCst)
        }
    }

    /// Entries in the order in which they were written.
    #[derive(Default)]
    pub struct Ledger(std::sync::Mutex<Vec<i64>>);

    impl Ledger {
        pub fn write(&self, entry: i64) {
            crate::ledger(0);
            self.0.lock().unwrap().push(entry);
        }

        pub fn entries(&self) -> Vec<i64> {
            self.0.lock().unwrap().clone()
        }
    }
}

#[path = "text/mod.rs"]
pub(super) mod text;
