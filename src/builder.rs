//! The builder of a cache, from its lifetimes and its replaceable parts. It is part of the public face.

use crate::cache::Cache;
use crate::clock::{Clock, SystemClock};
use crate::error::{ConfigError, Error, MAX_SHARDS};
use crate::executor::{Executor, WorkerPool};
use crate::observe::event::{NoObserver, Observer};
use crate::policy::back_off::BackOff;
use crate::policy::early::{Early, draw};
use crate::policy::lifetimes::Lifetimes;
use crate::protocol::sweeper::Sweeper;
use crate::protocol::waits::Waits;
use crate::protocol::world::{Draw, Key, Parts, Refresh, Shared, With};
use crate::protocol::{DoubleRecheck, Protocol};
use crate::sync::{Arc, Handles};
use crate::tables::entry::Terms;
use crate::tables::leases::LeaseTable;
use crate::tables::store::Store;
use std::fmt;
use std::hash::BuildHasher;
use std::time::Duration;

/// The default number of shards.
const SHARDS: usize = 16;
/// The fewest places of a shard, by default. A shard with one or two places has no choice of what to evict, and
/// its keys drive each other out while other shards are empty.
const FEWEST_PLACES: usize = 64;

#[derive(Clone, Copy, Debug)]
struct Settings {
    payload: Duration,
    storage: Duration,
    /// `None` by default.
    shards: Option<usize>,
    capacity: usize,
    wait_timeout: Duration,
    compute_timeout: Duration,
    beta: f64,
    jitter: f64,
    back_off: (Duration, Duration),
    idle: Duration,
    sweep_every: Duration,
}

/// The shortest time between two sweeps of a cache's own.
const SHORTEST_PERIOD: Duration = Duration::from_millis(1);

impl Settings {
    /// The number of shards, and the capacity of each.
    fn split(&self) -> Result<(usize, usize), ConfigError> {
        let capacity = self.capacity;
        let shards = self.shards.unwrap_or_else(|| (capacity / FEWEST_PLACES).clamp(1, SHARDS));
        if shards == 0 || shards > MAX_SHARDS {
            return Err(ConfigError::Shards { shards });
        }
        let Some(most) = capacity.checked_ilog2() else {
            return Err(ConfigError::Capacity { capacity });
        };
        let rounded = match self.shards {
            Some(_) => shards.next_power_of_two(),
            None => 1 << shards.ilog2(),
        };
        let shards = rounded.min(1 << most);
        Ok((shards, capacity / shards))
    }

    fn period(&self) -> Result<Duration, ConfigError> {
        let period = self.sweep_every;
        if period < SHORTEST_PERIOD {
            return Err(ConfigError::SweepPeriod { period });
        }
        Ok(period)
    }
}

/// Builds a [`Cache`]; made by [`Cache::builder`].
///
/// ```
/// use std::time::Duration;
/// use xfetch_core::{Cache, ConfigError, NoObserver, SystemClock};
///
/// let (payload, storage) = (Duration::from_secs(5), Duration::from_secs(120));
/// let cache = Cache::<String, u32>::builder(payload, storage)
///     .shards(64)
///     .capacity(100_000)
///     .wait_timeout(Duration::from_secs(2))
///     .beta(1.5)
///     .back_off(Duration::from_millis(50), Duration::from_secs(10))
///     .clock(SystemClock::new())
///     .observer(NoObserver)
///     .build();
/// assert!(cache.is_ok());
///
/// let wrong = Cache::<String, u32>::builder(storage, payload).build().unwrap_err();
/// assert_eq!(wrong, ConfigError::PayloadOutlivesStorage { payload: storage, storage: payload });
/// let wrong = Cache::<String, u32>::builder(payload, storage).beta(-1.0).build().unwrap_err();
/// assert_eq!(wrong.to_string(), "beta -1 is outside the limit of 0 to 1000000000");
/// ```
pub struct Builder<
    K,
    V,
    C = SystemClock,
    O = NoObserver,
    X = WorkerPool,
    S = foldhash::fast::RandomState,
    P = DoubleRecheck,
