//! What happened in one execution, in terms that no particular build of the core owns.

/// The number of a published value, as the core counts them.
pub type Version = u64;
/// The number of a lease, as the core gave it.
pub type LeaseId = u64;

/// The number of a value. Each compute and each insert makes a new one.
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
            /// The request begins to sleep until a lease is released.
            Waits,
            /// The request goes on after it has slept.
            WakesUp,
            /// The request reads the map under its lock; with the lease, if another task refreshes for it.
            Reads(Option<LeaseId>),
            /// The request reads the clock.
            ReadsTheClock,
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

/// The kind of a caller's answer.
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
    /// The last answer of each caller.
    pub answers: Vec<AnswerKind>,
    /// How long a published entry is fresh, in nanoseconds.
    pub payload: u64,
    /// How long a published entry is kept, in nanoseconds.
    pub storage: u64,
    /// The shortest back-off after a failed compute.
    pub back_off: u64,
    /// The most keys that the cache may hold.
    pub capacity: usize,
    /// Whether there is a compute time-out, at which a waiter asks again.
    pub asks_again: bool,
    /// Whether the records say when a request begins to sleep and goes on, and when it reads the map under its lock and
    /// the clock.
    pub says_silent: bool,
    /// What the cache held when all callers had returned.
    pub at_rest: Usage,
    /// What was left after everything had expired and was swept.
    pub at_last: Usage,
    /// The counters when all callers had returned, by name; empty if the scenario has no counters.
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
