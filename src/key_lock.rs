//! One lease per key: who may compute it.
//!
//! Table and lease states are under one lock, so that an acquisition is one section and a release
//! with the slot's retirement is one. A lease is never a lock guard: it is a token that can be sent
//! to the thread that computes, and its `Drop` is the release.

use crate::back_off::{BackOff, BackingOff, Failed, Failure, Reading};
use crate::clock::Moment;
use crate::entry::Found;
use crate::store::{Fences, Stamp, shard_index, shrink};
use crate::sync::{Arc, Condvar, Mutex, MutexGuard};
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

/// How a lease ended, for those who waited for it.
#[doc(hidden)]
pub enum Ended<V> {
    /// No compute was started: somebody else may start one.
    Unused,
    /// This value was published. Its compute began at this place in the order of writes.
    Value(Found<V>, Stamp),
    /// The compute failed.
    Failed(Failed),
    /// The value was overtaken: look again.
    Discarded,
}

impl<V> Clone for Ended<V> {
    fn clone(&self) -> Self {
        match self {
            Self::Unused => Self::Unused,
            Self::Value(found, began) => Self::Value(found.clone(), *began),
            Self::Failed(failed) => Self::Failed(failed.clone()),
            Self::Discarded => Self::Discarded,
        }
    }
}

/// Why a lease is not to be had.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub enum Refusal {
    /// This lease is held.
    Busy(LeaseId),
    /// The key's last compute failed with this error, and its back-off has not ended.
    BackingOff(BackingOff),
}

/// What became of a request for a lease that was ready to wait.
pub(crate) enum Waited<V> {
    Ours(LeaseId),
    Ended(LeaseId, Ended<V>),
    TimedOut(LeaseId),
    BackingOff(BackingOff),
}

/// What decides whether a slot goes: at a release, or when the sweeper comes by.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct SlotState {
    /// Somebody holds the lease.
    pub held: bool,
    /// Others wait, or have waited until this release.
    pub waited_for: bool,
    /// There is a failure to remember.
    pub remembers: bool,
    /// How long ago the lease was taken last; at a release nobody looks at the clock.
    pub age: Option<Duration>,
}

/// What the lease table has.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LeaseUsage {
    pub(crate) slots: usize,
    pub(crate) held: usize,
    pub(crate) bytes: usize,
    /// When the oldest lease that is held was taken.
    pub(crate) oldest: Option<Moment>,
}

/// What a request wants the lease for.
#[derive(Clone, Copy)]
pub(crate) enum Wants {
    /// To send it to a thread that has no time yet. Until that begins, a miss may take it over.
    Queue,
    /// To compute at once.
    Compute(Takeover),
}

/// Which leases of others are taken over by a request that can compute at once.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takeover {
    /// None.
    Never,
    /// Those whose refresh waits for a thread.
    Queued,
    /// All.
    Always,
}

impl Takeover {
    fn takes(self, queued: bool) -> bool {
        match self {
            Self::Never => false,
            Self::Queued => queued,
            Self::Always => true,
        }
    }
}

struct Slot<K> {
    hash: u64,
    key: K,
    holder: Option<LeaseId>,
    /// The holder waits for a thread: nothing was started under it.
    queued: bool,
    /// When the lease was taken last.
    since: Moment,
    /// How many requests wait for the holder, and on what.
    waiting: Option<(u32, Arc<Condvar>)>,
    /// The last insert or invalidation while the lease was held.
    fence: Stamp,
    /// What the next lease has to know of the last ones. A slot is kept for it.
    failure: Option<Failure>,
}

struct Shard<K, V> {
    slots: HashTable<Slot<K>>,
    leases: u64,
    /// How leases ended that were waited for, until the last one who waited has seen it.
    ended: Vec<(LeaseId, Ended<V>, u32)>,
}

impl<K: Eq, V> Shard<K, V> {
    fn find(&mut self, hash: u64, key: &K) -> Option<&mut Slot<K>> {
        self.slots.find_mut(hash, |slot| slot.key == *key)
    }

    fn find_held(&mut self, hash: u64, lease: LeaseId) -> Option<&mut Slot<K>> {
        self.slots.find_mut(hash, |slot| slot.holder == Some(lease))
    }

