//! The store: keys to entries, in sharded hash tables, each under a read-write lock of its own, and beside each table
//! an index for looks, which take no lock. The protocol reads and publishes; the public face inserts, invalidates and
//! sweeps.
//!
//! Keys are hashed outside the locks and the hash is kept, so that a table never hashes a key again. A
//! key's `Eq` and `Borrow` are the only foreign code that runs under a lock.

use crate::clock::Moment;
use crate::error::MAX_SHARDS;
use crate::ids::{LeaseId, Version};
use crate::panics::drop_each;
use crate::policy::lifetimes::Freshness;
use crate::sync::{Arc, Held, Index, RwLock, Seen};
use crate::tables::entry::{Entry, Found};
use crate::tables::eviction::{Deadlines, Hand};
use crate::tables::fences::{Fences, Stamp};
use crate::tables::leases::{Ends, LeaseTable, Overtakes, Revoked};
use crate::tables::shards::{shard_index, shrink};
use hashbrown::HashTable;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A shard of an unbounded cache has room for more than this. It evicts nothing, and keeps no deadlines.
const UNBOUNDED: usize = usize::MAX / MAX_SHARDS;

/// What a read of the map saw of a key, and at which place in the order of writes.
#[doc(hidden)]
pub struct MapSnapshot<K, V> {
    seen: Seen<Entry<K, V>>,
    stamp: Stamp,
}

impl<K, V> MapSnapshot<K, V> {
    pub(crate) fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// The snapshot of a request that has not read the map.
    pub(crate) fn nothing() -> Self {
        Self { seen: Seen::nothing(), stamp: Stamp::default() }
    }

    /// The snapshot of the look that found this value.
    pub(crate) fn of(found: &Found<K, V>, stamp: Stamp) -> Self {
        Self { seen: Seen::from(Some(found.held().clone())), stamp }
    }

    pub(crate) fn entry(&self) -> Option<&Entry<K, V>> {
        self.seen.get()
    }

    pub(crate) fn into_entry(self) -> Option<Held<Entry<K, V>>> {
        self.seen.held()
    }

    pub fn version(&self) -> Option<Version> {
        self.seen.get().map(Entry::version)
    }
}

impl<K, V> Clone for MapSnapshot<K, V> {
    fn clone(&self) -> Self {
        Self { seen: self.seen.clone(), stamp: self.stamp }
    }
}

struct Stored<K, V> {
    hash: u64,
    entry: Arc<Entry<K, V>>,
}

/// The entries of a shard, and what it evicts by.
struct Rows<K, V> {
    entries: HashTable<Stored<K, V>>,
    hand: Hand,
    deadlines: Deadlines,
}

struct Table<K, V> {
    rows: Rows<K, V>,
    /// The stamp of the last write. Versions are made from it.
    stamp: u64,
    fences: Fences,
}

/// A shard. Its lock has a line of the processor's cache to itself: a look reads the index alone, and a request that
/// locks must not slow it down.
#[repr(align(128))]
struct Shard<K, V> {
    index: Index<Entry<K, V>>,
    table: Apart<RwLock<Table<K, V>>>,
}

#[repr(align(128))]
struct Apart<T>(T);

/// Entries that a write has replaced or removed. They are the user's: the caller first emits the write, then drops them,
/// under no lock.
pub(crate) type Replaced<K, V> = Vec<Arc<Entry<K, V>>>;

/// An entry that was evicted or swept: the hash of its key, and its version.
pub(crate) struct Removed {
    pub(crate) hash: u64,
    pub(crate) version: Version,
}

/// What a sweep has removed, and the panic of the clock that has ended it.
pub(crate) struct Sweeping<K, V> {
    pub(crate) entries: Vec<(Removed, Arc<Entry<K, V>>)>,
    pub(crate) panicked: Option<Box<dyn Any + Send>>,
}

/// A write that has put an entry into the store.
pub(crate) struct Written<K, V> {
    pub(crate) entry: Arc<Entry<K, V>>,
    /// The entry that made room.
    pub(crate) evicted: Option<Removed>,
    pub(crate) replaced: Replaced<K, V>,
}

impl<K, V> Stored<K, V> {
    fn removed(&self) -> Removed {
        Removed { hash: self.hash, version: self.entry.version() }
    }

    fn is(&self, version: Version) -> bool {
        self.entry.version() == version
    }
}

impl<K, V> Rows<K, V> {
    /// The key's entry. `is` is the user's `Eq`.
    fn find(&self, hash: u64, is: impl Fn(&K) -> bool) -> Option<&Arc<Entry<K, V>>> {
        self.entries.find(hash, |stored| stored.entry.is_of(&is)).map(|stored| &stored.entry)
    }

