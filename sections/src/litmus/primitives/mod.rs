//! Random programs on the primitives that `sections::std` adds, against an oracle of their own.
//!
//! - `run`: the interpreter, on the primitives.
//! - `code`, `oracle`: the outcomes, by exploring all states. It knows what std documents, and nothing of mutexes and
//!   condition variables that a channel or a barrier is made of.
//! - `mixes`: strategies for each kind of primitive, and for all of them.
//! - `compared`: the tests.

mod code;
mod compared;
mod mixes;
mod oracle;
mod run;

/// What tasks note. Values are never negative.
mod noted {
    pub const FAILED: i64 = -1;
    pub const SUCCEEDED: i64 = -2;
    pub const TIMED_OUT: i64 = -3;
    pub const DISCONNECTED: i64 = -4;
    pub const EMPTY: i64 = -5;
    pub const FULL: i64 = -6;
    pub const LEADER: i64 = -7;
    pub const FOLLOWER: i64 = -8;
    pub const RAN: i64 = -9;
    pub const NOTHING: i64 = -10;
    pub const DESTROYED: i64 = -11;
}

/// The tasks that a barrier waits for.
const BARRIER: usize = 2;
/// The read-write lock. The mutexes have the numbers before it.
const RWLOCK: usize = 2;
/// What the destructor of the counted value adds to the first atomic.
const DESTRUCTION: i64 = 10;

/// An operation of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Op {
    /// Locks, notes and changes the value, and runs the body. Nothing, if the task holds the mutex.
    Lock(usize, Vec<Op>),
    /// Read-locks and notes the value. Nothing, if the task reads or writes.
    Read(Vec<Op>),
    /// Write-locks, notes and changes the value. Nothing, if the task reads or writes.
    Write(Vec<Op>),
    TryRead(Vec<Op>),
    TryWrite(Vec<Op>),
    /// Runs the body once. Nothing inside such a body.
    Once(Vec<Op>),
    IsCompleted,
    /// Sets an `OnceLock`, or gets it, or both.
    Set(i64),
    Get,
    GetOrInit(i64),
    /// Exchanges 0 for 1 in a spin loop, and stores 0 after the body.
    SpinLock(usize, Vec<Op>),
    /// Loads an atomic in a spin loop until it is not 0.
    Spin(usize),
    Load(usize),
    Store(usize, i64),
    CompareExchange(usize, i64, i64),
    /// Adds 1 if the value is less than this.
    FetchUpdate(usize, i64),
    /// Channel 0 has no bound. The bound of channel 1 belongs to the program.
    Send(usize, i64),
    /// Only on channel 1.
    TrySend(i64),
    /// Task 1 has the receiver of channel 0, task 2 that of channel 1. Nothing for the others.
    Recv(usize),
    TryRecv(usize),
    RecvTimeout(usize),
    DropSender(usize),
    DropReceiver(usize),
    Barrier,
    Park {
        timed: bool,
    },
    /// Unparks one of the tasks that the task knows: its children, its ancestors, and the tasks that these knew
    /// when they spawned.
    Unpark(usize),
    /// A task begins with one owner of a counted value, and with one weak reference.
    CloneArc,
    DropArc,
    StrongCount,
    WeakCount,
    GetMut,
    TryUnwrap,
    Downgrade,
    Upgrade,
    Spawn(Vec<Op>),
    /// Joins the oldest child that is not joined.
    Join,
}

/// What a program does not use, no task has: to drop it would be steps for nothing.
#[derive(Clone, Copy, Debug, Default)]
struct Uses {
    channels: [bool; 2],
    counts: bool,
}

impl Op {
    fn add_to(&self, uses: &mut Uses) {
        match *self {
            Self::Send(channel, _) | Self::Recv(channel) | Self::TryRecv(channel) => {
                uses.channels[channel] = true;
            }
            Self::RecvTimeout(channel) => uses.channels[channel] = true,
            Self::TrySend(_) => uses.channels[1] = true,
            Self::CloneArc | Self::DropArc | Self::StrongCount | Self::WeakCount => {
                uses.counts = true;
            }
            Self::GetMut | Self::TryUnwrap | Self::Downgrade | Self::Upgrade => uses.counts = true,
            _ => self.body().iter().for_each(|op| op.add_to(uses)),
        }
    }

    fn body(&self) -> &[Self] {
        match self {
            Self::Lock(_, body) | Self::SpinLock(_, body) | Self::Once(body) => body,
            Self::Read(body) | Self::Write(body) | Self::Spawn(body) => body,
            Self::TryRead(body) | Self::TryWrite(body) => body,
            _ => &[],
        }
    }

    fn size(&self) -> usize {
        1 + self.body().iter().map(Self::size).sum::<usize>()
    }

    /// Whether the task itself spawns here.
    fn spawns(&self) -> bool {
        matches!(self, Self::Spawn(_)) || self.body().iter().any(Self::spawns)
    }

    /// The tasks below this operation that spawn.
    fn spawning_tasks(&self) -> usize {
        let inside: usize = self.body().iter().map(Self::spawning_tasks).sum();
        let itself = matches!(self, Self::Spawn(body) if body.iter().any(Self::spawns));
        inside + usize::from(itself)
    }
}

/// The tasks, which main spawns and joins. A task drops its ends of channels and its references, and then joins its
/// children.
#[derive(Clone, Debug)]
struct Program {
    tasks: Vec<Vec<Op>>,
    bound: usize,
}

impl Program {
    fn uses(&self) -> Uses {
        let mut uses = Uses::default();
        self.tasks.iter().flatten().for_each(|op| op.add_to(&mut uses));
        uses
    }

    fn spawning_tasks(&self) -> usize {
        let spawns = self.tasks.iter().filter(|ops| ops.iter().any(Op::spawns)).count();
        spawns + self.tasks.iter().flatten().map(Op::spawning_tasks).sum::<usize>()
    }

    /// The program without the last operation of its longest task.
    fn shorter(mut self) -> Self {
        let size = |task: &&mut Vec<Op>| task.iter().map(Op::size).sum::<usize>();
        if let Some(longest) = self.tasks.iter_mut().max_by_key(size) {
            longest.pop();
        }
        self
    }
}
