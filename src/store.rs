//! Keys to entries: sharded hash tables, each under a read-write lock of its own.
//!
//! Keys are hashed outside the locks and the hash is kept, so that a table never hashes a key
//! again. The one piece of foreign code that runs under a lock is a key's `Eq`.

use crate::clock::Moment;
use crate::entry::{Entry, Version};
use crate::key_lock::{LeaseId, LeaseTable};
use crate::sync::{Arc, Mark, RwLock};
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

    pub fn version(&self) -> Option<Version> {
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
    /// It was asked for since the hand of the clock last passed.
    visited: Mark,
}

struct Shard<K, V> {
    cells: HashTable<Cell<K, V>>,
    /// The stamp of the last write; versions are made from it.
    stamp: u64,
    fences: Fences,
    /// The bucket at which the last eviction stopped.
    hand: usize,
}

/// What a write has taken out of the store. Keys and values are the user's: whoever gets this tells of
/// the write first and drops it then, under no lock.
pub(crate) type Old<K, V> = Vec<(K, Arc<Entry<V>>)>;

/// An entry that had to go: the hash of its key, and its version.
pub(crate) type Gone = (u64, Version);

/// A write that has put an entry in.
pub(crate) struct Wrote<K, V> {
    pub(crate) version: Version,
    /// Who had to make room.
    pub(crate) evicted: Option<Gone>,
    pub(crate) old: Old<K, V>,
}

/// A key and its entry on their way into a shard. It belongs to a frame outside the lock, so that it is
/// not dropped under it if a key's `Eq` panics.
type New<K, V> = Option<(K, Arc<Entry<V>>)>;

impl<K: Eq, V> Shard<K, V> {
    fn sight(&self, hash: u64, key: &K) -> Sight<V> {
        let cell = self.cells.find(hash, |cell| cell.key == *key);
        let entry = cell.map(|cell| {
            cell.visited.set();
            (cell.version, Arc::clone(&cell.entry))
        });
        Sight { entry, stamp: Stamp(self.stamp) }
    }

    /// Puts `new` in; leaves there what it replaces. Says who had to make room.
    // INVARIANT(bounded-memory): a new key enters a full shard in the section in which another one leaves.
    fn put(
        &mut self,
        hash: u64,
        version: Version,
        new: &mut New<K, V>,
        room: usize,
    ) -> Option<Cell<K, V>> {
        let (key, entry) = new.as_mut()?;
        if let Some(cell) = self.cells.find_mut(hash, |cell| cell.key == *key) {
            cell.version = version;
            std::mem::swap(&mut cell.entry, entry);
            return None;
        }
        let full = self.cells.len() >= room;
        let evicted = if full { self.evict(entry.published_at()) } else { None };
        let (key, entry) = new.take()?;
        let cell = Cell { hash, key, version, entry, visited: Mark::default() };
        self.cells.insert_unique(hash, cell, |cell| cell.hash);
        evicted
    }

    /// Takes an entry out that nobody has asked for since the hand has last passed it, or that is dead.
    ///
    /// CLOCK (Corbató, "A paging experiment with the Multics system", 1968), with the table's own buckets
    /// as the circle: no list to keep, and a hit only sets a flag. The first time around every flag is
    /// taken, so that the second time finds somebody.
    fn evict(&mut self, now: Moment) -> Option<Cell<K, V>> {
        let buckets = self.cells.num_buckets();
        for _ in 0..2 * buckets {
            self.hand = (self.hand + 1) % buckets;
            let Some(cell) = self.cells.get_bucket_mut(self.hand) else { continue };
            if !cell.visited.take() || cell.entry.is_dead(now) {
                return self.cells.get_bucket_entry(self.hand).ok().map(|cell| cell.remove().0);
            }
        }
        None
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
    /// The most keys of a shard.
    pub(crate) capacity: usize,
}

impl<K: Eq, V> Store<K, V> {
    /// `shards` is a power of two; `capacity` is of each of them.
    pub(crate) fn new(shards: usize, capacity: usize) -> Self {
        let (cells, fences) = (HashTable::new, Fences::default);
        let shard = || Shard { cells: cells(), stamp: 0, fences: fences(), hand: 0 };
        Self { shards: (0..shards).map(|_| RwLock::new(shard())).collect(), capacity }
    }

    /// What the key has now.
    pub(crate) fn read(&self, hash: u64, key: &K) -> Sight<V> {
        self.shards[self.index(hash)].read().sight(hash, key)
    }

    /// Publishes a computed entry, or hands it back if the key was written since its compute began.
    pub(crate) fn publish(
        &self,
        hash: u64,
        (key, entry): (K, Arc<Entry<V>>),
        (lease, began): (LeaseId, &Sight<V>),
        room: usize,
    ) -> Result<Wrote<K, V>, Old<K, V>> {
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
        let evicted = shard.put(hash, version, &mut new, room);
        drop(shard);
        Ok(Wrote::new(version, new, evicted))
    }

