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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, mpsc};
    use std::thread;

    /// Longer than any machine takes. It ends a test that would hang, and decides nothing else.
    const NET: Duration = Duration::from_secs(60);

    /// The result of `work`, which must not wait for ever.
    fn within<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = mpsc::channel();
        thread::spawn(move || tell.send(work()));
        told.recv_timeout(NET).expect("it waits for ever")
    }

    #[test]
    fn a_full_queue_always_refuses_and_never_waits() {
        let queue = Arc::new(Queue::new(2));
        let push = |value| {
            let queue = Arc::clone(&queue);
            within(move || queue.try_push(value))
        };
        assert_eq!([1, 2, 3].map(push), [Ok(()), Ok(()), Err(3)]);
        assert_eq!(queue.try_pop(), Some(1), "the first in is the first out");
        assert_eq!([4, 5].map(push), [Ok(()), Err(5)]);
        assert_eq!([(); 3].map(|()| queue.try_pop()), [Some(2), Some(4), None]);
    }

    #[test]
    fn a_closed_queue_never_takes_a_value_and_never_loses_one() {
        let queue = Arc::new(Queue::new(2));
        assert_eq!(queue.try_push(1), Ok(()));
        queue.close();
        queue.close();
        assert_eq!(queue.try_push(2), Err(2), "there is a place, and it is closed");
        let popped = Arc::clone(&queue);
        assert_eq!(within(move || [popped.pop(), popped.pop()]), [Some(1), None]);
        assert_eq!(queue.try_pop(), None);
    }

    /// They come to an empty queue, wait there, and end with its close.
    #[test]
    fn a_popper_never_leaves_an_open_queue_and_never_stays_at_a_closed_one() {
        let queue = Arc::new(Queue::new(4));
        let (popped, pops) = mpsc::channel();
        for _ in 0..3 {
            let (queue, popped) = (Arc::clone(&queue), popped.clone());
            thread::spawn(move || {
                while let Some(value) = queue.pop() {
                    popped.send(Some(value)).expect("the test listens");
                }
                popped.send(None).expect("the test listens");
            });
        }
        let receive = || pops.recv_timeout(NET).expect("a popper waits for ever");
        for value in 0..20 {
            assert_eq!(queue.try_push(value), Ok(()));
            assert_eq!(receive(), Some(value));
        }
        queue.close();
        assert_eq!([(); 3].map(|()| receive()), [None; 3]);
    }

    /// The waiters hold the lock until they sleep. So whoever gets it after their message finds them asleep.
    #[test]
    fn a_notification_always_wakes_every_waiter_before_its_time_out() {
        for timeout in [Duration::from_secs(3_600), Duration::MAX] {
            let shared = Arc::new((Mutex::new(false), Condvar::new()));
            let (locked, locks) = mpsc::channel();
            let (woken, wakes) = mpsc::channel();
            for _ in 0..3 {
                let (shared, locked, woken) = (Arc::clone(&shared), locked.clone(), woken.clone());
                thread::spawn(move || {
                    let (flag, changed) = &*shared;
                    let mut guard = flag.lock();
                    locked.send(()).expect("the test listens");
                    let mut timed_out = false;
                    while !*guard && !timed_out {
                        (guard, timed_out) = changed.wait_for(guard, timeout);
                    }
                    woken.send(timed_out).expect("the test listens");
                });
            }
            for _ in 0..3 {
                locks.recv_timeout(NET).expect("a waiter keeps the lock while it sleeps");
            }
            *shared.0.lock() = true;
            shared.1.notify_all();
            for _ in 0..3 {
                assert!(!wakes.recv_timeout(NET).expect("a waiter sleeps on"));
            }
        }
    }

    #[test]
    fn a_wait_without_a_notification_always_ends_with_its_time_out() {
        let timed_out = within(|| {
            let (flag, changed) = (Mutex::new(()), Condvar::new());
            let mut guard = flag.lock();
            let mut timed_out = false;
            // A wake-up may be spurious.
            while !timed_out {
                (guard, timed_out) = changed.wait_for(guard, Duration::from_millis(1));
            }
            drop(guard);
            timed_out
        });
        assert!(timed_out);
    }

    #[test]
    fn a_thread_has_its_name_and_is_never_joined_before_it_has_ended() {
        let (tell, told) = mpsc::channel();
        let (go, held) = mpsc::channel::<()>();
        let ended = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&ended);
        let thread = Thread::spawn("a name".into(), move || {
            tell.send(thread::current().name().map(str::to_owned)).expect("the test listens");
            held.recv().ok();
            ends.store(true, Ordering::Relaxed);
            std::panic::resume_unwind(Box::new("the panic stays in the thread"));
        });
        let thread = thread.expect("there is a thread");
        assert_eq!(told.recv_timeout(NET).expect("it runs").as_deref(), Some("a name"));
        assert!(!thread.is_current());
        let (join, joined) = mpsc::channel();
        thread::spawn(move || {
            thread.join();
            join.send(ended.load(Ordering::Relaxed))
        });
        // The thread is held, so that this can only time out. A moment shows a join that does not wait.
        assert!(joined.recv_timeout(Duration::from_millis(50)).is_err());
        drop(go);
        assert!(joined.recv_timeout(NET).expect("it ends"));
    }
}
