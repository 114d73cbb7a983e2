//! What happened in one execution, in terms that no particular build of the core owns.

/// The number of a published value, as the core counts them.
pub type Version = u64;
/// The number of a lease, as the core counts them.
pub type Lease = u64;

/// The number of a value. Each compute and each insert makes a new one.
pub type Content = u64;

/// A step that a request took. It mirrors `xfetch_core::Event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is documented at xfetch_core::Event")]
pub enum Event {
    Looked(Option<Version>),
    FreshHit(Version),
    StaleHit(Version),
    Miss,
    Nominated(Version),
    StillNeeded,
    SkippedBefore(Version),
    Leased(Lease),
    Busy(Lease),
    Waited(Lease),
    TimedOut(Lease),
    BackingOff,
    Cycle(Lease),
    SkippedInside(Lease, Version),
    ComputeStarted(Lease, Option<Version>),
    ComputeFinished(Lease, bool),
    Published(Lease, Version),
    Discarded(Lease),
    Released(Lease),
    Inserted(Version),
    Invalidated,
    Cleared,
    Evicted(Version),
    Swept(Version),
    Forgotten,
    TakenOver(Lease),
    Rejected(Lease),
    Dropped(Lease),
    /// The scenario: a request begins.
    Asked,
    /// The scenario: the compute that runs makes this content.
    Makes(Content),
    /// The scenario: the request returns this content.
    Answered(Content),
    /// The scenario: the request returns an error.
    Refused,
    /// The scenario: the user has inserted this content.
    Put(Content),
    /// The scenario: the pool was shut down.
    ShutDown,
    /// The scenario: time passes.
    Tick,
    /// The scenario: all callers have returned. One more request and a look follow.
    Rest,
}

/// An event, who caused it and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// The task. 0 is main; callers count from 1. Engines without task numbers use 0.
    pub task: usize,
    /// The section of the execution in which it happened, if the engine counts sections.
    pub step: usize,
    /// The scenario's time in nanoseconds.
    pub now: u64,
    /// The hash of the key.
    pub key: u64,
    /// What happened.
    pub event: Event,
}

/// What a caller got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnswerKind {
    /// The value that was there at the start.
    Stale,
    /// A value that was computed during the execution.
    Fresh,
    /// An error.
    Error,
}

/// One execution.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The events in the order of their sections.
    pub records: Vec<Record>,
    /// What each caller got.
    pub answers: Vec<AnswerKind>,
    /// How long a published entry is fresh, in nanoseconds.
    pub payload: u64,
    /// How long a published entry is kept, in nanoseconds.
    pub storage: u64,
    /// The shortest back-off after a failed compute.
    pub back_off: u64,
    /// The most keys that the cache may hold.
    pub capacity: usize,
    /// What the cache held when all callers had returned.
    pub at_rest: Usage,
    /// What the cache held after every deadline had passed and a sweep had run.
    pub at_last: Usage,
    /// The counters when all callers had returned, by name. Empty if there were no counters.
    pub counted: Vec<(&'static str, u64)>,
}

/// What a cache held.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Keys.
    pub keys: usize,
    /// Leases.
    pub leases: usize,
    /// Slots of the lease table.
    pub slots: usize,
}