> {
    settings: Settings,
    clock: C,
    observer: O,
    executor: Start<X>,
    hasher: S,
    draw: Draw,
    refresh: Option<Refresh<K, V>>,
    protocol: P,
}

/// Makes the executor when the cache is built, so that a refused configuration starts no thread.
type Start<X> = Box<dyn FnOnce() -> Result<X, ConfigError> + Send>;

impl<K: Key, V: Send + Sync + 'static> Cache<K, V> {
    /// A cache whose entries are fresh for `payload` and kept for `storage`.
    ///
    /// [`Builder::build`] checks the lifetimes.
    pub fn builder(payload: Duration, storage: Duration) -> Builder<K, V> {
        Builder::new(payload, storage)
    }
}

impl<K, V> Builder<K, V> {
    fn new(payload: Duration, storage: Duration) -> Self {
        Self {
            settings: Settings {
                payload,
                storage,
                shards: None,
                capacity: usize::MAX,
                wait_timeout: Duration::from_secs(30),
                compute_timeout: Duration::MAX,
                beta: 1.0,
                jitter: 0.0,
                back_off: (Duration::from_millis(100), Duration::from_secs(30)),
                idle: Duration::from_secs(60),
                sweep_every: Duration::from_secs(5 * 60),
            },
            clock: SystemClock::new(),
            observer: NoObserver,
            executor: Box::new(|| WorkerPool::new(4, 1_024)),
            hasher: foldhash::fast::RandomState::default(),
            draw: Arc::new(draw),
            refresh: None,
            protocol: DoubleRecheck,
        }
    }
}

impl<K, V, C, O, X, S, P> Builder<K, V, C, O, X, S, P> {
    /// The number of shards of the store and of the lease table, at most [`MAX_SHARDS`]. It is rounded up to
    /// a power of two. The default is 16, or fewer if a shard would have less than 64 places.
    pub fn shards(mut self, shards: usize) -> Self {
        self.settings.shards = Some(shards);
        self
    }

