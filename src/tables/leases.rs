//! The lease table: at most one lease per key. The protocol acquires and releases leases here, and the
//! store fences them.
//!
//! The slots of a shard and the states of their leases are under one lock. So an acquisition is one
//! section, and a release that retires the slot is one section. A lease is a number, never a lock guard:
//! it can be sent to the thread that computes.

use crate::clock::Moment;
use crate::ids::LeaseId;
use crate::panics::drop_each;
use crate::policy::back_off::{BackOff, Failure, Reading};
use crate::sync::{Arc, Condvar, Mutex, MutexGuard};
use crate::tables::entry::Found;
use crate::tables::fences::{Fences, Stamp};
use crate::tables::outcome::{LeaseOutcome, Outcomes, Refusal};
use crate::tables::shards::{shard_index, shrink};
use hashbrown::HashTable;
use std::cell::RefCell;
use std::collections::BTreeMap;
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

/// A request that cannot revoke an overdue lease waits at least this long before it tries again.
const SHORTEST_POLL: Duration = Duration::from_millis(1);

/// It waits as long again as it has waited so far, up to this: two computes may hang for hours, and each attempt
/// takes two locks.
const LONGEST_POLL: Duration = Duration::from_secs(1);

/// What a request wants the lease for.
#[derive(Clone, Copy)]
pub(crate) enum Wants {
    /// To send it to a thread that has no time yet. Until that thread begins, a miss may take it over.
    Queue,
    /// To compute at once.
    Compute(Takeover),
}

/// When a request asks for a lease, and what it knows.
#[derive(Clone, Copy)]
pub(crate) struct Ask {
    pub(crate) now: Reading,
    pub(crate) wants: Wants,
    /// A compute that takes longer is overdue.
    pub(crate) compute_timeout: Duration,
    /// How long the request has waited for computes that were overdue then.
    pub(crate) waited: Duration,
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
    /// The lease that requests for the key meet.
    current: Option<Held>,
    /// A lease that a write has revoked while its compute is in flight. Requests do not meet it any more.
    revoked: Option<Held>,
    /// Requests that came after a write that could not revoke the current lease. They wait until one of the two
    /// computes in flight has ended.
    crowd: Option<Waiting>,
    /// When a lease was acquired last.
    since: Moment,
    /// What the next lease has to know of the last ones. A slot is kept for it. Its number tells it from all others.
    failure: Option<(Failure, u64)>,
}

/// The failures of a shard that are remembered, by the ends of their back-offs: the hash of each key.
///
/// They are as many as the shard may have keys. A flood of unknown keys, which all fail, is an attack that users meet.
#[derive(Default)]
struct Failures {
    by_end: BTreeMap<(Moment, u64), u64>,
    /// How many there were.
    number: u64,
}

impl Failures {
    fn remember<K>(&mut self, slot: &mut Slot<K>, failure: Failure) {
        self.number += 1;
        self.by_end.insert((failure.until, self.number), slot.hash);
        slot.failure = Some((failure, self.number));
    }

    fn forget<K>(&mut self, slot: &mut Slot<K>) -> Option<Failure> {
        let (failure, number) = slot.failure.take()?;
        self.by_end.remove(&(failure.until, number));
        Some(failure)
    }

    /// About as much as they take: the tree's nodes are at least half full.
    fn bytes(&self) -> usize {
        self.by_end.len() * size_of::<(Moment, u64, u64)>()
    }

    /// The one whose back-off ends first, if there are more than so many: the hash of its key, and its number. Never the
    /// newest: a key that is asked for now must back off, however long the others do.
    fn one_too_many(&self, most: usize) -> Option<(u64, u64)> {
        let mut by_end = self.by_end.iter().filter(|_| self.by_end.len() > most);
        let first = by_end.find(|((_, number), _)| *number != self.number);
        first.map(|((_, number), hash)| (*hash, *number))
    }
}

