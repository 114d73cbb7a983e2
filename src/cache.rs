//! The cache as its users see it: the public face of everything below.

use crate::clock::Clock;
use crate::error::Error;
use crate::ids::Version;
use crate::observe::event::{Event, Observer};
use crate::panics::{Guarded, drop_each};
use crate::protocol;
use crate::protocol::request::{Borrowed, Request, Sought};
use crate::protocol::sweep::Swept;
use crate::protocol::world::{Key, Of, Parts, Shared, With};
use crate::sync::{Arc, Weak};
use crate::tables::entry::Found;
use crate::tables::leases::LeaseUsage;
use crate::tables::shards::spread;
use crate::tables::store::Written;
use std::error::Error as StdError;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::Duration;

/// A cache with two lifetimes that prevents stampedes: it serves stale values while one request refreshes.
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
    /// Returns the key's value. A fresh value is returned as it is. A stale value is returned too, and at most
    /// one request refreshes it. An absent value is computed by one request, and the other requests wait.
    ///
    /// `key` may be a borrowed form of the key, as `&str` of a `String`. Its `Hash` and `Eq` must be those of the key. A hit
    /// does not copy it.
    ///
    /// `compute` runs on the executor, or for an absent key on this thread. The cache holds no lock
    /// meanwhile, so it may take long.
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
    /// There is an error only if the key was absent or expired:
    ///
    /// - [`Error::Panicked`]: the compute panicked.
    /// - [`Error::Failed`]: this request waited for the compute of another request, and that failed.
    /// - [`Error::Timeout`]: the compute of another request took longer than the wait time-out.
    /// - [`Error::Cycle`]: this request stands in a compute that the other request waits for.
    /// - The last error of the key, if the key backs off.
    #[inline]
    pub fn get_or_compute<Q, F>(&self, key: &Q, compute: F) -> Result<Found<K, V>, Error>
    where
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        F: FnOnce(&K) -> V + Send + 'static,
    {
        self.answer(key, move |key| Ok(compute(key)))
    }

    /// As [`get_or_compute`](Self::get_or_compute), for a compute that can fail. After a failure the key backs
    /// off ([`Builder::back_off`](crate::Builder::back_off)). Meanwhile a stale value is served, and a request
    /// for an absent key returns the last error.
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
    /// As [`get_or_compute`](Self::get_or_compute), and [`Error::Failed`] if the key was absent and its compute
    /// returned an error. That can be a type with the standard library's trait, a boxed error, an error of an
    /// error-reporting crate, or text.
    #[inline]
    pub fn try_get_or_compute<Q, F, X>(&self, key: &Q, compute: F) -> Result<Found<K, V>, Error>
    where
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        F: FnOnce(&K) -> Result<V, X> + Send + 'static,
        X: Into<Box<dyn StdError + Send + Sync>>,
    {
        self.answer(key, move |key| compute(key).map_err(Error::failed))
    }

    /// As [`get_or_compute`](Self::get_or_compute), with the registered refresh of the cache.
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
    /// [`Error::NoRefresh`] if no refresh is registered; else as
    /// [`try_get_or_compute`](Self::try_get_or_compute).
    pub fn get_or_refresh<Q>(&self, key: &Q) -> Result<Found<K, V>, Error>
    where
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let refresh = self.shared.refresh.clone().ok_or(Error::NoRefresh)?;
        self.answer(key, move |key| refresh(key))
    }

    #[inline]
    fn answer<Q, F>(&self, key: &Q, compute: F) -> Result<Found<K, V>, Error>
    where
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        F: FnOnce(&K) -> Result<V, Error> + Send + 'static,
    {
        let sought = Borrowed(key);
        let request = Request::new(&self.shared, &sought, self.hash(key));
        protocol::answer(self.shared.protocol, &request, compute)
    }

    /// Returns the key's value if there is one, fresh or stale. It computes nothing.
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
    #[inline]
    pub fn get<Q>(&self, key: &Q) -> Option<Found<K, V>>
    where
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let sought = Borrowed(key);
        Request::new(&self.shared, &sought, self.hash(key)).peek()
    }

    /// As [`get`](Self::get), and sends the registered refresh to the executor if the value is stale, or is
    /// nominated for an early refresh.
    ///
    /// It is for a thread that must not block, as one that serves asynchronous requests: it waits for no compute,
    /// unless the executor runs the refresh at once. If an absent key is requested again on a thread that may
    /// wait, the metrics count two misses.
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
    /// assert!(cache.get_and_refresh(&"page")?.is_none(), "a request for an absent key would have to wait");
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
    pub fn get_and_refresh<Q>(&self, key: &Q) -> Result<Option<Found<K, V>>, Error>
    where
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let refresh = self.shared.refresh.clone().ok_or(Error::NoRefresh)?;
        let sought = Borrowed(key);
        let request = Request::new(&self.shared, &sought, self.hash(key));
        Ok(protocol::serve(self.shared.protocol, &request, move |key| refresh(key)))
    }

    /// Inserts a value, which is fresh from now on. The value of a compute in flight is discarded. Returns the
    /// version of the inserted value.
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
    /// assert!(second > first, "versions of a key grow, even through a removal");
    /// # Ok(())
    /// # }
    /// ```
    pub fn insert(&self, key: K, value: V) -> Version {
        // A hasher or a clock may panic, and then a drop of these must not.
        let (key, value) = (Guarded::new(key), Guarded::new(value));
        let hash = self.hash(&*key);
        let entry = self.shared.entry(key, value, Duration::ZERO);
        let Shared { store, leases, observer, .. } = &*self.shared;
        let (written, revoked) =
            store.insert(hash, entry, leases, self.shared.ends(), self.shared.room());
        let Written { entry, evicted, replaced } = written;
        let version = entry.version();
        observer.on(hash, Event::Inserted(version));
        self.shared.emit_evicted(evicted);
        self.shared.emit_revoked(&revoked);
        revoked.discard();
        drop_each(replaced);
        drop_each(Some(entry));
        version
    }

    /// Removes the key. The value of a compute in flight is discarded, also if the key is absent. The request that
    /// computes it and those that wait for it return it. A request that comes later computes anew at once, unless two
    /// computes of the key are in flight already: then it waits until one of them has ended.
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
    /// assert!(cache.get(&"page").is_none(), "an overtaken value is not published");
    /// # Ok(())
    /// # }
    /// ```
    pub fn invalidate<Q>(&self, key: &Q)
    where
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let (sought, hash) = (Borrowed(key), self.hash(key));
        let (removed, revoked) = self.shared.store.invalidate(
            hash,
            |own| sought.is(own),
            &self.shared.leases,
            self.shared.ends(),
        );
        self.shared.observer.on(hash, Event::Invalidated);
        self.shared.emit_revoked(&revoked);
        revoked.discard();
        drop_each(removed);
    }

    /// Removes every key. The values of computes in flight are discarded.
    ///
    /// The shards are cleared one after the other: of two keys, one can be removed already and the other not
    /// yet.
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
        let (removed, revoked) = self.shared.store.clear(&self.shared.leases, self.shared.ends());
        self.shared.observer.on(0, Event::Cleared);
        for revoked in revoked {
            self.shared.emit_revoked(&revoked);
            revoked.discard();
        }
        drop_each(removed);
    }

    /// Removes expired entries, and slots of the lease table whose failure was long ago
    /// ([`Builder::idle`](crate::Builder::idle)). A thread of the cache does the same at times
    /// ([`Builder::sweep_every`](crate::Builder::sweep_every)).
    ///
    /// A sweep may come at any moment. It changes only the memory that is used: see [`Cache::usage`]. While the expired
    /// entries of a shard are removed, writes and misses of that shard wait. Fresh hits do
    /// not, as long as at most 64 threads of the process read.
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

    /// What the cache holds now, for gauges. The shards are read one after the other.
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

    /// A handle that does not keep the cache alive. It is for what the cache itself owns, as a registered refresh or a
    /// value that asks the cache: with a [`Cache`] inside, that cache would never be dropped.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use std::sync::{Arc, OnceLock};
    /// use xfetch_core::{Cache, WeakCache};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let own: Arc<OnceLock<WeakCache<u32, u32>>> = Arc::default();
    /// let inside = Arc::clone(&own);
    /// let cache = Cache::builder(Duration::from_secs(5), Duration::from_secs(120))
    ///     .try_refresh(move |key: &u32| {
    ///         let cache = inside.get().and_then(WeakCache::upgrade).ok_or("the cache is gone")?;
    ///         if *key == 0 {
    ///             return Ok(1);
    ///         }
    ///         let before = cache.get_or_refresh(&(key - 1)).map_err(|error| error.to_string())?;
    ///         Ok::<_, String>(*before * 2)
    ///     })
    ///     .build()?;
    /// assert!(own.set(cache.downgrade()).is_ok());
    /// assert_eq!(*cache.get_or_refresh(&3)?, 8);
    /// # Ok(())
    /// # }
    /// ```
    pub fn downgrade(&self) -> WeakCache<K, V, E> {
        WeakCache { shared: Arc::downgrade(&self.shared) }
    }

    #[inline]
    fn hash(&self, key: &(impl Hash + ?Sized)) -> u64 {
        spread(self.shared.hasher.hash_one(key))
    }
}

