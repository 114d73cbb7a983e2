//! The backend of the published crate: `parking_lot`'s locks, the standard library's threads, and crossbeam's
//! channel.

use std::time::Duration;

pub use parking_lot::{Mutex, MutexGuard, RwLock};
pub use std::sync::atomic;
pub use std::thread_local;

/// The name of the backend. Each model asserts that it runs on the one it means.
pub const BACKEND: &str = "parking_lot";

/// A thread to wait for.
pub struct Thread(std::thread::JoinHandle<()>);

impl Thread {
    /// Starts a thread.
    pub fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
        std::thread::Builder::new().name(name).spawn(work).map(Self)
    }

    /// Whether it is the calling thread.
    pub fn is_current(&self) -> bool {
        self.0.thread().id() == std::thread::current().id()
    }

    /// Waits until it has ended.
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
    /// An open queue with so many places.
    pub fn new(capacity: usize) -> Self {
        let (sender, receiver) = crossbeam_channel::bounded(capacity);
        Self { sender: RwLock::new(Some(sender)), receiver }
    }

    /// Puts a value in, or returns it if the queue is full or closed.
    pub fn try_push(&self, value: T) -> Result<(), T> {
        match &*self.sender.read() {
            Some(sender) => {
                sender.try_send(value).map_err(crossbeam_channel::TrySendError::into_inner)
            }
            None => Err(value),
        }
    }

    /// Waits for a value. `None` if the queue is closed and empty.
    pub fn pop(&self) -> Option<T> {
        self.receiver.recv().ok()
    }

    /// Takes a value if there is one.
    pub fn try_pop(&self) -> Option<T> {
        self.receiver.try_recv().ok()
    }

    /// Closes the queue: from now on it takes no value.
    pub fn close(&self) {
        let sender = self.sender.write().take();
        drop(sender);
    }
}

/// A condition variable whose guard is passed by value.
#[derive(Debug, Default)]
pub struct Condvar(parking_lot::Condvar);

impl Condvar {
    /// A condition variable without a waiter.
    pub const fn new() -> Self {
        Self(parking_lot::Condvar::new())
    }

    /// Waits for a notification, or until `timeout` has passed. `true` if it has.
    pub fn wait_for<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> (MutexGuard<'a, T>, bool) {
        let result = self.0.wait_for(&mut guard, timeout);
        (guard, result.timed_out())
    }

    /// Wakes all waiters.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}
