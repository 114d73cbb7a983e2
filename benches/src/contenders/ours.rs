//! Ours.

use super::{Attempt, Contender, Failing, Info, LONG, OURS, Revalidate, Terms, Visit, VisitStale};
use crate::keys::{Key, VALUE, Value};
use parking_lot::Mutex;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;
use xfetch_core::{Builder, Cache, Executor, Job, Metrics, Parts, SystemClock, With};

const fn info(name: &'static str) -> Info {
    Info { name, package: "xfetch-core", clock: "kernel's coarse" }
}

fn builder<K: Key>() -> Builder<K, Value> {
    Cache::builder(LONG, LONG * 2)
}

/// How a hit is asked for.
pub trait Way: Send + Sync + 'static {
    fn hit<K: Key, E: Parts>(cache: &Cache<K, Value, E>, key: &K) -> u8;
}

/// By `get_or_compute`.
pub struct Computing;

impl Way for Computing {
    fn hit<K: Key, E: Parts>(cache: &Cache<K, Value, E>, key: &K) -> u8 {
        cache.get_or_compute(key.sought(), |_| VALUE).map_or(0, |found| found[0])
    }
}

/// By `get`. An absent key is not computed.
pub struct Getting;

impl Way for Getting {
    fn hit<K: Key, E: Parts>(cache: &Cache<K, Value, E>, key: &K) -> u8 {
        cache.get(key.sought()).map_or(0, |found| found[0])
    }
}

struct Ours<K: Key, W, E: Parts = With> {
    cache: Cache<K, Value, E>,
    way: PhantomData<W>,
}

impl<K: Key, W, E: Parts> Ours<K, W, E> {
    fn new(cache: Cache<K, Value, E>) -> Self {
        Self { cache, way: PhantomData }
    }
}

impl<K: Key, W: Way, E: Parts> Contender for Ours<K, W, E>
where
    Cache<K, Value, E>: Send + Sync,
{
    type Key = K;

    fn hit(&self, key: &K) -> u8 {
        W::hit(&self.cache, key)
    }

    fn insert(&self, key: K) {
        self.cache.insert(key, VALUE);
    }

    fn invalidate(&self, key: &K) {
        self.cache.invalidate(key.sought());
    }
}

type Observed = With<SystemClock, Arc<Metrics>>;

pub fn plain<K: Key>() -> Cache<K, Value> {
    builder().build().expect("the configuration is right")
}

pub fn each<K: Key>(visit: &mut impl Visit) {
    visit.visit(info(OURS), || Ours::<K, Computing>::new(plain()));
    visit.visit(info("ours, `get`"), || Ours::<K, Getting>::new(plain()));
    visit.visit(info("ours, `Metrics`"), || {
        let metrics = Arc::new(Metrics::new());
        Ours::<K, Computing, Observed>::new(
            builder().observer(metrics).build().expect("the configuration is right"),
        )
    });
    visit.visit(info("ours, `capacity`"), || {
        Ours::<K, Computing>::new(
            builder().capacity(20_000).build().expect("the configuration is right"),
        )
    });
}

struct Stale {
    cache: Cache<u64, Value>,
    compute: &'static (dyn Fn(u64) + Sync),
}

impl Stale {
    fn new(Terms { fresh, compute }: Terms, beta: f64) -> Self {
        let cache = Cache::builder(fresh, LONG * 2).beta(beta).build();
        Self { cache: cache.expect("the configuration is right"), compute }
    }
}

impl Revalidate for Stale {
    fn ask(&self, key: u64) -> u8 {
        let compute = self.compute;
        let found = self.cache.get_or_compute(&key, move |key| {
            compute(*key);
            VALUE
        });
        found.map_or(0, |found| found[0])
    }
}

/// Ours without early refreshes.
pub const PUNCTUAL: &str = "ours, `beta(0.0)`";

pub fn each_stale(visit: &mut impl VisitStale) {
    visit.visit(info(OURS), |terms| Stale::new(terms, 1.0));
    visit.visit(info(PUNCTUAL), |terms| Stale::new(terms, 0.0));
}

pub fn failing(absent: Attempt, stale: Attempt) -> Failing {
    let payload = Duration::from_millis(1);
    let cache: Cache<u64, Value> =
        Cache::builder(payload, LONG).build().expect("the configuration is right");
    cache.insert(1, VALUE);
    let other = cache.clone();
    let ask = |cache: &Cache<u64, Value>, key: u64, attempt: Attempt| {
        let _ = cache.try_get_or_compute(&key, move |_| {
            attempt();
            Err::<Value, _>("the origin is down")
        });
    };
    Failing {
        info: info(OURS),
        absent: Box::new(move || ask(&cache, 0, absent)),
        stale: Some(Box::new(move || ask(&other, 1, stale))),
    }
}

/// A cache of keys whose compute failed.
pub fn failed(keys: u64) -> Cache<u64, Value> {
    let cache = plain();
    for key in 0..keys {
        let down = cache.try_get_or_compute(&key, |_| Err::<Value, _>("the origin is down"));
        assert!(down.is_err(), "the compute fails");
    }
    cache
}

/// Keeps the jobs and runs none.
#[derive(Clone, Default)]
pub struct Hoard(Arc<Mutex<Vec<Job>>>);

impl Executor for Hoard {
    fn execute(&self, job: Job) -> Result<(), Job> {
        self.0.lock().push(job);
        Ok(())
    }
}

/// A cache whose keys all wait for a refresh, and the jobs.
pub fn held(keys: u64) -> (impl Sized, Hoard) {
    let hoard = Hoard::default();
    let builder = Cache::<u64, Value>::builder(Duration::from_nanos(1), LONG);
    let cache = builder.executor(hoard.clone()).build().expect("the configuration is right");
    for key in 0..keys {
        cache.insert(key, VALUE);
    }
    for key in 0..keys {
        let found = cache.get_or_compute(&key, |_| VALUE);
        assert!(found.is_ok_and(|found| found.is_stale()), "the key is stale");
    }
    assert_eq!(cache.usage().leases as u64, keys, "each key has a lease");
    (cache, hoard)
}
