//! `foyer-memory`, with S3-FIFO. It has no lifetimes.

use super::{Contender, Info, Visit};
use crate::keys::{Key, VALUE, Value};
use foyer_memory::{Cache, CacheBuilder, CacheProperties, S3FifoConfig};

const INFO: Info = Info { name: "foyer-memory", package: "foyer-memory", clock: "none" };

struct Foyer<K: Key>(Cache<K, Value>);

impl<K: Key> Contender for Foyer<K> {
    type Key = K;

    fn hit(&self, key: &K) -> u8 {
        match self.0.get(key.sought()) {
            Some(entry) => entry.value()[0],
            None => self.0.insert(key.clone(), VALUE).value()[0],
        }
    }

    fn insert(&self, key: K) {
        self.0.insert(key, VALUE);
    }

    fn invalidate(&self, key: &K) {
        self.0.remove(key.sought());
    }
}

/// A cache of at most so many keys.
pub fn of<K: Key>(capacity: usize, shards: usize) -> Cache<K, Value> {
    let builder = CacheBuilder::new(capacity).with_shards(shards);
    builder.with_eviction_config(S3FifoConfig::default()).build::<CacheProperties>()
}

pub fn each<K: Key>(visit: &mut impl Visit) {
    visit.visit(INFO, || Foyer::<K>(of(4_000_000, 16)));
}
