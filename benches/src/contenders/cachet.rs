//! `cachet`: its memory tier in front of a tier that computes, with a time to refresh.

use super::{Attempt, Contender, Failing, Info, LONG, Revalidate, Terms, Visit, VisitStale};
use crate::keys::{Key, VALUE, Value};
use crate::waiting::{enter, runtime, wait};
use anyspawn::Spawner;
use cachet::{Cache, CacheEntry, CacheTier, Error, InsertOutcome, TimeToRefresh};
use std::time::Duration;
use tick::Clock;

const INFO: Info = Info { name: "cachet", package: "cachet", clock: "`SystemTime`" };

/// The last tier: it computes what it is asked for.
struct Origin<F>(F);

impl<K: Key, F: Fn(&K) -> Result<(), Error> + Send + Sync> CacheTier<K, Value> for Origin<F> {
    async fn get(&self, key: &K) -> Result<Option<CacheEntry<Value>>, Error> {
        (self.0)(key)?;
        Ok(Some(CacheEntry::new(VALUE)))
    }

    async fn insert(&self, _: K, _: CacheEntry<Value>) -> Result<InsertOutcome, Error> {
        Ok(InsertOutcome::Accepted)
    }

    async fn invalidate(&self, _: &K) -> Result<(), Error> {
        Ok(())
    }

    async fn clear(&self) -> Result<(), Error> {
        Ok(())
    }
}

fn cache<K: Key>(
    fresh: Duration,
    origin: impl Fn(&K) -> Result<(), Error> + Send + Sync + 'static,
) -> Cache<K, Value> {
    let _entered = enter();
    let clock = Clock::new_tokio();
    let spawner = Spawner::new_tokio_with_handle(runtime().handle().clone());
    let last = Cache::builder::<K, Value>(clock.clone()).storage(Origin(origin));
    let first = Cache::builder::<K, Value>(clock).memory().ttl(LONG * 2);
    first.fallback(last).time_to_refresh(TimeToRefresh::new(fresh, spawner)).build()
}

fn ask<K: Key>(cache: &Cache<K, Value>, key: &K) -> u8 {
    match wait(cache.get(key.sought())) {
        Ok(Some(entry)) => entry.value()[0],
        Ok(None) | Err(_) => 0,
    }
}

struct Cachet<K: Key>(Cache<K, Value>);

impl<K: Key> Contender for Cachet<K> {
    type Key = K;

    fn hit(&self, key: &K) -> u8 {
        ask(&self.0, key)
    }

    fn insert(&self, key: K) {
        wait(self.0.insert(key, VALUE)).expect("memory accepts it");
    }

    fn invalidate(&self, key: &K) {
        wait(self.0.invalidate(key.sought())).expect("memory forgets it");
    }
}

pub fn each<K: Key>(visit: &mut impl Visit) {
    visit.visit(INFO, || Cachet::<K>(cache(LONG, |_| Ok(()))));
}

impl Revalidate for Cachet<u64> {
    fn ask(&self, key: u64) -> u8 {
        ask(&self.0, &key)
    }
}

pub fn each_stale(visit: &mut impl VisitStale) {
    visit.visit(INFO, |Terms { fresh, compute }| {
        Cachet(cache(fresh, move |key| {
            compute(*key);
            Ok(())
        }))
    });
}

pub fn failing(absent: Attempt, stale: Attempt) -> Failing {
    let of = |attempt: Attempt| {
        cache(Duration::from_millis(1), move |_: &u64| {
            attempt();
            Err(Error::from_message("the origin is down"))
        })
    };
    let (absent, stale) = (of(absent), of(stale));
    wait(stale.insert(1, VALUE)).expect("memory accepts it");
    Failing {
        info: INFO,
        absent: Box::new(move || {
            ask(&absent, &0);
        }),
        stale: Some(Box::new(move || {
            ask(&stale, &1);
        })),
    }
}
