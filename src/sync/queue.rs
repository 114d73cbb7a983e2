//! The queue of a pool under a model. Crossbeam's channels are invisible to the schedulers, so this one is
//! made of the backend's own mutex and condition variable. `executor.rs` alone uses it.

#[cfg(any(feature = "loom", feature = "plain"))]
use crate::sync::like_std::{Condvar, Mutex};
#[cfg(feature = "shuttle")]
use crate::sync::sections::{Condvar, Mutex};
use std::collections::VecDeque;
use std::time::Duration;

/// A bounded queue of many senders and many receivers.
pub struct Queue<T> {
    state: Mutex<(VecDeque<T>, bool)>,
    changed: Condvar,
    capacity: usize,
}

impl<T> Queue<T> {
    /// An open queue with so many places.
    pub fn new(capacity: usize) -> Self {
        let state = Mutex::new((VecDeque::new(), true));
        Self { state, changed: Condvar::new(), capacity }
    }

    /// Puts a value in, or returns it if the queue is full or closed.
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

    /// Waits for a value. `None` if the queue is closed and empty.
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

    /// Takes a value if there is one.
    pub fn try_pop(&self) -> Option<T> {
        self.state.lock().0.pop_front()
    }

    /// Closes the queue: from now on it takes no value.
    pub fn close(&self) {
        self.state.lock().1 = false;
        self.changed.notify_all();
    }
}