    fn take(&mut self, hash: u64, version: Version) -> Option<Stored<K, V>> {
        let found = self.entries.find_entry(hash, |stored| stored.is(version));
        found.ok().map(|stored| stored.remove().0)
    }

    /// Removes a dead entry, or one that no request has read since the hand last passed it.
    fn evict(&mut self, new: &Entry<K, V>) -> Option<Stored<K, V>> {
        let (now, storage) = (new.published_at(), new.expires_at().since(new.published_at()));
        while let Some((hash, version)) = self.deadlines.pop_dead(now, storage) {
            // A write or a removal may have come since.
            if let Some(dead) = self.take(hash, version) {
                return Some(dead);
            }
        }
        self.hand.evict(&mut self.entries, |stored| !stored.entry.visited().take())
    }
}

impl<K, V> Table<K, V> {
    fn tick(&mut self) -> Stamp {
        self.stamp += 1;
        Stamp(self.stamp)
    }
}

impl<K, V> Shard<K, V> {
    fn new() -> Self {
        let rows = Rows {
            entries: HashTable::new(),
            hand: Hand::default(),
            deadlines: Deadlines::default(),
        };
        let table = Table { rows, stamp: 0, fences: Fences::default() };
        Self { index: Index::new(), table: Apart(RwLock::new(table)) }
    }

    /// Puts the entry into the rows, which the caller has locked, instead of `before`. None of the user's code runs here.
    fn put(
        &self,
        rows: &mut Rows<K, V>,
        hash: u64,
        entry: Arc<Entry<K, V>>,
        before: Option<Arc<Entry<K, V>>>,
        room: usize,
    ) -> Written<K, V> {
        self.index.change();
        if room < UNBOUNDED {
            let Rows { entries, deadlines, .. } = rows;
            let is_current = |hash, version| entries.find(hash, |it| it.is(version)).is_some();
            deadlines.push(entry.expires_at(), hash, entry.version(), entries.len(), is_current);
        }
        // The key is as popular as it was.
        if before.as_ref().is_some_and(|before| before.visited().take()) {
            entry.visited().set();
        }
        let current = before.as_ref().map(|before| before.version());
        let stored =
            current.and_then(|version| rows.entries.find_mut(hash, |stored| stored.is(version)));
        if let Some(stored) = stored {
            self.index.put(hash, before.as_ref(), &entry);
            stored.entry = Arc::clone(&entry);
            return Written { entry, evicted: None, replaced: before.into_iter().collect() };
        }
        // INVARIANT(bounded-memory): a new key enters a full shard in the section in which another one leaves.
        let full = rows.entries.len() >= room;
        let evicted = if full { rows.evict(&entry) } else { None };
        if let Some(evicted) = &evicted {
            self.index.remove(evicted.hash, &evicted.entry);
        }
        self.index.put(hash, None, &entry);
        let stored = Stored { hash, entry: Arc::clone(&entry) };
        rows.entries.insert_unique(hash, stored, |stored| stored.hash);
        let all = rows.entries.iter().map(|stored| (stored.hash, &stored.entry));
        self.index.fit(rows.entries.len(), all);
        let removed = evicted.as_ref().map(Stored::removed);
        let replaced = evicted.map(|stored| stored.entry).into_iter().collect();
        Written { entry, evicted: removed, replaced }
    }

    /// What the map has for the key now. Nothing if a write has revoked the lease.
    fn read(
        &self,
        hash: u64,
        is: impl Fn(&K) -> bool,
        lease: Option<LeaseId>,
    ) -> Option<MapSnapshot<K, V>> {
        let table = self.table.0.read();
        if lease.is_some_and(|lease| table.fences.has(lease)) {
            return None;
        }
        let entry = table.rows.find(hash, is).map(|entry| {
            entry.visited().set();
            Held::from(Arc::clone(entry))
        });
        Some(MapSnapshot { seen: Seen::from(entry), stamp: Stamp(table.stamp) })
    }

    #[cold]
    fn ask_the_table(&self, hash: u64, is: impl Fn(&K) -> bool) -> Seen<Entry<K, V>> {
        self.read(hash, is, None).map_or_else(Seen::nothing, |snapshot| snapshot.seen)
    }
}

/// The store of a cache.
pub(crate) struct Store<K, V> {
    shards: Box<[Shard<K, V>]>,
    /// The most keys of a shard.
    pub(crate) capacity: usize,
}

impl<K, V> Drop for Store<K, V> {
    /// Two drops of values that panic would abort the process.
    fn drop(&mut self) {
        for shard in &self.shards {
            shard.index.clear();
            let entries = std::mem::take(&mut shard.table.0.write().rows.entries);
            drop_each(entries.into_iter().map(|stored| stored.entry));
        }
    }
}