    /// One who has waited sees how the lease ended.
    fn take_ended(&mut self, lease: LeaseId) -> Option<Ended<V>> {
        let place = self.ended.iter().position(|(other, ..)| *other == lease)?;
        let (_, ended, waiters) = &mut self.ended[place];
        if *waiters > 1 {
            *waiters -= 1;
            return Some(ended.clone());
        }
        Some(self.ended.swap_remove(place).1)
    }
}

/// The leases of a cache.
#[doc(hidden)]
pub struct LeaseTable<K, V> {
    shards: Box<[Mutex<Shard<K, V>>]>,
}

impl<K: Eq, V> LeaseTable<K, V> {
    /// A table without leases; `shards` is a power of two.
    pub fn new(shards: usize) -> Self {
        let shard = || Shard { slots: HashTable::new(), leases: 0, ended: Vec::new() };
        Self { shards: (0..shards).map(|_| Mutex::new(shard())).collect() }
    }

    fn index(&self, hash: u64) -> usize {
        shard_index(hash, self.shards.len())
    }

    /// Takes the key's lease if it is to be had.
    ///
    /// # Errors
    ///
    /// Who holds it, or why nobody may.
    pub(crate) fn try_acquire(
        &self,
        hash: u64,
        key: &mut Option<K>,
        now: Reading,
        wants: Wants,
    ) -> Result<LeaseId, Refusal> {
        let mut shard = self.shards[self.index(hash)].lock();
        self.acquire(&mut shard, hash, key, (now, wants))
    }

    /// The thread that was waited for has come to it. `false` if a miss could not wait that long: then
    /// there is nothing to do.
    pub(crate) fn begin(&self, hash: u64, lease: LeaseId) -> bool {
        let mut shard = self.shards[self.index(hash)].lock();
        shard.find_held(hash, lease).map(|slot| slot.queued = false).is_some()
    }

    /// The section of an acquisition. The key is the caller's until it is needed.
    // INVARIANT(one-lease-per-key): look-up and entry of the slot are one section.
    fn acquire(
        &self,
        shard: &mut Shard<K, V>,
        hash: u64,
        new_key: &mut Option<K>,
        (now, wants): (Reading, Wants),
    ) -> Result<LeaseId, Refusal> {
        let queued = matches!(wants, Wants::Queue);
        let Some(key) = new_key else { unreachable!("whoever acquires brings a key") };
        let holder =
            LeaseId((shard.leases + 1) * self.shards.len() as u64 + self.index(hash) as u64);
        if let Some(slot) = shard.find(hash, key) {
            // INVARIANT(no-waiter-left-behind): a miss waits for a compute, never for a place in a queue, whose
            // threads may be waiting for this very miss.
            let takes_over = match wants {
                Wants::Queue => false,
                Wants::Compute(takeover) => takeover.takes(slot.queued),
            };
            if let Some(other) = slot.holder.filter(|_| !takes_over) {
                return Err(Refusal::Busy(other));
            }
            // INVARIANT(failures-back-off): nobody computes before the back-off has ended.
            if let Some(backing_off) = slot.failure.as_ref().and_then(|failure| failure.holds(now))
            {
                return Err(Refusal::BackingOff(backing_off));
            }
            (slot.holder, slot.queued) = (Some(holder), queued);
            slot.since = now.now();
        } else if let Some(key) = new_key.take() {
            let (waiting, fence, failure) = (None, Stamp::default(), None);
            let since = now.now();
            let holder = Some(holder);
            let slot = Slot { hash, key, holder, queued, since, waiting, fence, failure };
            shard.slots.insert_unique(hash, slot, |slot| slot.hash);
        }
        shard.leases += 1;
        Ok(holder)
    }

    /// Takes the key's lease, or waits until whoever holds it has released it.
    pub(crate) fn acquire_or_wait(
        &self,
        hash: u64,
        key: &mut Option<K>,
        (now, takeover): (Reading, Takeover),
        timeout: Duration,
    ) -> Waited<V> {
        let mut shard = self.shards[self.index(hash)].lock();
        match self.acquire(&mut shard, hash, key, (now, Wants::Compute(takeover))) {
            Ok(lease) => Waited::Ours(lease),
            Err(Refusal::BackingOff(backing_off)) => Waited::BackingOff(backing_off),
            Err(Refusal::Busy(holder)) => self.wait_in(shard, hash, holder, timeout),
        }
    }

