//! What a task is about to do, and what its steps touched.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::fmt;

/// The number of a task, as Shuttle counts. Main is 0.
pub type TaskNumber = usize;

/// The task that has this one's place if two of them have each other's.
pub(crate) fn swapped(task: TaskNumber, one: TaskNumber, other: TaskNumber) -> TaskNumber {
    match task {
        task if task == one => other,
        task if task == other => one,
        task => task,
    }
}

/// Main takes part in decisions only if it does more than spawn and join.
pub(crate) const MAIN: TaskNumber = 0;

/// An object that tasks share. Its name is the task that made it and a count, so it has the same name
/// in every interleaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Object {
    maker: u32,
    number: u32,
}

impl Object {
    /// The maker of ledgers, which no task makes.
    const NO_TASK: u32 = u32::MAX;

    /// A task as an object that can be joined. The objects that a task makes count from 1.
    pub(crate) fn of_task(task: TaskNumber) -> Self {
        Self { maker: task as u32, number: 0 }
    }

    pub(crate) fn made_by(task: TaskNumber, number: u32) -> Self {
        Self { maker: task as u32, number }
    }

    /// A ledger: an object that only [`ledger`](crate::ledger) touches.
    pub const fn ledger(number: u32) -> Self {
        Self { maker: Self::NO_TASK, number }
    }

    /// What gives their names to objects that a `const fn` made. See `std::sync::lazily`.
    pub(crate) const NAMES: Self = Self::ledger(u32::MAX);

    /// The task that a join of this object waits for, if it is a task.
    pub fn task(self) -> Option<TaskNumber> {
        (self.maker != Self::NO_TASK && self.number == 0).then_some(self.maker as usize)
    }

    /// The object under the other one's name, if one of two tasks made it or is it.
    pub(crate) fn swapped(self, one: TaskNumber, other: TaskNumber) -> Self {
        let maker = match self.maker {
            maker if maker == one as u32 => other as u32,
            maker if maker == other as u32 => one as u32,
            maker => maker,
        };
        Self { maker, ..self }
    }

    pub(crate) fn place(self) -> (usize, usize) {
        (self.maker as usize, self.number as usize)
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.maker, self.number) {
            (Self::NO_TASK, u32::MAX) => f.write_str("the names"),
            (Self::NO_TASK, number) => write!(f, "ledger {number}"),
            (task, 0) => write!(f, "task {task}"),
            (task, number) => write!(f, "object {task}.{number}"),
        }
    }
}

/// How a step touches an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Access {
    /// Commutes with other reads.
    Read,
    /// Commutes with other additions, because no task reads the sum between them.
    Add,
    /// Commutes with nothing on the same object.
    Write,
}

impl Access {
    pub(crate) fn commutes_with(self, other: Self) -> bool {
        self == other && self != Self::Write
    }

    fn and(self, other: Self) -> Self {
        if self == other { self } else { Self::Write }
    }
}

/// The kinds of operations that are announced.
// The checksum of an execution has their numbers, and tokens have the checksum. So a new kind comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Takes a mutex when it is free.
    Lock,
    /// Takes a mutex if it is free.
    TryLock,
    /// Shares a read-write lock when no task writes.
    ReadLock,
    /// Takes a read-write lock when it is free.
    WriteLock,
    /// Releases a lock that some task tries to take.
    Release,
    /// Begins to wait for a notification and releases the mutex.
    Wait,
    /// Waits until it can consume a notification.
    Woken,
    /// Waits for a notification. The time-out may come at any moment.
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
    /// Adds to an atomic without reading it.
    Add,
    /// Writes to a ledger: see [`ledger`](crate::ledger).
    Ledger,
    /// Sleeps until a moment of virtual time: see [`simulation`](crate::simulation).
    Sleep,
    /// Starts a task. It is not announced, because a step may spawn.
    Spawn,
    /// Waits for the end of a task.
    Join,
    /// Main waits for the end of every task.
    End,
    /// Shares a read-write lock if no task writes.
    TryReadLock,
    /// Waits until something changes that an iteration of a loop has read: see [`spin`](crate::spin).
    Await,
}

impl Kind {
    /// An acquisition moves right (Lipton), so the operation after it may belong to the same step.
    pub(crate) fn moves_right(self) -> bool {
        matches!(self, Self::Lock | Self::ReadLock | Self::WriteLock)
    }
}