impl<K, V> Store<K, V> {
    /// `shards` is a power of two; `capacity` is of each of them.
    pub(crate) fn new(shards: usize, capacity: usize) -> Self {
        Self { shards: (0..shards).map(|_| Shard::new()).collect(), capacity }
    }

    /// What the map has for the key at some moment of this call. It takes no lock, unless the
    /// index lacks the key or this thread has no seat.
    #[inline(always)]
    pub(crate) fn look(&self, hash: u64, is: impl Fn(&K) -> bool) -> Seen<Entry<K, V>> {
        let shard = &self.shards[self.index(hash)];
        let seen = shard.index.get(hash, |entry| entry.is_of(&is));
        match seen.get() {
            Some(entry) => entry.visited().set(),
            None if Index::<Entry<K, V>>::IS_COMPLETE => {}
            None => return shard.ask_the_table(hash, is),
        }
        seen
    }

    /// The snapshot of a look. A look takes no lock, and so it knows no later stamp than that of the entry's own write.
    #[inline]
    pub(crate) fn looked(&self, seen: Seen<Entry<K, V>>) -> MapSnapshot<K, V> {
        let version = seen.get().map_or(Version(0), Entry::version);
        MapSnapshot { seen, stamp: self.stamp(version) }
    }

    /// What the map has for the key now. Nothing if a write has revoked the lease.
    pub(crate) fn read_under(
        &self,
        hash: u64,
        is: impl Fn(&K) -> bool,
        lease: LeaseId,
    ) -> Option<MapSnapshot<K, V>> {
        self.shards[self.index(hash)].read(hash, is, Some(lease))
    }

    /// What the map has for the key now.
    pub(crate) fn read(&self, hash: u64, is: impl Fn(&K) -> bool) -> MapSnapshot<K, V> {
        let read = self.shards[self.index(hash)].read(hash, is, None);
        read.unwrap_or_else(MapSnapshot::nothing)
    }

    /// How many keys there are, and the bytes of the tables that hold them.
    pub(crate) fn usage(&self) -> (usize, usize) {
        let mut keys = 0;
        let mut bytes = 0;
        for shard in &self.shards {
            let Rows { entries, deadlines, .. } = &shard.table.0.read().rows;
            keys += entries.len();
            bytes += entries.allocation_size() + deadlines.bytes() + shard.index.bytes();
        }
        (keys, bytes)
    }

    /// Removes the entries that no request could be served, shard by shard.
    ///
    /// Most of the time a shard has none. So the sweep looks under the read lock first, which holds no
    /// reader up. `now` was read before that, so an entry may be younger than it seems. What looks dead is judged once
    /// more by `again`, a time that is read after the entry was: then an entry from the future means that the clock has
    /// stepped back.
    pub(crate) fn sweep(&self, now: Moment, again: impl Fn() -> Moment) -> Sweeping<K, V> {
        let is_dead =
            |stored: &Stored<K, V>, now| stored.entry.freshness(now) == Freshness::Expired;
        let mut swept = Vec::new();
        let mut panicked = None;
        for shard in &self.shards {
            let dead = |stored: &Stored<K, V>| is_dead(stored, now).then(|| stored.entry.version());
            let mut dead: Vec<_> =
                shard.table.0.read().rows.entries.iter().filter_map(dead).collect();
            if dead.is_empty() {
                continue;
            }
            dead.sort_unstable();
            // What was swept before must not be lost.
            let now = match catch_unwind(AssertUnwindSafe(&again)) {
                Ok(now) => now,
                Err(panic) => {
                    panicked = Some(panic);
                    break;
                }
            };
            let mut table = shard.table.0.write();
            shard.index.change();
            let goes = |stored: &mut Stored<K, V>| {
                let goes =
                    is_dead(stored, now) && dead.binary_search(&stored.entry.version()).is_ok();
                if goes {
                    shard.index.remove(stored.hash, &stored.entry);
                }
                goes
            };
            let Rows { entries, deadlines, .. } = &mut table.rows;
            swept.extend(entries.extract_if(goes));
            shrink(entries, |stored| stored.hash);
            deadlines.forget(entries.len(), |hash, version| {
                entries.find(hash, |it| it.is(version)).is_some()
            });
        }
        let entries = swept.into_iter().map(|stored| (stored.removed(), stored.entry));
        Sweeping { entries: entries.collect(), panicked }
    }

    #[inline]
    fn index(&self, hash: u64) -> usize {
        shard_index(hash, self.shards.len())
    }

    /// Unique in the cache: the stamps of a shard grow, and each shard has the numbers of its own index.
    fn version(&self, index: usize, stamp: Stamp) -> Version {
        Version(stamp.0 * self.shards.len() as u64 + index as u64)
    }

