//! A condition variable.

use super::{MutexGuard, announce_release};
use crate::operation::Kind;
use crate::state::{Identity, park, with};
use std::time::Duration;

/// A condition variable: `std::sync::Condvar` without spurious wake-ups.
///
/// The schedule chooses which of the tasks that wait at a `notify_one` consumes its notification. It also chooses whether
/// a wait with a time-out times out.
#[derive(Debug)]
pub struct Condvar(Identity);

impl Condvar {
    /// A condition variable without waiters.
    #[track_caller]
    pub fn new() -> Self {
        Self(Identity::new())
    }

    /// Waits for a notification.
    #[track_caller]
    pub fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.wait_as(Kind::Woken, guard, Duration::MAX).0
    }

    /// Waits for a notification or the time-out. The schedule chooses which comes, and the length of `timeout` does not
    /// matter. In a simulation it does: the time-out comes after so much virtual time. Returns `true` if it timed out.
    #[track_caller]
    pub fn wait_timeout<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> (MutexGuard<'a, T>, bool) {
        self.wait_as(Kind::WokenOrTimeout, guard, timeout)
    }

    #[track_caller]
    fn wait_as<'a, T: ?Sized>(
        &self,
        kind: Kind,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> (MutexGuard<'a, T>, bool) {
        assert!(
            self.0.announce(Kind::Wait),
            "sections: a wait after the exploration would never end"
        );
        let condvar = self.0.object();
        with(|state| state.wait(condvar, guard.mutex.identity.object()));
        announce_release(guard.mutex.identity);
        let mutex = guard.release_to_wait();
        if kind == Kind::WokenOrTimeout {
            with(|state| state.wait_at_most(timeout));
        }
        if park(kind, condvar, mutex.identity.object()) {
            return (mutex.take(), false);
        }
        let timed_out = with(|state| {
            state.woken(condvar);
            state.take_timed_out()
        });
        (mutex.lock(), timed_out)
    }

    /// Wakes one waiter.
    #[track_caller]
    pub fn notify_one(&self) {
        if self.0.announce(Kind::NotifyOne) {
            with(|state| state.notify_one(self.0.object()));
        }
    }

    /// Wakes all waiters.
    #[track_caller]
    pub fn notify_all(&self) {
        if self.0.announce(Kind::NotifyAll) {
            with(|state| state.notify_all(self.0.object()));
        }
    }
}

/// In a simulation its name is free again.
impl Drop for Condvar {
    fn drop(&mut self) {
        self.0.forget();
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
        self.0.object()
    }
}