/// A lease that is held.
pub(super) struct Held {
    lease: LeaseId,
    /// It waits for a thread: nothing was started under it.
    queued: bool,
    /// When it was acquired or, if it waited for a thread, when that began.
    pub(super) since: Moment,
    waiting: Option<Waiting>,
    /// A write has come since, and found that another revoked compute is in flight. So this lease stays current,
    /// and requests wait for a place.
    overtaken: bool,
}

/// The waiters of a lease. They have a number of their own, so that waiters that joined before a write and those
/// that joined after it are told apart.
pub(super) struct Waiting {
    pub(super) group: u64,
    pub(super) waiters: u32,
    /// They sleep on it.
    pub(super) released: Arc<Condvar>,
}

impl Waiting {
    /// Wakes the waiters with this outcome. Returns the outcome if nobody waits.
    fn wake<K, V>(
        self,
        outcomes: &mut Outcomes<K, V>,
        outcome: LeaseOutcome<K, V>,
    ) -> Option<LeaseOutcome<K, V>> {
        if self.waiters == 0 {
            return Some(outcome);
        }
        outcomes.keep(self.group, outcome, self.waiters);
        self.released.notify_all();
        None
    }
}

impl Held {
    /// How much longer the compute may take; zero if it is overdue.
    fn time_left(&self, ask: &Ask) -> Duration {
        if self.queued || ask.compute_timeout == Duration::MAX {
            return Duration::MAX;
        }
        let now = ask.now.now();
        // The clock has stepped back by more than the compute may take: nothing is known of how long it has taken.
        if self.since.since(now) > ask.compute_timeout {
            return Duration::ZERO;
        }
        ask.compute_timeout.saturating_sub(now.since(self.since))
    }

    fn new(lease: LeaseId, now: Moment, wants: Wants) -> Self {
        let queued = matches!(wants, Wants::Queue);
        Self { lease, queued, since: now, waiting: None, overtaken: false }
    }
}

impl<K> Slot<K> {
    /// A slot for a key that has none.
    fn new(hash: u64, key: K, lease: LeaseId, now: Moment, wants: Wants) -> Self {
        let current = Some(Held::new(lease, now, wants));
        Self { hash, key, current, revoked: None, crowd: None, since: now, failure: None }
    }

    fn holds(&self, lease: LeaseId) -> bool {
        self.held().any(|held| held.lease == lease)
    }

    fn held(&self) -> impl Iterator<Item = &Held> {
        self.current.iter().chain(&self.revoked)
    }

    pub(super) fn waiting(&self) -> impl Iterator<Item = &Waiting> {
        self.held().filter_map(|held| held.waiting.as_ref()).chain(&self.crowd)
    }

    /// Makes `lease` the current one, if the present one and the back-off let it.
    fn acquire(&mut self, lease: LeaseId, ask: &Ask) -> Result<(), Refusal> {
        let Ask { now, wants, .. } = *ask;
        // INVARIANT(no-waiter-left-behind): a miss waits for a compute, never for a place in a queue,
        // whose threads may be waiting for this very miss.
        let is_taken = |held: &&Held| !wants.takes_over(held.queued);
        if let Some(held) = self.current.as_ref().filter(is_taken) {
            let busy = self.time_left(held.lease, ask) > Duration::ZERO;
            return Err(if busy {
                Refusal::Busy(held.lease)
            } else {
                Refusal::Overdue(held.lease)
            });
        }
        // INVARIANT(failures-back-off): no compute starts before the back-off has ended.
        if let Some(backing_off) =
            self.failure.as_ref().and_then(|(it, number)| it.holds(*number, now))
        {
            return Err(Refusal::BackingOff(backing_off));
        }
        let before = self.current.replace(Held::new(lease, now.now(), wants));
        if let Some(current) = &mut self.current {
            current.waiting = before.and_then(|held| held.waiting);
        }
        self.since = now.now();
        Ok(())
    }

    /// How long a waiter of this lease waits before it tries to revoke it. No lease is revoked while another revoked one
    /// is in flight: then the waiter tries again later.
    pub(super) fn time_left(&self, lease: LeaseId, ask: &Ask) -> Duration {
        match &self.current {
            Some(held) if held.lease == lease && self.revoked.is_none() => held.time_left(ask),
            _ => ask.compute_timeout.max(ask.waited.clamp(SHORTEST_POLL, LONGEST_POLL)),
        }
    }

