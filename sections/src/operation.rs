//! What a task is about to do, and what its steps have touched.

use smallvec::SmallVec;
use std::fmt;

/// The number of a task: Shuttle's. 0 is main.
pub type TaskNumber = usize;

/// Main only spawns and joins; it never takes part in a decision.
pub(crate) const MAIN: TaskNumber = 0;

/// A thing that tasks share, named by who made it and as which of his things, so that it has the
/// same name in every interleaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Object {
    maker: u32,
    number: u32,
}

impl Object {
    /// What no task has made: the user's ledgers.
    const NOBODY: u32 = u32::MAX;

    /// A task as a thing that can be joined; its own things count from 1.
    pub(crate) fn of_task(task: TaskNumber) -> Self {
        Self { maker: task as u32, number: 0 }
    }

    pub(crate) fn made_by(task: TaskNumber, number: u32) -> Self {
        Self { maker: task as u32, number }
    }

    /// A thing of the user's own, that only [`ledger`](crate::ledger) touches.
    pub const fn ledger(number: u32) -> Self {
        Self { maker: Self::NOBODY, number }
    }

    /// The task, if the object is one: what a join waits for.
    pub fn task(self) -> Option<TaskNumber> {
        (self.maker != Self::NOBODY && self.number == 0).then_some(self.maker as usize)
    }

    pub(crate) fn place(self) -> (usize, usize) {
        (self.maker as usize, self.number as usize)
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.maker, self.number) {
            (Self::NOBODY, number) => write!(f, "ledger {number}"),
            (task, 0) => write!(f, "task {task}"),
            (task, number) => write!(f, "object {task}.{number}"),
        }
    }
}

/// How a step touches an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Commutes with other reads.
    Read,
    /// Commutes with other additions: nobody looks at the sum between.
    Add,
    /// Commutes with nothing on the same object.
    Write,
}

impl Access {
    fn commutes_with(self, other: Self) -> bool {
        self == other && self != Self::Write
    }

    fn and(self, other: Self) -> Self {
        if self == other { self } else { Self::Write }
    }
}

/// The kinds of operations that are announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Takes a mutex, once it is free.
    Lock,
    /// Takes a mutex if it is free.
    TryLock,
    /// Shares a read-write lock, once nobody writes.
    ReadLock,
    /// Takes a read-write lock, once it is free.
    WriteLock,
    /// Releases a lock that somebody tries somewhere.
    Release,
    /// Begins to wait for a notification, and releases the mutex.
    Wait,
    /// Waits until it can consume a notification.
    Woken,
    /// Waits for a notification; its time-out may come at any moment.
    WokenOrTimeout,
    /// Wakes one waiter.
    NotifyOne,
    /// Wakes all waiters.
    NotifyAll,
    /// Reads an atomic.
    Load,
    /// Writes an atomic.
    Store,
    /// Reads and writes an atomic.
    Update,
    /// Adds to an atomic without looking.
    Add,
    /// Writes into a ledger: see [`ledger`](crate::ledger).
    Ledger,
    /// Starts a task. Announced by nobody: a step may spawn.
    Spawn,
    /// Waits for the end of a task.
    Join,
    /// Main waits for the end of every task.
    End,
}

impl Kind {
    /// An acquisition moves right, so what comes after it may belong to the same step.
    pub(crate) fn moves_right(self) -> bool {
        matches!(self, Self::Lock | Self::ReadLock | Self::WriteLock)
    }
}

/// An announcement: what a task does next, to which object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Operation {
    /// What.
    pub kind: Kind,
    /// To which object.
    pub object: Object,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.object)
    }
}

/// The verb, to be followed by an object.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lock => "lock",
            Self::TryLock => "try to lock",
            Self::ReadLock => "read-lock",
            Self::WriteLock => "write-lock",
            Self::Release => "release",
            Self::Wait => "wait on",
            Self::Woken => "be woken by",
            Self::WokenOrTimeout => "be woken by, or time out on,",
            Self::NotifyOne => "notify one on",
            Self::NotifyAll => "notify all on",
            Self::Load => "load",
            Self::Store => "store to",
            Self::Update => "update",
            Self::Add => "add to",
            Self::Ledger => "write into",
            Self::Spawn => "spawn",
            Self::Join | Self::End => "join",
        })
    }
}

/// Every object that a step has touched, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footprint(SmallVec<[(Object, Access); 4]>);

impl Footprint {
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn touch(&mut self, object: Object, access: Access) {
        match self.0.iter_mut().find(|(other, _)| *other == object) {
            Some((_, before)) => *before = before.and(access),
            None => self.0.push((object, access)),
        }
    }

    /// Whether two steps of different tasks can be swapped.
    // INVARIANT(independent-steps-commute): an object in both is read by both or added to by both.
    pub fn commutes_with(&self, other: &Self) -> bool {
        self.0.iter().all(|(object, access)| {
            other.0.iter().all(|(its, how)| its != object || access.commutes_with(*how))
        })
    }

    /// The objects, each with the way it was touched.
    pub fn objects(&self) -> impl Iterator<Item = (Object, Access)> + '_ {
        self.0.iter().copied()
    }
}
