//! Tests of the two tables, alone and together.

use crate::clock::Moment;
use crate::error::Error;
use crate::ids::LeaseId;
use crate::panics::Guarded;
use crate::policy::back_off::{BackOff, Failed, Reading};
use crate::policy::early::Early;
use crate::policy::lifetimes::Lifetimes;
use crate::sync::Arc;
use crate::tables::entry::{Entry, Found, Terms};
use crate::tables::fences::Stamp;
use crate::tables::leases::{Ask, Ends, LeaseTable, Slot, SlotState, Takeover, Wants};
use crate::tables::outcome::{LeaseOutcome, Refusal, Waited};
use crate::tables::store::Store;
use std::time::Duration;

type Table = LeaseTable<&'static str, ()>;

const HASH: u64 = 7;

fn back_off() -> BackOff {
    let second = Duration::from_secs(1);
    BackOff::new(second, second, second).expect("equal is allowed")
}

fn release(table: &Table, lease: LeaseId, outcome: LeaseOutcome<&'static str, ()>) {
    drop(table.release(HASH, lease, outcome, &back_off(), |slot| !slot.remembers));
}

fn ask(now: Moment, wants: Wants) -> Ask {
    let (now, waited) = (Reading::first(now), Duration::ZERO);
    Ask { now, wants, compute_timeout: Duration::MAX, waited }
}

/// A request that sends the lease to a thread.
fn acquire(table: &Table, now: Moment) -> Result<LeaseId, Refusal> {
    table.try_acquire(HASH, "k", &ask(now, Wants::Queue)).0
}

/// A request that computes at once.
fn miss(table: &Table) -> Result<LeaseId, Refusal> {
    let ask = ask(Moment::ORIGIN, Wants::Compute(Takeover::Queued));
    table.try_acquire(HASH, "k", &ask).0
}

fn wait(table: &Table, lease: LeaseId, timeout: Duration) -> Waited<&'static str, ()> {
    table.wait(HASH, lease, &ask(Moment::ORIGIN, Wants::Compute(Takeover::Queued)), timeout)
}

fn value() -> LeaseOutcome<&'static str, ()> {
    LeaseOutcome::Value(Found::made(&entry()))
}

fn slots(table: &Table) -> usize {
    table.shards.iter().map(|shard| shard.lock().slots.len()).sum()
}

/// The first lease is released twice. The second release must not touch the slot, which has a new lease.
#[test]
fn a_lease_is_never_released_by_another_one_of_its_key() {
    let table = Table::new(1);
    let first = acquire(&table, Moment::ORIGIN).expect("free");
    release(&table, first, LeaseOutcome::Unused);
    let second = acquire(&table, Moment::ORIGIN).expect("free again");
    release(&table, first, LeaseOutcome::Unused);
    let busy = acquire(&table, Moment::ORIGIN).expect_err("the second one holds it");
    assert!(matches!(busy, Refusal::Busy(holder) if holder == second));
}

#[test]
fn a_slot_is_never_left_behind_by_a_release() {
    let table = Table::new(1);
    for _ in 0..3 {
        let lease = acquire(&table, Moment::ORIGIN).expect("free");
        assert_eq!(slots(&table), 1);
        release(&table, lease, LeaseOutcome::Unused);
        assert_eq!(slots(&table), 0);
    }
}

#[test]
fn a_slot_that_remembers_a_failure_stays_until_the_next_success() {
    let table = Table::new(1);
    let lease = acquire(&table, Moment::ORIGIN).expect("free");
    let failed = Failed { error: Error::NoRefresh, at: Moment::ORIGIN, jitter: 1.0 };
    release(&table, lease, LeaseOutcome::Failed(failed));
    assert!(matches!(acquire(&table, Moment::ORIGIN), Err(Refusal::BackingOff(_))));
    let later = Moment::ORIGIN.after(Duration::from_secs(1));
    let lease = acquire(&table, later).expect("the back-off has ended");
    release(&table, lease, value());
    assert_eq!(slots(&table), 0);
}