    /// Waits until `holder` has released the key's lease.
    pub(crate) fn wait(&self, hash: u64, holder: LeaseId, timeout: Duration) -> Waited<V> {
        let shard = self.shards[self.index(hash)].lock();
        self.wait_in(shard, hash, holder, timeout)
    }

    // INVARIANT(no-waiter-left-behind): who waits is counted under the lock under which the lease is
    // released, and a release with waiters keeps its end until the last of them has seen it.
    fn wait_in<'a>(
        &'a self,
        mut shard: MutexGuard<'a, Shard<K, V>>,
        hash: u64,
        holder: LeaseId,
        timeout: Duration,
    ) -> Waited<V> {
        let Some(slot) = shard.find_held(hash, holder) else {
            return Waited::Ended(holder, Ended::Unused);
        };
        let new = || (0, Arc::new(Condvar::new()));
        let (waiters, condvar) = slot.waiting.get_or_insert_with(new);
        *waiters += 1;
        let condvar = Arc::clone(condvar);
        loop {
            let timed_out;
            (shard, timed_out) = condvar.wait_for(shard, timeout);
            if let Some(ended) = shard.take_ended(holder) {
                return Waited::Ended(holder, ended);
            }
            if timed_out {
                let slot = shard.find_held(hash, holder);
                if let Some((waiters, _)) = slot.and_then(|slot| slot.waiting.as_mut()) {
                    *waiters -= 1;
                }
                return Waited::TimedOut(holder);
            }
        }
    }

    /// Marks the key's lease, if it is held, as overtaken by the write with this stamp.
    ///
    /// Fences of leases that are over are forgotten on the way, so that there are never more than
    /// leases were held at some time.
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

    /// Frees the lease, tells everyone who waits for it how it ended, and retires its slot if `retires`
    /// says so: in one section, so that the table drains by itself.
    ///
    /// The slot is found by the lease's identity: whatever else has happened to the key, a release
    /// never touches a slot that is not its own.
    // INVARIANT(lease-always-released): called by `Lease::drop` alone.
    pub(crate) fn release(
        &self,
        hash: u64,
        lease: LeaseId,
        ended: Ended<V>,
        back_off: &BackOff,
        retires: impl FnOnce(SlotState) -> bool,
    ) -> Remains<K, V> {
        let mut shard = self.shards[self.index(hash)].lock();
        let Ok(mut entry) = shard.slots.find_entry(hash, |slot| slot.holder == Some(lease)) else {
            drop(shard);
            return Remains::default();
        };
        let slot = entry.get_mut();
        // INVARIANT(invalidation-wins): who came after the invalidation and waited must not get a
        // value that is older; under the lock that the invalidation took.
        let (ended, overtaken) = match ended {
            Ended::Value(_, began) if slot.fence > began => (Ended::Discarded, Some(ended)),
            ended => (ended, None),
        };
        let forgotten = match &ended {
            Ended::Failed(failed) => {
                let failure = back_off.after(slot.failure.as_ref(), failed);
                slot.failure.replace(failure)
            }
            // The origin has answered, whether or not the answer was overtaken.
            Ended::Value(..) | Ended::Discarded => slot.failure.take(),
            Ended::Unused => None,
        };
        let waiting = slot.waiting.take().filter(|(waiters, _)| *waiters > 0);
        slot.holder = None;
        let (waited_for, remembers) = (waiting.is_some(), slot.failure.is_some());
        let state = SlotState { held: false, waited_for, remembers, age: None };
        // INVARIANT(lock-table-drains): a slot goes in the section of the release.
        let retired = if retires(state) { Some(entry.remove().0) } else { None };
        let mut ended = Some(ended);
        if let Some((waiters, condvar)) = waiting {
            shard.ended.extend(ended.take().map(|ended| (lease, ended, waiters)));
            condvar.notify_all();
        }
        drop(shard);
        Remains {
            _key: retired.map(|slot| slot.key),
            _failure: forgotten,
            _ended: [ended, overtaken],
        }
    }
}

