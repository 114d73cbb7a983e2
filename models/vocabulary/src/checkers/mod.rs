//! The checkers: one for each invariant. Each reads a history and reports the records that violate it.
//!
//! A checker may depend only on the order of sections that conflict, because a search keeps no other
//! order. Events of one caller have an order. So have two events whose sections touch the map, unless
//! both only read it. So have two events whose sections touch the lease table.

mod leases;
mod memory;
mod order;
mod request_traces;
mod rest;
mod time;
mod windows;

use crate::catalogue::{Invariant, Scenario, Witness};
use crate::history::{Event, History, Record};
use request_traces::RequestTraces;
use std::collections::BTreeSet;

/// The invariant that was violated, and the index of the record that violated it.
pub type Violation = (Invariant, usize);

/// What happened to one key, each record with its index in the history.
struct Story<'a> {
    records: Vec<(usize, &'a Record)>,
    history: &'a History,
}

impl Story<'_> {
    /// Violations of `invariant` by these records.
    fn violations(invariant: Invariant, at: Vec<usize>) -> Vec<Violation> {
        at.into_iter().map(|index| (invariant, index)).collect()
    }

    /// Whether a task moves the clock while others run. Then a re-check is two sections, and the start
    /// of a compute is recorded in the section of the clock. That section has no order with writes of
    /// the map. So the only reliable statement about the map is the version that the compute saw.
    fn clock_moves(&self) -> bool {
        self.events().any(|(_, event)| matches!(event, Event::Tick | Event::Nominated(_)))
    }

    fn events(&self) -> impl DoubleEndedIterator<Item = (usize, Event)> + '_ {
        self.records.iter().map(|(index, record)| (*index, record.event))
    }
}

/// Everything that an execution violates.
pub fn violated(history: &History) -> Vec<Violation> {
    let checkers = [
        windows::one_compute_per_window,
        windows::no_wasted_compute,
        windows::miss_single_flight,
        order::one_in_flight,
        order::versions_never_regress,
        leases::one_lease_per_key,
        leases::lease_always_released,
        time::never_serve_expired,
        time::failures_back_off,
        rest::refresh_makes_progress,
    ];
    let of_requests = [
        leases::stale_never_waits,
        leases::fresh_takes_no_lease,
        leases::refreshed_in_time_takes_no_lease,
        order::invalidation_wins,
        order::nomination_at_most_once,
        time::no_expired_value_after_a_wait,
        time::healthy_origin_no_error,
        time::stale_is_no_error,
    ];
    let mut violations = memory::violated(history);
    for story in stories(history) {
        violations.extend(checkers.iter().flat_map(|check| check(&story)));
        let requests = RequestTraces::of(&story);
        violations.extend(of_requests.iter().flat_map(|check| check(&story, &requests)));
    }
    violations
}

/// Every violation of an execution of real threads.
///
/// A real thread records an event some time after its section, and another thread's event
/// may come between. So only that is judged which does not depend on the order of two threads' events,
/// or only on those of a lease's holders: an event comes before the release after it.
pub fn violated_by_threads(history: &History, scenario: Scenario) -> Vec<Violation> {
    let known = |invariant| is_checked_on_threads(invariant, scenario);
    violated(history).into_iter().filter(|(invariant, _)| known(*invariant)).collect()
}

/// Whether the checker of this invariant is reliable on real threads.
pub fn is_checked_on_threads(invariant: Invariant, scenario: Scenario) -> bool {
    match invariant {
        // Their checkers order a write and the computes before and after it.
        Invariant::OneInFlight | Invariant::LockTableDrains => !scenario.revokes(),
        Invariant::StaleNeverWaits
        | Invariant::FreshTakesNoLease
        | Invariant::NominationAtMostOnce
        | Invariant::LeaseAlwaysReleased
        | Invariant::BoundedMemory
        | Invariant::ShutdownDrains
        | Invariant::MetricsBalance
        | Invariant::RefreshMakesProgress => true,
        Invariant::OneComputePerWindow
        | Invariant::NoWastedCompute
        | Invariant::MissSingleFlight
        | Invariant::FailuresBackOff => !scenario.has_other_writers(),
        _ => false,
    }
}

/// One story for each key. An event that concerns all keys is in each story.
fn stories(history: &History) -> Vec<Story<'_>> {
    let of_all_keys = |record: &Record| matches!(record.event, Event::Cleared | Event::Rest);
    let keys: BTreeSet<u64> = history
        .records
        .iter()
        .filter(|record| !of_all_keys(record))
        .map(|record| record.key)
        .collect();
    let of = |key: u64| {
        let indexed = history.records.iter().enumerate();
        indexed.filter(|(_, record)| record.key == key || of_all_keys(record)).collect()
    };
    keys.into_iter().map(|key| Story { records: of(key), history }).collect()
}

/// The invariant that a deadlock violates, given the tasks that wait.
///
/// If every holder of a lease waits, they wait for each other. Otherwise a waiter waits for a lease
/// that nobody will release.
pub fn violated_by_a_deadlock(records: &[Record], waiting: &[usize]) -> Invariant {
    let released = |lease| records.iter().any(|record| record.event == Event::Released(lease));
    let holders_wait = records.iter().all(|record| match record.event {
        Event::Leased(lease) if !released(lease) => waiting.contains(&record.task),
        _ => true,
    });
    let anybody_holds = records
        .iter()
        .any(|record| matches!(record.event, Event::Leased(lease) if !released(lease)));
    if holders_wait && anybody_holds {
        Invariant::NoDeadlock
    } else {
        Invariant::NoWaiterLeftBehind
    }
}

/// The witnesses that were reached between the first request and the rest.
pub fn reached(history: &History) -> BTreeSet<Witness> {
    let asked = history.records.iter().skip_while(|record| record.event != Event::Asked);
    let before_rest = asked.take_while(|record| record.event != Event::Rest);
    before_rest.filter_map(|record| witness(record.event)).collect()
}

fn witness(event: Event) -> Option<Witness> {
    Some(match event {
        Event::ComputeStarted(..) => Witness::Computed,
        Event::FreshHit(_) => Witness::HitFresh,
        Event::Busy(_) => Witness::FoundBusy,
        Event::SkippedBefore(_) => Witness::SkippedBefore,
        Event::SkippedInside(..) => Witness::SkippedInside,
        Event::Waited(_) => Witness::Waited,
        Event::TimedOut(_) => Witness::TimedOut,
        Event::ComputeFinished(_, false) => Witness::Failed,
        Event::BackingOff => Witness::MetBackOff,
        Event::Discarded(_) => Witness::Discarded,
        Event::Refused => Witness::Refused,
        Event::Miss => Witness::Missed,
        Event::Nominated(_) => Witness::Nominated,
        Event::Cycle(_) => Witness::MetCycle,
        Event::Rejected(_) => Witness::WasRejected,
        Event::Evicted(_) => Witness::Evicted,
        Event::Swept(_) => Witness::Swept,
        Event::Forgotten => Witness::Forgotten,
        Event::Dropped(_) => Witness::Dropped,
        Event::TakenOver(_) => Witness::TakenOver,
        Event::Revoked(_) => Witness::Revoked,
        _ => return None,
    })
}