/// The report's soft cleanup goes by age: a compute that takes longer loses its lock.
#[test]
fn a_slot_is_never_swept_while_it_is_held_or_remembers() {
    let table = Table::new(1);
    let later = |seconds| Moment::ORIGIN.after(Duration::from_secs(seconds));
    let sweep =
        |now| table.sweep(now, || now, &back_off(), |slot| !slot.held && !slot.remembers).len();
    let lease = acquire(&table, Moment::ORIGIN).expect("free");
    assert_eq!(sweep(later(1_000_000)), 0, "it is held");
    let failed = Failed { error: Error::NoRefresh, at: Moment::ORIGIN, jitter: 1.0 };
    release(&table, lease, LeaseOutcome::Failed(failed));
    // One second of back-off, and one in which a further failure would be the second in a row.
    assert_eq!((sweep(Moment::ORIGIN), sweep(later(1))), (0, 0));
    assert_eq!((sweep(later(2)), slots(&table)), (1, 0));
}

/// The sweep was descheduled between its second look at the clock and the slot, and the key has failed once more.
#[test]
fn a_sweep_never_forgets_a_failure_that_has_come_since_its_second_look_at_the_clock() {
    let table = Table::new(1);
    let at = |seconds| Moment::ORIGIN.after(Duration::from_secs(seconds));
    let fail = |seconds| {
        let lease = acquire(&table, at(seconds)).expect("free");
        let failed = Failed { error: Error::NoRefresh, at: at(seconds), jitter: 1.0 };
        release(&table, lease, LeaseOutcome::Failed(failed));
    };
    fail(100);
    let again = || {
        fail(200);
        at(101)
    };
    let sweeps = |slot: SlotState| !slot.held && !slot.remembers;
    assert_eq!(table.sweep(Moment::ORIGIN, again, &back_off(), sweeps).len(), 0);
    assert!(matches!(acquire(&table, at(200)), Err(Refusal::BackingOff(_))));
}

#[test]
fn a_table_that_was_large_gives_its_memory_back() {
    let table = LeaseTable::<u64, ()>::new(1);
    let now = ask(Moment::ORIGIN, Wants::Queue);
    let leases: Vec<_> =
        (0..1_000).map(|key| (key, table.try_acquire(key, key, &now).0.expect("free"))).collect();
    let most = table.usage();
    assert_eq!((most.slots, most.held, most.oldest), (1_000, 1_000, Some(Moment::ORIGIN)));
    for (key, lease) in leases {
        drop(table.release(key, lease, LeaseOutcome::Unused, &back_off(), |slot| !slot.remembers));
    }
    drop(table.sweep(Moment::ORIGIN, || Moment::ORIGIN, &back_off(), |slot| !slot.held));
    let least = table.usage();
    assert_eq!((least.slots, least.held, least.oldest), (0, 0, None));
    assert!(least.bytes < most.bytes / 100, "{} of {} bytes", least.bytes, most.bytes);
}

#[test]
fn a_lease_is_never_taken_over_once_its_thread_has_begun() {
    let table = Table::new(1);
    let miss = || miss(&table);
    let queued = acquire(&table, Moment::ORIGIN).expect("free");
    let other = acquire(&table, Moment::ORIGIN);
    assert!(matches!(other, Err(Refusal::Busy(_))), "a stale request takes nothing over");
    let taken = miss().expect("it waits in a queue");
    assert!(!table.begin(HASH, queued, None), "a miss has taken it over");
    release(&table, queued, LeaseOutcome::Unused);
    assert!(matches!(miss(), Err(Refusal::Busy(holder)) if holder == taken));
    release(&table, taken, LeaseOutcome::Unused);
    let begun = acquire(&table, Moment::ORIGIN).expect("free");
    assert!(table.begin(HASH, begun, None));
    assert!(matches!(miss(), Err(Refusal::Busy(holder)) if holder == begun));
}

/// No release is left that could wake such a waiter.
#[test]
fn a_wait_for_a_lease_that_is_over_returns_at_once() {
    let table = Table::new(1);
    let lease = acquire(&table, Moment::ORIGIN).expect("free");
    release(&table, lease, LeaseOutcome::Unused);
    let waited = wait(&table, lease, Duration::MAX);
    assert!(matches!(waited, Waited::Released(over, LeaseOutcome::Unused) if over == lease));
}

