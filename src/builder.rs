//! Builds a cache out of its lifetimes and its replaceable parts.

use crate::cache::Cache;
use crate::clock::{Clock, SystemClock};
use crate::entry::Lifetimes;
use crate::error::ConfigError;
use crate::event::{NoObserver, Observer};
use crate::executor::{CallerRuns, Executor};
use crate::key_lock::LeaseTable;
use crate::protocol::{DoubleRecheck, Protocol};
use crate::shared::Shared;
use crate::store::Store;
use crate::sync::Arc;
use crate::world::{Key, Parts, With};
use std::fmt;
use std::hash::BuildHasher;
use std::marker::PhantomData;
use std::time::Duration;

/// The most parts that a store can be split into.
pub const MAX_SHARDS: usize = 1 << 16;

#[derive(Clone, Copy, Debug)]
struct Settings {
    payload: Duration,
    storage: Duration,
    shards: usize,
    wait_timeout: Duration,
}

/// Builds a [`Cache`]; made by [`Cache::builder`].
pub struct Builder<
    K,
    V,
    C = SystemClock,
    O = NoObserver,
    X = CallerRuns,
    S = foldhash::fast::RandomState,
    P = DoubleRecheck,
> {
    settings: Settings,
    clock: C,
    observer: O,
    executor: X,
    hasher: S,
    of: PhantomData<fn() -> (K, V, P)>,
}

impl<K, V> Builder<K, V> {
    pub(crate) fn new(payload: Duration, storage: Duration) -> Self {
        Self {
            settings: Settings {
                payload,
                storage,
                shards: 16,
                wait_timeout: Duration::from_secs(30),
            },
            clock: SystemClock::new(),
            observer: NoObserver,
            executor: CallerRuns,
            hasher: foldhash::fast::RandomState::default(),
            of: PhantomData,
        }
    }
}

impl<K, V, C, O, X, S, P> Builder<K, V, C, O, X, S, P> {
    /// How many parts the store and the lease table are split into, rounded up to a power of two;
    /// 16 unless told, at most [`MAX_SHARDS`].
    pub fn shards(mut self, shards: usize) -> Self {
        self.settings.shards = shards;
        self
    }

    /// How long a request for an absent key waits for another one's compute; 30 s unless told.
    pub fn wait_timeout(mut self, wait_timeout: Duration) -> Self {
        self.settings.wait_timeout = wait_timeout;
        self
    }

    /// Where the time comes from; [`SystemClock`] unless told.
    pub fn clock<D: Clock>(self, clock: D) -> Builder<K, V, D, O, X, S, P> {
        let Self { settings, observer, executor, hasher, .. } = self;
        Builder { settings, clock, observer, executor, hasher, of: PhantomData }
    }

    /// Who reads the events; nobody unless told.
    pub fn observer<D: Observer>(self, observer: D) -> Builder<K, V, C, D, X, S, P> {
        let Self { settings, clock, executor, hasher, .. } = self;
        Builder { settings, clock, observer, executor, hasher, of: PhantomData }
    }

    /// Where refreshes run; on the requesting thread unless told.
    pub fn executor<D: Executor>(self, executor: D) -> Builder<K, V, C, O, D, S, P> {
        let Self { settings, clock, observer, hasher, .. } = self;
        Builder { settings, clock, observer, executor, hasher, of: PhantomData }
    }

    /// How keys are hashed; foldhash with a random seed unless told.
    pub fn hasher<D: BuildHasher>(self, hasher: D) -> Builder<K, V, C, O, X, D, P> {
        let Self { settings, clock, observer, executor, .. } = self;
        Builder { settings, clock, observer, executor, hasher, of: PhantomData }
    }

    /// Another protocol, for the suite.
    #[doc(hidden)]
    pub fn protocol<D: Protocol>(self) -> Builder<K, V, C, O, X, S, D> {
        let Self { settings, clock, observer, executor, hasher, .. } = self;
        Builder { settings, clock, observer, executor, hasher, of: PhantomData }
    }
}

impl<K, V, C, O, X, S, P> Builder<K, V, C, O, X, S, P>
where
    K: Key,
    V: Send + Sync + 'static,
    With<C, O, X, S, P>: Parts<Clock = C, Observer = O, Executor = X, Hasher = S>,
{
    /// The cache.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the value that no cache can have, and its limit.
    pub fn build(self) -> Result<Cache<K, V, With<C, O, X, S, P>>, ConfigError> {
        let Settings { payload, storage, shards, wait_timeout } = self.settings;
        let lifetimes = Lifetimes::new(payload, storage)?;
        if shards == 0 || shards > MAX_SHARDS {
            return Err(ConfigError::Shards { shards });
        }
        let shards = shards.next_power_of_two();
        let shared = Shared {
            store: Store::new(shards),
            leases: Arc::new(LeaseTable::new(shards)),
            clock: self.clock,
            observer: self.observer,
            executor: self.executor,
            hasher: self.hasher,
            lifetimes,
            wait_timeout,
        };
        Ok(Cache { shared: Arc::new(shared) })
    }
}

impl<K, V, C, O, X, S, P> fmt::Debug for Builder<K, V, C, O, X, S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("settings", &self.settings).finish_non_exhaustive()
    }
}
