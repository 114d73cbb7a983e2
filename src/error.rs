//! Two errors, one for building a cache and one for asking it, and the limits that the first one names. A
//! leaf: every file may use it, and it uses `sync/`.

use crate::sync::Arc;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// The most shards of a cache.
pub const MAX_SHARDS: usize = 1 << 16;
/// The most threads of a pool.
pub const MAX_WORKERS: usize = 1 << 10;
/// The most jobs that wait for a thread of a pool.
pub const MAX_QUEUE: usize = 1 << 20;

/// A configuration that the builder or a pool refuses.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum ConfigError {
    /// An entry would expire before it is stale.
    PayloadOutlivesStorage {
        /// The payload TTL that was asked for.
        payload: Duration,
        /// The storage TTL that was asked for, which is its limit.
        storage: Duration,
    },
    /// The first back-off would be longer than the longest.
    BackOff {
        /// The first back-off that was asked for.
        initial: Duration,
        /// The cap that was asked for, which is its limit.
        cap: Duration,
    },
    /// The jitter is no share of a lifetime.
    Jitter {
        /// The number that was asked for. The limit is 0 to 1.
        jitter: f64,
    },
    /// The beta makes no probability.
    Beta {
        /// The number that was asked for. The limit is 0 to 1,000,000,000.
        beta: f64,
    },
    /// A pool would have no worker or no place for a job, or too many.
    Workers {
        /// The threads that were asked for. The limit is 1 to 1,024.
        threads: usize,
        /// The places for jobs that were asked for. The limit is 1 to 1,048,576.
        queue: usize,
    },
    /// The cache could not keep a key.
    Capacity {
        /// The number that was asked for. The limit is 1.
        capacity: usize,
    },
    /// The cache would sweep all the time.
    SweepPeriod {
        /// The period that was asked for. The limit is 1 ms.
        period: Duration,
    },
    /// The system has no thread for a worker or the sweeper.
    NoThread {
        /// Why.
        kind: std::io::ErrorKind,
    },
    /// The store cannot have so many shards.
    Shards {
        /// The number that was asked for. The limit is 1 to 65,536.
        shards: usize,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PayloadOutlivesStorage { payload, storage } => {
                write!(
                    f,
                    "payload TTL {payload:?} is longer than its limit, the storage TTL {storage:?}"
                )
            }
            Self::Workers { threads, queue } => write!(
                f,
                "{threads} workers with {queue} places are outside the limits of 1 to {} and 1 to {}",
                MAX_WORKERS, MAX_QUEUE
            ),
            Self::Capacity { capacity } => {
                write!(f, "a capacity of {capacity} keys is below the limit of 1")
            }
            Self::SweepPeriod { period } => {
                write!(f, "a sweep every {period:?} is more often than the limit, every 1ms")
            }
            Self::NoThread { kind } => write!(f, "no thread for a worker or the sweeper: {kind}"),
            Self::BackOff { initial, cap } => {
                write!(f, "first back-off {initial:?} is longer than its limit, the cap {cap:?}")
            }
            Self::Jitter { jitter } => {
                write!(f, "jitter {jitter} is outside the limit of 0 to 1")
            }
            Self::Beta { beta } => {
                write!(f, "beta {beta} is outside the limit of 0 to 1000000000")
            }
            Self::Shards { shards } => {
                write!(f, "{shards} shards are outside the limit of 1 to {MAX_SHARDS}")
            }
        }
    }
}

impl StdError for ConfigError {}

/// The reason why a request has no value. Clones share the cause: all requests that waited for a failed
/// compute get the same error.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The compute returned an error.
    Failed(Arc<dyn StdError + Send + Sync>),
    /// The compute panicked, with this message.
    Panicked(Arc<str>),
    /// The compute needs a key whose compute needs this one. None of them could ever end.
    ///
    /// Two rare cases return it too soon. A request behind two computes of a key in flight counts as one that waits for
    /// the later one. And a request that an insert has just woken counts as one that waits, until its thread runs.
    Cycle {
        /// The keys: each needs the next one, and the last is the first again.
        path: Arc<[String]>,
    },
    /// The cache has no registered refresh, and the request brings none.
    NoRefresh,
    /// Another request still computed the value when this request timed out.
    Timeout {
        /// The configured limit.
        waited: Duration,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(cause) => write!(f, "the compute failed: {cause}"),
            Self::Panicked(message) => write!(f, "the compute panicked: {message}"),
            Self::Cycle { path } => {
                write!(f, "computes wait for each other: {}", path.join(" -> "))
            }
            Self::NoRefresh => {
                f.write_str("the cache has no refresh: register one with Builder::refresh")
            }
            Self::Timeout { waited } => {
                write!(f, "no value within the wait time-out of {waited:?}")
            }
        }
    }
}

impl Error {
    /// The error of a compute.
    pub(crate) fn failed(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Failed(Arc::from(cause.into()))
    }
}

impl StdError for Error {
    /// The source of the compute's own error. That error itself is in the text.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Failed(cause) => cause.source(),
            _ => None,
        }
    }
}
