//! The backend of Shuttle's primitives, with poison ignored.

/// The types that the text uses.
pub(super) mod backend {
    use shuttle::sync as shuttles;
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::Ordering::SeqCst;
    use std::sync::{PoisonError, TryLockError};
    use std::time::Duration;

    thread_local! {
        static MAIN_JOINS: Cell<bool> = const { Cell::new(false) };
    }

    /// Whether main has spawned every task and only joins.
    pub fn main_joins() -> bool {
        MAIN_JOINS.get()
    }

    /// A new execution begins on this OS thread.
    pub fn begin() {
        MAIN_JOINS.set(false);
    }

    /// Nothing to do: only the other backend needs the label.
    pub fn introduce(_label: u32) {}

    /// The handle of a task. A panic of the task is its result and does not fail the execution.
    pub struct JoinHandle<T>(shuttle::thread::JoinHandle<std::thread::Result<T>>);

    pub fn spawn<T: Send + 'static>(task: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        JoinHandle(shuttle::thread::spawn(move || catch_unwind(AssertUnwindSafe(task))))
    }

    /// Shuttle makes no use of tasks that are alike.
    pub fn spawn_alike<T: Send + 'static>(
        _class: u32,
        task: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        spawn(task)
    }

    impl<T> JoinHandle<T> {
        pub fn join(self) -> std::thread::Result<T> {
            if usize::from(shuttle::current::me()) == 0 {
                MAIN_JOINS.set(true);
            }
            self.0.join().and_then(|result| result)
        }
    }

    pub type MutexGuard<'a, T> = shuttles::MutexGuard<'a, T>;

    pub struct Mutex<T>(shuttles::Mutex<T>);

    impl<T> Mutex<T> {
        pub fn new(value: T) -> Self {
            Self(shuttles::Mutex::new(value))
        }

        pub fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }

        pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            match self.0.try_lock() {
                Ok(guard) => Some(guard),
                Err(TryLockError::Poisoned(poison)) => Some(poison.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            }
        }
    }

    pub struct RwLock<T>(shuttles::RwLock<T>);

    impl<T> RwLock<T> {
        pub fn new(value: T) -> Self {
            Self(shuttles::RwLock::new(value))
        }

        pub fn read(&self) -> shuttles::RwLockReadGuard<'_, T> {
            self.0.read().unwrap_or_else(PoisonError::into_inner)
        }

        pub fn write(&self) -> shuttles::RwLockWriteGuard<'_, T> {
            self.0.write().unwrap_or_else(PoisonError::into_inner)
        }
    }

    pub struct Condvar(shuttles::Condvar);

    impl Condvar {
        pub fn new() -> Self {
            Self(shuttles::Condvar::new())
        }

        pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
            self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
        }

        /// Never times out, because Shuttle's does not. Only the derivation checks time-outs.
        pub fn wait_timeout<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            timeout: Duration,
        ) -> (MutexGuard<'a, T>, bool) {
            let (guard, result) =
                self.0.wait_timeout(guard, timeout).unwrap_or_else(PoisonError::into_inner);
            (guard, result.timed_out())
        }

        pub fn notify_one(&self) {
            self.0.notify_one();
        }

        pub fn notify_all(&self) {
            self.0.notify_all();
        }
    }

    /// A number that tasks share.
    pub struct Atomic(shuttles::atomic::AtomicI64);

    impl Atomic {
        pub fn new(value: i64) -> Self {
            Self(shuttles::atomic::AtomicI64::new(value))
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
            self.0.fetch_add(value, SeqCst);
        }

        pub fn compare_exchange(&self, from: i64, to: i64) -> Result<i64, i64> {
            self.0.compare_exchange(from, to, SeqCst, SeqCst)
        }
    }

    /// Entries in the order in which they were written.
    pub struct Ledger(Mutex<Vec<i64>>);

    impl Default for Ledger {
        fn default() -> Self {
            Self(Mutex::new(Vec::new()))
        }
    }

    impl Ledger {
        pub fn write(&self, entry: i64) {
            self.0.lock().push(entry);
        }

        pub fn entries(&self) -> Vec<i64> {
            self.0.lock().clone()
        }
    }
}

#[path = "text/mod.rs"]
#[expect(clippy::duplicate_mod, reason = "one text, once per backend")]
pub(super) mod text;
