//! Tasks that spawn and join tasks, and ledgers.

use super::{Litmus, join, litmus, race, start};
use crate::litmus::log::note;

pub const TASKS: &[Litmus] = &[
    litmus!(parent_and_child, ["1:0 2:0", "1:0 2:1", "1:1 2:0", "1:1 2:1"]),
    litmus!(child_against_sibling, ["9:4", "9:5"]),
    litmus!(join_inside, ["2:0,0", "2:0,1", "2:1,1"]),
    litmus!(join_holding_a_lock, ["deadlock"]),
    litmus!(spawn_before_a_load, ["1:0", "1:1"]),
    litmus!(spawn_holding_a_lock, ["9:3", "9:8", "9:9"]),
    litmus!(
        two_computes_in_flight,
        ["9:1,-1,2,-2", "9:1,2,-1,-2", "9:1,2,-2,-1", "9:2,-2,1,-1", "9:2,1,-1,-2", "9:2,1,-2,-1",]
    ),
    litmus!(operations, ["1:1 2:2 9:0", "1:1 2:2 9:1", "1:2 2:1 9:0", "1:2 2:1 9:1"]),
];

/// Loses a child that runs before or after the rest of its parent. Each load may or may not see the
/// child's store.
fn parent_and_child() {
    race(&[
        |o| {
            let child = start(o, |o| o.x.store(1));
            note(1, o.x.load());
            join(child);
        },
        |o| note(2, o.x.load()),
    ]);
}

/// Loses an order of a child and the sibling of its parent.
fn child_against_sibling() {
    let o = race(&[
        |o| {
            join(start(o, |o| {
                let mut a = o.a.lock();
                *a = 2 * *a + 1;
            }));
        },
        |o| {
            let mut a = o.a.lock();
            *a = 2 * *a + 2;
        },
    ]);
    note(9, *o.a.lock());
}

/// Invents a parent that continues before its joined child has ended.
fn join_inside() {
    race(&[
        |o| {
            join(start(o, |o| o.x.store(1)));
            o.y.store(1);
        },
        |o| {
            note(2, o.y.load());
            note(2, o.x.load());
        },
    ]);
}

/// Loses the deadlock of a parent that holds the lock for which its child waits.
fn join_holding_a_lock() {
    race(&[|o| {
        let _a = o.a.lock();
        join(start(o, |o| *o.a.lock() = 1));
    }]);
}

/// Loses the child between its parent's spawn and the parent's next operation in the same section.
fn spawn_before_a_load() {
    race(&[|o| {
        let a = o.a.lock();
        let child = start(o, |o| o.x.store(1));
        note(1, o.x.load());
        drop(a);
        join(child);
    }]);
}

/// Loses the sibling between a parent's section and the section of its child, which waits for the
/// parent's lock. The parent sets the value to 1 whenever it runs. Then the child makes it 3, and the
/// sibling 8. Or the sibling makes it 4 before the child makes it 9.
fn spawn_holding_a_lock() {
    let o = race(&[
        |o| {
            let mut a = o.a.lock();
            let child = start(o, |o| {
                let mut a = o.a.lock();
                *a = 2 * *a + 1;
            });
            *a = 1;
            drop(a);
            join(child);
        },
        |o| {
            let mut a = o.a.lock();
            *a = 2 * *a + 2;
        },
    ]);
    note(9, *o.a.lock());
}

/// Loses an order of beginnings and ends that no lock decides. Each of two computes notes n and then
/// -n.
fn two_computes_in_flight() {
    let o = race(&[
        |o| {
            o.ledger.write(1);
            o.ledger.write(-1);
        },
        |o| {
            o.ledger.write(2);
            o.ledger.write(-2);
        },
    ]);
    o.ledger.entries().into_iter().for_each(|entry| note(9, entry));
}

/// Loses an overlap of two operations with one section each. Whether they overlap or not, either
/// section can be the first.
fn operations() {
    let o = race(&[
        |o| {
            o.ledger.write(1);
            let mut a = o.a.lock();
            *a += 1;
            note(1, *a);
            drop(a);
            o.ledger.write(-1);
        },
        |o| {
            o.ledger.write(2);
            let mut a = o.a.lock();
            *a += 1;
            note(2, *a);
            drop(a);
            o.ledger.write(-2);
        },
    ]);
    let entries = o.ledger.entries();
    note(9, i64::from(entries[0] + entries[1] != 0));
}