impl<K, V> LeaseTable<K, V> {
    /// Takes the slots away that `sweeps` says yes to; each with the hash of its key.
    ///
    /// `now` may have been read long ago: a slot is never older than that.
    pub(crate) fn sweep(
        &self,
        now: Moment,
        back_off: &BackOff,
        sweeps: impl Fn(SlotState) -> bool,
    ) -> Vec<Idle<K>> {
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
            swept.extend(shard.slots.extract_if(&may_go).map(Idle));
            shrink(&mut shard.slots, |slot| slot.hash);
        }
        swept
    }

    pub(crate) fn usage(&self) -> LeaseUsage {
        let mut usage = LeaseUsage::default();
        for shard in &self.shards {
            let shard = shard.lock();
            usage.slots += shard.slots.len();
            let ended = shard.ended.capacity() * size_of::<(LeaseId, Ended<V>, u32)>();
            usage.bytes += shard.slots.allocation_size() + ended;
            let held = || shard.slots.iter().filter(|slot| slot.holder.is_some());
            usage.held += held().count();
            usage.oldest = held().map(|slot| slot.since).chain(usage.oldest).min();
        }
        usage
    }
}

/// A slot that was swept. Its key is the user's, and is dropped under no lock.
pub(crate) struct Idle<K>(Slot<K>);

impl<K> Idle<K> {
    pub(crate) fn hash(&self) -> u64 {
        self.0.hash
    }
}

/// What is left of a lease. Keys, values and errors are the user's: whoever gets this tells of the
/// release first and drops it then, under no lock.
pub(crate) struct Remains<K, V> {
    _key: Option<K>,
    _failure: Option<Failure>,
    _ended: [Option<Ended<V>>; 2],
}

