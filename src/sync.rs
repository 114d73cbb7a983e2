//! The one door to synchronisation.
//!
//! No other file of this crate names a lock, an atomic or a scheduler; `tests/tidy.rs` checks it.
//! Three packages compile these sources: `xfetch-core` on `parking_lot`, and two unpublished
//! shadows under `models/` on the announced primitives of `sections` and on loom. Each adapter
//! makes its backend look like the narrowest one: no poison, no `try_lock`, guards passed by value.

pub use backend::*;
/// Reference counts manage memory and decide nothing, so every backend uses the standard one.
pub use std::sync::Arc;

#[cfg(not(any(feature = "shuttle", feature = "loom")))]
mod backend {
    use std::time::Duration;

    pub use parking_lot::{Mutex, MutexGuard, RwLock};
    pub use std::sync::atomic;
    pub use std::thread_local;

    /// What the primitives are made of. Each model asserts that it runs on the one it means.
    pub const BACKEND: &str = "parking_lot";

    /// A condition variable whose guard is passed by value.
    #[derive(Debug, Default)]
    pub struct Condvar(parking_lot::Condvar);

    impl Condvar {
        /// A condition variable that nobody waits for.
        pub const fn new() -> Self {
            Self(parking_lot::Condvar::new())
        }

        /// Waits for a notification, or until `timeout` has passed; `true` if it has.
        pub fn wait_for<'a, T>(
            &self,
            mut guard: MutexGuard<'a, T>,
            timeout: Duration,
        ) -> (MutexGuard<'a, T>, bool) {
            let result = self.0.wait_for(&mut guard, timeout);
            (guard, result.timed_out())
        }

        /// Wakes everyone who waits.
        pub fn notify_all(&self) {
            self.0.notify_all();
        }
    }
}

#[cfg(feature = "shuttle")]
mod backend {
    use std::time::Duration;

    pub use sections::sync::{Mutex, MutexGuard, RwLock, atomic};
    pub use sections::thread_local;

    /// What the primitives are made of. Each model asserts that it runs on the one it means.
    pub const BACKEND: &str = "sections on shuttle";

    /// A condition variable whose time-out is a choice of the scheduler.
    #[derive(Debug, Default)]
    pub struct Condvar(sections::sync::Condvar);

    impl Condvar {
        /// A condition variable that nobody waits for.
        pub fn new() -> Self {
            Self(sections::sync::Condvar::new())
        }

        /// Waits for a notification, or until the scheduler says that time is up.
        ///
        /// A wait of `Duration::MAX` is one without a time-out: no clock of a model reaches it.
        pub fn wait_for<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            timeout: Duration,
        ) -> (MutexGuard<'a, T>, bool) {
            if timeout == Duration::MAX {
                return (self.0.wait(guard), false);
            }
            self.0.wait_timeout(guard, timeout)
        }

        /// Wakes everyone who waits.
        pub fn notify_all(&self) {
            self.0.notify_all();
        }
    }
}

#[cfg(feature = "loom")]
mod backend {
    use std::ops::{Deref, DerefMut};
    use std::time::Duration;

    pub use loom::sync::MutexGuard;
    pub use loom::sync::atomic;
    pub use loom::thread_local;

    /// What the primitives are made of. Each model asserts that it runs on the one it means.
    pub const BACKEND: &str = "loom";

    /// loom's mutex without its poison.
    #[derive(Debug)]
    pub struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        /// A free mutex.
        pub fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        /// Waits until the mutex is free and takes it.
        pub fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }

    /// loom's read-write lock without its poison.
    #[derive(Debug)]
    pub struct RwLock<T>(loom::sync::RwLock<T>);

    impl<T> RwLock<T> {
        /// A free lock.
        pub fn new(value: T) -> Self {
            Self(loom::sync::RwLock::new(value))
        }

        /// Waits until nobody writes.
        pub fn read(&self) -> impl Deref<Target = T> + '_ {
            self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner)
        }

        /// Waits until nobody reads or writes.
        pub fn write(&self) -> impl DerefMut<Target = T> + '_ {
            self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }

    /// loom's condition variable. It never times out: what a time-out does is invisible to loom.
    #[derive(Debug)]
    pub struct Condvar(loom::sync::Condvar);

    impl Condvar {
        /// A condition variable that nobody waits for.
        pub fn new() -> Self {
            Self(loom::sync::Condvar::new())
        }

        /// Waits for a notification.
        pub fn wait_for<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            _timeout: Duration,
        ) -> (MutexGuard<'a, T>, bool) {
            (self.0.wait(guard).unwrap_or_else(std::sync::PoisonError::into_inner), false)
        }

        /// Wakes everyone who waits.
        pub fn notify_all(&self) {
            self.0.notify_all();
        }
    }
}