/// An announcement: the next operation of a task, and its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Operation {
    /// The kind.
    pub kind: Kind,
    /// The object.
    pub object: Object,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.object)
    }
}

/// The verb, which an object follows.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lock => "lock",
            Self::TryLock => "try to lock",
            Self::TryReadLock => "try to read-lock",
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
            Self::Sleep => "sleep as",
            Self::Spawn => "spawn",
            Self::Await => "see a change, as",
            Self::Join | Self::End => "join",
        })
    }
}

/// Every object that a step touched, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footprint {
    objects: SmallVec<[(Object, Access); 4]>,
    effects: Effects,
}

/// What a step did to the announcements of other tasks, and to locks that outlive it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Effects {
    /// The tasks that it spawned, and those whose announcement it changed.
    changed: SmallVec<[TaskNumber; 2]>,
    /// The locks that it took and did not release.
    took: SmallVec<[Object; 2]>,
    /// The locks that its task held before, and that it released.
    freed: SmallVec<[Object; 2]>,
}

impl Footprint {
    pub(crate) fn clear(&mut self) {
        self.objects.clear();
        self.effects.changed.clear();
        self.effects.took.clear();
        self.effects.freed.clear();
    }

    pub(crate) fn touch(&mut self, object: Object, access: Access) {
        match self.objects.iter_mut().find(|(other, _)| *other == object) {
            Some((_, before)) => *before = before.and(access),
            None => self.objects.push((object, access)),
        }
    }

    /// The step spawned the task, or changed what it is about to do.
    pub(crate) fn change(&mut self, task: TaskNumber) {
        self.effects.changed.push(task);
    }

    pub(crate) fn take(&mut self, lock: Object) {
        self.effects.took.push(lock);
    }

    pub(crate) fn free(&mut self, lock: Object) {
        match self.effects.took.iter().position(|other| *other == lock) {
            Some(place) => drop(self.effects.took.remove(place)),
            None => self.effects.freed.push(lock),
        }
    }

    pub(crate) fn changed(&self) -> &[TaskNumber] {
        &self.effects.changed
    }

    pub(crate) fn took(&self, lock: Object) -> bool {
        self.effects.took.contains(&lock)
    }

    pub(crate) fn freed(&self, lock: Object) -> bool {
        self.effects.freed.contains(&lock)
    }

    pub(crate) fn only_reads(&self, object: Object) -> bool {
        self.objects().all(|(other, access)| other != object || access == Access::Read)
    }

    /// Whether two steps of different tasks can be swapped.
    // INVARIANT(independent-steps-commute): an object in both is read by both or added to by both.
    pub fn commutes_with(&self, other: &Self) -> bool {
        self.objects.iter().all(|(object, access)| {
            other.objects.iter().all(|(its, how)| its != object || access.commutes_with(*how))
        })
    }

    /// What the step would touch if two tasks had each other's place.
    pub(crate) fn swapped(&self, one: TaskNumber, other: TaskNumber) -> Self {
        let of = |object: Object| object.swapped(one, other);
        let Effects { changed, took, freed } = &self.effects;
        let effects = Effects {
            changed: changed.iter().map(|task| swapped(*task, one, other)).collect(),
            took: took.iter().copied().map(of).collect(),
            freed: freed.iter().copied().map(of).collect(),
        };
        let objects = self.objects().map(|(object, access)| (of(object), access)).collect();
        Self { objects, effects }
    }

    /// Whether both touch the same objects in the same way, and have the same effects.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        fn sorted<T: Ord + Copy>(of: &[T]) -> SmallVec<[T; 4]> {
            let mut of: SmallVec<[T; 4]> = of.iter().copied().collect();
            of.sort_unstable();
            of
        }
        let (mine, its) = (&self.effects, &other.effects);
        let has = |(object, access): (Object, Access)| {
            other.objects().any(|(its, how)| its == object && how == access)
        };
        self.objects.len() == other.objects.len()
            && self.objects().all(has)
            && sorted(&mine.changed) == sorted(&its.changed)
            && sorted(&mine.took) == sorted(&its.took)
            && sorted(&mine.freed) == sorted(&its.freed)
    }

    /// The objects, each with the kind of access.
    pub fn objects(&self) -> impl Iterator<Item = (Object, Access)> + '_ {
        self.objects.iter().copied()
    }
}
