//! As `std::sync::mpsc`: channels made of a mutex and condition variables.
//!
//! No task is stopped while it has the mutex: what is done under it is one section. So a destructor that unwinds can
//! always take it.

use crate::state::with;
use crate::sync::{Condvar, Mutex, MutexGuard};
use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub use std::sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};

/// A channel without a bound.
#[track_caller]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = open(None);
    (Sender(sender), receiver)
}

/// A channel for this many values. With 0, a value is sent when the receiver takes it.
#[track_caller]
pub fn sync_channel<T>(bound: usize) -> (SyncSender<T>, Receiver<T>) {
    let (sender, receiver) = open(Some(bound));
    (SyncSender(sender), receiver)
}

#[track_caller]
fn open<T>(bound: Option<usize>) -> (End<T>, Receiver<T>) {
    let inside = Inside {
        values: VecDeque::new(),
        sent: 0,
        connected: true,
        disconnected: false,
        receiver_waits: false,
    };
    let channel = Arc::new(Channel {
        bound,
        inside: Mutex::new(inside),
        filled: Condvar::new(),
        emptied: Condvar::new(),
        senders: AtomicUsize::new(1),
    });
    (End(Arc::clone(&channel)), Receiver { channel, not_shared: PhantomData })
}

struct Inside<T> {
    /// Each with its number.
    values: VecDeque<(u64, T)>,
    sent: u64,
    /// The receiver is there.
    connected: bool,
    /// No sender is there.
    disconnected: bool,
    receiver_waits: bool,
}

struct Channel<T> {
    bound: Option<usize>,
    inside: Mutex<Inside<T>>,
    /// The receiver waits for a value.
    filled: Condvar,
    /// Senders wait for room, or for their value to be taken.
    emptied: Condvar,
    /// Cloning a sender is not announced: nobody can see the number before it is 0, and whoever clones has one.
    senders: AtomicUsize,
}

impl<T> Channel<T> {
    #[track_caller]
    fn push(&self, mut inside: MutexGuard<'_, Inside<T>>, value: T) -> u64 {
        inside.sent += 1;
        let number = inside.sent;
        inside.values.push_back((number, value));
        self.filled.notify_one();
        number
    }

    #[track_caller]
    fn send(&self, value: T) -> Result<(), SendError<T>> {
        let mut inside = self.inside.lock();
        let full = |inside: &Inside<T>| {
            self.bound.is_some_and(|bound| bound > 0 && inside.values.len() >= bound)
        };
        while inside.connected && full(&inside) {
            inside = self.emptied.wait(inside);
        }
        if !inside.connected {
            return Err(SendError(value));
        }
        let number = self.push(inside, value);
        if self.bound == Some(0) { self.wait_until_taken(number) } else { Ok(()) }
    }

    /// Waits until the receiver takes the value with this number.
    #[track_caller]
    fn wait_until_taken(&self, number: u64) -> Result<(), SendError<T>> {
        let mut inside = self.inside.lock();
        loop {
            let place = inside.values.iter().position(|(other, _)| *other == number);
            match place {
                None => return Ok(()),
                Some(place) if !inside.connected => {
                    let value = inside.values.remove(place).map(|(_, value)| value);
                    return value.map_or(Ok(()), |value| Err(SendError(value)));
                }
                Some(_) => inside = self.emptied.wait(inside),
            }
        }
    }

