//! `moka`, with a time to live. It serves no stale values.

use super::{Attempt, Contender, Failing, Info, LONG, Visit};
use crate::keys::{Key, VALUE, Value};
use moka::sync::Cache;

const INFO: Info = Info { name: "moka", package: "moka", clock: "`Instant`" };

struct Moka<K: Key>(Cache<K, Value>);

impl<K: Key> Contender for Moka<K> {
    type Key = K;

    fn hit(&self, key: &K) -> u8 {
        self.0.get_with_by_ref(key.sought(), || VALUE)[0]
    }

    fn insert(&self, key: K) {
        self.0.insert(key, VALUE);
    }

    fn invalidate(&self, key: &K) {
        self.0.invalidate(key.sought());
    }
}

pub fn each<K: Key>(visit: &mut impl Visit) {
    visit.visit(INFO, || Moka::<K>(Cache::builder().time_to_live(LONG).build()));
}

pub fn failing(absent: Attempt, _: Attempt) -> Failing {
    let cache = Cache::<u64, Value>::new(100);
    Failing {
        info: INFO,
        absent: Box::new(move || {
            let _ = cache.try_get_with(0, || {
                absent();
                Err::<Value, _>("the origin is down")
            });
        }),
        stale: None,
    }
}
