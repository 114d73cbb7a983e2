//! The store: keys to entries, in sharded hash tables, each under a read-write lock of its own. The
//! protocol reads and publishes; the public face inserts, invalidates and sweeps.
//!
//! Keys are hashed outside the locks and the hash is kept, so that a table never hashes a key again. A
//! key's `Eq` is the only foreign code that runs under a lock.

use crate::clock::Moment;
use crate::error::MAX_SHARDS;
use crate::ids::{LeaseId, Version};
use crate::panics::drop_pairs;
use crate::policy::lifetimes::Freshness;
use crate::sync::{Arc, Mark, RwLock};
use crate::tables::entry::{Entry, Found};
use crate::tables::eviction::{Deadlines, Hand};
use crate::tables::fences::{Fences, Stamp};
use crate::tables::leases::{Ends, LeaseTable, Revoked};
use crate::tables::shards::{shard_index, shrink};
use hashbrown::HashTable;
use std::ops::DerefMut;

/// A shard of an unbounded cache has room for more than this. It evicts nothing, and keeps no deadlines.
const UNBOUNDED: usize = usize::MAX / MAX_SHARDS;

/// What a read of the map saw of a key, and at which place in the order of writes.
#[doc(hidden)]
pub struct MapSnapshot<V> {
    entry: Option<(Version, Arc<Entry<V>>)>,
    stamp: Stamp,
}

impl<V> MapSnapshot<V> {
    pub(crate) fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// The snapshot of a request that has not read the map.
    pub(crate) fn nothing() -> Self {
        Self { entry: None, stamp: Stamp::default() }
    }

    pub(crate) fn entry(&self) -> Option<(Version, &Arc<Entry<V>>)> {
        self.entry.as_ref().map(|(version, entry)| (*version, entry))
    }

    pub fn version(&self) -> Option<Version> {
        self.entry.as_ref().map(|(version, _)| *version)
    }
}

impl<V> Clone for MapSnapshot<V> {
    fn clone(&self) -> Self {
        Self { entry: self.entry.clone(), stamp: self.stamp }
    }
}

struct StoredEntry<K, V> {
    hash: u64,
    key: K,
    version: Version,
    entry: Arc<Entry<V>>,
    /// A request has read it since the hand last passed.
    visited: Mark,
}

struct Shard<K, V> {
    entries: HashTable<StoredEntry<K, V>>,
    /// The stamp of the last write. Versions are made from it.
    stamp: u64,
    fences: Fences,
    hand: Hand,
    deadlines: Deadlines,
}

/// Keys and entries that a write has replaced or removed. They are the user's: the caller first emits the
/// write, then drops them, under no lock.
pub(crate) type Replaced<K, V> = Vec<(K, Arc<Entry<V>>)>;

/// An entry that was evicted or swept: the hash of its key, and its version.
pub(crate) struct Removed {
    pub(crate) hash: u64,
    pub(crate) version: Version,
}

/// A write that has put an entry into the store.
pub(crate) struct Written<K, V> {
    pub(crate) version: Version,
    /// The entry that made room.
    pub(crate) evicted: Option<Removed>,
    pub(crate) replaced: Replaced<K, V>,
}

/// A key and its entry on their way into a shard.
struct NewEntry<K, V> {
    hash: u64,
    key: K,
    entry: Arc<Entry<V>>,
}

impl<K: Eq, V> NewEntry<K, V> {
    /// Puts the entry into a shard that the caller has locked, and unlocks it.
    fn put_into(
        self,
        shard: impl DerefMut<Target = Shard<K, V>>,
        version: Version,
        room: usize,
    ) -> Written<K, V> {
        // A local is dropped before the parameters. So if an `Eq` panics below, the lock is free before
        // the key and the entry are dropped.
        let mut shard = shard;
        if room < UNBOUNDED {
            let Shard { entries, deadlines, .. } = &mut *shard;
            let is_current =
                |hash, version| entries.find(hash, |it| it.version == version).is_some();
            deadlines.push(self.entry.expires_at(), self.hash, version, entries.len(), is_current);
        }
        if let Some(stored) = shard.find(self.hash, &self.key) {
            stored.version = version;
            let before = std::mem::replace(&mut stored.entry, self.entry);
            drop(shard);
            return Written { version, evicted: None, replaced: vec![(self.key, before)] };
        }
        let evicted = shard.insert_new(self, version, room);
        drop(shard);
        let removed = evicted.as_ref().map(StoredEntry::removed);
        let replaced = evicted.map(|stored| (stored.key, stored.entry));
        Written { version, evicted: removed, replaced: replaced.into_iter().collect() }
    }
}

impl<K, V> StoredEntry<K, V> {
    fn removed(&self) -> Removed {
        Removed { hash: self.hash, version: self.version }
    }
}