    /// The waiters that a request joins that found `lease` held.
    pub(super) fn waiting_for(&mut self, lease: LeaseId) -> Option<&mut Option<Waiting>> {
        match &mut self.current {
            // INVARIANT(invalidation-wins): a request that comes after a write joins no waiters that came before.
            Some(held) if held.lease == lease && held.overtaken => Some(&mut self.crowd),
            Some(held) if held.lease == lease => Some(&mut held.waiting),
            // A write has come since the request found it held: the request looks again.
            _ => None,
        }
    }

    /// The waiters with this number, for one that stops to wait.
    fn group(&mut self, group: u64) -> Option<&mut Waiting> {
        let held = self.current.iter_mut().chain(&mut self.revoked);
        let all = held.map(|held| &mut held.waiting).chain([&mut self.crowd]);
        all.flatten().find(|waiting| waiting.group == group)
    }

    /// Takes a lease that was held out of the slot. `true` if no write has come since it was acquired.
    fn take(&mut self, lease: LeaseId) -> Option<(Held, bool)> {
        if let Some(held) = self.current.take_if(|held| held.lease == lease) {
            let counts = !held.overtaken;
            return Some((held, counts));
        }
        let held = self.revoked.take_if(|held| held.lease == lease)?;
        // The place is free, and the lease that could not be revoked is revoked now.
        self.revoked = self.current.take_if(|current| current.overtaken);
        Some((held, false))
    }

    /// Ends what began before a write of the key: the back-off, and the current lease. What is queued is freed;
    /// what computes goes on, and requests do not meet it any more. Returns the lease if it has just been revoked,
    /// and what is left of the slot's failure.
    fn revoke<V>(
        &mut self,
        stamp: Stamp,
        fences: &mut Fences,
        outcomes: &mut Outcomes<K, V>,
        revokes: [bool; 2],
    ) -> Option<LeaseId> {
        let mut held = self.current.take()?;
        let lease = held.lease;
        if held.queued {
            let waiting = held.waiting.take();
            waiting.and_then(|waiting| waiting.wake(outcomes, LeaseOutcome::Unused));
            return Some(lease);
        }
        fences.put(lease, self.hash, stamp);
        if revokes[usize::from(self.revoked.is_some())] {
            self.revoked = Some(held);
            return Some(lease);
        }
        let is_new = !std::mem::replace(&mut held.overtaken, true);
        self.current = Some(held);
        is_new.then_some(lease)
    }

    /// Hands an inserted value to all waiters.
    fn hand<V>(&mut self, found: &Found<K, V>, outcomes: &mut Outcomes<K, V>) {
        let held = self.current.iter_mut().chain(&mut self.revoked);
        let all = held.map(|held| &mut held.waiting).chain([&mut self.crowd]);
        for waiting in all.filter_map(Option::take) {
            waiting.wake(outcomes, LeaseOutcome::Value(found.clone()));
        }
    }

    /// Nothing is left that the slot is kept for.
    fn is_idle(&self) -> bool {
        self.current.is_none() && self.revoked.is_none() && self.failure.is_none()
    }
}

pub(super) struct Shard<K, V> {
    pub(super) slots: HashTable<Slot<K>>,
    /// How many leases were acquired. Their numbers are made from it.
    leases: u64,
    /// How many groups of waiters there were. Their numbers are made from it.
    pub(super) groups: u64,
    pub(super) outcomes: Outcomes<K, V>,
    failures: Failures,
}

impl<K: Eq, V> Shard<K, V> {
    fn find(&mut self, hash: u64, key: &K) -> Option<&mut Slot<K>> {
        self.slots.find_mut(hash, |slot| slot.key == *key)
    }

    pub(super) fn find_held(&mut self, hash: u64, lease: LeaseId) -> Option<&mut Slot<K>> {
        self.slots.find_mut(hash, |slot| slot.holds(lease))
    }

