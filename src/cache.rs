//! The cache as its users see it.

use crate::clock::Clock;
use crate::error::Error;
use crate::ids::Version;
use crate::observe::event::{Event, Observer};
use crate::protocol;
use crate::protocol::request::Request;
use crate::protocol::sweep::Swept;
use crate::protocol::world::{Key, Of, Parts, Shared, With};
use crate::sync::Arc;
use crate::tables::entry::{Entry, Found};
use crate::tables::leases::LeaseUsage;
use crate::tables::store::Written;
use std::error::Error as StdError;
use std::fmt;
use std::hash::BuildHasher;
use std::time::Duration;

/// A stampede-proof cache with two lifetimes: stale values are served while one request refreshes.
///
/// Handles are cheap to clone and share one cache.
///
/// ```
/// use std::time::Duration;
/// use xfetch_core::Cache;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cache = Cache::builder(Duration::from_secs(5), Duration::from_secs(120)).build()?;
/// let length = cache.get_or_compute(&"page", |key| key.len())?;
/// assert_eq!(*length, 4);
/// # Ok(())
/// # }
/// ```
pub struct Cache<K: Key, V: Send + Sync + 'static, E: Parts = With> {
    pub(crate) shared: Arc<Shared<Of<K, V, E>>>,
}

impl<K: Key, V: Send + Sync + 'static, E: Parts> Cache<K, V, E> {
    /// The key's value. What is fresh is returned; what is stale is returned too and refreshed by
    /// at most one request; what is absent is computed by one request while the others wait.
    ///
    /// `compute` runs on the executor, or for an absent key on this thread. It holds no lock and
    /// may take its time.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use xfetch_core::{Cache, CallerRuns, Error, ManualClock};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let clock = ManualClock::new();
    /// let cache = Cache::builder(Duration::from_secs(5), Duration::from_secs(120))
    ///     .clock(clock.clone())
    ///     .executor(CallerRuns) // so that the refresh is over when the stale value is returned
    ///     .build()?;
    /// cache.insert("page", 1);
    /// clock.advance(Duration::from_secs(5));
    /// let stale = cache.get_or_compute(&"page", |_| 2)?;
    /// assert_eq!((*stale, stale.is_stale()), (1, true));
    /// assert_eq!(*cache.get_or_compute(&"page", |_| 3)?, 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// All of them only if the key was absent or expired, or expired during its refresh on this thread:
    /// [`Error::Panicked`] if its compute panicked, [`Error::Failed`] if it was another request's compute
    /// that this one waited for and that failed, [`Error::Expired`] if the refresh was not there in time,
    /// [`Error::Timeout`] if another request took longer than the wait time-out to compute it,
    /// [`Error::Cycle`] if this request stands in a compute that the other one waits for, and the last
    /// error of a key that backs off.
    pub fn get_or_compute<F>(&self, key: &K, compute: F) -> Result<Found<V>, Error>
    where
        F: FnOnce(&K) -> V + Send + 'static,
    {
        self.answer(key, move |key| Ok(compute(key)))
    }

    /// As [`get_or_compute`](Self::get_or_compute), for a compute that can fail. After a failure the
    /// key is left alone for a while ([`Builder::back_off`](crate::Builder::back_off)): a stale value is served on, and a request
    /// for an absent key gets the last error.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use xfetch_core::{Cache, Error, ManualClock};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let clock = ManualClock::new();
    /// let cache = Cache::builder(Duration::from_secs(5), Duration::from_secs(120))
    ///     .clock(clock.clone())
    ///     .build()?;
    /// let down = cache.try_get_or_compute(&"page", |_| "no number".parse::<u32>());
    /// assert_eq!(down.unwrap_err().to_string(), "the compute failed: invalid digit found in string");
    /// let early = cache.try_get_or_compute(&"page", |_| "7".parse::<u32>());
    /// assert!(matches!(early, Err(Error::Failed(_))), "it backs off");
    /// clock.advance(Duration::from_secs(1));
    /// assert_eq!(*cache.try_get_or_compute(&"page", |_| "7".parse::<u32>())?, 7);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] too, if the key was absent and its compute returned an error: any error type of the
    /// standard library's trait, a boxed one, one of an error-reporting crate, or text.
    pub fn try_get_or_compute<F, X>(&self, key: &K, compute: F) -> Result<Found<V>, Error>
    where
        F: FnOnce(&K) -> Result<V, X> + Send + 'static,
        X: Into<Box<dyn StdError + Send + Sync>>,
    {
        self.answer(key, move |key| compute(key).map_err(Error::failed))
    }

    /// As [`get_or_compute`](Self::get_or_compute), with the refresh that was registered for the
    /// cache.
    ///
    /// ```
    /// use std::time::Duration;
    /// use xfetch_core::Cache;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let cache = Cache::builder(Duration::from_secs(5), Duration::from_secs(120))
    ///     .refresh(|key: &&str| key.len())
    ///     .build()?;
    /// assert_eq!(*cache.get_or_refresh(&"page")?, 4);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NoRefresh`] if there is none; else as
    /// [`try_get_or_compute`](Self::try_get_or_compute).
    pub fn get_or_refresh(&self, key: &K) -> Result<Found<V>, Error> {
        let refresh = self.shared.refresh.clone().ok_or(Error::NoRefresh)?;
        self.answer(key, move |key| refresh(key))
    }

    fn answer<F>(&self, key: &K, compute: F) -> Result<Found<V>, Error>
    where
        F: FnOnce(&K) -> Result<V, Error> + Send + 'static,
    {
        protocol::answer(self.shared.protocol, &self.request(key), compute)
    }

    /// The key's value if there is one, fresh or stale. Nothing is computed.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use xfetch_core::{Cache, Error, ManualClock};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let clock = ManualClock::new();
    /// let cache = Cache::builder(Duration::from_secs(5), Duration::from_secs(120))
    ///     .clock(clock.clone())
    ///     .build()?;
    /// assert!(cache.get(&"page").is_none());
    /// cache.insert("page", 1);
    /// assert_eq!(cache.get(&"page").map(|found| *found), Some(1));
    /// clock.advance(Duration::from_secs(120));
    /// assert!(cache.get(&"page").is_none(), "expired");
    /// # Ok(())
    /// # }
    /// ```
    pub fn get(&self, key: &K) -> Option<Found<V>> {
        self.request(key).peek()
    }

    /// As [`get`](Self::get), and has the registered refresh done for what is stale, or nominated for an
    /// early one. It waits for nothing, unless the executor runs the refresh at once: for a thread that must
    /// not be blocked, as one that serves asynchronous requests. Who asks
    /// once more for what is absent, on a thread that may wait, is counted as two misses.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use xfetch_core::{Cache, CallerRuns, ManualClock};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let clock = ManualClock::new();
    /// let cache = Cache::builder(Duration::from_secs(5), Duration::from_secs(120))
    ///     .refresh(|key: &&str| key.len())
    ///     .clock(clock.clone())
    ///     .executor(CallerRuns) // so that the refresh is over when the stale value is returned
    ///     .build()?;
    /// assert!(cache.get_and_refresh(&"page")?.is_none(), "for what is absent one would have to wait");
    /// cache.insert("page", 1);
    /// clock.advance(Duration::from_secs(5));
    /// assert_eq!(cache.get_and_refresh(&"page")?.map(|found| *found), Some(1));
    /// assert_eq!(cache.get_and_refresh(&"page")?.map(|found| *found), Some(4));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NoRefresh`] if there is none.
    pub fn get_and_refresh(&self, key: &K) -> Result<Option<Found<V>>, Error> {
        let refresh = self.shared.refresh.clone().ok_or(Error::NoRefresh)?;
        Ok(protocol::serve(self.shared.protocol, &self.request(key), move |key| refresh(key)))
    }

    /// Puts a value into the cache, fresh from now on. A compute that began before is discarded when it
    /// ends. Returns the value's version.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use xfetch_core::{Cache, Error, ManualClock};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let clock = ManualClock::new();
    /// let cache = Cache::builder(Duration::from_secs(5), Duration::from_secs(120))
    ///     .clock(clock.clone())
    ///     .build()?;
    /// let first = cache.insert("page", 1);
    /// cache.invalidate(&"page");
    /// let second = cache.insert("page", 2);
    /// assert!(second > first, "versions of a key grow, through removal too");
    /// # Ok(())
    /// # }
    /// ```
    pub fn insert(&self, key: K, value: V) -> Version {
        let hash = self.hash(&key);
        let Shared { store, leases, clock, observer, lifetimes, .. } = &*self.shared;
        let entry = Entry::new(*lifetimes, value, clock.now(), Duration::ZERO);
        let Written { version, evicted, replaced } =
            store.insert(hash, key, entry, leases, self.shared.room());
        observer.on(hash, Event::Inserted(version));
        self.shared.emit_evicted(evicted);
        drop(replaced);
        version
    }

    /// Removes the key. A compute that began before is discarded when it ends, also if the key is
    /// absent; its own request still gets what it computed. Who asks while that is under way waits for its
    /// end, and then for a compute of today.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use xfetch_core::{Cache, Error, ManualClock};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let clock = ManualClock::new();
    /// let cache = Cache::builder(Duration::from_secs(5), Duration::from_secs(120))
    ///     .clock(clock.clone())
    ///     .build()?;
    /// let inside = cache.clone();
    /// let own = cache.get_or_compute(&"page", move |key| {
    ///     inside.invalidate(key); // as another thread might
    ///     1
    /// })?;
    /// assert_eq!((*own, own.version()), (1, None));
    /// assert!(cache.get(&"page").is_none(), "what was overtaken is not published");
    /// # Ok(())
    /// # }
    /// ```
    pub fn invalidate(&self, key: &K) {
        let hash = self.hash(key);
        let removed = self.shared.store.invalidate(hash, key, &self.shared.leases);
        self.shared.observer.on(hash, Event::Invalidated);
        drop(removed);
    }

    /// Removes every key. A compute that began before is discarded when it ends.
    ///
    /// The keys go one part of the store after the other: of two keys, one can already be gone and
    /// the other still be there.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use xfetch_core::{Cache, Error, ManualClock};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let clock = ManualClock::new();
    /// let cache = Cache::builder(Duration::from_secs(5), Duration::from_secs(120))
    ///     .clock(clock.clone())
    ///     .build()?;
    /// cache.insert("page", 1);
    /// cache.insert("image", 2);
    /// cache.invalidate_all();
    /// assert!(cache.get(&"page").is_none() && cache.get(&"image").is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn invalidate_all(&self) {
        let removed = self.shared.store.clear(&self.shared.leases);
        self.shared.observer.on(0, Event::Cleared);
        drop(removed);
    }

    /// Takes away what nobody needs any more: entries that have expired, and slots of the lease table that
    /// are kept for a failure of long ago ([`Builder::idle`](crate::Builder::idle)). A thread of the cache's own does it every
    /// now and then too ([`Builder::sweep_every`](crate::Builder::sweep_every)).
    ///
    /// It may come at any moment, and changes nothing but the memory that is used: [`Cache::usage`].
    /// Readers of a part of the store wait while its dead entries are taken out.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use xfetch_core::{Cache, Error, ManualClock};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let clock = ManualClock::new();
    /// let cache = Cache::builder(Duration::from_secs(5), Duration::from_secs(120))
    ///     .clock(clock.clone())
    ///     .build()?;
    /// cache.insert("page", 1);
    /// assert_eq!((cache.sweep().keys, cache.usage().keys), (0, 1));
    /// clock.advance(Duration::from_secs(120));
    /// assert_eq!((cache.sweep().keys, cache.usage().keys), (1, 0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn sweep(&self) -> Swept {
        self.shared.sweep()
    }

    /// What the cache holds now, for gauges. The parts are looked at one after the other.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use xfetch_core::{Cache, Error};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let cache = Cache::builder(Duration::from_secs(5), Duration::from_secs(120)).build()?;
    /// let inside = cache.clone();
    /// let leases = cache.get_or_compute(&"page", move |_| inside.usage().leases)?;
    /// assert_eq!(*leases, 1, "its own");
    /// let usage = cache.usage();
    /// assert_eq!((usage.keys, usage.leases, usage.slots), (1, 0, 0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn usage(&self) -> Usage {
        let Shared { store, leases, clock, .. } = &*self.shared;
        let (keys, store_bytes) = store.usage();
        let LeaseUsage { slots, held, bytes, oldest } = leases.usage();
        let oldest_lease = oldest.map(|since| clock.now().since(since));
        Usage { keys, leases: held, slots, store_bytes, lease_bytes: bytes, oldest_lease }
    }

    fn request<'a>(&'a self, key: &'a K) -> Request<'a, Of<K, V, E>> {
        Request::new(&self.shared, key, self.hash(key))
    }

    fn hash(&self, key: &K) -> u64 {
        self.shared.hasher.hash_one(key)
    }
}

/// What a cache holds: numbers that go up and down. What only grows is counted by
/// [`Metrics`](crate::Metrics).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Keys in the store, with those that have expired and were not swept yet.
    pub keys: usize,
    /// Leases that are held: refreshes that wait for a thread, and computes.
    pub leases: usize,
    /// Slots of the lease table: of the leases that are held, and of keys whose last compute failed.
    pub slots: usize,
    /// Bytes of the store's tables, without what keys and values have on the heap.
    pub store_bytes: usize,
    /// Bytes of the lease table, without what keys have on the heap.
    pub lease_bytes: usize,
    /// How long the oldest lease has been held: a compute that hangs shows here.
    pub oldest_lease: Option<Duration>,
}

impl<K: Key, V: Send + Sync + 'static, E: Parts> Clone for Cache<K, V, E> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<K: Key, V: Send + Sync + 'static, E: Parts> fmt::Debug for Cache<K, V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}
