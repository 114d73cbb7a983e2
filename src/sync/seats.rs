//! Seats. A thread with a seat may read the index, and has counters of its own. No two threads have the same seat at the
//! same time.
//!
//! `arc-swap`, which the index is made of, keeps a list with a node for each thread that uses it. A writer goes through
//! the list under its lock, and so does a thread that reads for the first time. So there are few seats, and a
//! thread without one reads the table.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many there are: one for each bit of [`TAKEN`].
pub const SEATS: usize = u64::BITS as usize;

static TAKEN: AtomicU64 = AtomicU64::new(0);

/// A thread has none yet.
const NONE: usize = usize::MAX;
/// A thread is ending.
const GIVEN_BACK: usize = NONE - 1;

/// Gives the seat of its thread back.
struct GiveBack;

impl Drop for GiveBack {
    fn drop(&mut self) {
        let seat = SEAT.replace(GIVEN_BACK);
        if seat < SEATS {
            // ORDERING: release, for the acquire of the next one who takes it: that one goes on with what this thread
            // has counted.
            TAKEN.fetch_and(!(1 << seat), Ordering::Release);
        }
    }
}

thread_local! {
    /// It has no destructor, so that a thread that is ending has it still.
    static SEAT: Cell<usize> = const { Cell::new(NONE) };
    static GIVE_BACK: GiveBack = const { GiveBack };
}

/// The seat of this thread, if it has taken one.
#[inline]
pub fn taken() -> Option<usize> {
    Some(SEAT.get()).filter(|seat| *seat < SEATS)
}

/// The seat of this thread, less than [`SEATS`]. A thread without a seat takes a free one.
#[inline]
pub fn seat() -> Option<usize> {
    let seat = SEAT.get();
    if seat < SEATS { Some(seat) } else { take() }
}

/// The seats that are taken, and the lowest free one. Nothing if there is none: it may have been taken meanwhile.
pub(super) fn and_lowest(taken: u64) -> Option<u64> {
    taken.checked_add(1).map(|next| taken | next)
}

#[cold]
fn take() -> Option<usize> {
    // ORDERING: only a hint, which saves a thread without a seat an update.
    if SEAT.get() == GIVEN_BACK || TAKEN.load(Ordering::Relaxed) == u64::MAX {
        return None;
    }
    // ORDERING: acquire, as in `GiveBack`.
    let before = TAKEN.fetch_update(Ordering::Acquire, Ordering::Relaxed, and_lowest).ok()?;
    SEAT.set(before.trailing_ones() as usize);
    // Its destructor is registered here. A thread that has run it already has no seat.
    if GIVE_BACK.try_with(|_| ()).is_err() {
        drop(GiveBack);
    }
    Some(SEAT.get()).filter(|seat| *seat < SEATS)
}
