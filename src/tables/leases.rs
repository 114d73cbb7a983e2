//! The lease table: at most one lease per key. The protocol acquires and releases leases here, and the
//! store fences them.
//!
//! The slots of a shard and the states of their leases are under one lock. So an acquisition is one
//! section, and a release that retires the slot is one section. A lease is a number, never a lock guard:
//! it can be sent to the thread that computes.

use crate::clock::Moment;
use crate::ids::LeaseId;
use crate::policy::back_off::{BackOff, Failure, Reading};
use crate::sync::{Arc, Condvar, Mutex, MutexGuard};
use crate::tables::fences::{Fences, Stamp};
use crate::tables::outcome::{LeaseOutcome, Outcomes, Refusal};
use crate::tables::shards::{shard_index, shrink};
use hashbrown::HashTable;
use std::time::Duration;

/// What a protocol knows of a slot when it decides whether the slot goes: at a release, or in a sweep.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct SlotState {
    /// A request holds the lease.
    pub held: bool,
    /// Other requests wait for the lease, or have waited until this release.
    pub waited_for: bool,
    /// The slot remembers a failure.
    pub remembers: bool,
    /// How long ago the lease was acquired last. A release does not read the clock, and has none.
    pub age: Option<Duration>,
}

/// What the lease table holds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LeaseUsage {
    pub(crate) slots: usize,
    pub(crate) held: usize,
    pub(crate) bytes: usize,
    /// When the oldest lease that is held was acquired.
    pub(crate) oldest: Option<Moment>,
}

/// What a request wants the lease for.
#[derive(Clone, Copy)]
pub(crate) enum Wants {
    /// To send it to a thread that has no time yet. Until that thread begins, a miss may take it over.
    Queue,
    /// To compute at once.
    Compute(Takeover),
}

impl Wants {
    fn takes_over(self, queued: bool) -> bool {
        match self {
            Self::Queue | Self::Compute(Takeover::Never) => false,
            Self::Compute(Takeover::Queued) => queued,
            Self::Compute(Takeover::Always) => true,
        }
    }
}

/// Which leases of other requests a request takes over that can compute at once.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takeover {
    /// None.
    Never,
    /// The leases whose refresh waits for a thread.
    Queued,
    /// All.
    Always,
}

/// A key of which a lease is held, or of which a failure is remembered.
pub(super) struct Slot<K> {
    hash: u64,
    key: K,
    holder: Option<LeaseId>,
    /// The holder waits for a thread: nothing was started under it.
    queued: bool,
    /// When the lease was acquired last.
    since: Moment,
    pub(super) waiting: Option<Waiting>,
    /// The last insert or invalidation while the lease was held.
    fence: Stamp,
    /// What the next lease has to know of the last ones. A slot is kept for it.
    failure: Option<Failure>,
}

/// The waiters of a lease.
pub(super) struct Waiting {
    pub(super) waiters: u32,
    /// They sleep on it.
    pub(super) released: Arc<Condvar>,
}

impl<K> Slot<K> {
    /// A slot for a key that has none.
    fn new(hash: u64, key: K, holder: LeaseId, now: Reading, wants: Wants) -> Self {
        Self {
            hash,
            key,
            holder: Some(holder),
            queued: matches!(wants, Wants::Queue),
            since: now.now(),
            waiting: None,
            fence: Stamp::default(),
            failure: None,
        }
    }

    /// Makes `lease` the holder, if the present holder and the back-off let it.
    fn acquire(&mut self, lease: LeaseId, now: Reading, wants: Wants) -> Result<(), Refusal> {
        // INVARIANT(no-waiter-left-behind): a miss waits for a compute, never for a place in a queue,
        // whose threads may be waiting for this very miss.
        let takes_over = wants.takes_over(self.queued);
        if let Some(holder) = self.holder.filter(|_| !takes_over) {
            return Err(Refusal::Busy(holder));
        }
        // INVARIANT(failures-back-off): no compute starts before the back-off has ended.
        if let Some(backing_off) = self.failure.as_ref().and_then(|failure| failure.holds(now)) {
            return Err(Refusal::BackingOff(backing_off));
        }
        self.holder = Some(lease);
        self.queued = matches!(wants, Wants::Queue);
        self.since = now.now();
        Ok(())
    }
}

pub(super) struct Shard<K, V> {
    pub(super) slots: HashTable<Slot<K>>,
    /// How many leases were acquired. Their numbers are made from it.
    leases: u64,
    pub(super) outcomes: Outcomes<V>,
}

impl<K: Eq, V> Shard<K, V> {
    fn find(&mut self, hash: u64, key: &K) -> Option<&mut Slot<K>> {
        self.slots.find_mut(hash, |slot| slot.key == *key)
    }

    pub(super) fn find_held(&mut self, hash: u64, lease: LeaseId) -> Option<&mut Slot<K>> {
        self.slots.find_mut(hash, |slot| slot.holder == Some(lease))
    }
}