fn waiters(table: &Table) -> u32 {
    let shard = table.shards[0].lock();
    shard.slots.iter().flat_map(Slot::waiting).map(|waiting| waiting.waiters).sum()
}

#[test]
fn every_waiter_gets_the_outcome_and_the_last_one_leaves_none_behind() {
    let table = Table::new(1);
    let lease = acquire(&table, Moment::ORIGIN).expect("free");
    std::thread::scope(|scope| {
        let wait = || match wait(&table, lease, Duration::MAX) {
            Waited::Released(_, LeaseOutcome::Failed(failed)) => failed.error.to_string(),
            _ => unreachable!("another outcome"),
        };
        let both = [scope.spawn(wait), scope.spawn(wait)];
        while waiters(&table) < 2 {
            std::thread::yield_now();
        }
        let failed = Failed { error: Error::NoRefresh, at: Moment::ORIGIN, jitter: 1.0 };
        release(&table, lease, LeaseOutcome::Failed(failed));
        for waiter in both {
            assert_eq!(waiter.join().expect("no panic"), Error::NoRefresh.to_string());
        }
    });
    assert!(table.shards[0].lock().outcomes.kept.is_empty());
}

type Write = fn(&Store<&'static str, ()>, &Table);

fn entry() -> Arc<Entry<&'static str, ()>> {
    let lifetimes = Lifetimes::new(Duration::MAX, Duration::MAX, 0.0).expect("equal is allowed");
    let early = Early::new(1.0).expect("a beta");
    let terms = Terms { lifetimes, early, lag: Duration::ZERO };
    Arc::new(Entry::new(
        &terms,
        Guarded::new("k"),
        Guarded::new(()),
        Moment::ORIGIN,
        Duration::ZERO,
    ))
}

const ENDS: Ends = Ends { revokes: [true, false], forgets: true };
const NOTHING: Write = |_, _| {};
const INSERT: Write = |store, leases| drop(store.insert(HASH, entry(), leases, ENDS, usize::MAX));
const INVALIDATE: Write =
    |store, leases| drop(store.invalidate(HASH, |key| *key == "k", leases, ENDS));
const CLEAR: Write = |store, leases| drop(store.clear(leases, ENDS));

/// What a waiter gets of a compute during which the key is written, and what a request gets that comes after.
fn outcomes(write: Write) -> (&'static str, bool) {
    let (table, store) = (Table::new(1), Store::new(1, usize::MAX));
    let lease = miss(&table).expect("free");
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| match wait(&table, lease, Duration::MAX) {
            Waited::Released(_, LeaseOutcome::Value(found)) if found.version().is_some() => {
                "inserted"
            }
            Waited::Released(_, LeaseOutcome::Value(_)) => "computed",
            _ => unreachable!("another outcome"),
        });
        while waiters(&table) < 1 {
            std::thread::yield_now();
        }
        write(&store, &table);
        let next = miss(&table);
        release(&table, lease, value());
        (waiter.join().expect("no panic"), next.is_ok())
    })
}

#[test]
fn a_write_never_lets_an_older_compute_answer_a_request_that_comes_after_it() {
    assert_eq!(outcomes(NOTHING), ("computed", false));
    assert_eq!(outcomes(INSERT), ("inserted", true), "the waiter does not wait for the compute");
    assert_eq!(outcomes(INVALIDATE), ("computed", true), "the waiter asked before the write");
    assert_eq!(outcomes(CLEAR), ("computed", true));
}

/// The first compute is revoked, the second one is not: requests wait until one of the two has ended.
#[test]
fn a_key_never_has_three_computes_in_flight() {
    for ends in [0, 1] {
        let (table, store) = (Table::new(1), Store::new(1, usize::MAX));
        let mut both = [LeaseId(0); 2];
        for lease in &mut both {
            *lease = miss(&table).expect("a lease of the new window");
            INVALIDATE(&store, &table);
        }
        let Err(Refusal::Busy(holder)) = miss(&table) else { unreachable!("two are in flight") };
        assert_eq!(holder, both[1]);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| wait(&table, holder, Duration::MAX));
            while waiters(&table) < 1 {
                std::thread::yield_now();
            }
            release(&table, both[ends], value());
            let waited = waiter.join().expect("no panic");
            assert!(matches!(waited, Waited::Released(_, LeaseOutcome::Unused)), "it asks again");
        });
        let third = miss(&table).expect("there is a place");
        release(&table, both[1 - ends], value());
        release(&table, third, value());
        assert_eq!(slots(&table), 0);
    }
}

