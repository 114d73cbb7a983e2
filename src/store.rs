//! Keys to entries: sharded hash tables, each under a read-write lock of its own.
//!
//! Keys are hashed outside the locks and the hash is kept, so that a table never hashes a key
//! again. The one piece of foreign code that runs under a lock is a key's `Eq`.

use crate::entry::{Entry, Version};
use crate::key_lock::{LeaseId, LeaseTable};
use crate::sync::{Arc, RwLock};
use hashbrown::HashTable;

/// A place in the order of a shard's writes. An answer carries the stamp at which it was read, and
/// a publication that rests on it is refused once a fence stands behind that stamp.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(u64);

/// Leases whose computes in flight were overtaken, with the hash of their key, and when. A lease's own
/// publication takes its fence away; what a failed one leaves behind goes with the shard's next insert
/// or invalidation.
#[derive(Default)]
pub(crate) struct Fences(Vec<(LeaseId, u64, Stamp)>);

impl Fences {
    pub(crate) fn retain(&mut self, held: impl FnMut(u64, LeaseId) -> bool) {
        let mut held = held;
        self.0.retain(|(lease, hash, _)| held(*hash, *lease));
    }

    pub(crate) fn put(&mut self, lease: LeaseId, hash: u64, stamp: Stamp) {
        match self.0.iter_mut().find(|(other, ..)| *other == lease) {
            Some((.., before)) => *before = stamp,
            None => self.0.push((lease, hash, stamp)),
        }
    }

    /// Every held lease of the shard.
    pub(crate) fn replace(&mut self, held: impl Iterator<Item = (LeaseId, u64)>, stamp: Stamp) {
        self.0.clear();
        self.0.extend(held.map(|(lease, hash)| (lease, hash, stamp)));
    }

    /// Takes the lease's fence away; `true` if it stood behind `since`.
    fn take(&mut self, lease: LeaseId, since: Stamp) -> bool {
        let place = self.0.iter().position(|(other, ..)| *other == lease);
        place.is_some_and(|place| self.0.swap_remove(place).2 > since)
    }
}

/// What a look at the store saw.
#[doc(hidden)]
pub struct Sight<V> {
    entry: Option<(Version, Arc<Entry<V>>)>,
    stamp: Stamp,
}

impl<V> Sight<V> {
    pub(crate) fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// What someone sees who has not looked.
    pub(crate) fn nothing() -> Self {
        Self { entry: None, stamp: Stamp::default() }
    }

    pub(crate) fn entry(&self) -> Option<(Version, &Arc<Entry<V>>)> {
        self.entry.as_ref().map(|(version, entry)| (*version, entry))
    }

    pub(crate) fn version(&self) -> Option<Version> {
        self.entry.as_ref().map(|(version, _)| *version)
    }
}

impl<V> Clone for Sight<V> {
    fn clone(&self) -> Self {
        Self { entry: self.entry.clone(), stamp: self.stamp }
    }
}

struct Cell<K, V> {
    hash: u64,
    key: K,
    version: Version,
    entry: Arc<Entry<V>>,
}

struct Shard<K, V> {
    cells: HashTable<Cell<K, V>>,
    /// The stamp of the last write; versions are made from it.
    stamp: u64,
    fences: Fences,
}

/// What a write has taken out of the store. Keys and values are the user's: whoever gets this tells of
/// the write first and drops it then, under no lock.
pub(crate) type Old<K, V> = Vec<(K, Arc<Entry<V>>)>;

/// A key and its entry on their way into a shard. It belongs to a frame outside the lock, so that it is
/// not dropped under it if a key's `Eq` panics.
type New<K, V> = Option<(K, Arc<Entry<V>>)>;

impl<K: Eq, V> Shard<K, V> {
    fn sight(&self, hash: u64, key: &K) -> Sight<V> {
        let cell = self.cells.find(hash, |cell| cell.key == *key);
        Sight {
            entry: cell.map(|cell| (cell.version, Arc::clone(&cell.entry))),
            stamp: Stamp(self.stamp),
        }
    }

    /// Puts `new` in; leaves there what it replaces.
    fn put(&mut self, hash: u64, version: Version, new: &mut New<K, V>) {
        let Some((key, entry)) = new else { return };
        if let Some(cell) = self.cells.find_mut(hash, |cell| cell.key == *key) {
            cell.version = version;
            std::mem::swap(&mut cell.entry, entry);
            return;
        }
        if let Some((key, entry)) = new.take() {
            self.cells.insert_unique(hash, Cell { hash, key, version, entry }, |cell| cell.hash);
        }
    }

    fn remove(&mut self, hash: u64, key: &K) -> Option<Cell<K, V>> {
        self.cells.find_entry(hash, |cell| cell.key == *key).ok().map(|cell| cell.remove().0)
    }

    fn tick(&mut self) -> Stamp {
        self.stamp += 1;
        Stamp(self.stamp)
    }
}

/// The store of a cache.
pub(crate) struct Store<K, V> {
    shards: Box<[RwLock<Shard<K, V>>]>,
}

