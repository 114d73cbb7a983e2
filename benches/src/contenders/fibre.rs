//! `fibre_cache`. A stale value is refreshed by its loader.

use super::{Contender, FIBRE, Info, LONG, Revalidate, Terms, Visit, VisitStale};
use crate::keys::{Key, VALUE, Value};
use fibre_cache::{Cache, CacheBuilder};

const fn info(name: &'static str, clock: &'static str) -> Info {
    Info { name, package: "fibre_cache", clock }
}

struct Fibre<K: Key>(Cache<K, Value>);

impl<K: Key> Fibre<K> {
    fn new(times: bool) -> Self {
        let builder = CacheBuilder::default().unbounded().loader(|_| (VALUE, 1));
        let builder = match times {
            true => builder.time_to_live(LONG).stale_while_revalidate(LONG),
            false => builder,
        };
        Self(builder.build().expect("the configuration is right"))
    }
}

impl<K: Key> Contender for Fibre<K> {
    type Key = K;

    fn hit(&self, key: &K) -> u8 {
        self.0.fetch_with(key)[0]
    }

    fn insert(&self, key: K) {
        self.0.insert(key, VALUE, 1);
    }

    fn invalidate(&self, key: &K) {
        self.0.invalidate(key.sought());
    }
}

pub fn each<K: Key>(visit: &mut impl Visit) {
    visit.visit(info(FIBRE, "`Instant`"), || Fibre::<K>::new(true));
    visit.visit(info("fibre_cache, no TTL", "none"), || Fibre::<K>::new(false));
}

struct Stale(Cache<u64, Value>);

impl Revalidate for Stale {
    fn ask(&self, key: u64) -> u8 {
        self.0.fetch_with(&key)[0]
    }
}

pub fn each_stale(visit: &mut impl VisitStale) {
    visit.visit(info(FIBRE, "`Instant`"), |Terms { fresh, compute }| {
        let builder = CacheBuilder::default().unbounded().time_to_live(fresh);
        let builder = builder.stale_while_revalidate(LONG).loader(move |key| {
            compute(key);
            (VALUE, 1)
        });
        Stale(builder.build().expect("the configuration is right"))
    });
}
