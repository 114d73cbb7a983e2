//! The guarantee: what may be computed in a staleness window.

use super::{Story, Violation};
use crate::catalogue::Invariant;
use crate::history::Event;
use std::collections::{BTreeMap, BTreeSet};

/// A window ends when a newer version is there, or the key is removed, by a user or to make room. A sweep
/// ends none: what it takes was gone for everybody.
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

/// Counts the computes of each window that `counts`, against one and its failures.
fn too_many(story: &Story, counts: impl Fn(usize) -> bool) -> Vec<usize> {
    let (mut started, mut allowed) = (0, 1);
    let mut violations = Vec::new();
    for (index, event) in story.events() {
        match event {
            event if ends_window(event) => (started, allowed) = (0, 1),
            Event::ComputeFinished(_, false) => allowed += 1,
            Event::ComputeStarted(..) if counts(index) => {
                started += 1;
                if started > allowed {
                    violations.push(index);
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

/// Counts only those whose request found the key absent.
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
/// nominated that very version. A nomination goes with the lease to the thread that computes.
///
/// An entry is fresh for at least a payload TTL after its compute had finished.
pub(super) fn no_wasted_compute(story: &Story) -> Vec<Violation> {
    let (mut fresh_until, mut finished) = (0, BTreeMap::new());
    let (mut nominated, mut carried) = (BTreeMap::new(), BTreeMap::new());
    let mut at = Vec::new();
    for (index, record) in story.records.iter().copied() {
        match record.event {
            Event::ComputeFinished(lease, true) => drop(finished.insert(lease, record.now)),
            Event::Published(lease, _) => {
                let from = finished.get(&lease).copied().unwrap_or(record.now);
                fresh_until = from + story.history.payload;
            }
            Event::Inserted(_) => fresh_until = record.now + story.history.payload,
            Event::Invalidated | Event::Cleared | Event::Evicted(_) => fresh_until = 0,
            Event::Nominated(version) => drop(nominated.insert(record.task, version)),
            Event::Leased(lease) => {
                carried.insert(lease, nominated.get(&record.task).copied());
            }
            Event::ComputeStarted(lease, saw) => {
                let named =
                    [carried.get(&lease).copied().flatten(), nominated.get(&record.task).copied()];
                let is_named = saw.is_some() && named.contains(&saw);
                if record.now < fresh_until && !is_named {
                    at.push(index);
                }
            }
            _ => {}
        }
    }
    Story::violations(Invariant::NoWastedCompute, at)
}
