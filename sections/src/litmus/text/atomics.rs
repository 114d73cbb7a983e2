//! Atomics, sequentially consistent.

use super::{Litmus, Task, litmus, race};
use crate::litmus::log::note;

pub const ATOMICS: &[Litmus] = &[
    litmus!(store_buffering, ["1:0 2:1", "1:1 2:0", "1:1 2:1"]),
    litmus!(message_passing, ["2:0,0", "2:0,1", "2:1,1"]),
    litmus!(lost_update, ["9:1", "9:2"]),
    litmus!(fetch_adds, ["1:0 2:1 9:2", "1:1 2:0 9:2"]),
    litmus!(compare_exchange_race, ["1:1 2:0 9:1", "1:0 2:1 9:2"]),
    litmus!(compare_exchange_chain, ["1:1 2:0 9:1", "1:1 2:1 9:2"]),
    litmus!(adds_and_a_reader, ["4:0", "4:1", "4:2", "4:3", "4:4", "4:5", "4:6", "4:7"]),
    litmus!(an_add_and_an_update, ["2:0 9:3", "2:1 9:3"]),
    litmus!(
        independent_reads,
        [
            "3:0,0 4:0,0",
            "3:0,0 4:0,1",
            "3:0,0 4:1,0",
            "3:0,0 4:1,1",
            "3:0,1 4:0,0",
            "3:0,1 4:0,1",
            "3:0,1 4:1,0",
            "3:0,1 4:1,1",
            "3:1,0 4:0,0",
            "3:1,0 4:0,1",
            "3:1,0 4:1,1",
            "3:1,1 4:0,0",
            "3:1,1 4:0,1",
            "3:1,1 4:1,0",
            "3:1,1 4:1,1",
        ]
    ),
];

/// Loses an order of stores and loads. One of the stores comes first, so the other task sees it.
fn store_buffering() {
    race(&[
        |o| {
            o.x.store(1);
            note(1, o.y.load());
        },
        |o| {
            o.y.store(1);
            note(2, o.x.load());
        },
    ]);
}

/// Invents a flag that is visible before its message.
fn message_passing() {
    race(&[
        |o| {
            o.x.store(1);
            o.y.store(1);
        },
        |o| {
            note(2, o.y.load());
            note(2, o.x.load());
        },
    ]);
}

/// Loses the lost update.
fn lost_update() {
    let increment: Task = |o| o.x.store(o.x.load() + 1);
    let o = race(&[increment, increment]);
    note(9, o.x.load());
}

/// Loses an order of two updates that return the old values.
fn fetch_adds() {
    let o = race(&[|o| note(1, o.x.fetch_add(1)), |o| note(2, o.x.fetch_add(1))]);
    note(9, o.x.load());
}

/// Loses one of the two winners.
fn compare_exchange_race() {
    let o = race(&[
        |o| note(1, i64::from(o.x.compare_exchange(0, 1).is_ok())),
        |o| note(2, i64::from(o.x.compare_exchange(0, 2).is_ok())),
    ]);
    note(9, o.x.load());
}

/// Loses an exchange that succeeds only after the other one.
fn compare_exchange_chain() {
    let o = race(&[
        |o| note(1, i64::from(o.x.compare_exchange(0, 1).is_ok())),
        |o| note(2, i64::from(o.x.compare_exchange(1, 2).is_ok())),
    ]);
    note(9, o.x.load());
}

/// Loses a subset of additions before a load. Additions commute with each other, but not with the load.
fn adds_and_a_reader() {
    race(&[|o| o.x.add(1), |o| o.x.add(2), |o| o.x.add(4), |o| note(4, o.x.load())]);
}

/// Loses an order of an addition and an update that returns the old value.
fn an_add_and_an_update() {
    let o = race(&[|o| o.x.add(1), |o| note(2, o.x.fetch_add(2))]);
    note(9, o.x.load());
}

/// Loses an outcome of independent reads of independent writes. All are possible, except for two
/// readers that see the writes in opposite orders.
fn independent_reads() {
    race(&[
        |o| o.x.store(1),
        |o| o.y.store(1),
        |o| {
            note(3, o.x.load());
            note(3, o.y.load());
        },
        |o| {
            note(4, o.y.load());
            note(4, o.x.load());
        },
    ]);
}