    #[track_caller]
    fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let inside = self.inside.lock();
        let room = match self.bound {
            None => true,
            // The receiver waits for a value, and this is the first for it.
            Some(0) => inside.receiver_waits && inside.values.is_empty(),
            Some(bound) => inside.values.len() < bound,
        };
        if !inside.connected {
            return Err(TrySendError::Disconnected(value));
        }
        if !room {
            return Err(TrySendError::Full(value));
        }
        self.push(inside, value);
        Ok(())
    }

    /// Takes the first value out.
    #[track_caller]
    fn pop(&self, inside: &mut MutexGuard<'_, Inside<T>>) -> Option<T> {
        inside.receiver_waits = false;
        let (_, value) = inside.values.pop_front()?;
        match self.bound {
            None => {}
            Some(0) => self.emptied.notify_all(),
            Some(_) => self.emptied.notify_one(),
        }
        Some(value)
    }

    /// Receives a value; waits for it, if it may `wait`, and no longer than until the time-out if it may time out.
    #[track_caller]
    fn receive(&self, wait: Wait) -> Result<T, RecvTimeoutError> {
        let mut inside = self.inside.lock();
        let mut timed_out = matches!(wait, Wait::Not);
        loop {
            if let Some(value) = self.pop(&mut inside) {
                return Ok(value);
            }
            if inside.disconnected {
                return Err(RecvTimeoutError::Disconnected);
            }
            if timed_out {
                return Err(RecvTimeoutError::Timeout);
            }
            inside.receiver_waits = true;
            match wait {
                Wait::AtMost(timeout) => {
                    (inside, timed_out) = self.filled.wait_timeout(inside, timeout);
                }
                Wait::Not | Wait::Forever => inside = self.filled.wait(inside),
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Wait {
    Not,
    AtMost(Duration),
    Forever,
}

/// A sender of either kind.
struct End<T>(Arc<Channel<T>>);

impl<T> Clone for End<T> {
    fn clone(&self) -> Self {
        self.0.senders.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for End<T> {
    fn drop(&mut self) {
        if !with(|state| state.is_running()) {
            return;
        }
        let mut inside = self.0.inside.lock();
        if self.0.senders.fetch_sub(1, Ordering::Relaxed) == 1 {
            inside.disconnected = true;
            self.0.filled.notify_one();
        }
    }
}

/// A sender of a channel without a bound.
pub struct Sender<T>(End<T>);

impl<T> Sender<T> {
    /// Sends a value.
    ///
    /// # Errors
    ///
    /// The value, if the receiver is gone.
    #[track_caller]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.0.0.send(value)
    }
}

/// A sender of a channel with a bound.
pub struct SyncSender<T>(End<T>);

impl<T> SyncSender<T> {
    /// Sends a value. Waits for room, or for the receiver if the channel has none.
    ///
    /// # Errors
    ///
    /// The value, if the receiver is gone.
    #[track_caller]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.0.0.send(value)
    }

    /// Sends a value if there is room for it.
    ///
    /// # Errors
    ///
    /// The value, if there is none or the receiver is gone.
    #[track_caller]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.0.0.try_send(value)
    }
}

macro_rules! sender {
    ($Sender:ident) => {
        impl<T> Clone for $Sender<T> {
            fn clone(&self) -> Self {
                Self(self.0.clone())
            }
        }

        impl<T> fmt::Debug for $Sender<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($Sender)).finish_non_exhaustive()
            }
        }
    };
}

sender!(Sender);
sender!(SyncSender);

/// The receiver of a channel.
pub struct Receiver<T> {
    channel: Arc<Channel<T>>,
    /// As std's, it is `Send` and not `Sync`.
    not_shared: PhantomData<Cell<()>>,
}

impl<T> Receiver<T> {
    /// Waits for a value.
    ///
    /// # Errors
    ///
    /// There is none, and there are no senders.
    #[track_caller]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.channel.receive(Wait::Forever).map_err(|_| RecvError)
    }

    /// A value, if there is one.
    ///
    /// # Errors
    ///
    /// There is none.
    #[track_caller]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.channel.receive(Wait::Not).map_err(|error| match error {
            RecvTimeoutError::Timeout => TryRecvError::Empty,
            RecvTimeoutError::Disconnected => TryRecvError::Disconnected,
        })
    }

    /// Waits for a value or the time-out, which can come at any moment.
    ///
    /// # Errors
    ///
    /// There is none, and either there are no senders, or it timed out.
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.channel.receive(Wait::AtMost(timeout))
    }

    /// The values that come until there are no senders.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter(self)
    }

    /// The values that are there.
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter(self)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if !with(|state| state.is_running()) {
            return;
        }
        let mut inside = self.channel.inside.lock();
        inside.connected = false;
        // The senders of a channel for 0 values take theirs back.
        let values = match self.channel.bound {
            Some(0) => VecDeque::new(),
            _ => std::mem::take(&mut inside.values),
        };
        self.channel.emptied.notify_all();
        drop(inside);
        drop(values);
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

/// See [`Receiver::iter`].
#[derive(Debug)]
pub struct Iter<'a, T>(&'a Receiver<T>);

impl<T> Iterator for Iter<'_, T> {
    type Item = T;

    #[track_caller]
    fn next(&mut self) -> Option<T> {
        self.0.recv().ok()
    }
}

/// See [`Receiver::try_iter`].
#[derive(Debug)]
pub struct TryIter<'a, T>(&'a Receiver<T>);

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;

    #[track_caller]
    fn next(&mut self) -> Option<T> {
        self.0.try_recv().ok()
    }
}

/// The values that come until there are no senders.
#[derive(Debug)]
pub struct IntoIter<T>(Receiver<T>);

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    #[track_caller]
    fn next(&mut self) -> Option<T> {
        self.0.recv().ok()
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter(self)
    }
}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}