/// What a cache holds: numbers that go up and down. [`Metrics`](crate::Metrics) has the numbers that only
/// grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Keys in the store, including expired ones that are not swept yet.
    pub keys: usize,
    /// Leases that are held, by computes and by refreshes that wait for a thread.
    pub leases: usize,
    /// Slots of the lease table, of held leases and of keys whose last compute failed.
    pub slots: usize,
    /// Bytes of the store's tables and indexes. The entries, with their keys and values, are not counted. An index never
    /// shrinks.
    pub store_bytes: usize,
    /// Bytes of the lease table, without the heap memory of keys.
    pub lease_bytes: usize,
    /// How long the oldest lease has been held. A compute that hangs shows here.
    pub oldest_lease: Option<Duration>,
}

impl<K: Key, V: Send + Sync + 'static, E: Parts> Clone for Cache<K, V, E> {
    fn clone(&self) -> Self {
        self.shared.handles.add();
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<K: Key, V: Send + Sync + 'static, E: Parts> Drop for Cache<K, V, E> {
    fn drop(&mut self) {
        self.shared.handles.remove();
    }
}

/// A handle that does not keep its cache alive; made by [`Cache::downgrade`].
pub struct WeakCache<K: Key, V: Send + Sync + 'static, E: Parts = With> {
    shared: Weak<Shared<Of<K, V, E>>>,
}

impl<K: Key, V: Send + Sync + 'static, E: Parts> WeakCache<K, V, E> {
    /// A handle of the cache, unless its last handle was dropped.
    pub fn upgrade(&self) -> Option<Cache<K, V, E>> {
        let shared = self.shared.upgrade()?;
        shared.handles.try_add().then_some(())?;
        Some(Cache { shared })
    }
}

impl<K: Key, V: Send + Sync + 'static, E: Parts> Clone for WeakCache<K, V, E> {
    fn clone(&self) -> Self {
        Self { shared: Weak::clone(&self.shared) }
    }
}

impl<K: Key, V: Send + Sync + 'static, E: Parts> fmt::Debug for WeakCache<K, V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakCache").finish_non_exhaustive()
    }
}

// A panic of a user's code leaves no lock held, no lease held and no entry half written: tests/drops.rs and
// tests/faults.rs.
impl<K: Key, V: Send + Sync + 'static, E: Parts> UnwindSafe for Cache<K, V, E> {}
impl<K: Key, V: Send + Sync + 'static, E: Parts> RefUnwindSafe for Cache<K, V, E> {}

impl<K: Key, V: Send + Sync + 'static, E: Parts> fmt::Debug for Cache<K, V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}
