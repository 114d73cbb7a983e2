//! What happened in one execution, in terms of no particular build of the core.

/// The number of a published value, as the core gave it.
pub type Version = u64;
/// The number of a lease, as the core gave it.
pub type LeaseId = u64;

/// The number of a value: each compute and each insert makes a new one.
pub type Content = u64;

macro_rules! declare {
    ($($(#[$doc:meta])* $Event:ident $(($($part:ident: $Part:ty),+))?,)*) => {
        /// A step that a request took: the mirror of `xfetch_core::Event`, made from the same list. The last ones are
        /// notes of the scenario.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Event {
            $($(#[$doc])* $Event $(($($Part),+))?,)*
            /// A request begins.
            Asked,
            /// The compute under way makes this content. Contents are numbered.
            Makes(Content),
            /// The request returns this content.
            Answered(Content),
            /// The request returns an error.
            Refused,
            /// The caller has put this content into the cache.
            Put(Content),
            /// The pool was shut down.
            ShutDown,
            /// The clock moves.
            Tick,
            /// All callers have returned. One more request and one look follow.
            Rest,
        }
    };
}

xfetch_core::for_each_event!(declare);

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
