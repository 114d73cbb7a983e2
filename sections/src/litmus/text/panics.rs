//! Panics: a guard that a panic drops releases its lock, and nothing is poisoned.

use super::{Litmus, litmus, race, start};
use crate::litmus::log::note;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

pub const PANICS: &[Litmus] = &[
    litmus!(panic_holding_a_lock, ["2:0", "2:1"]),
    litmus!(panic_of_a_child, ["1:1 2:0", "1:1 2:1"]),
    litmus!(panic_holding_two_locks, ["2:0,0", "2:0,1", "2:1,1"]),
];

/// Runs a body that panics, and catches the panic.
fn panic_inside(body: impl FnOnce()) {
    let caught = catch_unwind(AssertUnwindSafe(|| {
        body();
    }));
    assert!(caught.is_err(), "the body panics");
}

fn panic_now() -> ! {
    resume_unwind(Box::new("on purpose"))
}

/// Loses the release of a guard that a panic drops. Then the other task would wait for ever.
fn panic_holding_a_lock() {
    race(&[
        |o| {
            panic_inside(|| {
                let mut a = o.a.lock();
                *a = 1;
                panic_now();
            });
        },
        |o| note(2, *o.a.lock()),
    ]);
}

/// Loses the panic of a child, which its parent's join returns, or the release of the child's lock.
fn panic_of_a_child() {
    race(&[
        |o| {
            let child = start(o, |o| {
                let mut a = o.a.lock();
                *a = 1;
                panic_now();
            });
            note(1, i64::from(child.join().is_err()));
        },
        |o| note(2, *o.a.lock()),
    ]);
}

/// Loses a write before a panic, or one of two releases. The second task reads `a` and then `b`. Both
/// are written while both locks are held.
fn panic_holding_two_locks() {
    race(&[
        |o| {
            panic_inside(|| {
                let mut a = o.a.lock();
                let mut b = o.b.lock();
                (*a, *b) = (1, 1);
                panic_now();
            });
        },
        |o| {
            note(2, *o.a.lock());
            note(2, *o.b.lock());
        },
    ]);
}

/// A try against a holder that panics. On Shuttle's primitives the try can fail while the holder
/// unwinds.
pub fn try_against_a_panic() {
    race(&[
        |o| {
            panic_inside(|| {
                let mut a = o.a.lock();
                *a = 1;
                panic_now();
            });
        },
        |o| note(2, o.a.try_lock().map_or(-1, |a| *a)),
    ]);
}
