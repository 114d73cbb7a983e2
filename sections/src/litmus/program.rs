//! Random programs over two mutexes, a read-write lock, two atomics and a condition variable.

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};

/// What a failed try notes. Values are never negative.
pub const FAILED: i64 = -1;
/// What a waiter notes when it is woken.
pub const WOKEN: i64 = -2;

/// An operation of a task.
#[derive(Clone, Debug)]
pub enum Op {
    /// Locks a mutex, notes and changes its value, and does more before it unlocks.
    Lock(usize, Vec<Op>),
    /// The same if it is free.
    TryLock(usize, Vec<Op>),
    /// Read-locks, notes the value, and does more.
    Read(Vec<Op>),
    /// Write-locks, notes and changes the value, and does more.
    Write(Vec<Op>),
    /// Notes an atomic.
    Load(usize),
    /// Stores into an atomic.
    Store(usize, i64),
    /// Adds to an atomic and notes what was there.
    FetchAdd(usize, i64),
    /// Adds to an atomic.
    Add(usize, i64),
    /// Exchanges and notes what was there.
    CompareExchange(usize, i64, i64),
    /// Notifies one or all, with or without the flag and its mutex.
    Notify { all: bool, flag: bool },
    /// Waits once, unless `checks` and the flag is there.
    Wait { checks: bool },
    /// Spawns a task, which is joined at the end of this one.
    Spawn(Vec<Op>),
}

impl Op {
    fn body(&self) -> &[Self] {
        match self {
            Self::Lock(_, body) | Self::TryLock(_, body) | Self::Spawn(body) => body,
            Self::Read(body) | Self::Write(body) => body,
            _ => &[],
        }
    }

    fn size(&self) -> usize {
        1 + self.body().iter().map(Self::size).sum::<usize>()
    }
}

/// Tasks that main spawns and joins.
#[derive(Clone, Debug)]
pub struct Program(pub Vec<Vec<Op>>);

impl Program {
    /// Without the last operation of the longest task.
    pub fn shorter(mut self) -> Self {
        let size = |task: &&mut Vec<Op>| task.iter().map(Op::size).sum::<usize>();
        if let Some(longest) = self.0.iter_mut().max_by_key(size) {
            longest.pop();
        }
        self
    }
}

fn simple() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => (0..2usize).prop_map(Op::Load),
        2 => (0..2usize, 1..3i64).prop_map(|(atomic, value)| Op::Store(atomic, value)),
        1 => (0..2usize, 1..3i64).prop_map(|(atomic, value)| Op::FetchAdd(atomic, value)),
        2 => (0..2usize, 1..3i64).prop_map(|(atomic, value)| Op::Add(atomic, value)),
        1 => (0..2usize, 0..2i64, 1..3i64).prop_map(|(atomic, from, to)| {
            Op::CompareExchange(atomic, from, to)
        }),
        2 => any::<(bool, bool)>().prop_map(|(all, flag)| Op::Notify { all, flag }),
        2 => any::<bool>().prop_map(|checks| Op::Wait { checks }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    simple().prop_recursive(2, 4, 2, |inner| {
        let body = vec(inner, 0..=2);
        prop_oneof![
            3 => (0..2usize, body.clone()).prop_map(|(mutex, body)| Op::Lock(mutex, body)),
            3 => (0..2usize, body.clone()).prop_map(|(mutex, body)| Op::TryLock(mutex, body)),
            1 => body.clone().prop_map(Op::Read),
            1 => body.clone().prop_map(Op::Write),
            1 => body.prop_map(Op::Spawn),
        ]
    })
}

/// Two or three tasks of a few operations.
pub fn program() -> impl Strategy<Value = Program> {
    let long = vec(vec(op(), 1..=3), 2..=2);
    let short = vec(vec(op(), 1..=2), 3..=3);
    prop_oneof![long, short].prop_map(Program)
}
