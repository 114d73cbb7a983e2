//! One cache of whichever protocol, behind a face that names none: for a program that is not a scenario.

use crate::text::locks::Locks;
use crate::text::recorder::plain;
use crate::text::stage::{Compute, Plain, Tested, Value};
use crate::text::twins::Twin;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use xfetch_core_shuttle::steps::{self, DoubleRecheck};
use xfetch_core_shuttle::{
    Cache, Clock, ConfigError, Error, Event as CoreEvent, Executor, Observer, Usage,
};
use xfetch_vocabulary::catalogue::Protocol;
use xfetch_vocabulary::history::{Content, Event, Version};

/// The options of a cache; they are those of its builder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// How long a value is fresh.
    pub payload: Duration,
    /// How long a value is kept.
    pub storage: Duration,
    /// The shards.
    pub shards: usize,
    /// The most keys.
    pub capacity: usize,
    /// How long failures are remembered.
    pub idle: Duration,
    /// The period of the sweeper.
    pub sweep_every: Duration,
    /// The longest wait of a miss.
    pub wait_timeout: Duration,
    /// When a compute is overdue.
    pub compute_timeout: Duration,
    /// The weight of early refreshes.
    pub beta: f64,
    /// The first back-off and the longest.
    pub back_off: (Duration, Duration),
    /// The share of the payload TTL by which it may be shorter.
    pub jitter: f64,
}

/// What a cache is given.
pub struct Parts {
    /// Its time.
    pub clock: Arc<dyn Clock>,
    /// Who reads its events.
    pub observer: Arc<dyn Observer>,
    /// What runs its refreshes.
    pub executor: Arc<dyn Executor>,
    /// Its random numbers.
    pub draw: Box<dyn Fn() -> f64 + Send + Sync>,
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// The content of the value.
    pub content: Content,
    /// Its version, if it was published or inserted.
    pub version: Option<Version>,
}

/// A cache.
pub trait Opened: Send + Sync {
    /// The running task is one that asks the cache.
    fn enter(&self);
    /// Requests a key.
    fn request(&self, key: u64, compute: Compute) -> Result<Served, Error>;
    /// Reads a key.
    fn get(&self, key: u64) -> Option<Served>;
    /// Inserts a value.
    fn insert(&self, key: u64, value: Value);
    /// Removes a key.
    fn invalidate(&self, key: u64);
    /// Removes all keys.
    fn invalidate_all(&self);
    /// Sweeps.
    fn sweep(&self);
    /// What the cache holds.
    fn usage(&self) -> Usage;
}

struct Handle<P: steps::Protocol> {
    cache: Tested<P>,
    locks: Arc<Locks>,
}

/// Opens a cache of this protocol.
///
/// # Errors
///
/// Those of the builder.
pub fn open(
    protocol: Protocol,
    options: &Options,
    parts: Parts,
) -> Result<Arc<dyn Opened>, ConfigError> {
    match protocol {
        Protocol::DoubleRecheck | Protocol::DefaultConfig => built(DoubleRecheck, options, parts),
        twin => built(Twin(twin), options, parts),
    }
}

fn built<P: steps::Protocol>(
    protocol: P,
    options: &Options,
    parts: Parts,
) -> Result<Arc<dyn Opened>, ConfigError> {
    let Parts { clock, observer, executor, draw } = parts;
    let locks = Locks::new(Arc::clone(&clock));
    let cache = Cache::builder(options.payload, options.storage)
        .shards(options.shards)
        .capacity(options.capacity)
        .idle(options.idle)
        .sweep_every(options.sweep_every)
        .wait_timeout(options.wait_timeout)
        .compute_timeout(options.compute_timeout)
        .beta(options.beta)
        .back_off(options.back_off.0, options.back_off.1)
        .jitter(options.jitter)
        .randomness(draw)
        .clock(clock)
        .observer(observer)
        .executor(executor)
        .hasher(Plain::default())
        .protocol(protocol)
        .build()?;
    Ok(Arc::new(Handle { cache, locks }))
}

impl<P: steps::Protocol> Opened for Handle<P> {
    fn enter(&self) {
        self.locks.enter();
    }

    fn request(&self, key: u64, compute: Compute) -> Result<Served, Error> {
        let found = self.cache.try_get_or_compute::<_, _, io::Error>(&key, compute)?;
        Ok(Served { content: found.content, version: found.version().map(|it| it.get()) })
    }

    fn get(&self, key: u64) -> Option<Served> {
        let found = self.cache.get(&key)?;
        Some(Served { content: found.content, version: found.version().map(|it| it.get()) })
    }

    fn insert(&self, key: u64, value: Value) {
        self.cache.insert(key, value);
    }

    fn invalidate(&self, key: u64) {
        self.cache.invalidate(&key);
    }

    fn invalidate_all(&self) {
        self.cache.invalidate_all();
    }

    fn sweep(&self) {
        self.cache.sweep();
    }

    fn usage(&self) -> Usage {
        self.cache.usage()
    }
}

/// The hash under which the events of a key come.
pub fn hash_of(key: u64) -> u64 {
    steps::spread(key)
}

/// The event in terms of no particular build of the core.
pub fn plain_event(event: CoreEvent) -> Event {
    plain(event)
}