#[test]
fn a_write_never_leaves_a_back_off_or_a_queued_refresh_behind() {
    for write in [INSERT, INVALIDATE, CLEAR] {
        let (table, store) = (Table::new(1), Store::new(1, usize::MAX));
        let lease = miss(&table).expect("free");
        let failed = Failed { error: Error::NoRefresh, at: Moment::ORIGIN, jitter: 1.0 };
        release(&table, lease, LeaseOutcome::Failed(failed));
        assert!(matches!(miss(&table), Err(Refusal::BackingOff(_))));
        write(&store, &table);
        assert_eq!(slots(&table), 0);
        let queued = acquire(&table, Moment::ORIGIN).expect("free");
        write(&store, &table);
        assert!(!table.begin(HASH, queued, None), "its window is over");
        assert_eq!(slots(&table), 0);
    }
}

#[test]
fn a_failure_of_a_revoked_compute_is_never_remembered() {
    let (table, store) = (Table::new(1), Store::new(1, usize::MAX));
    let lease = miss(&table).expect("free");
    INVALIDATE(&store, &table);
    let failed = Failed { error: Error::NoRefresh, at: Moment::ORIGIN, jitter: 1.0 };
    release(&table, lease, LeaseOutcome::Failed(failed));
    assert_eq!(slots(&table), 0);
}

/// A refresh that is refused has computed nothing.
#[test]
fn a_lease_without_a_compute_never_resets_the_failures_in_a_row() {
    let table = Table::new(1);
    let mut now = Moment::ORIGIN;
    for in_a_row in 1..=3 {
        let lease = acquire(&table, now).expect("free");
        let failed = Failed { error: Error::NoRefresh, at: now, jitter: 1.0 };
        release(&table, lease, LeaseOutcome::Failed(failed));
        let second = Duration::from_secs(1);
        // The cap of this back-off is its first span, so a failure that was forgotten shows in the slot alone.
        now = now.after(second);
        let unused = acquire(&table, now).expect("the back-off has ended");
        release(&table, unused, LeaseOutcome::Unused);
        assert_eq!(slots(&table), 1, "after {in_a_row}");
    }
}

#[test]
fn an_overdue_lease_is_revoked_once() {
    let (table, store) = (Table::new(1), Store::<_, ()>::new(1, usize::MAX));
    let second = Duration::from_secs(1);
    let at = |seconds| Ask {
        now: Reading::first(Moment::ORIGIN.after(second * seconds)),
        wants: Wants::Compute(Takeover::Queued),
        compute_timeout: second * 2,
        waited: Duration::ZERO,
    };
    let hung = table.try_acquire(HASH, "k", &at(0)).0.expect("free");
    assert!(matches!(table.try_acquire(HASH, "k", &at(1)).0, Err(Refusal::Busy(_))));
    let waited = table.wait(HASH, hung, &at(2), Duration::MAX);
    assert!(matches!(waited, Waited::Overdue(lease, _) if lease == hung));
    let refused = table.try_acquire(HASH, "k", &at(2)).0;
    assert!(matches!(refused, Err(Refusal::Overdue(lease)) if lease == hung));
    assert!(store.revoke_overdue(HASH, hung, &table));
    assert!(!store.revoke_overdue(HASH, hung, &table), "it is not current any more");
    let next = table.try_acquire(HASH, "k", &at(2)).0.expect("free again");
    let late = store.publish(HASH, entry(), hung, Stamp::default(), usize::MAX);
    assert!(late.is_err(), "its value is discarded");
    assert!(matches!(table.try_acquire(HASH, "k", &at(9)).0, Err(Refusal::Busy(_))), "two hang");
    assert!(!store.revoke_overdue(HASH, next, &table));
}