    /// One waiter of the group stops to wait.
    pub(super) fn leave(&mut self, hash: u64, group: u64) {
        let has = |slot: &Slot<K>| slot.waiting().any(|waiting| waiting.group == group);
        if let Some(waiting) = self.slots.find_mut(hash, has).and_then(|slot| slot.group(group)) {
            waiting.waiters -= 1;
        }
    }
}

/// The leases of a cache.
#[doc(hidden)]
pub struct LeaseTable<K, V> {
    pub(super) shards: Box<[Mutex<Shard<K, V>>]>,
    /// The most failures that a shard remembers.
    most_failures: usize,
}

/// An acquisition, still in its section.
pub(super) struct Acquisition<'a, K, V> {
    pub(super) shard: MutexGuard<'a, Shard<K, V>>,
    pub(super) result: Result<LeaseId, Refusal>,
    /// The caller's key, unless a new slot has it. It is the user's, and is dropped under no lock.
    pub(super) spare_key: Option<K>,
}

/// What a write ends, by the protocol.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    /// Whether it revokes the current lease if no other revoked one is in flight, and if one is.
    pub(crate) revokes: [bool; 2],
    /// Whether it ends the back-off.
    pub(crate) forgets: bool,
}

/// A write of a key, as the leases see it.
pub(crate) struct Overtakes<'a, K, V> {
    pub(crate) stamp: Stamp,
    pub(crate) ends: Ends,
    /// For the waiters.
    pub(crate) inserted: Option<&'a Found<K, V>>,
}

/// What a write has revoked. Keys and errors are the user's: the caller first emits the write, then drops them,
/// under no lock.
pub(crate) struct Revoked<K> {
    /// The hash of the key and the lease, for each lease that was revoked.
    pub(crate) leases: Vec<(u64, LeaseId)>,
    keys: Vec<K>,
    failures: Vec<Failure>,
}

impl<K> Revoked<K> {
    /// Drops what is the user's.
    pub(crate) fn discard(self) {
        drop_each(self.keys);
        drop_each(self.failures);
    }
}

impl<K> Default for Revoked<K> {
    fn default() -> Self {
        Self { leases: Vec::new(), keys: Vec::new(), failures: Vec::new() }
    }
}

impl<K: Eq, V> LeaseTable<K, V> {
    /// A table without leases; `shards` is a power of two.
    pub fn new(shards: usize) -> Self {
        Self::remembering(shards, usize::MAX)
    }

    /// The same, with a limit to the failures that a shard remembers.
    pub(crate) fn remembering(shards: usize, most_failures: usize) -> Self {
        let shard = || Shard {
            slots: HashTable::new(),
            leases: 0,
            groups: 0,
            outcomes: Outcomes::new(),
            failures: Failures::default(),
        };
        Self { shards: (0..shards).map(|_| Mutex::new(shard())).collect(), most_failures }
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
        ask: &Ask,
    ) -> (Result<LeaseId, Refusal>, Option<K>) {
        let Acquisition { shard, result, spare_key } = self.acquire(hash, key, ask);
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
    pub(super) fn acquire(&self, hash: u64, key: K, ask: &Ask) -> Acquisition<'_, K, V> {
        // The guard is a local and the key a parameter. So if an `Eq` panics below, the lock is free
        // before the key is dropped.
        let mut shard = self.shards[self.index(hash)].lock();
        let lease =
            LeaseId((shard.leases + 1) * self.shards.len() as u64 + self.index(hash) as u64);
        let (acquired, spare_key) = match shard.find(hash, &key) {
            Some(slot) => (slot.acquire(lease, ask), Some(key)),
            None => {
                let slot = Slot::new(hash, key, lease, ask.now.now(), ask.wants);
                shard.slots.insert_unique(hash, slot, |slot| slot.hash);
                (Ok(()), None)
            }
        };
        if acquired.is_ok() {
            shard.leases += 1;
        }
        Acquisition { shard, result: acquired.map(|()| lease), spare_key }
    }