    /// The stamp that the version was made from. The number of shards is a power of two, and a hit has no time to divide.
    #[inline]
    fn stamp(&self, version: Version) -> Stamp {
        Stamp(version.0 >> self.shards.len().trailing_zeros())
    }

    /// How many fences a shard has.
    #[cfg(test)]
    pub(super) fn fences(&self, shard: usize) -> usize {
        self.shards[shard].table.0.read().fences.len()
    }
}

impl<K: Eq, V> Store<K, V> {
    /// Publishes a computed entry.
    ///
    /// # Errors
    ///
    /// The entry, if a user has written the key since `began`.
    pub(crate) fn publish(
        &self,
        hash: u64,
        entry: Arc<Entry<K, V>>,
        lease: LeaseId,
        began: Stamp,
        room: usize,
    ) -> Result<Written<K, V>, Arc<Entry<K, V>>> {
        let index = self.index(hash);
        let shard = &self.shards[index];
        // The guard is a local and the entry a parameter. So if an `Eq` panics below, the lock is free before the entry
        // is dropped.
        let mut table = shard.table.0.write();
        // INVARIANT(invalidation-wins): the fence is read under the lock under which the entry changes,
        // so that nothing comes between the two.
        if table.fences.take(lease, began) {
            drop(table);
            return Err(entry);
        }
        let before = table.rows.find(hash, |key| key == entry.key()).cloned();
        let entry = entry.published(self.version(index, table.tick()));
        let written = shard.put(&mut table.rows, hash, entry, before, room);
        drop(table);
        Ok(written)
    }

    /// Inserts a user's entry. It revokes the lease of the key.
    pub(crate) fn insert(
        &self,
        hash: u64,
        mut entry: Arc<Entry<K, V>>,
        leases: &LeaseTable<K, V>,
        ends: Ends,
        room: usize,
    ) -> (Written<K, V>, Revoked<K>) {
        let index = self.index(hash);
        let shard = &self.shards[index];
        // As in `publish`.
        let mut table = shard.table.0.write();
        let before = table.rows.find(hash, |key| key == entry.key()).cloned();
        let stamp = table.tick();
        // In place: it outlives the guard, also if the `Eq` of the lease table panics.
        entry = entry.published(self.version(index, stamp));
        let inserted = Found::made(&entry);
        let Table { rows, fences, .. } = &mut *table;
        let put = || shard.put(rows, hash, Arc::clone(&entry), before, room);
        let is = |key: &K| key == entry.key();
        let overtakes = Overtakes { stamp, ends, inserted: Some(&inserted) };
        let written = leases.revoke(hash, is, fences, &overtakes, put);
        drop(table);
        written
    }

    /// Removes the key, present or absent. It revokes the lease of the key.
    pub(crate) fn invalidate(
        &self,
        hash: u64,
        is: impl Fn(&K) -> bool,
        leases: &LeaseTable<K, V>,
        ends: Ends,
    ) -> (Replaced<K, V>, Revoked<K>) {
        let shard = &self.shards[self.index(hash)];
        let mut table = shard.table.0.write();
        let stamp = table.tick();
        let Table { rows, fences, .. } = &mut *table;
        let version = rows.find(hash, &is).map(|entry| entry.version());
        let remove = || {
            shard.index.change();
            let removed = version.and_then(|version| rows.take(hash, version));
            if let Some(removed) = &removed {
                shard.index.remove(hash, &removed.entry);
            }
            removed
        };
        let overtakes = Overtakes { stamp, ends, inserted: None };
        let (removed, revoked) = leases.revoke(hash, is, fences, &overtakes, remove);
        drop(table);
        (removed.map(|stored| stored.entry).into_iter().collect(), revoked)
    }

    /// Revokes this lease, whose compute is overdue: what it publishes is refused. `false` if it cannot be revoked.
    pub(crate) fn revoke_overdue(
        &self,
        hash: u64,
        lease: LeaseId,
        leases: &LeaseTable<K, V>,
    ) -> bool {
        let mut table = self.shards[self.index(hash)].table.0.write();
        let stamp = table.tick();
        leases.revoke_overdue(hash, lease, stamp, &mut table.fences)
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
            let mut table = shard.table.0.write();
            let stamp = table.tick();
            let Table { rows, fences, .. } = &mut *table;
            let remove = || {
                shard.index.change();
                shard.index.clear();
                std::mem::take(&mut rows.entries)
            };
            let (entries, leases) = leases.revoke_all(index, stamp, fences, ends, remove);
            removed.push(entries);
            revoked.push(leases);
        }
        (removed.into_iter().flatten().map(|stored| stored.entry).collect(), revoked)
    }
}