impl<K: Eq, V> Shard<K, V> {
    fn snapshot(&self, hash: u64, key: &K) -> MapSnapshot<V> {
        let stored = self.entries.find(hash, |stored| stored.key == *key);
        let entry = stored.map(|stored| {
            stored.visited.set();
            (stored.version, Arc::clone(&stored.entry))
        });
        MapSnapshot { entry, stamp: Stamp(self.stamp) }
    }

    fn find(&mut self, hash: u64, key: &K) -> Option<&mut StoredEntry<K, V>> {
        self.entries.find_mut(hash, |stored| stored.key == *key)
    }

    /// Inserts an entry whose key the shard does not have. Returns the entry that made room for it.
    // INVARIANT(bounded-memory): a new key enters a full shard in the section in which another one leaves.
    fn insert_new(
        &mut self,
        new: NewEntry<K, V>,
        version: Version,
        room: usize,
    ) -> Option<StoredEntry<K, V>> {
        let full = self.entries.len() >= room;
        let evicted = if full { self.evict(&new.entry) } else { None };
        let NewEntry { hash, key, entry } = new;
        let stored = StoredEntry { hash, key, version, entry, visited: Mark::default() };
        self.entries.insert_unique(hash, stored, |stored| stored.hash);
        evicted
    }

    /// Removes a dead entry, or one that no request has read since the hand last passed it.
    fn evict(&mut self, new: &Entry<V>) -> Option<StoredEntry<K, V>> {
        let Self { entries, hand, deadlines, .. } = self;
        let (now, storage) = (new.published_at(), new.expires_at().since(new.published_at()));
        while let Some((hash, version)) = deadlines.pop_dead(now, storage) {
            // A write or a removal may have come since.
            if let Ok(dead) = entries.find_entry(hash, |stored| stored.version == version) {
                return Some(dead.remove().0);
            }
        }
        hand.evict(entries, |stored| !stored.visited.take())
    }

    fn remove(&mut self, hash: u64, key: &K) -> Option<StoredEntry<K, V>> {
        let found = self.entries.find_entry(hash, |stored| stored.key == *key);
        found.ok().map(|stored| stored.remove().0)
    }

    fn tick(&mut self) -> Stamp {
        self.stamp += 1;
        Stamp(self.stamp)
    }
}

/// The store of a cache.
pub(crate) struct Store<K, V> {
    shards: Box<[RwLock<Shard<K, V>>]>,
    /// The most keys of a shard.
    pub(crate) capacity: usize,
}

impl<K, V> Drop for Store<K, V> {
    /// Two drops of values that panic would abort the process.
    fn drop(&mut self) {
        for shard in &self.shards {
            let entries = std::mem::take(&mut shard.write().entries);
            drop_pairs(entries.into_iter().map(|stored| (stored.key, stored.entry)));
        }
    }
}

impl<K: Eq, V> Store<K, V> {
    /// `shards` is a power of two; `capacity` is of each of them.
    pub(crate) fn new(shards: usize, capacity: usize) -> Self {
        let shard = || Shard {
            entries: HashTable::new(),
            stamp: 0,
            fences: Fences::default(),
            hand: Hand::default(),
            deadlines: Deadlines::default(),
        };
        Self { shards: (0..shards).map(|_| RwLock::new(shard())).collect(), capacity }
    }

    /// What the map has for the key now. Nothing if a write has revoked the lease.
    pub(crate) fn read_under(&self, hash: u64, key: &K, lease: LeaseId) -> Option<MapSnapshot<V>> {
        let shard = self.shards[self.index(hash)].read();
        if shard.fences.has(lease) { None } else { Some(shard.snapshot(hash, key)) }
    }

    /// What the map has for the key now.
    pub(crate) fn read(&self, hash: u64, key: &K) -> MapSnapshot<V> {
        self.shards[self.index(hash)].read().snapshot(hash, key)
    }

    /// Publishes a computed entry.
    ///
    /// # Errors
    ///
    /// The key and the entry, if a user has written the key since `began`.
    pub(crate) fn publish(
        &self,
        hash: u64,
        key: K,
        entry: Arc<Entry<V>>,
        lease: LeaseId,
        began: Stamp,
        room: usize,
    ) -> Result<Written<K, V>, Replaced<K, V>> {
        let index = self.index(hash);
        let new = NewEntry { hash, key, entry };
        let mut shard = self.shards[index].write();
        // INVARIANT(invalidation-wins): the fence is read under the lock under which the entry changes,
        // so that nothing comes between the two.
        if shard.fences.take(lease, began) {
            drop(shard);
            return Err(vec![(new.key, new.entry)]);
        }
        let version = self.version(index, shard.tick());
        Ok(new.put_into(shard, version, room))
    }