    /// A thread has come to a refresh that was sent to it. `false` if a miss has taken its lease over, or a write
    /// has revoked it: then the refresh has nothing to do.
    ///
    /// Its compute time-out counts from `now`, if there is one.
    pub(crate) fn begin(&self, hash: u64, lease: LeaseId, now: Option<Moment>) -> bool {
        let mut shard = self.shards[self.index(hash)].lock();
        let slot = shard.find_held(hash, lease);
        let current = slot.and_then(|slot| slot.current.as_mut());
        let Some(own) = current.filter(|held| held.lease == lease) else { return false };
        own.queued = false;
        own.since = now.unwrap_or(own.since);
        true
    }

    /// Revokes the key's lease and calls `write`, which writes the key, in one section. The waiters get the inserted value,
    /// if there is one; otherwise they get what the compute that they wait for makes.
    ///
    /// `is` is the user's `Eq` and may panic: it comes before everything else, so that there is no write without its
    /// revocation. `write` comes last, and the waiters go on only after the section. So a waiter that has the
    /// inserted value never finds an older one.
    ///
    /// It also forgets the fences of leases that are over. So a shard never has more fences than leases
    /// were held at some time.
    pub(crate) fn revoke<R>(
        &self,
        hash: u64,
        is: impl Fn(&K) -> bool,
        fences: &mut Fences,
        overtakes: &Overtakes<K, V>,
        write: impl FnOnce() -> R,
    ) -> (R, Revoked<K>) {
        let Overtakes { stamp, ends, inserted } = *overtakes;
        let mut revoked = Revoked::default();
        let mut shard = self.shards[self.index(hash)].lock();
        fences.retain(|hash, lease| shard.find_held(hash, lease).is_some());
        let Shard { slots, outcomes, failures, .. } = &mut *shard;
        if let Ok(mut entry) = slots.find_entry(hash, |slot| is(&slot.key)) {
            let slot = entry.get_mut();
            if let Some(found) = inserted {
                slot.hand(found, outcomes);
            }
            let lease = slot.revoke(stamp, fences, outcomes, ends.revokes);
            revoked.leases.extend(lease.map(|lease| (hash, lease)));
            if ends.forgets {
                revoked.failures.extend(failures.forget(slot));
            }
            if slot.is_idle() {
                revoked.keys.push(entry.remove().0.key);
            }
        }
        let written = write();
        drop(shard);
        (written, revoked)
    }

    /// Revokes this lease, whose compute is overdue. `false` if it is not current any more, or another revoked one is
    /// in flight.
    pub(crate) fn revoke_overdue(
        &self,
        hash: u64,
        lease: LeaseId,
        stamp: Stamp,
        fences: &mut Fences,
    ) -> bool {
        let mut shard = self.shards[self.index(hash)].lock();
        fences.retain(|hash, lease| shard.find_held(hash, lease).is_some());
        let Shard { slots, outcomes, .. } = &mut *shard;
        let is_current = |slot: &Slot<K>| slot.current.as_ref().is_some_and(|it| it.lease == lease);
        let slot = slots.find_mut(hash, is_current).filter(|slot| slot.revoked.is_none());
        slot.and_then(|slot| slot.revoke(stamp, fences, outcomes, [true, false])).is_some()
    }

    /// Revokes every lease of a shard, and writes the shard by `write`, as [`revoke`](Self::revoke) does.
    pub(crate) fn revoke_all<R>(
        &self,
        index: usize,
        stamp: Stamp,
        fences: &mut Fences,
        ends: Ends,
        write: impl FnOnce() -> R,
    ) -> (R, Revoked<K>) {
        let mut revoked = Revoked::default();
        let mut shard = self.shards[index].lock();
        fences.retain(|hash, lease| shard.find_held(hash, lease).is_some());
        let Shard { slots, outcomes, failures, .. } = &mut *shard;
        for slot in slots.iter_mut() {
            let lease = slot.revoke(stamp, fences, outcomes, ends.revokes);
            revoked.leases.extend(lease.map(|lease| (slot.hash, lease)));
            if ends.forgets {
                revoked.failures.extend(failures.forget(slot));
            }
        }
        revoked.keys.extend(slots.extract_if(|slot| slot.is_idle()).map(|slot| slot.key));
        shrink(slots, |slot| slot.hash);
        let written = write();
        drop(shard);
        (written, revoked)
    }

