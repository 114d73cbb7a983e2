//! Programs over three mutexes, a read-write lock, two atomics and a condition variable.

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};

/// The note of a failed try. Values are never negative.
pub const FAILED: i64 = -1;
/// The note of a waiter that is woken.
pub const WOKEN: i64 = -2;
/// The note of a waiter that times out.
pub const TIMED_OUT: i64 = -3;
/// The note of a task that joins one that has panicked.
pub const PANICKED: i64 = -4;
/// The mutex of the flag, under which tasks wait.
pub const FLAG: usize = 2;

/// The label of a task's child, counted from 1. No two tasks have the same, up to 15 children each.
pub fn child(parent: u32, number: u32) -> u32 {
    parent * 16 + number
}

/// An operation of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Locks a mutex, notes and changes its value, and runs the body before it unlocks. Nothing, if
    /// the task holds the mutex.
    Lock(usize, Vec<Op>),
    /// The same, if the mutex is free. It fails if the task itself holds the mutex.
    TryLock(usize, Vec<Op>),
    /// Read-locks, notes the value, and runs the body. Nothing, if the task reads or writes.
    Read(Vec<Op>),
    /// Write-locks, notes and changes the value, and runs the body. Nothing, if the task reads or
    /// writes.
    Write(Vec<Op>),
    /// Loads an atomic and notes the value.
    Load(usize),
    /// Stores into an atomic.
    Store(usize, i64),
    /// Adds to an atomic and notes the old value.
    FetchAdd(usize, i64),
    /// Adds to an atomic.
    Add(usize, i64),
    /// Exchanges and notes the old value.
    CompareExchange(usize, i64, i64),
    /// Notifies one or all, with or without the flag and its mutex. Without, if the task holds it.
    Notify { all: bool, flag: bool },
    /// Waits once, unless `checks` is set and the flag is there. Nothing, if the task holds the mutex.
    Wait { checks: bool, timed: bool },
    /// Spawns a task, which the spawning task joins at its end.
    Spawn(Vec<Op>),
    /// Joins the oldest child that is not joined. Nothing, if there is none.
    Join,
    /// Panics. The task drops its guards and joins its children.
    Panic,
}

impl Op {
    fn body(&self) -> &[Self] {
        match self {
            Self::Lock(_, body) | Self::TryLock(_, body) | Self::Spawn(body) => body,
            Self::Read(body) | Self::Write(body) => body,
            _ => &[],
        }
    }

    fn spawns(&self) -> usize {
        let inside: usize = self.body().iter().map(Self::spawns).sum();
        inside + usize::from(matches!(self, Self::Spawn(_)))
    }

    fn size(&self) -> usize {
        1 + self.body().iter().map(Self::size).sum::<usize>()
    }

    /// Adds the scheduling points that the operation has on Shuttle's primitives to those of its task.
    /// Children are added as further tasks.
    fn count_points(&self, tasks: &mut Vec<u32>, task: usize) {
        let of_a_lock = 2;
        tasks[task] += match self {
            Self::Lock(..) | Self::TryLock(..) | Self::Read(_) | Self::Write(_) => of_a_lock,
            Self::Notify { flag: true, .. } => of_a_lock + 1,
            Self::Wait { .. } => of_a_lock + 3,
            // A panic needs none: the releases are counted with their locks.
            _ => 1,
        };
        let mut its = task;
        if let Self::Spawn(_) = self {
            its = tasks.len();
            tasks.push(0);
        }
        self.body().iter().for_each(|op| op.count_points(tasks, its));
    }
}

/// The tasks, which main spawns and joins.
#[derive(Clone, Debug)]
pub struct Program(pub Vec<Vec<Op>>);

impl Program {
    /// The number of tasks that tasks spawn.
    pub fn spawns(&self) -> usize {
        self.0.iter().flatten().map(Op::spawns).sum()
    }

    /// The number of tasks that spawn tasks.
    pub fn spawning_tasks(&self) -> usize {
        fn inside(ops: &[Op]) -> usize {
            let nested: usize = ops
                .iter()
                .filter(|op| matches!(op, Op::Spawn(_)))
                .map(|op| inside(op.body()))
                .sum();
            nested + usize::from(ops.iter().any(|op| op.spawns() > 0))
        }
        self.0.iter().map(|ops| inside(ops)).sum()
    }

    /// An upper bound on the interleavings of Shuttle's scheduling points: their number if no task ever
    /// blocked.
    pub fn interleavings(&self) -> f64 {
        let mut points = vec![0; self.0.len()];
        for (task, ops) in self.0.iter().enumerate() {
            ops.iter().for_each(|op| op.count_points(&mut points, task));
        }
        let mut placed = 0.0;
        let steps = points.iter().flat_map(|points| 1..=*points);
        steps.map(f64::from).fold(1.0, |ways, step| {
            placed += 1.0;
            ways * placed / step
        })
    }

    /// The program without the last operation of its longest task.
    pub fn shorter(mut self) -> Self {
        let size = |task: &&mut Vec<Op>| task.iter().map(Op::size).sum::<usize>();
        if let Some(longest) = self.0.iter_mut().max_by_key(size) {
            longest.pop();
        }
        self
    }
}

pub fn simple() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => (0..2usize).prop_map(Op::Load),
        2 => (0..2usize, 1..3i64).prop_map(|(atomic, value)| Op::Store(atomic, value)),
        1 => (0..2usize, 1..3i64).prop_map(|(atomic, value)| Op::FetchAdd(atomic, value)),
        2 => (0..2usize, 1..3i64).prop_map(|(atomic, value)| Op::Add(atomic, value)),
        1 => (0..2usize, 0..2i64, 1..3i64).prop_map(|(atomic, from, to)| {
            Op::CompareExchange(atomic, from, to)
        }),
        2 => any::<(bool, bool)>().prop_map(|(all, flag)| Op::Notify { all, flag }),
        2 => any::<bool>().prop_map(|checks| Op::Wait { checks, timed: false }),
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
            2 => body.prop_map(Op::Spawn),
        ]
    })
}

/// Operations for programs that mostly wait.
fn waiting() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => any::<(bool, bool)>().prop_map(|(all, flag)| Op::Notify { all, flag }),
        3 => any::<bool>().prop_map(|checks| Op::Wait { checks, timed: false }),
        1 => simple(),
    ]
}

/// Two or three tasks with a few operations each.
pub fn program() -> impl Strategy<Value = Program> {
    prop_oneof![
        2 => vec(vec(op(), 1..=3), 2),
        1 => vec(vec(op(), 1..=2), 3),
        1 => vec(vec(waiting(), 1..=2), 2..=3),
    ]
    .prop_map(Program)
}
