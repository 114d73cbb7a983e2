//! `cached`: its sharded store with a time to live. Its recipe for stale values is in the adapter: a claim of the
//! crate, and a thread for each refresh.

use super::{Contender, Info, LONG, Revalidate, Terms, Visit, VisitStale};
use crate::keys::{Key, VALUE, Value};
use cached::claim::ClaimRegistry;
use cached::{ConcurrentCloneCached, ShardedTtlCache};
use std::sync::Arc;

const INFO: Info = Info { name: "cached", package: "cached", clock: "`Instant`" };

struct Cached<K: Key>(ShardedTtlCache<K, Value>);

impl<K: Key> Contender for Cached<K> {
    type Key = K;

    fn hit(&self, key: &K) -> u8 {
        match self.0.get(key.sought()) {
            Some(value) => value[0],
            None => self.0.get_or_set_with(key.clone(), || VALUE)[0],
        }
    }

    fn insert(&self, key: K) {
        self.0.set(key, VALUE);
    }

    fn invalidate(&self, key: &K) {
        self.0.remove(key.sought());
    }
}

pub fn each<K: Key>(visit: &mut impl Visit) {
    visit.visit(INFO, || Cached::<K>(ShardedTtlCache::new(LONG)));
}

struct Stale {
    cache: Arc<ShardedTtlCache<u64, Value>>,
    claims: ClaimRegistry<u64>,
    compute: &'static (dyn Fn(u64) + Sync),
}

impl Revalidate for Stale {
    fn ask(&self, key: u64) -> u8 {
        let compute = self.compute;
        match self.cache.cache_peek_with_expiry_status(&key) {
            (Some(value), false) => value[0],
            (Some(value), true) => {
                if let Some(claim) = self.claims.claim(key) {
                    let cache = Arc::clone(&self.cache);
                    std::thread::spawn(move || {
                        compute(*claim.key());
                        cache.set(*claim.key(), VALUE);
                    });
                }
                value[0]
            }
            (None, _) => {
                compute(key);
                self.cache.set(key, VALUE);
                VALUE[0]
            }
        }
    }
}

pub fn each_stale(visit: &mut impl VisitStale) {
    visit.visit(INFO, |Terms { fresh, compute }| Stale {
        cache: Arc::new(ShardedTtlCache::new(fresh)),
        claims: ClaimRegistry::new(),
        compute,
    });
}