    /// Frees the lease, tells its waiters the outcome, and retires its slot if `retires` says so: in one
    /// section, so that the table drains by itself.
    ///
    /// 1. Find the slot by the number of the lease, never by the key. Whatever else has happened to the
    ///    key, a release never touches the slot of another lease.
    /// 2. Take the lease out of the slot.
    /// 3. Remember a failure, or forget the failures before a success. A lease that a write has overtaken says
    ///    nothing about the key as it is now.
    /// 4. Wake the waiters of the lease with the outcome, which is kept for them; and those that wait for a place.
    /// 5. Remove the slot unless it is to stay.
    /// 6. Unlock. The caller gets the user's keys, values and errors, and drops them.
    // INVARIANT(lease-always-released): called by `Lease::drop` alone.
    pub(crate) fn release(
        &self,
        hash: u64,
        lease: LeaseId,
        outcome: LeaseOutcome<K, V>,
        back_off: &BackOff,
        retires: impl FnOnce(SlotState) -> bool,
    ) -> Leftovers<K, V> {
        let mut shard = self.shards[self.index(hash)].lock();
        let Shard { slots, outcomes, failures, .. } = &mut *shard;
        let Ok(mut entry) = slots.find_entry(hash, |slot| slot.holds(lease)) else {
            drop(shard);
            return Leftovers { outcome: Some(outcome), ..Leftovers::default() };
        };
        let slot = entry.get_mut();
        let taken = slot.take(lease);
        let counts = taken.as_ref().is_some_and(|(_, counts)| *counts);
        let mut leftovers = Leftovers::default();
        match &outcome {
            LeaseOutcome::Failed(failed) if counts => {
                let before = failures.forget(slot);
                if let Some(failure) = back_off.after(before.as_ref(), failed) {
                    failures.remember(slot, failure);
                }
                leftovers.failure = before;
            }
            LeaseOutcome::Value(_) if counts => leftovers.failure = failures.forget(slot),
            _ => {}
        }
        let waiting = taken.and_then(|(held, _)| held.waiting);
        let state = SlotState {
            held: slot.held().next().is_some(),
            waited_for: waiting.as_ref().is_some_and(|waiting| waiting.waiters > 0),
            remembers: slot.failure.is_some(),
            age: None,
        };
        if let Some(crowd) = slot.crowd.take() {
            crowd.wake(outcomes, LeaseOutcome::Unused);
        }
        leftovers.outcome = match waiting {
            Some(waiting) => waiting.wake(outcomes, outcome),
            None => Some(outcome),
        };
        // INVARIANT(lock-table-drains): a slot goes in the section of the release.
        if !state.held && retires(state) {
            leftovers.key = Some(entry.remove().0.key);
        }
        // INVARIANT(bounded-memory): a failure that is remembered is the last one's successor, or takes the place of
        // another one.
        if let Some((hash, number)) = failures.one_too_many(self.most_failures) {
            let is_it = |slot: &Slot<K>| slot.failure.as_ref().is_some_and(|it| it.1 == number);
            if let Ok(mut entry) = slots.find_entry(hash, is_it) {
                leftovers.forgotten = failures.forget(entry.get_mut());
                if entry.get().is_idle() {
                    leftovers.forgotten_key = Some(entry.remove().0.key);
                }
            }
        }
        drop(shard);
        leftovers
    }
}

impl<K, V> LeaseTable<K, V> {
    /// Removes the slots for which `sweeps` returns true.
    ///
    /// `now` may have been read long ago: a slot is never older than that. A failure that seems to come from the future is
    /// judged once more by `again`, a time that is read after the failure was: then the clock has stepped back. A failure
    /// that has come since then is not judged: it may be younger than that time too.
    pub(crate) fn sweep(
        &self,
        now: Moment,
        again: impl Fn() -> Moment,
        back_off: &BackOff,
        sweeps: impl Fn(SlotState) -> bool,
    ) -> Vec<SweptSlot<K>> {
        let (mut swept, mut from_the_future) = self.sweep_at(now, None, back_off, &sweeps);
        from_the_future.sort_unstable();
        if !from_the_future.is_empty() {
            let again = Some((again(), from_the_future.as_slice()));
            let (more, _) = self.sweep_at(now, again, back_off, &sweeps);
            swept.extend(more);
        }
        swept
    }