/// The leases of a cache.
#[doc(hidden)]
pub struct LeaseTable<K, V> {
    pub(super) shards: Box<[Mutex<Shard<K, V>>]>,
}

/// An acquisition, still in its section.
pub(super) struct Acquisition<'a, K, V> {
    pub(super) shard: MutexGuard<'a, Shard<K, V>>,
    pub(super) result: Result<LeaseId, Refusal>,
    /// The caller's key, unless a new slot has it. It is the user's, and is dropped under no lock.
    pub(super) spare_key: Option<K>,
}

impl<K: Eq, V> LeaseTable<K, V> {
    /// A table without leases; `shards` is a power of two.
    pub fn new(shards: usize) -> Self {
        let shard = || Shard { slots: HashTable::new(), leases: 0, outcomes: Outcomes::new() };
        Self { shards: (0..shards).map(|_| Mutex::new(shard())).collect() }
    }

    pub(super) fn index(&self, hash: u64) -> usize {
        shard_index(hash, self.shards.len())
    }

    /// Acquires the key's lease, or says why it is refused. It never waits.
    ///
    /// Returns the key too, unless the table has kept it for a new slot.
    pub(crate) fn try_acquire(
        &self,
        hash: u64,
        key: K,
        now: Reading,
        wants: Wants,
    ) -> (Result<LeaseId, Refusal>, Option<K>) {
        let Acquisition { shard, result, spare_key } = self.acquire(hash, key, now, wants);
        drop(shard);
        (result, spare_key)
    }

    /// The section of an acquisition. It returns with the lock held, so that a caller that finds the
    /// lease busy can wait for it in the same section.
    ///
    /// 1. Lock the key's shard.
    /// 2. Choose the number that the lease gets. The numbers of one shard have the same remainder, so
    ///    that no two shards give the same number.
    /// 3. If the key has a slot, ask it: the slot refuses while it is held or backs off.
    /// 4. If the key has no slot, make one that has the caller's key.
    /// 5. Count the lease, if it was acquired.
    // INVARIANT(one-lease-per-key): look-up and entry of the slot are one section.
    pub(super) fn acquire(
        &self,
        hash: u64,
        key: K,
        now: Reading,
        wants: Wants,
    ) -> Acquisition<'_, K, V> {
        // The guard is a local and the key a parameter. So if an `Eq` panics below, the lock is free
        // before the key is dropped.
        let mut shard = self.shards[self.index(hash)].lock();
        let lease =
            LeaseId((shard.leases + 1) * self.shards.len() as u64 + self.index(hash) as u64);
        let (acquired, spare_key) = match shard.find(hash, &key) {
            Some(slot) => (slot.acquire(lease, now, wants), Some(key)),
            None => {
                let slot = Slot::new(hash, key, lease, now, wants);
                shard.slots.insert_unique(hash, slot, |slot| slot.hash);
                (Ok(()), None)
            }
        };
        if acquired.is_ok() {
            shard.leases += 1;
        }
        Acquisition { shard, result: acquired.map(|()| lease), spare_key }
    }

    /// A thread has come to a refresh that was sent to it. `false` if a miss has taken its lease over:
    /// then the refresh has nothing to do.
    pub(crate) fn begin(&self, hash: u64, lease: LeaseId) -> bool {
        let mut shard = self.shards[self.index(hash)].lock();
        shard.find_held(hash, lease).map(|slot| slot.queued = false).is_some()
    }

    /// Marks the key's lease, if it is held, as overtaken by the write with this stamp.
    ///
    /// It also forgets the fences of leases that are over. So a shard never has more fences than leases
    /// were held at some time.
    pub(crate) fn fence(&self, hash: u64, key: &K, stamp: Stamp, fences: &mut Fences) {
        let mut shard = self.shards[self.index(hash)].lock();
        fences.retain(|hash, lease| shard.find_held(hash, lease).is_some());
        if let Some(slot) = shard.find(hash, key)
            && let Some(lease) = slot.holder
        {
            slot.fence = stamp;
            fences.put(lease, hash, stamp);
        }
    }

    /// Marks every held lease of a shard.
    pub(crate) fn fence_all(&self, index: usize, stamp: Stamp, fences: &mut Fences) {
        let mut shard = self.shards[index].lock();
        let held = |slot: &mut Slot<K>| {
            slot.fence = stamp;
            slot.holder.map(|lease| (lease, slot.hash))
        };
        fences.replace(shard.slots.iter_mut().filter_map(held), stamp);
    }

    /// Frees the lease, tells its waiters the outcome, and retires its slot if `retires` says so: in one
    /// section, so that the table drains by itself.
    ///
    /// 1. Find the slot by the number of the lease, never by the key. Whatever else has happened to the
    ///    key, a release never touches the slot of another lease.
    /// 2. Turn a value that a write has overtaken into `Discarded`.
    /// 3. Remember a failure, or forget the failures before a success.
    /// 4. Free the slot, and remove it unless it is to stay.
    /// 5. If there are waiters, keep the outcome for them and wake them all.
    /// 6. Unlock. The caller gets the user's keys, values and errors, and drops them.
    // INVARIANT(lease-always-released): called by `Lease::drop` alone.
    pub(crate) fn release(
        &self,
        hash: u64,
        lease: LeaseId,
        outcome: LeaseOutcome<V>,
        back_off: &BackOff,
        retires: impl FnOnce(SlotState) -> bool,
    ) -> Leftovers<K, V> {
        let mut shard = self.shards[self.index(hash)].lock();
        let Ok(mut entry) = shard.slots.find_entry(hash, |slot| slot.holder == Some(lease)) else {
            drop(shard);
            return Leftovers::default();
        };
        let slot = entry.get_mut();
        // INVARIANT(invalidation-wins): a waiter that came after the invalidation must not get a value
        // that is older; so the fence is read under the lock that the invalidation took.
        let (outcome, overtaken) = match outcome {
            LeaseOutcome::Value(_, began) if slot.fence > began => {
                (LeaseOutcome::Discarded, Some(outcome))
            }
            outcome => (outcome, None),
        };
        let forgotten = match &outcome {
            LeaseOutcome::Failed(failed) => {
                let failure = back_off.after(slot.failure.as_ref(), failed);
                slot.failure.replace(failure)
            }
            // The origin has answered, whether or not the answer was overtaken.
            LeaseOutcome::Value(..) | LeaseOutcome::Discarded => slot.failure.take(),
            LeaseOutcome::Unused => None,
        };
        let waiting = slot.waiting.take().filter(|waiting| waiting.waiters > 0);
        slot.holder = None;
        let state = SlotState {
            held: false,
            waited_for: waiting.is_some(),
            remembers: slot.failure.is_some(),
            age: None,
        };
        // INVARIANT(lock-table-drains): a slot goes in the section of the release.
        let retired = if retires(state) { Some(entry.remove().0) } else { None };
        let unseen = match waiting {
            Some(Waiting { waiters, released }) => {
                shard.outcomes.keep(lease, outcome, waiters);
                released.notify_all();
                None
            }
            None => Some(outcome),
        };
        drop(shard);
        Leftovers {
            _key: retired.map(|slot| slot.key),
            _failure: forgotten,
            _outcomes: [unseen, overtaken],
        }
    }
}

