//! Locks: the places where another task can come between, and those where it cannot.

use super::{Litmus, litmus, race};
use crate::litmus::log::note;

pub const LOCKS: &[Litmus] = &[
    litmus!(two_sections, ["9:4", "9:5"]),
    litmus!(
        three_sections,
        ["1:1 2:2 3:3", "1:1 2:3 3:2", "1:2 2:1 3:3", "1:2 2:3 3:1", "1:3 2:1 3:2", "1:3 2:2 3:1",]
    ),
    litmus!(unlocked_between, ["9:1", "9:2"]),
    litmus!(nested_locks, ["1:0 2:1", "1:1 2:0", "1:1 2:1"]),
    litmus!(three_nested_locks, ["1:0 2:1,1", "1:1 2:0,0", "1:1 2:0,1", "1:1 2:1,1"]),
    litmus!(abba, ["9:4", "9:5", "deadlock"]),
    litmus!(try_against_a_holder, ["2:-1", "2:0", "2:1"]),
    litmus!(try_beside_a_store, ["2:0,0,0", "2:0,0,1", "2:0,1,0", "2:0,1,1", "2:1,0,1", "2:1,1,1"]),
    litmus!(two_tries, ["1:0 2:1", "1:1 2:0", "1:1 2:1"]),
    litmus!(crossed_tries, ["1:0 2:0", "1:0 2:1", "1:1 2:0", "1:1 2:1"]),
    litmus!(readers_overlap, ["1:0 2:1", "1:1 2:0", "1:1 2:1"]),
    litmus!(writers_exclude, ["1:0 2:1", "1:1 2:0"]),
    litmus!(readers_and_a_writer, ["1:0 2:0", "1:0 2:1", "1:1 2:0", "1:1 2:1"]),
];

/// Loses an order of two sections. 0 becomes 1 and then 2·1+2, or 2 and then 2·2+1.
fn two_sections() {
    let o = race(&[
        |o| {
            let mut a = o.a.lock();
            *a = 2 * *a + 1;
        },
        |o| {
            let mut a = o.a.lock();
            *a = 2 * *a + 2;
        },
    ]);
    note(9, *o.a.lock());
}

/// Loses one of the six orders of three sections.
fn three_sections() {
    race(&[
        |o| {
            let mut a = o.a.lock();
            *a += 1;
            note(1, *a);
        },
        |o| {
            let mut a = o.a.lock();
            *a += 1;
            note(2, *a);
        },
        |o| {
            let mut a = o.a.lock();
            *a += 1;
            note(3, *a);
        },
    ]);
}

/// Loses the other task between two sections of one task. A lost update leaves 1, otherwise the value
/// is 2.
fn unlocked_between() {
    let increment: super::Task = |o| {
        let read = *o.a.lock();
        *o.a.lock() = read + 1;
    };
    let o = race(&[increment, increment]);
    note(9, *o.a.lock());
}

/// Loses the other task between an outer and an inner lock. If the first task sees no `b`, the second
/// wrote it later. So the second could read `a` only after `a` was written and released. If the first
/// task sees `b`, the second may read `a` before or after the write.
fn nested_locks() {
    race(&[
        |o| {
            let mut a = o.a.lock();
            *a = 1;
            note(1, *o.b.lock());
        },
        |o| {
            *o.b.lock() = 1;
            note(2, *o.a.lock());
        },
    ]);
}

/// Loses the other task between three locks. If the first task sees no `c`, the second wrote it while
/// `b` and `a` were held, so it sees both written. Otherwise the second may read `b` before the first
/// locks it, and `a` before or after the write. Or it reads `b` after the release, and then `a` is
/// written.
fn three_nested_locks() {
    race(&[
        |o| {
            let mut a = o.a.lock();
            *a = 1;
            let mut b = o.b.lock();
            *b = 1;
            note(1, *o.c.lock());
        },
        |o| {
            *o.c.lock() = 1;
            note(2, *o.b.lock());
            note(2, *o.a.lock());
        },
    ]);
}

/// Loses the deadlock of two locks taken in opposite orders, or one of the two good outcomes.
fn abba() {
    let o = race(&[
        |o| {
            let mut a = o.a.lock();
            let _b = o.b.lock();
            *a = 2 * *a + 1;
        },
        |o| {
            let _b = o.b.lock();
            let mut a = o.a.lock();
            *a = 2 * *a + 2;
        },
    ]);
    note(9, *o.a.lock());
}

/// Loses the try that fails. The try comes before, while or after the other task holds the lock.
fn try_against_a_holder() {
    race(&[|o| *o.a.lock() = 1, |o| note(2, o.a.try_lock().map_or(-1, |a| *a))]);
}

/// Loses a try between the parts of a section. The holder locks, stores and unlocks. The other task
/// loads, tries and loads.
///
/// - The first load sees 0 and the try comes before the lock: it succeeds, and the last load sees
///   either value.
/// - The first load sees 0 and the try comes while the lock is held: it fails, and the last load sees
///   either value.
/// - The first load sees 0 and the try comes after the release: it succeeds, and the last load sees 1.
/// - The first load sees 1: the try fails before the release and succeeds after it.
fn try_beside_a_store() {
    race(&[
        |o| {
            let _a = o.a.lock();
            o.x.store(1);
        },
        |o| {
            note(2, o.x.load());
            note(2, i64::from(o.a.try_lock().is_some()));
            note(2, o.x.load());
        },
    ]);
}

/// Loses a try against a try. At least the first one succeeds.
fn two_tries() {
    race(&[
        |o| note(1, i64::from(o.a.try_lock().is_some())),
        |o| note(2, i64::from(o.a.try_lock().is_some())),
    ]);
}

/// Loses the moment between the releases of two locks. Both tries fail if both tasks hold their own
/// lock. One try fails alone if the other task has released the inner lock and not yet the outer one.
fn crossed_tries() {
    race(&[
        |o| {
            let _a = o.a.lock();
            note(1, i64::from(o.b.try_lock().is_some()));
        },
        |o| {
            let _b = o.b.lock();
            note(2, i64::from(o.a.try_lock().is_some()));
        },
    ]);
}

/// Loses two readers at the same time. Only then can both see the other's store.
fn readers_overlap() {
    race(&[
        |o| {
            let _r = o.r.read();
            o.x.store(1);
            note(1, o.y.load());
        },
        |o| {
            let _r = o.r.read();
            o.y.store(1);
            note(2, o.x.load());
        },
    ]);
}

/// Invents two writers at the same time. The first one sees no write.
fn writers_exclude() {
    race(&[
        |o| {
            let _r = o.r.write();
            o.x.store(1);
            note(1, o.y.load());
        },
        |o| {
            let _r = o.r.write();
            o.y.store(1);
            note(2, o.x.load());
        },
    ]);
}

/// Loses a place for the writer. Each reader comes before or after it.
fn readers_and_a_writer() {
    race(&[|o| note(1, *o.r.read()), |o| note(2, *o.r.read()), |o| *o.r.write() = 1]);
}