impl<K, V> Default for Remains<K, V> {
    fn default() -> Self {
        Self { _key: None, _failure: None, _ended: [None, None] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;
    use crate::entry::{Entry, Freshness, Lifetimes};
    use crate::error::Error;
    use crate::store::Store;

    type Table = LeaseTable<&'static str, ()>;

    const HASH: u64 = 7;

    fn back_off() -> BackOff {
        let second = Duration::from_secs(1);
        BackOff::new(second, second, second).expect("equal is allowed")
    }

    fn release(table: &Table, lease: LeaseId, ended: Ended<()>) {
        drop(table.release(HASH, lease, ended, &back_off(), |slot| !slot.remembers));
    }

    fn acquire(table: &Table, now: Moment) -> Result<LeaseId, Refusal> {
        table.try_acquire(HASH, &mut Some("k"), Reading::first(now), Wants::Queue)
    }

    fn slots(table: &Table) -> usize {
        table.shards.iter().map(|shard| shard.lock().slots.len()).sum()
    }

    /// The release of a lease that is over, as after a slot was removed and made anew for its key.
    #[test]
    fn a_lease_is_never_released_by_another_one_of_its_key() {
        let table = Table::new(1);
        let first = acquire(&table, Moment::ORIGIN).expect("free");
        release(&table, first, Ended::Unused);
        let second = acquire(&table, Moment::ORIGIN).expect("free again");
        release(&table, first, Ended::Unused);
        let busy = acquire(&table, Moment::ORIGIN).expect_err("the second one holds it");
        assert!(matches!(busy, Refusal::Busy(holder) if holder == second));
    }

    #[test]
    fn a_slot_is_never_left_behind_by_a_release() {
        let table = Table::new(1);
        for _ in 0..3 {
            let lease = acquire(&table, Moment::ORIGIN).expect("free");
            assert_eq!(slots(&table), 1);
            release(&table, lease, Ended::Unused);
            assert_eq!(slots(&table), 0);
        }
    }

    #[test]
    fn a_slot_that_remembers_a_failure_outlives_its_lease_until_the_next_success() {
        let table = Table::new(1);
        let lease = acquire(&table, Moment::ORIGIN).expect("free");
        let failed = Failed { error: Error::NoRefresh, at: Moment::ORIGIN, jitter: 1.0 };
        release(&table, lease, Ended::Failed(failed));
        assert!(matches!(acquire(&table, Moment::ORIGIN), Err(Refusal::BackingOff(_))));
        let later = Moment::ORIGIN.after(Duration::from_secs(1));
        let lease = acquire(&table, later).expect("the back-off has ended");
        release(&table, lease, Ended::Discarded);
        assert_eq!(slots(&table), 0);
    }

    /// The report's soft cleanup goes by age: a compute that takes longer than that loses its lock.
    #[test]
    fn a_slot_is_never_swept_while_it_is_held_or_remembers() {
        let table = Table::new(1);
        let later = |seconds| Moment::ORIGIN.after(Duration::from_secs(seconds));
        let sweep = |now| table.sweep(now, &back_off(), |slot| !slot.held && !slot.remembers).len();
        let lease = acquire(&table, Moment::ORIGIN).expect("free");
        assert_eq!(sweep(later(1_000_000)), 0, "it is held");
        let failed = Failed { error: Error::NoRefresh, at: Moment::ORIGIN, jitter: 1.0 };
        release(&table, lease, Ended::Failed(failed));
        // One second of back-off, and one in which a further failure would be the second in a row.
        assert_eq!((sweep(Moment::ORIGIN), sweep(later(1))), (0, 0));
        assert_eq!((sweep(later(2)), slots(&table)), (1, 0));
    }

    #[test]
    fn a_table_that_was_large_gives_its_memory_back() {
        let table = LeaseTable::<u64, ()>::new(1);
        let now = Reading::first(Moment::ORIGIN);
        let leases: Vec<_> = (0..1_000)
            .map(|key| {
                (key, table.try_acquire(key, &mut Some(key), now, Wants::Queue).expect("free"))
            })
            .collect();
        let most = table.usage();
        assert_eq!((most.slots, most.held, most.oldest), (1_000, 1_000, Some(Moment::ORIGIN)));
        for (key, lease) in leases {
            drop(table.release(key, lease, Ended::Unused, &back_off(), |slot| !slot.remembers));
        }
        drop(table.sweep(Moment::ORIGIN, &back_off(), |slot| !slot.held));
        let least = table.usage();
        assert_eq!((least.slots, least.held, least.oldest), (0, 0, None));
        assert!(least.bytes < most.bytes / 100, "{} of {} bytes", least.bytes, most.bytes);
    }

    #[test]
    fn a_lease_is_never_taken_over_once_its_thread_has_begun() {
        let table = Table::new(1);
        let miss = || {
            let now = Reading::first(Moment::ORIGIN);
            table.try_acquire(HASH, &mut Some("k"), now, Wants::Compute(Takeover::Queued))
        };
        let queued = acquire(&table, Moment::ORIGIN).expect("free");
        let other = acquire(&table, Moment::ORIGIN);
        assert!(matches!(other, Err(Refusal::Busy(_))), "a stale request never does");
        let taken = miss().expect("it waits in a queue");
        assert!(!table.begin(HASH, queued), "it comes too late");
        release(&table, queued, Ended::Unused);
        assert!(matches!(miss(), Err(Refusal::Busy(holder)) if holder == taken));
        release(&table, taken, Ended::Unused);
        let begun = acquire(&table, Moment::ORIGIN).expect("free");
        assert!(table.begin(HASH, begun));
        assert!(matches!(miss(), Err(Refusal::Busy(holder)) if holder == begun));
    }

    /// Who began to wait after a release is not told of it by anybody.
    #[test]
    fn nobody_waits_for_a_lease_that_is_over() {
        let table = Table::new(1);
        let lease = acquire(&table, Moment::ORIGIN).expect("free");
        release(&table, lease, Ended::Unused);
        let waited = table.wait(HASH, lease, Duration::MAX);
        assert!(matches!(waited, Waited::Ended(over, Ended::Unused) if over == lease));
    }

    fn waiters(table: &Table) -> u32 {
        let shard = table.shards[0].lock();
        shard
            .slots
            .iter()
            .filter_map(|slot| slot.waiting.as_ref())
            .map(|(waiters, _)| *waiters)
            .sum()
    }

    #[test]
    fn who_waits_is_handed_how_the_lease_ended_and_nothing_of_it_is_left() {
        let table = Table::new(1);
        let lease = acquire(&table, Moment::ORIGIN).expect("free");
        std::thread::scope(|scope| {
            let wait = || match table.wait(HASH, lease, Duration::MAX) {
                Waited::Ended(_, Ended::Failed(failed)) => failed.error.to_string(),
                _ => unreachable!("it was told something else"),
            };
            let both = [scope.spawn(wait), scope.spawn(wait)];
            while waiters(&table) < 2 {
                std::thread::yield_now();
            }
            let failed = Failed { error: Error::Expired, at: Moment::ORIGIN, jitter: 1.0 };
            release(&table, lease, Ended::Failed(failed));
            for waiter in both {
                assert_eq!(waiter.join().expect("no panic"), Error::Expired.to_string());
            }
        });
        assert!(table.shards[0].lock().ended.is_empty());
    }

    type Write = fn(&Store<&'static str, ()>, &Table);

    fn entry() -> Arc<Entry<()>> {
        let lifetimes = Lifetimes::new(Duration::MAX, Duration::MAX).expect("equal is allowed");
        lifetimes.entry((), Moment::ORIGIN, Duration::ZERO)
    }

    const NOTHING: Write = |_, _| {};
    const INSERT: Write =
        |store, leases| drop(store.insert(HASH, ("k", entry()), leases, usize::MAX));
    const INVALIDATE: Write = |store, leases| drop(store.invalidate(HASH, &"k", leases));
    const CLEAR: Write = |store, leases| drop(store.clear(leases));

    /// Of a key that was written once: what comes between the lease and the reading that its compute starts
    /// from, and what comes during the compute. Whether one who waits is handed the value.
    fn is_handed_the_value(before: Write, during: Write) -> bool {
        let (table, store) = (Table::new(1), Store::new(1, usize::MAX));
        let version = store.insert(HASH, ("k", entry()), &table, usize::MAX).version;
        let lease = acquire(&table, Moment::ORIGIN).expect("free");
        before(&store, &table);
        let began = store.read(HASH, &"k").stamp();
        during(&store, &table);
        let found = Found::new(version, &entry(), Freshness::Fresh);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| match table.wait(HASH, lease, Duration::MAX) {
                Waited::Ended(_, Ended::Value(..)) => true,
                Waited::Ended(_, Ended::Discarded) => false,
                _ => unreachable!("it was told something else"),
            });
            while waiters(&table) < 1 {
                std::thread::yield_now();
            }
            release(&table, lease, Ended::Value(found, began));
            waiter.join().expect("no panic")
        })
    }