    /// One round of a sweep. Also returns the failures that stay and seem to come from the future, each by its shard and
    /// its number; the second round has them in `again`.
    fn sweep_at(
        &self,
        now: Moment,
        again: Option<(Moment, &[(usize, u64)])>,
        back_off: &BackOff,
        sweeps: impl Fn(SlotState) -> bool,
    ) -> (Vec<SweptSlot<K>>, Vec<(usize, u64)>) {
        let mut swept = Vec::new();
        let from_the_future = RefCell::new(Vec::new());
        let may_go = |shard: usize, slot: &mut Slot<K>| {
            let forgotten = |failure: &(Failure, u64)| {
                let (failure, number) = failure;
                if back_off.has_forgotten(failure, now) {
                    return true;
                }
                match again {
                    Some((again, known)) => {
                        known.binary_search(&(shard, *number)).is_ok()
                            && failure.is_from_the_future(again)
                    }
                    None => {
                        if failure.is_from_the_future(now) {
                            from_the_future.borrow_mut().push((shard, *number));
                        }
                        false
                    }
                }
            };
            sweeps(SlotState {
                held: slot.held().next().is_some(),
                waited_for: slot.held().any(|held| held.waiting.is_some()),
                remembers: !slot.failure.as_ref().is_none_or(forgotten),
                age: Some(now.since(slot.since)),
            })
        };
        for (index, shard) in self.shards.iter().enumerate() {
            let mut shard = shard.lock();
            let Shard { slots, failures, .. } = &mut *shard;
            for mut slot in slots.extract_if(|slot| may_go(index, slot)) {
                let failure = failures.forget(&mut slot);
                swept.push(SweptSlot { slot, failure });
            }
            shrink(slots, |slot| slot.hash);
        }
        (swept, from_the_future.into_inner())
    }

    pub(crate) fn usage(&self) -> LeaseUsage {
        let mut usage = LeaseUsage::default();
        for shard in &self.shards {
            let shard = shard.lock();
            usage.slots += shard.slots.len();
            usage.bytes += shard.slots.allocation_size();
            usage.bytes += shard.outcomes.bytes() + shard.failures.bytes();
            let held = || shard.slots.iter().flat_map(Slot::held);
            usage.held += held().count();
            usage.oldest = held().map(|held| held.since).chain(usage.oldest).min();
        }
        usage
    }
}

/// A slot that was swept. Its key and its error are the user's, and are dropped under no lock.
pub(crate) struct SweptSlot<K> {
    slot: Slot<K>,
    failure: Option<Failure>,
}

impl<K> SweptSlot<K> {
    pub(crate) fn hash(&self) -> u64 {
        self.slot.hash
    }

    /// Drops what is the user's.
    pub(crate) fn discard(self) {
        drop_each(Some(self.slot.key));
        drop_each(self.failure);
    }
}

/// What is left of a lease. Keys, values and errors are the user's: the caller first emits the release,
/// then drops them, under no lock.
pub(crate) struct Leftovers<K, V> {
    key: Option<K>,
    failure: Option<Failure>,
    outcome: Option<LeaseOutcome<K, V>>,
    /// Of another key, whose failure had to go.
    forgotten_key: Option<K>,
    forgotten: Option<Failure>,
}

impl<K, V> Leftovers<K, V> {
    /// Drops what is the user's, one after the other.
    pub(crate) fn discard(self) {
        drop_each(self.key.into_iter().chain(self.forgotten_key));
        drop_each(self.failure.into_iter().chain(self.forgotten));
        drop_each(self.outcome);
    }
}

impl<K, V> Default for Leftovers<K, V> {
    fn default() -> Self {
        Self { key: None, failure: None, outcome: None, forgotten_key: None, forgotten: None }
    }
}