impl<K: Eq, V> Store<K, V> {
    /// `shards` is a power of two.
    pub(crate) fn new(shards: usize) -> Self {
        let shard = || Shard { cells: HashTable::new(), stamp: 0, fences: Fences::default() };
        Self { shards: (0..shards).map(|_| RwLock::new(shard())).collect() }
    }

    /// What the key has now.
    pub(crate) fn read(&self, hash: u64, key: &K) -> Sight<V> {
        self.shards[self.index(hash)].read().sight(hash, key)
    }

    /// Publishes a computed entry, or hands it back if the key was written since its compute began.
    pub(crate) fn publish(
        &self,
        hash: u64,
        key: K,
        (lease, began): (LeaseId, &Sight<V>),
        entry: Arc<Entry<V>>,
    ) -> Result<(Version, Old<K, V>), Old<K, V>> {
        let index = self.index(hash);
        let mut new = Some((key, entry));
        let mut shard = self.shards[index].write();
        // INVARIANT(invalidation-wins): the fence is looked at under the lock under which the entry
        // changes, so that nothing comes between the two.
        if shard.fences.take(lease, began.stamp) {
            drop(shard);
            return Err(new.into_iter().collect());
        }
        let version = self.version(index, shard.tick());
        shard.put(hash, version, &mut new);
        drop(shard);
        Ok((version, new.into_iter().collect()))
    }

    /// Publishes a user's entry, ahead of every compute that is in flight for the key.
    pub(crate) fn insert(
        &self,
        hash: u64,
        key: K,
        leases: &LeaseTable<K, V>,
        entry: Arc<Entry<V>>,
    ) -> (Version, Old<K, V>) {
        let index = self.index(hash);
        let mut new = Some((key, entry));
        let mut shard = self.shards[index].write();
        let stamp = shard.tick();
        let version = self.version(index, stamp);
        if let Some((key, _)) = &new {
            leases.fence(hash, key, stamp, &mut shard.fences);
        }
        shard.put(hash, version, &mut new);
        drop(shard);
        (version, new.into_iter().collect())
    }

    /// Removes the key, ahead of every compute that is in flight for it; of an absent one too.
    pub(crate) fn invalidate(&self, hash: u64, key: &K, leases: &LeaseTable<K, V>) -> Old<K, V> {
        let mut shard = self.shards[self.index(hash)].write();
        let stamp = shard.tick();
        leases.fence(hash, key, stamp, &mut shard.fences);
        let old = shard.remove(hash, key);
        drop(shard);
        old.map(|cell| (cell.key, cell.entry)).into_iter().collect()
    }

    /// Removes every key, shard by shard, ahead of every compute that is in flight.
    pub(crate) fn clear(&self, leases: &LeaseTable<K, V>) -> Old<K, V> {
        let mut old = Vec::new();
        for (index, shard) in self.shards.iter().enumerate() {
            let mut shard = shard.write();
            let stamp = shard.tick();
            leases.fence_all(index, stamp, &mut shard.fences);
            old.push(std::mem::take(&mut shard.cells));
        }
        old.into_iter().flatten().map(|cell| (cell.key, cell.entry)).collect()
    }

    fn index(&self, hash: u64) -> usize {
        shard_index(hash, self.shards.len())
    }

    /// Unique in the cache: a shard's stamps grow, and each shard has the numbers of its own index.
    fn version(&self, index: usize, stamp: Stamp) -> Version {
        Version(stamp.0 * self.shards.len() as u64 + index as u64)
    }
}

/// Which of `shards` (a power of two) has the key with this hash. The table inside takes its bits
/// from the two ends of the hash.
pub(crate) fn shard_index(hash: u64, shards: usize) -> usize {
    (hash >> 32) as usize & (shards - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::back_off::{BackOff, Reading};
    use crate::clock::Moment;
    use crate::entry::Lifetimes;
    use crate::key_lock::Ended;
    use std::time::Duration;

    const HASH: u64 = 7;

    fn entry() -> Arc<Entry<u32>> {
        let lifetimes = Lifetimes::new(Duration::MAX, Duration::MAX).expect("equal is allowed");
        lifetimes.entry(1, Moment::ORIGIN, Duration::ZERO)
    }

    fn fences(store: &Store<&str, u32>) -> usize {
        store.shards[0].read().fences.0.len()
    }

    /// A compute that was overtaken and then failed has nothing to publish, and does not come back for
    /// its fence.
    #[test]
    fn fences_of_leases_that_are_over_are_never_kept() {
        let (store, leases) = (Store::new(1), LeaseTable::new(1));
        let back_off = BackOff::new(Duration::ZERO, Duration::ZERO).expect("equal is allowed");
        for _ in 0..3 {
            let now = Reading::first(Moment::ORIGIN);
            let lease = leases.try_acquire(HASH, &mut Some("k"), now).expect("free");
            store.insert(HASH, "k", &leases, entry());
            assert_eq!(fences(&store), 1);
            drop(leases.release(HASH, lease, Ended::Unused, &back_off));
        }
        store.insert(HASH, "k", &leases, entry());
        assert_eq!(fences(&store), 0);
    }
}