    #[test]
    fn who_waits_is_handed_the_value_unless_its_key_was_written_during_the_compute() {
        assert!(is_handed_the_value(NOTHING, NOTHING), "written before the lease was taken");
        for write in [INSERT, INVALIDATE, CLEAR] {
            assert!(is_handed_the_value(write, NOTHING), "the compute has seen it");
            assert!(!is_handed_the_value(NOTHING, write));
            assert!(!is_handed_the_value(write, write));
        }
    }

    #[test]
    fn the_bytes_of_a_table_are_those_of_all_its_parts() {
        let table = Table::new(2);
        assert_eq!(table.usage().bytes, 0);
        let one = size_of::<(LeaseId, Ended<()>, u32)>();
        let mut bytes = 0;
        for (shard, kept) in [(0, 3), (1, 5)] {
            let hash = HASH | shard << 32;
            let now = Reading::first(Moment::ORIGIN);
            assert!(table.try_acquire(hash, &mut Some("k"), now, Wants::Queue).is_ok());
            let mut shard = table.shards[shard as usize].lock();
            shard.ended.reserve_exact(kept);
            assert!(shard.slots.allocation_size() > 0 && shard.ended.capacity() >= kept);
            bytes += shard.slots.allocation_size() + shard.ended.capacity() * one;
        }
        assert_eq!(table.usage().bytes, bytes);
    }

    #[test]
    fn who_has_lost_his_patience_is_not_waited_for() {
        let table = Table::new(1);
        let lease = acquire(&table, Moment::ORIGIN).expect("free");
        assert!(matches!(table.wait(HASH, lease, Duration::ZERO), Waited::TimedOut(_)));
        assert_eq!(waiters(&table), 0);
        release(&table, lease, Ended::Unused);
        assert!(table.shards[0].lock().ended.is_empty());
    }
}