    /// Inserts a user's entry. It revokes the lease of the key.
    pub(crate) fn insert(
        &self,
        hash: u64,
        key: K,
        entry: Arc<Entry<V>>,
        leases: &LeaseTable<K, V>,
        ends: Ends,
        room: usize,
    ) -> (Written<K, V>, Revoked<K>) {
        let index = self.index(hash);
        let new = NewEntry { hash, key, entry };
        let mut shard = self.shards[index].write();
        let stamp = shard.tick();
        let version = self.version(index, stamp);
        let inserted = Found::new(version, &new.entry, Freshness::Fresh);
        let revoked =
            leases.revoke(hash, &new.key, stamp, &mut shard.fences, ends, Some(&inserted));
        (new.put_into(shard, version, room), revoked)
    }

    /// Removes the key, present or absent. It revokes the lease of the key.
    pub(crate) fn invalidate(
        &self,
        hash: u64,
        key: &K,
        leases: &LeaseTable<K, V>,
        ends: Ends,
    ) -> (Replaced<K, V>, Revoked<K>) {
        let mut shard = self.shards[self.index(hash)].write();
        let stamp = shard.tick();
        let revoked = leases.revoke(hash, key, stamp, &mut shard.fences, ends, None);
        let removed = shard.remove(hash, key);
        drop(shard);
        (removed.map(|stored| (stored.key, stored.entry)).into_iter().collect(), revoked)
    }

    /// Revokes this lease, whose compute is overdue: what it publishes is refused. `false` if it cannot be revoked.
    pub(crate) fn revoke_overdue(
        &self,
        hash: u64,
        lease: LeaseId,
        leases: &LeaseTable<K, V>,
    ) -> bool {
        let mut shard = self.shards[self.index(hash)].write();
        let stamp = shard.tick();
        leases.revoke_overdue(hash, lease, stamp, &mut shard.fences)
    }

    /// Removes every key and revokes every lease, shard by shard.
    pub(crate) fn clear(
        &self,
        leases: &LeaseTable<K, V>,
        ends: Ends,
    ) -> (Replaced<K, V>, Vec<Revoked<K>>) {
        let mut removed = Vec::new();
        let mut revoked = Vec::new();
        for (index, shard) in self.shards.iter().enumerate() {
            let mut shard = shard.write();
            let stamp = shard.tick();
            revoked.push(leases.revoke_all(index, stamp, &mut shard.fences, ends));
            removed.push(std::mem::take(&mut shard.entries));
        }
        let replaced = removed.into_iter().flatten().map(|stored| (stored.key, stored.entry));
        (replaced.collect(), revoked)
    }

    /// Removes the entries that no request could be served, shard by shard.
    ///
    /// Most of the time a shard has none. So the sweep looks under the read lock first, which holds no
    /// reader up. `now` was read before that, so an entry may be younger than it seems. What looks dead is judged once
    /// more by `again`, a time that is read after the entry was: then an entry from the future means that the clock has
    /// stepped back.
    pub(crate) fn sweep(
        &self,
        now: Moment,
        again: impl Fn() -> Moment,
    ) -> Vec<(Removed, (K, Arc<Entry<V>>))> {
        let is_dead =
            |stored: &StoredEntry<K, V>, now| stored.entry.freshness(now) == Freshness::Expired;
        let mut swept = Vec::new();
        for shard in &self.shards {
            let dead = |stored: &StoredEntry<K, V>| is_dead(stored, now).then_some(stored.version);
            let mut dead: Vec<_> = shard.read().entries.iter().filter_map(dead).collect();
            if dead.is_empty() {
                continue;
            }
            dead.sort_unstable();
            let now = again();
            let mut shard = shard.write();
            let goes = |stored: &mut StoredEntry<K, V>| {
                is_dead(stored, now) && dead.binary_search(&stored.version).is_ok()
            };
            let Shard { entries, deadlines, .. } = &mut *shard;
            swept.extend(entries.extract_if(goes));
            shrink(entries, |stored| stored.hash);
            deadlines.forget(entries.len(), |hash, version| {
                entries.find(hash, |it| it.version == version).is_some()
            });
        }
        swept.into_iter().map(|stored| (stored.removed(), (stored.key, stored.entry))).collect()
    }

    /// How many keys there are, and the bytes of the tables that hold them.
    pub(crate) fn usage(&self) -> (usize, usize) {
        let mut keys = 0;
        let mut bytes = 0;
        for shard in &self.shards {
            let shard = shard.read();
            keys += shard.entries.len();
            bytes += shard.entries.allocation_size() + shard.deadlines.bytes();
        }
        (keys, bytes)
    }

    /// How many fences a shard has.
    #[cfg(test)]
    pub(super) fn fences(&self, shard: usize) -> usize {
        self.shards[shard].read().fences.len()
    }

    fn index(&self, hash: u64) -> usize {
        shard_index(hash, self.shards.len())
    }

    /// Unique in the cache: the stamps of a shard grow, and each shard has the numbers of its own index.
    fn version(&self, index: usize, stamp: Stamp) -> Version {
        Version(stamp.0 * self.shards.len() as u64 + index as u64)
    }
}