impl<K, V> LeaseTable<K, V> {
    /// Removes the slots for which `sweeps` returns true.
    ///
    /// `now` may have been read long ago: a slot is never older than that.
    pub(crate) fn sweep(
        &self,
        now: Moment,
        back_off: &BackOff,
        sweeps: impl Fn(SlotState) -> bool,
    ) -> Vec<SweptSlot<K>> {
        let mut swept = Vec::new();
        let may_go = |slot: &mut Slot<K>| {
            let forgotten = |failure| back_off.has_forgotten(failure, now);
            sweeps(SlotState {
                held: slot.holder.is_some(),
                waited_for: slot.waiting.is_some(),
                remembers: !slot.failure.as_ref().is_none_or(forgotten),
                age: Some(now.since(slot.since)),
            })
        };
        for shard in &self.shards {
            let mut shard = shard.lock();
            swept.extend(shard.slots.extract_if(&may_go).map(SweptSlot));
            shrink(&mut shard.slots, |slot| slot.hash);
        }
        swept
    }

    pub(crate) fn usage(&self) -> LeaseUsage {
        let mut usage = LeaseUsage::default();
        for shard in &self.shards {
            let shard = shard.lock();
            usage.slots += shard.slots.len();
            usage.bytes += shard.slots.allocation_size() + shard.outcomes.bytes();
            let held = || shard.slots.iter().filter(|slot| slot.holder.is_some());
            usage.held += held().count();
            usage.oldest = held().map(|slot| slot.since).chain(usage.oldest).min();
        }
        usage
    }
}

/// A slot that was swept. Its key is the user's, and is dropped under no lock.
pub(crate) struct SweptSlot<K>(Slot<K>);

impl<K> SweptSlot<K> {
    pub(crate) fn hash(&self) -> u64 {
        self.0.hash
    }
}

/// What is left of a lease. Keys, values and errors are the user's: the caller first emits the release,
/// then drops them, under no lock.
pub(crate) struct Leftovers<K, V> {
    _key: Option<K>,
    _failure: Option<Failure>,
    _outcomes: [Option<LeaseOutcome<V>>; 2],
}

impl<K, V> Default for Leftovers<K, V> {
    fn default() -> Self {
        Self { _key: None, _failure: None, _outcomes: [None, None] }
    }
}
