//! The checkers of the guarantee: how many computes may start in a staleness window.

use super::{Story, Violation};
use crate::catalogue::Invariant;
use crate::history::Event;
use std::collections::{BTreeMap, BTreeSet};

/// A window ends when a newer version is published or inserted, and when the key is removed by a user
/// or evicted. A sweep does not end a window: the entry that it removes had expired for every request.
pub(super) fn ends_window(event: Event) -> bool {
    matches!(
        event,
        Event::Published(..)
            | Event::Inserted(_)
            | Event::Invalidated
            | Event::Cleared
            | Event::Evicted(_)
    )
}

/// The computes for which `counts` is true and that are too many in their window. A window allows one
/// compute, and one more for each failure.
///
/// A compute belongs to the window in which it starts. If the clock moves, it belongs to the window of
/// the version that it saw.
fn too_many(story: &Story, counts: impl Fn(usize) -> bool) -> Vec<usize> {
    let clock_moves = story.clock_moves();
    let (mut window, mut of_version) = (0_usize, BTreeMap::new());
    let (mut started, mut failed) = (BTreeMap::new(), BTreeMap::new());
    let mut computing = BTreeMap::new();
    let mut of_lease = BTreeMap::new();
    let mut violations = Vec::new();
    for (index, record) in story.records.iter().copied() {
        match record.event {
            // Another compute may follow in the same window, if no write has ended it.
            Event::Revoked(lease) => {
                if let Some(of) = of_lease.remove(&lease) {
                    *failed.entry(of).or_insert(0) += 1;
                }
            }
            event if ends_window(event) => {
                window += 1;
                if let Event::Published(_, version) | Event::Inserted(version) = event {
                    of_version.insert(version, window);
                }
            }
            Event::ComputeFinished(_, false) => {
                let of = computing.get(&record.task).copied().unwrap_or(window);
                *failed.entry(of).or_insert(0) += 1;
            }
            Event::ComputeStarted(lease, saw) => {
                let seen = saw.filter(|_| clock_moves).and_then(|saw| of_version.get(&saw));
                let of = seen.copied().unwrap_or(window);
                computing.insert(record.task, of);
                of_lease.insert(lease, of);
                if counts(index) {
                    let started = started.entry(of).or_insert(0);
                    *started += 1;
                    if *started > 1 + failed.get(&of).copied().unwrap_or(0) {
                        violations.push(index);
                    }
                }
            }
            _ => {}
        }
    }
    violations
}

pub(super) fn one_compute_per_window(story: &Story) -> Vec<Violation> {
    Story::violations(Invariant::OneComputePerWindow, too_many(story, |_| true))
}

/// Counts only computes whose request found the key absent.
pub(super) fn miss_single_flight(story: &Story) -> Vec<Violation> {
    let mut missed = BTreeMap::new();
    let mut of_misses = BTreeSet::new();
    for (index, record) in story.records.iter().copied() {
        match record.event {
            Event::Miss => drop(missed.insert(record.task, true)),
            Event::FreshHit(_) | Event::StaleHit(_) => drop(missed.insert(record.task, false)),
            Event::ComputeStarted(..) if missed.get(&record.task) == Some(&true) => {
                of_misses.insert(index);
            }
            _ => {}
        }
    }
    let at = too_many(story, |index| of_misses.contains(&index));
    Story::violations(Invariant::MissSingleFlight, at)
}

/// A compute is wasted if the entry in the map was fresh when it started, and the request had not
/// nominated that version. A nomination goes with the lease to the thread that computes.
///
/// An entry is fresh for at least one payload TTL after its compute finished.
///
/// Where the clock moves, a compute is recorded in the section in which its re-check read the clock, which comes
/// after that in which it read the map: then it is judged by the version that it saw, not by the one that is there.
pub(super) fn no_wasted_compute(story: &Story) -> Vec<Violation> {
    let clock_moves = story.clock_moves();
    let (mut newest, mut fresh_until, mut finished) = (None, 0, BTreeMap::new());
    let (mut nominated, mut carried) = (BTreeMap::new(), BTreeMap::new());
    let mut at = Vec::new();
    for (index, record) in story.records.iter().copied() {
        match record.event {
            Event::ComputeFinished(_, true) => drop(finished.insert(record.task, record.now)),
            Event::Published(_, version) => {
                let from = finished.get(&record.task).copied().unwrap_or(record.now);
                (newest, fresh_until) = (Some(version), from + story.history.payload);
            }
            Event::Inserted(version) => {
                (newest, fresh_until) = (Some(version), record.now + story.history.payload);
            }
            Event::Invalidated | Event::Cleared | Event::Evicted(_) => fresh_until = 0,
            Event::Nominated(version) => drop(nominated.insert(record.task, version)),
            Event::Leased(lease) => {
                carried.insert(lease, nominated.get(&record.task).copied());
            }
            Event::ComputeStarted(lease, saw) => {
                let named =
                    [carried.get(&lease).copied().flatten(), nominated.get(&record.task).copied()];
                let is_named = saw.is_some() && named.contains(&saw);
                let is_current = !clock_moves || saw == newest;
                if record.now < fresh_until && is_current && !is_named {
                    at.push(index);
                }
            }
            _ => {}
        }
    }
    Story::violations(Invariant::NoWastedCompute, at)
}
