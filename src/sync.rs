//! The one door to synchronisation.
//!
//! No other file of this crate names a lock, an atomic or a scheduler; `models/tests/tidy.rs` checks it.
//! Four packages compile these sources: `xfetch-core` on `parking_lot`, and three unpublished shadows
//! under `models/`, on the announced primitives of `sections`, on loom, and on Shuttle's plain ones. Each
//! adapter makes its backend look like the narrowest one: no poison, no `try_lock`, guards passed by value.

pub use backend::*;
/// Reference counts manage memory and decide nothing, so every backend uses the standard one.
pub use std::sync::Arc;

/// A flag that many readers set and one writer takes, each under the lock of what it belongs to.
///
/// Every backend uses the standard one: whoever takes it holds the lock for writing, and those who set it
/// for reading, so that the order of the lock is all there is to choose.
#[derive(Debug, Default)]
pub struct Mark(std::sync::atomic::AtomicBool);

impl Mark {
    /// Sets it. It is read first, so that a key that everybody asks for is written by one of them.
    pub fn set(&self) {
        // ORDERING: the lock's. Two who set it at once write the same.
        if !self.0.load(std::sync::atomic::Ordering::Relaxed) {
            self.0.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// Whether it was set; now it is not.
    pub fn take(&mut self) -> bool {
        std::mem::take(self.0.get_mut())
    }
}

/// Crossbeam's channels are invisible to the schedulers: under a model the queue is this one.
#[cfg(any(feature = "shuttle", feature = "loom", feature = "plain"))]
pub use queue::Queue;

#[cfg(any(feature = "shuttle", feature = "loom", feature = "plain"))]
mod queue {
    use super::{Condvar, Mutex};
    use std::collections::VecDeque;
    use std::time::Duration;

    /// A bounded queue of many senders and many receivers.
    pub struct Queue<T> {
        state: Mutex<(VecDeque<T>, bool)>,
        changed: Condvar,
        capacity: usize,
    }

    impl<T> Queue<T> {
        /// An open queue for so many.
        pub fn new(capacity: usize) -> Self {
            let state = Mutex::new((VecDeque::new(), true));
            Self { state, changed: Condvar::new(), capacity }
        }

        /// Puts one in, or hands it back if the queue is full or closed.
        pub fn try_push(&self, value: T) -> Result<(), T> {
            let mut state = self.state.lock();
            let (values, open) = &mut *state;
            if !*open || values.len() == self.capacity {
                return Err(value);
            }
            values.push_back(value);
            self.changed.notify_all();
            Ok(())
        }

        /// Waits for one; nothing if the queue is closed and empty.
        pub fn pop(&self) -> Option<T> {
            let mut state = self.state.lock();
            loop {
                if let Some(value) = state.0.pop_front() {
                    return Some(value);
                }
                if !state.1 {
                    return None;
                }
                state = self.changed.wait_for(state, Duration::MAX).0;
            }
        }

        /// Takes one if there is one.
        pub fn try_pop(&self) -> Option<T> {
            self.state.lock().0.pop_front()
        }

        /// Lets nothing in any more.
        pub fn close(&self) {
            self.state.lock().1 = false;
            self.changed.notify_all();
        }
    }
}

#[cfg(not(any(feature = "shuttle", feature = "loom", feature = "plain")))]
mod backend {
    use std::time::Duration;

    pub use parking_lot::{Mutex, MutexGuard, RwLock};
    pub use std::sync::atomic;
    pub use std::thread_local;

    /// What the primitives are made of. Each model asserts that it runs on the one it means.
    pub const BACKEND: &str = "parking_lot";

    /// A thread to wait for.
    pub struct Thread(std::thread::JoinHandle<()>);

    impl Thread {
        /// Starts a thread.
        pub fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
            std::thread::Builder::new().name(name).spawn(work).map(Self)
        }

        /// Whether it is the thread that asks.
        pub fn is_current(&self) -> bool {
            self.0.thread().id() == std::thread::current().id()
        }

        /// Waits for its end.
        pub fn join(self) {
            drop(self.0.join());
        }
    }

    /// A bounded queue of many senders and many receivers: a crossbeam channel that can be closed.
    pub struct Queue<T> {
        sender: RwLock<Option<crossbeam_channel::Sender<T>>>,
        receiver: crossbeam_channel::Receiver<T>,
    }

    impl<T> Queue<T> {
        /// An open queue for so many.
        pub fn new(capacity: usize) -> Self {
            let (sender, receiver) = crossbeam_channel::bounded(capacity);
            Self { sender: RwLock::new(Some(sender)), receiver }
        }

        /// Puts one in, or hands it back if the queue is full or closed.
        pub fn try_push(&self, value: T) -> Result<(), T> {
            match &*self.sender.read() {
                Some(sender) => {
                    sender.try_send(value).map_err(crossbeam_channel::TrySendError::into_inner)
                }
                None => Err(value),
            }
        }

        /// Waits for one; nothing if the queue is closed and empty.
        pub fn pop(&self) -> Option<T> {
            self.receiver.recv().ok()
        }

        /// Takes one if there is one.
        pub fn try_pop(&self) -> Option<T> {
            self.receiver.try_recv().ok()
        }

        /// Lets nothing in any more.
        pub fn close(&self) {
            let sender = self.sender.write().take();
            drop(sender);
        }
    }

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

    /// A task to wait for.
    pub struct Thread(sections::thread::JoinHandle<()>);

    impl Thread {
        /// Starts a task.
        pub fn spawn(_name: String, work: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
            Ok(Self(sections::thread::spawn(work)))
        }

        /// Whether it is the one that asks. No model's pool is shut down by a thread of its own.
        pub fn is_current(&self) -> bool {
            false
        }

        /// Waits for its end.
        pub fn join(self) {
            drop(self.0.join());
        }
    }

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

/// loom's primitives and Shuttle's plain ones have the names and the shape of the standard library's.
#[cfg(any(feature = "loom", feature = "plain"))]
mod backend {
    use like_std::{sync, thread};
    #[cfg(feature = "loom")]
    use loom as like_std;
    #[cfg(feature = "plain")]
    use shuttle as like_std;
    use std::ops::{Deref, DerefMut};
    use std::time::Duration;

    pub use like_std::thread_local;
    pub use sync::{MutexGuard, atomic};

    /// What the primitives are made of. Each model asserts that it runs on the one it means.
    pub const BACKEND: &str = if cfg!(feature = "loom") { "loom" } else { "plain shuttle" };

    /// A thread to wait for.
    pub struct Thread(thread::JoinHandle<()>);

    impl Thread {
        /// Starts a thread.
        pub fn spawn(_name: String, work: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
            Ok(Self(thread::spawn(work)))
        }

        /// Whether it is the one that asks. No model's pool is shut down by a thread of its own.
        pub fn is_current(&self) -> bool {
            false
        }

        /// Waits for its end.
        pub fn join(self) {
            drop(self.0.join());
        }
    }

    /// A mutex without its poison.
    #[derive(Debug)]
    pub struct Mutex<T>(sync::Mutex<T>);

    impl<T> Mutex<T> {
        /// A free mutex.
        pub fn new(value: T) -> Self {
            Self(sync::Mutex::new(value))
        }

        /// Waits until the mutex is free and takes it.
        pub fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }

    /// A read-write lock without its poison.
    #[derive(Debug)]
    pub struct RwLock<T>(sync::RwLock<T>);

    impl<T> RwLock<T> {
        /// A free lock.
        pub fn new(value: T) -> Self {
            Self(sync::RwLock::new(value))
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

    /// A condition variable that never times out: what a time-out does is invisible to both.
    #[derive(Debug)]
    pub struct Condvar(sync::Condvar);

    #[expect(clippy::new_without_default, reason = "a loom object belongs to an execution")]
    impl Condvar {
        /// A condition variable that nobody waits for.
        pub fn new() -> Self {
            Self(sync::Condvar::new())
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
