//! What happened in one execution, in terms of no particular build of the core.

/// The number of a published value, as the core gave it.
pub type Version = u64;
/// The number of a lease, as the core gave it.
pub type Lease = u64;

/// The number of a value: each compute and each insert makes a new one.
pub type Content = u64;

/// A step that a request took; see `xfetch_core::Event`, which it mirrors.
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
    /// The scenario: the compute under way makes this content. Contents are numbered.
    Makes(Content),
    /// The scenario: the request goes home with this content.
    Answered(Content),
    /// The scenario: the request goes home with an error.
    Refused,
    /// The scenario: the user has put this content there.
    Put(Content),
    /// The scenario: the pool was shut down.
    ShutDown,
    /// The scenario: time passes.
    Tick,
    /// The scenario: everybody is home. What follows is one more request and a look.
    Rest,
}

/// An event, who caused it and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// The task: 0 sets the scene, callers count from 1. Engines without task numbers say 0.
    pub task: usize,
    /// The section of the execution that it belongs to, where the engine counts them.
    pub step: usize,
    /// The scenario's time in nanoseconds.
    pub now: u64,
    /// The hash of the key.
    pub key: u64,
    /// What happened.
    pub event: Event,
}

/// What a caller went home with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnswerKind {
    /// The value that was there at the start.
    Stale,
    /// A value that was computed since.
    Fresh,
    /// An error.
    Error,
}

/// One execution.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The events in the order of their sections.
    pub records: Vec<Record>,
    /// What each caller went home with.
    pub answers: Vec<AnswerKind>,
    /// How long a published entry is fresh, in nanoseconds.
    pub payload: u64,
    /// How long it is kept.
    pub storage: u64,
    /// How long a key whose compute has failed is left alone at least.
    pub back_off: u64,
    /// The most keys that the cache may hold.
    pub capacity: usize,
    /// What it held when everybody was home.
    pub at_rest: Usage,
    /// What was left when everything was past its time, and swept.
    pub at_last: Usage,
    /// What the counters said when everybody was home, by name; nothing where there were none.
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
