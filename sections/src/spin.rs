//! Loops that wait: `yield_now` and `spin_loop` for loops whose iterations change nothing.
//!
//! A loop such as `while !ready.load(..) { yield_now() }` has executions without an end, which [`Search`](crate::Search)
//! refuses. With the functions of this module it has none: at the end of an iteration that has only read, the task waits
//! until another task changes something that the iteration has read. If nobody does, that is a deadlock.
//!
//! **You promise** that an iteration which only reads shared objects leaves the task as it was. Then the next one, if
//! nothing has changed, sees what this one saw and ends where it ended: it can be left out. A loop that counts its
//! attempts, to give up or to park after some, does not keep the promise. Executions in which it gives up would be lost.
//! For such loops there are [`std::thread::yield_now`](crate::std::thread::yield_now) and
//! [`std::hint::spin_loop`](crate::std::hint::spin_loop), which do nothing.
//!
//! Loads, reads under a read lock and failed exchanges read. All else writes, also to lock and to unlock a mutex: an
//! iteration that writes is not waited for.

use crate::operation::{Kind, Object};
use crate::state::{announce, with};
use std::panic::Location;

/// The end of an iteration. Waits if the iteration, which began where the task last came to this line, has only read.
#[track_caller]
pub fn yield_now() {
    let place = Location::caller();
    if with(|state| state.ends_iteration(place)) {
        announce(Kind::Await, Object::of_task(crate::task()));
        with(|state| state.begin_next_iteration(place));
    }
}

/// As [`yield_now`].
#[track_caller]
pub fn spin_loop() {
    yield_now();
}