/// Two computes may hang for hours. A waiter that tried at each compute time-out would keep a processor busy.
#[test]
fn a_waiter_behind_two_hung_computes_waits_as_long_again_and_at_most_a_second() {
    let (table, store) = (Table::new(1), Store::<_, ()>::new(1, usize::MAX));
    let ms = Duration::from_millis;
    let at = |then, waited| Ask {
        now: Reading::first(Moment::ORIGIN.after(ms(then))),
        wants: Wants::Compute(Takeover::Queued),
        compute_timeout: ms(10),
        waited: ms(waited),
    };
    let first = table.try_acquire(HASH, "k", &at(0, 0)).0.expect("free");
    assert!(store.revoke_overdue(HASH, first, &table));
    let second = table.try_acquire(HASH, "k", &at(10, 0)).0.expect("free again");
    let mut shard = table.shards[0].lock();
    let slot = shard.find_held(HASH, second).expect("held");
    let waits = [0, 5, 10, 20, 40, 999, 1_000, 3_600_000]
        .map(|waited| slot.time_left(second, &at(20, waited)));
    assert_eq!(waits, [10, 10, 10, 20, 40, 999, 1_000, 1_000].map(ms));
}

#[test]
fn the_bytes_of_a_table_are_those_of_its_slots_and_outcomes() {
    let table = Table::new(2);
    assert_eq!(table.usage().bytes, 0);
    let one = size_of::<(u64, LeaseOutcome<&'static str, ()>, u32)>();
    let mut bytes = 0;
    for (shard, kept) in [(0, 3), (1, 5)] {
        let hash = HASH | shard << 32;
        let ask = ask(Moment::ORIGIN, Wants::Queue);
        assert!(table.try_acquire(hash, "k", &ask).0.is_ok());
        let mut shard = table.shards[shard as usize].lock();
        shard.outcomes.kept.reserve_exact(kept);
        assert!(shard.slots.allocation_size() > 0 && shard.outcomes.kept.capacity() >= kept);
        bytes += shard.slots.allocation_size() + shard.outcomes.kept.capacity() * one;
    }
    assert_eq!(table.usage().bytes, bytes);
}

#[test]
fn a_waiter_that_timed_out_is_not_counted_any_more() {
    let table = Table::new(1);
    let lease = acquire(&table, Moment::ORIGIN).expect("free");
    assert!(matches!(wait(&table, lease, Duration::ZERO), Waited::TimedOut(_)));
    assert_eq!(waiters(&table), 0);
    release(&table, lease, LeaseOutcome::Unused);
    assert!(table.shards[0].lock().outcomes.kept.is_empty());
}

/// An overtaken compute that then fails publishes nothing, so it does not take its fence away.
#[test]
fn fences_of_leases_that_are_over_are_removed_by_the_next_insert() {
    let (store, leases) = (Store::new(1, usize::MAX), LeaseTable::new(1));
    let back_off =
        BackOff::new(Duration::ZERO, Duration::ZERO, Duration::ZERO).expect("equal is allowed");
    for _ in 0..3 {
        let ask = ask(Moment::ORIGIN, Wants::Compute(Takeover::Queued));
        let lease = leases.try_acquire(HASH, "k", &ask).0.expect("free");
        store.insert(HASH, entry(), &leases, ENDS, 1);
        assert_eq!(store.fences(0), 1);
        drop(leases.release(HASH, lease, LeaseOutcome::Unused, &back_off, |slot| !slot.remembers));
    }
    store.insert(HASH, entry(), &leases, ENDS, 1);
    assert_eq!(store.fences(0), 0);
}

/// A revoked compute that fails publishes nothing, and leaves its fence to the next revocation.
#[test]
fn overdue_computes_that_fail_never_leave_more_fences_than_leases() {
    let (table, store) = (Table::new(1), Store::<_, ()>::new(1, usize::MAX));
    let ask = Ask {
        now: Reading::first(Moment::ORIGIN),
        wants: Wants::Compute(Takeover::Queued),
        compute_timeout: Duration::ZERO,
        waited: Duration::ZERO,
    };
    for _ in 0..100 {
        let hung = table.try_acquire(HASH, "k", &ask).0.expect("free");
        assert!(store.revoke_overdue(HASH, hung, &table));
        release(&table, hung, LeaseOutcome::Unused);
        assert!(store.fences(0) <= 1);
    }
}
