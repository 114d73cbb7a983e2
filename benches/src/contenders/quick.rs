//! `quick_cache`. It has no lifetimes, so each value carries the time at which it was written.

use super::{Attempt, Contender, Failing, Info, LONG, Visit};
use crate::keys::{Key, VALUE, Value};
use quick_cache::sync::Cache;
use std::time::Instant;

const INFO: Info =
    Info { name: "quick_cache", package: "quick_cache", clock: "`Instant`, in the adapter" };

/// More than any group has.
const CAPACITY: usize = 4_000_000;

struct Quick<K: Key>(Cache<K, (Value, Instant)>);

impl<K: Key> Contender for Quick<K> {
    type Key = K;

    fn hit(&self, key: &K) -> u8 {
        let found = self.0.get(key.sought());
        if let Some((value, since)) = found
            && since.elapsed() < LONG
        {
            return value[0];
        }
        self.insert(key.clone());
        VALUE[0]
    }

    fn insert(&self, key: K) {
        self.0.insert(key, (VALUE, Instant::now()));
    }

    fn invalidate(&self, key: &K) {
        self.0.remove(key.sought());
    }
}

pub fn each<K: Key>(visit: &mut impl Visit) {
    visit.visit(INFO, || Quick::<K>(Cache::new(CAPACITY)));
}

pub fn failing(absent: Attempt, _: Attempt) -> Failing {
    let cache = Cache::<u64, Value>::new(100);
    Failing {
        info: INFO,
        absent: Box::new(move || {
            let _ = cache.get_or_insert_with(&0, || {
                absent();
                Err::<Value, _>("the origin is down")
            });
        }),
        stale: None,
    }
}
