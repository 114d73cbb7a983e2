//! Waits with a time-out. Shuttle never fires one, so only the derivation checks these.

use super::{Litmus, litmus, race};
use crate::litmus::log::note;
use std::time::Duration;

pub const TIMEOUTS: &[Litmus] = &[
    litmus!(a_timeout_alone, ["1:1"]),
    litmus!(a_timeout_beside_a_waiter, ["1:0 deadlock", "1:1 2:1", "1:1 deadlock"]),
    litmus!(timed_out_locks_again, ["1:0,1", "1:1,0", "1:1,1"]),
    litmus!(a_timeout_against_a_broadcast, ["1:0", "1:1"]),
    litmus!(two_timeouts, ["1:0 2:1", "1:1 2:0", "1:1 2:1"]),
];

const SOON: Duration = Duration::from_secs(1);

/// Invents a deadlock. Nobody notifies, so the wait times out.
fn a_timeout_alone() {
    race(&[|o| {
        let a = o.a.lock();
        let (_a, timed_out) = o.v.wait_timeout(a, SOON);
        note(1, i64::from(timed_out));
    }]);
}

/// Loses a notification to a waiter that has timed out. Either the first waiter is notified, and the
/// second waits for ever. Or the first times out, and the second is notified or waits too late for the
/// notification.
fn a_timeout_beside_a_waiter() {
    race(&[
        |o| {
            let a = o.a.lock();
            let (_a, timed_out) = o.v.wait_timeout(a, SOON);
            note(1, i64::from(timed_out));
        },
        |o| {
            let a = o.a.lock();
            let _a = o.v.wait(a);
            note(2, 1);
        },
        |o| o.v.notify_one(),
    ]);
}

/// Loses the notifier between the time-out and the waiter's lock. A notified waiter sees the store. A
/// waiter that has timed out locks before the notifier or after it.
fn timed_out_locks_again() {
    race(&[
        |o| {
            let a = o.a.lock();
            let (a, timed_out) = o.v.wait_timeout(a, SOON);
            note(1, i64::from(timed_out));
            note(1, *a);
        },
        |o| {
            let mut a = o.a.lock();
            *a = 1;
            o.v.notify_one();
        },
    ]);
}

/// Loses one end of the race between a time-out and a broadcast.
fn a_timeout_against_a_broadcast() {
    race(&[
        |o| {
            let a = o.a.lock();
            let (_a, timed_out) = o.v.wait_timeout(a, SOON);
            note(1, i64::from(timed_out));
        },
        |o| o.v.notify_all(),
    ]);
}

/// Invents a notification for two waiters. At least one of them times out.
fn two_timeouts() {
    race(&[
        |o| {
            let a = o.a.lock();
            let (_a, timed_out) = o.v.wait_timeout(a, SOON);
            note(1, i64::from(timed_out));
        },
        |o| {
            let a = o.a.lock();
            let (_a, timed_out) = o.v.wait_timeout(a, SOON);
            note(2, i64::from(timed_out));
        },
        |o| o.v.notify_one(),
    ]);
}
