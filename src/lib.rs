//! A small in-memory X-Fetch cache core: stale-while-revalidate with **at most one compute per
//! staleness window**. The README says how much of that has been checked, and how.
//!
//! An entry is fresh until its payload deadline, stale until its storage deadline, then expired. A
//! *staleness window* belongs to one version, or one absence, of a key. It begins when the key first needs a
//! compute. It ends when a newer version is published, or when the key is removed or inserted anew. At most
//! one compute starts per window as long as none fails and none is revoked by [`Builder::compute_timeout`]. After each
//! of these one more may start. At most two computes of a key are in flight, and then one of them is revoked.
//!
//! # Threads
//!
//! By default a cache starts four threads that refresh ([`Builder::executor`]) and one that sweeps
//! ([`Builder::sweep_every`]). Many caches can share one [`WorkerPool`]: pass a clone of it to each. A refresh of a
//! cache whose last handle was dropped does nothing, and a shared pool goes on for the other caches.
//!
//! - **A compute that steals work**, as rayon does while it waits, may run another request of the same cache inside
//!   itself. If that request needs a key whose compute stands on the thread's stack, it returns [`Error::Cycle`].
//!   Compute such values on threads that do not steal.
//! - **Many threads**: 64 threads of a process at a time read without a lock, and the others read under a read lock. Each
//!   thread that writes at the same time as others makes every write of the process dearer by about 13 ns, for as long as
//!   the process lives: this cache is for at most some hundred of them.
//! - **Fork**: a child process has the thread that forked, and none of the cache's threads. Its refreshes are queued
//!   and never run, and a lock that another thread held at the fork stays locked. Build caches after the fork, or start
//!   the child with `exec`.
//! - **A machine that is suspended**: the clock of [`SystemClock`] is the system's monotonic clock. On Linux that clock stands still while the machine is suspended, so an entry lives longer by as
//!   much. If that matters, implement [`Clock`] on a clock that goes on, as Linux's `CLOCK_BOOTTIME`.
//!
//! Start with [`Cache`]. To read the code, start with the protocol, `src/protocol/mod.rs`.

mod builder;
mod cache;
mod clock;
mod error;
mod executor;
mod ids;
mod observe;
mod panics;
mod policy;
mod protocol;
mod sync;
mod tables;

pub use builder::Builder;
pub use cache::{Cache, Usage, WeakCache};
pub use clock::{Clock, ManualClock, Moment, SystemClock};
pub use error::{ConfigError, Error, MAX_QUEUE, MAX_SHARDS, MAX_WORKERS};
pub use executor::{CallerRuns, Executor, Job, StillRunning, Waiting, WorkerPool};
pub use ids::{LeaseId, Version};
pub use observe::event::{Event, NoObserver, Observer};
pub use observe::metrics::{Metrics, Snapshot};
#[cfg(feature = "tracing")]
pub use observe::trace::Trace;
pub use policy::lifetimes::Freshness;
pub use protocol::sweep::Swept;
pub use protocol::world::{Key, Parts, With};
pub use tables::entry::Found;

/// What the suite's broken twins use. Hidden and unstable.
#[doc(hidden)]
pub mod steps {
    pub use crate::protocol::lease::{Lease, Turn};
    pub use crate::protocol::request::{
        Compute, Computed, Glance, Look, Recheck, RefreshCandidate, Request,
    };
    pub use crate::protocol::sweep::Sweep;
    pub use crate::protocol::world::World;
    pub use crate::protocol::{Answer, DoubleRecheck, Protocol, finish, sweep};
    pub use crate::sync::{BACKEND, Condvar, Mutex, thread_local};
    pub use crate::tables::fences::Stamp;
    pub use crate::tables::leases::{LeaseTable, SlotState, Takeover};
    pub use crate::tables::outcome::{LeaseOutcome, Refusal};
    pub use crate::tables::shards::spread;
    pub use crate::tables::store::MapSnapshot;
}

/// README's example compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
