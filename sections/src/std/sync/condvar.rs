//! A condition variable for mutexes with poison.

use super::{LockResult, MutexGuard, PoisonError};
use crate::sync;
use std::time::Duration;

/// As `std::sync::Condvar`, without spurious wake-ups.
#[derive(Debug)]
pub struct Condvar(sync::Condvar);

/// Whether a wait with a time-out timed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether it did.
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    /// A condition variable without waiters.
    #[track_caller]
    pub fn new() -> Self {
        Self(sync::Condvar::new())
    }

    /// Waits for a notification.
    ///
    /// # Errors
    ///
    /// The guard, if the mutex is poisoned.
    #[track_caller]
    pub fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        let (mutex, guard) = guard.take_apart();
        mutex.guard(self.0.wait(guard))
    }

    /// Waits until `condition` is false.
    ///
    /// # Errors
    ///
    /// The guard, if the mutex is poisoned.
    #[track_caller]
    pub fn wait_while<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<MutexGuard<'a, T>> {
        while condition(&mut guard) {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// Waits for a notification or the time-out, which can come at any moment.
    ///
    /// # Errors
    ///
    /// The guard and the result, if the mutex is poisoned.
    #[track_caller]
    pub fn wait_timeout<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let (mutex, guard) = guard.take_apart();
        let (guard, timed_out) = self.0.wait_timeout(guard, timeout);
        let result = WaitTimeoutResult(timed_out);
        match mutex.guard(guard) {
            Ok(guard) => Ok((guard, result)),
            Err(poisoned) => Err(PoisonError::new((poisoned.into_inner(), result))),
        }
    }

    /// Waits until `condition` is false or the time-out comes.
    ///
    /// # Errors
    ///
    /// The guard and the result, if the mutex is poisoned.
    #[track_caller]
    pub fn wait_timeout_while<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        timeout: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        let mut result = WaitTimeoutResult(false);
        loop {
            if !condition(&mut guard) {
                return Ok((guard, WaitTimeoutResult(false)));
            }
            if result.timed_out() {
                return Ok((guard, result));
            }
            (guard, result) = self.wait_timeout(guard, timeout)?;
        }
    }

    /// Wakes one waiter.
    #[track_caller]
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// Wakes all waiters.
    #[track_caller]
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}

impl Default for Condvar {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl crate::Announced for Condvar {
    fn object(&self) -> crate::Object {
        crate::Announced::object(&self.0)
    }
}