    /// The most keys, 1 or more. The default is no bound.
    ///
    /// In a full shard, a new key evicts one that was not requested lately, or that has expired. The rule is
    /// CLOCK (Corbató 1968): it hits as often as least-recently-used, and a hit only sets a flag. Each shard
    /// has an equal share of the capacity, and evicts among its own keys. So some keys are evicted before the
    /// whole cache is full, and a remainder of the division is left over. A capacity below the number of
    /// [`shards`](Self::shards) makes fewer shards. An eviction discards no refresh: a refresh in flight is
    /// published.
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.settings.capacity = capacity;
        self
    }

    /// How long after the end of a back-off the cache remembers a key's failures. The default is 60 s. If the
    /// key fails again within that time, its next back-off is twice as long. Later, the failure is the first
    /// one again, and a [`Cache::sweep`] frees the key's slot.
    pub fn idle(mut self, idle: Duration) -> Self {
        self.settings.idle = idle;
        self
    }

    /// How often a thread of the cache calls [`Cache::sweep`]. The default is every 5 minutes, the limit every
    /// millisecond. With [`Duration::MAX`] there is no such thread.
    pub fn sweep_every(mut self, period: Duration) -> Self {
        self.settings.sweep_every = period;
        self
    }

    /// How long a request for an absent key waits for the compute of another request. The default is 30 s. A
    /// request that has to wait more than once has one deadline, by the cache's clock. While it waits, the machine's time
    /// passes: a [`ManualClock`](crate::ManualClock) that moves wakes nobody.
    pub fn wait_timeout(mut self, wait_timeout: Duration) -> Self {
        self.settings.wait_timeout = wait_timeout;
        self
    }

    /// How long a compute may take. There is no limit by default. Set it well above the slowest compute: a compute that
    /// takes longer is repeated, and its value is discarded.
    ///
    /// The next request that finds a compute overdue revokes its lease and computes itself. It reads the cache's clock
    /// when it asks; while it waits, the machine's time passes.
    /// The overdue compute goes on, and its value is discarded. A key has at most two computes in flight: the revoked
    /// one and the current one. So an origin that hangs twice holds its key until one of the two returns.
    pub fn compute_timeout(mut self, compute_timeout: Duration) -> Self {
        self.settings.compute_timeout = compute_timeout;
        self
    }

    /// How early entries are refreshed, 0 to 1,000,000,000. The default is 1, and 0 means never.
    ///
    /// With `beta` at 1 a request nominates an entry for an early refresh with probability
    /// `exp(-remaining / delta)`. Here `remaining` is the time to the entry's payload deadline, and `delta` is
    /// how long its own compute took. A larger beta refreshes earlier (XFetch: Vattani, Chierichetti and
    /// Lowenstein 2015). An inserted value has no compute, and is never refreshed early. No entry is refreshed early in
    /// the first half of its payload TTL. So early refreshes at most double the computes, however slow the compute is.
    pub fn beta(mut self, beta: f64) -> Self {
        self.settings.beta = beta;
        self
    }

    /// By how much the payload TTL of an entry may be shorter, 0 to 1: keys that were written together become stale one
    /// after the other. The default is 0.
    ///
    /// Each entry draws its own payload TTL, evenly between `(1 - jitter)` times the payload TTL and all of it, when it is
    /// published or inserted. It is never longer, and the storage TTL stays as it is. With 0.1 the thousand keys of a bulk
    /// load are refreshed over the last tenth of their payload TTL. If both TTLs are equal, an entry is stale for the part
    /// that is cut off. [`randomness`](Self::randomness) replaces the draw.
    ///
    /// ```
    /// use std::time::Duration;
    /// use xfetch_core::{Cache, ManualClock};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let clock = ManualClock::new();
    /// let cache = Cache::builder(Duration::from_secs(100), Duration::from_secs(200))
    ///     .jitter(0.1)
    ///     .randomness(|| 0.5)
    ///     .clock(clock.clone())
    ///     .build()?;
    /// cache.insert("page", 1);
    /// clock.advance(Duration::from_secs(95));
    /// assert!(cache.get(&"page").is_some_and(|found| found.is_stale()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn jitter(mut self, jitter: f64) -> Self {
        self.settings.jitter = jitter;
        self
    }

    /// How long a key backs off after its compute failed. The span is `initial` after the first failure, and
    /// doubles with each further failure in a row, up to `cap`. The back-off is drawn between a half and the
    /// whole of the span. The defaults are 100 ms and 30 s.
    pub fn back_off(mut self, initial: Duration, cap: Duration) -> Self {
        self.settings.back_off = (initial, cap);
        self
    }

    /// The source of random numbers in (0, 1], for early refreshes, back-offs and the jitter of lifetimes. A number outside is clamped.
    /// The default is a fast generator of each thread.
    pub fn randomness(mut self, draw: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        self.draw = Arc::new(draw);
        self
    }

    /// Registers a function that computes any key of the cache, for [`Cache::get_or_refresh`].
    ///
    /// A function that asks its own cache holds a [`WeakCache`](crate::WeakCache): the cache owns the function, and a
    /// [`Cache`] inside it would keep both alive for ever.
    pub fn refresh(mut self, refresh: impl Fn(&K) -> V + Send + Sync + 'static) -> Self {
        self.refresh = Some(Arc::new(move |key| Ok(refresh(key))));
        self
    }

    /// As [`refresh`](Self::refresh), for a compute that can fail. A request that is served a stale value does
    /// not return the error of its refresh: log the error here.
    pub fn try_refresh<E>(
        mut self,
        refresh: impl Fn(&K) -> Result<V, E> + Send + Sync + 'static,
    ) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.refresh = Some(Arc::new(move |key| refresh(key).map_err(Error::failed)));
        self
    }

    /// The source of time. The default is a [`SystemClock`].
    pub fn clock<D: Clock>(self, clock: D) -> Builder<K, V, D, O, X, S, P> {
        let Self { settings, observer, executor, hasher, draw, refresh, protocol, .. } = self;
        Builder { settings, clock, observer, executor, hasher, draw, refresh, protocol }
    }

    /// The observer that reads the events. The default reads nothing.
    pub fn observer<D: Observer>(self, observer: D) -> Builder<K, V, C, D, X, S, P> {
        let Self { settings, clock, executor, hasher, draw, refresh, protocol, .. } = self;
        Builder { settings, clock, observer, executor, hasher, draw, refresh, protocol }
    }

    /// The executor that runs the refreshes. The default is a [`WorkerPool`] of the cache's own, with 4 threads
    /// and 1,024 places. Its threads end after the cache is dropped and the queue is empty, and nothing waits for
    /// that. For a graceful end, pass a pool, which caches can share, and call [`WorkerPool::shut_down`].
    pub fn executor<D: Executor>(self, executor: D) -> Builder<K, V, C, O, D, S, P> {
        let Self { settings, clock, observer, hasher, draw, refresh, protocol, .. } = self;
        let executor: Start<D> = Box::new(|| Ok(executor));
        Builder { settings, clock, observer, executor, hasher, draw, refresh, protocol }
    }

    /// The hasher of keys. The default is foldhash with a random seed.
    pub fn hasher<D: BuildHasher>(self, hasher: D) -> Builder<K, V, C, O, X, D, P> {
        let Self { settings, clock, observer, executor, draw, refresh, protocol, .. } = self;
        Builder { settings, clock, observer, executor, hasher, draw, refresh, protocol }
    }

    /// Another protocol, for the suite.
    #[doc(hidden)]
    pub fn protocol<D: Protocol>(self, protocol: D) -> Builder<K, V, C, O, X, S, D> {
        let Self { settings, clock, observer, executor, hasher, draw, refresh, .. } = self;
        Builder { settings, clock, observer, executor, hasher, draw, refresh, protocol }
    }
}

