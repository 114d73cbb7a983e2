//! A small in-memory X-Fetch cache core: stale-while-revalidate with **at most one compute per
//! staleness window**. The README says how much of that has been checked, and how.
//!
//! An entry is fresh until its payload deadline, stale until its storage deadline, then expired. A
//! *staleness window* is one version, or one absence, of a key: from when it first needs a compute
//! until a newer version is published, or the key is removed or inserted anew. At most one compute
//! is started per window as long as none has failed; after a failure one more each, never two at a
//! time.
//!
//! Start with [`Cache`]. The protocol is the shortest file of the crate, `src/protocol.rs`.

mod back_off;
mod builder;
mod cache;
mod clock;
mod early;
mod entry;
mod error;
mod event;
mod executor;
mod key_lock;
mod metrics;
mod protocol;
mod request;
mod shared;
mod store;
mod sweep;
mod sync;
#[cfg(feature = "tracing")]
mod trace;
mod waits;
mod world;

pub use builder::{Builder, MAX_SHARDS};
pub use cache::{Cache, Usage};
pub use clock::{Clock, ManualClock, Moment, SystemClock};
pub use entry::{Found, Freshness, Version};
pub use error::{ConfigError, Error};
pub use event::{Event, NoObserver, Observer};
pub use executor::{CallerRuns, Executor, Job, MAX_QUEUE, MAX_WORKERS, Waiting, WorkerPool};
pub use key_lock::LeaseId;
pub use metrics::{Metrics, Snapshot};
pub use sweep::Swept;
#[cfg(feature = "tracing")]
pub use trace::Trace;
pub use world::{Key, Parts, With};

/// What the suite's broken twins are made of. Hidden and unstable.
#[doc(hidden)]
pub mod steps {
    pub use crate::key_lock::{Ended, LeaseTable, Refusal, SlotState, Takeover};
    pub use crate::protocol::{Answer, DoubleRecheck, Protocol, finish, sweep};
    pub use crate::request::{Compute, Computed, Judgement, Lease, Look, Request, Stale, Turn};
    pub use crate::store::{Sight, Stamp};
    pub use crate::sweep::Sweep;
    pub use crate::sync::{BACKEND, Condvar, Mutex, thread_local};
    pub use crate::world::World;
}

/// README's example compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