    /// Publishes a user's entry, ahead of every compute that is in flight for the key.
    pub(crate) fn insert(
        &self,
        hash: u64,
        (key, entry): (K, Arc<Entry<V>>),
        leases: &LeaseTable<K, V>,
        room: usize,
    ) -> Wrote<K, V> {
        let index = self.index(hash);
        let mut new = Some((key, entry));
        let mut shard = self.shards[index].write();
        let stamp = shard.tick();
        let version = self.version(index, stamp);
        if let Some((key, _)) = &new {
            leases.fence(hash, key, stamp, &mut shard.fences);
        }
        let evicted = shard.put(hash, version, &mut new, room);
        drop(shard);
        Wrote::new(version, new, evicted)
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

    /// Takes out what had expired at `now`, shard by shard.
    ///
    /// Most of the time there is nothing in a shard, and looking holds no reader up.
    pub(crate) fn sweep(&self, now: Moment) -> Vec<(Gone, (K, Arc<Entry<V>>))> {
        let dead = |cell: &Cell<K, V>| cell.entry.is_dead(now);
        let mut swept = Vec::new();
        for shard in &self.shards {
            if shard.read().cells.iter().any(dead) {
                let mut shard = shard.write();
                swept.extend(shard.cells.extract_if(|cell| dead(cell)));
                shrink(&mut shard.cells, |cell| cell.hash);
            }
        }
        let parts = |cell: Cell<K, V>| ((cell.hash, cell.version), (cell.key, cell.entry));
        swept.into_iter().map(parts).collect()
    }

    /// How many keys there are, and the bytes of the tables that hold them.
    pub(crate) fn usage(&self) -> (usize, usize) {
        let of = |shard: &RwLock<Shard<K, V>>| {
            let cells = &shard.read().cells;
            (cells.len(), cells.allocation_size())
        };
        self.shards.iter().map(of).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    fn index(&self, hash: u64) -> usize {
        shard_index(hash, self.shards.len())
    }

    /// Unique in the cache: a shard's stamps grow, and each shard has the numbers of its own index.
    fn version(&self, index: usize, stamp: Stamp) -> Version {
        Version(stamp.0 * self.shards.len() as u64 + index as u64)
    }
}

impl<K, V> Wrote<K, V> {
    fn new(version: Version, replaced: New<K, V>, evicted: Option<Cell<K, V>>) -> Self {
        let gone = evicted.as_ref().map(|cell| (cell.hash, cell.version));
        let evicted = evicted.map(|cell| (cell.key, cell.entry));
        Self { version, evicted: gone, old: replaced.into_iter().chain(evicted).collect() }
    }
}

/// Gives memory back that a table was grown to and does not need any more: a table shrinks when it is
/// less than a quarter full, to twice what it has, so that it does not grow again at once.
pub(crate) fn shrink<T>(table: &mut HashTable<T>, hash: impl Fn(&T) -> u64) {
    if table.len() < table.capacity() / 4 {
        table.shrink_to(table.len() * 2, hash);
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
    use crate::key_lock::{Ended, Wants};
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
        let (store, leases) = (Store::new(1, usize::MAX), LeaseTable::new(1));
        let back_off =
            BackOff::new(Duration::ZERO, Duration::ZERO, Duration::ZERO).expect("equal is allowed");
        for _ in 0..3 {
            let now = Reading::first(Moment::ORIGIN);
            let lease = leases.try_acquire(HASH, &mut Some("k"), now, Wants::Queue).expect("free");
            store.insert(HASH, ("k", entry()), &leases, 1);
            assert_eq!(fences(&store), 1);
            drop(leases.release(HASH, lease, Ended::Unused, &back_off, |slot| !slot.remembers));
        }
        store.insert(HASH, ("k", entry()), &leases, 1);
        assert_eq!(fences(&store), 0);
    }

    /// From a table of 128 buckets, with room for 112: how much room it has after that.
    fn room_for(keys: usize) -> usize {
        let mut table = HashTable::with_capacity(112);
        for key in 0..keys as u64 {
            table.insert_unique(key, key, |key| *key);
        }
        assert_eq!(table.capacity(), 112);
        shrink(&mut table, |key| *key);
        table.capacity()
    }

    /// A table has room for seven keys in eight buckets.
    #[test]
    fn a_table_shrinks_below_a_quarter_to_twice_what_it_has() {
        assert_eq!(room_for(28), 112, "a quarter");
        assert_eq!((room_for(27), room_for(12)), (56, 28));
        assert_eq!(room_for(0), 0);
    }
}
