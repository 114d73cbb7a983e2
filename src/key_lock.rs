//! One lease per key: who may compute it.
//!
//! Table and lease states are under one lock, so that an acquisition is one section and a release
//! with the slot's retirement is one. A lease is never a lock guard: it is a token that can be sent
//! to the thread that computes, and its `Drop` is the release.

use crate::store::shard_index;
use crate::sync::{Arc, Condvar, Mutex};
use hashbrown::HashTable;
use std::time::Duration;

/// The number of a lease. No two leases of a table share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub(crate) u64);

impl LeaseId {
    /// The number, for logs.
    pub const fn get(self) -> u64 {
        self.0
    }
}

struct Slot<K> {
    hash: u64,
    key: K,
    holder: LeaseId,
    waiting: Option<Waiting>,
}

/// Requests that wait for the slot's release. The condition variable is theirs for this lease only.
#[derive(Clone)]
struct Waiting(Arc<Condvar>);

struct Shard<K> {
    slots: HashTable<Slot<K>>,
    leases: u64,
}

impl<K: Eq> Shard<K> {
    fn find(&mut self, hash: u64, key: &K) -> Option<&mut Slot<K>> {
        self.slots.find_mut(hash, |slot| slot.key == *key)
    }
}

/// The leases of a cache.
#[doc(hidden)]
pub struct LeaseTable<K> {
    shards: Box<[Mutex<Shard<K>>]>,
}

impl<K: Eq> LeaseTable<K> {
    /// A table without leases; `shards` is a power of two.
    pub fn new(shards: usize) -> Self {
        let shard = || Shard { slots: HashTable::new(), leases: 0 };
        Self { shards: (0..shards).map(|_| Mutex::new(shard())).collect() }
    }

    fn index(&self, hash: u64) -> usize {
        shard_index(hash, self.shards.len())
    }

    /// Takes the key's lease if it is free; else says who holds it.
    ///
    /// # Errors
    ///
    /// The lease of the holder.
    // INVARIANT(one-lease-per-key): look-up and entry of the slot are one section.
    pub(crate) fn try_acquire(&self, hash: u64, key: K) -> Result<LeaseId, LeaseId> {
        let index = self.index(hash);
        let mut shard = self.shards[index].lock();
        if let Some(slot) = shard.find(hash, &key) {
            let holder = slot.holder;
            drop(shard);
            return Err(holder);
        }
        shard.leases += 1;
        let holder = LeaseId(shard.leases * self.shards.len() as u64 + index as u64);
        let slot = Slot { hash, key, holder, waiting: None };
        shard.slots.insert_unique(hash, slot, |slot| slot.hash);
        Ok(holder)
    }

    /// Waits until `holder` has released the key's lease; `false` if `timeout` has passed before.
    pub(crate) fn wait(&self, hash: u64, holder: LeaseId, timeout: Duration) -> bool {
        let mut shard = self.shards[self.index(hash)].lock();
        let mut timed_out = false;
        loop {
            let slot = shard.slots.find_mut(hash, |slot| slot.holder == holder);
            let Some(slot) = slot else { return true };
            if timed_out {
                return false;
            }
            let waiting =
                slot.waiting.get_or_insert_with(|| Waiting(Arc::new(Condvar::new()))).clone();
            (shard, timed_out) = waiting.0.wait_for(shard, timeout);
        }
    }

    /// Who holds the key's lease.
    pub(crate) fn holder(&self, hash: u64, key: &K) -> Option<LeaseId> {
        let mut shard = self.shards[self.index(hash)].lock();
        shard.find(hash, key).map(|slot| slot.holder)
    }

    /// Frees the lease, retires its slot and wakes everyone who waits for it.
    ///
    /// The slot is found by the lease's identity: whatever else has happened to the key, a release
    /// never touches a slot that is not its own.
    // INVARIANT(lease-always-released): called by `Lease::drop` alone.
    pub(crate) fn release(&self, hash: u64, lease: LeaseId) {
        let mut shard = self.shards[self.index(hash)].lock();
        let slot = shard.slots.find_entry(hash, |slot| slot.holder == lease);
        let slot = slot.ok().map(|slot| slot.remove().0);
        if let Some(Waiting(waiting)) = slot.as_ref().and_then(|slot| slot.waiting.as_ref()) {
            waiting.notify_all();
        }
        drop(shard);
        drop(slot);
    }
}
