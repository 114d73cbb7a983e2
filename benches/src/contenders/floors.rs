//! The floors: maps with an entry and a look at the clock, and nothing else of a cache. They do not evict, wait for
//! another's compute, or refresh.

use super::{Contender, FLOOR, Info, LONG, Visit};
use crate::keys::{Key, VALUE, Value};
use foldhash::fast::RandomState;
use parking_lot::RwLock;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Instant;
use xfetch_core::{Clock, Moment, SystemClock};

const fn info(name: &'static str, package: &'static str) -> Info {
    Info { name, package, clock: "kernel's coarse" }
}

struct Entry {
    stale_at: Moment,
    value: Value,
}

impl Entry {
    fn new(clock: &SystemClock) -> Self {
        Self { stale_at: clock.coarse().after(LONG), value: VALUE }
    }

    fn is_fresh(&self, clock: &SystemClock) -> bool {
        clock.coarse() < self.stale_at
    }
}

struct Papaya<K, const CLONES: bool> {
    map: papaya::HashMap<K, Arc<Entry>, RandomState>,
    clock: SystemClock,
}

impl<K: Key, const CLONES: bool> Papaya<K, CLONES> {
    fn new() -> Self {
        Self { map: papaya::HashMap::default(), clock: SystemClock::new() }
    }

    fn look(&self, key: &K) -> Option<u8> {
        let map = self.map.pin();
        let entry = map.get(key.sought())?;
        if CLONES {
            let entry = Arc::clone(entry);
            drop(map);
            entry.is_fresh(&self.clock).then(|| entry.value[0])
        } else {
            entry.is_fresh(&self.clock).then(|| entry.value[0])
        }
    }
}

impl<K: Key, const CLONES: bool> Contender for Papaya<K, CLONES> {
    type Key = K;

    fn hit(&self, key: &K) -> u8 {
        self.look(key).unwrap_or_else(|| {
            self.insert(key.clone());
            VALUE[0]
        })
    }

    fn insert(&self, key: K) {
        self.map.pin().insert(key, Arc::new(Entry::new(&self.clock)));
    }

    fn invalidate(&self, key: &K) {
        self.map.pin().remove(key.sought());
    }
}

struct Dash<K: Key>(dashmap::DashMap<K, (Value, Instant), RandomState>);

impl<K: Key> Contender for Dash<K> {
    type Key = K;

    fn hit(&self, key: &K) -> u8 {
        if let Some(entry) = self.0.get(key.sought())
            && entry.1.elapsed() < LONG
        {
            return entry.0[0];
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

const SHARDS: usize = 16;

/// A lock of each shard has cache lines of its own.
#[repr(align(128))]
struct Shard<K>(RwLock<hashbrown::HashMap<K, Arc<Entry>, RandomState>>);

struct Locked<K> {
    shards: [Shard<K>; SHARDS],
    hasher: RandomState,
    clock: SystemClock,
}

impl<K: Key> Locked<K> {
    fn new() -> Self {
        let hasher = RandomState::default();
        let shard = |_| Shard(RwLock::new(hashbrown::HashMap::with_hasher(hasher.clone())));
        Self { shards: std::array::from_fn(shard), hasher, clock: SystemClock::new() }
    }

    fn shard(&self, key: &K) -> &RwLock<hashbrown::HashMap<K, Arc<Entry>, RandomState>> {
        let hash = self.hasher.hash_one(key.sought());
        &self.shards[(hash >> 32) as usize % SHARDS].0
    }
}

impl<K: Key> Contender for Locked<K> {
    type Key = K;

    fn hit(&self, key: &K) -> u8 {
        let entry = self.shard(key).read().get(key.sought()).cloned();
        if let Some(entry) = entry
            && entry.is_fresh(&self.clock)
        {
            return entry.value[0];
        }
        self.insert(key.clone());
        VALUE[0]
    }

    fn insert(&self, key: K) {
        let entry = Arc::new(Entry::new(&self.clock));
        self.shard(&key).write().insert(key, entry);
    }

    fn invalidate(&self, key: &K) {
        self.shard(key).write().remove(key.sought());
    }
}

pub fn each<K: Key>(visit: &mut impl Visit) {
    visit.visit(info(FLOOR, "papaya"), Papaya::<K, true>::new);
    visit.visit(info("floor: papaya, no clone", "papaya"), Papaya::<K, false>::new);
    visit.visit(Info { clock: "`Instant`", ..info("floor: dashmap", "dashmap") }, || {
        Dash::<K>(dashmap::DashMap::default())
    });
    visit.visit(info("floor: 16 locked maps", "parking_lot"), Locked::<K>::new);
}