impl<K, V, C: Clock, O, X, S, P: Protocol> Builder<K, V, C, O, X, S, P>
where
    K: Key,
    V: Send + Sync + 'static,
    With<C, O, X, S, P>: Parts<Clock = C, Observer = O, Executor = X, Hasher = S, Protocol = P>,
{
    /// Builds the cache, and starts its threads.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the value that is refused, and its limit.
    pub fn build(self) -> Result<Cache<K, V, With<C, O, X, S, P>>, ConfigError> {
        let Settings {
            payload,
            storage,
            wait_timeout,
            compute_timeout,
            beta,
            jitter,
            back_off,
            ..
        } = self.settings;
        let lifetimes = Lifetimes::new(payload, storage, jitter)?;
        let (shards, capacity) = self.settings.split()?;
        let period = self.settings.period()?;
        let lag = self.protocol.allows_for(self.clock.lag());
        let terms = Terms { lifetimes, early: Early::new(beta)?, lag };
        let shared = Shared {
            protocol: self.protocol,
            handles: Handles::one(),
            store: Store::new(shards, capacity),
            leases: Arc::new(LeaseTable::remembering(shards, capacity)),
            clock: self.clock,
            observer: self.observer,
            terms,
            wait_timeout,
            compute_timeout,
            waits: Waits::new(),
            back_off: BackOff::new(back_off.0, back_off.1, self.settings.idle)?,
            // The threads start last, when nothing else can be refused.
            executor: (self.executor)()?,
            hasher: self.hasher,
            draw: self.draw,
            refresh: self.refresh,
            sweeper: Sweeper::new(),
        };
        let shared = Arc::new(shared);
        shared.start_sweeper(period)?;
        Ok(Cache { shared })
    }
}

impl<K, V, C, O, X, S, P> fmt::Debug for Builder<K, V, C, O, X, S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("settings", &self.settings).finish_non_exhaustive()
    }
}
