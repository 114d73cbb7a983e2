//! The checkers of deadlines. A record has the time of the clock at which it was written.

use super::request_traces::{RequestTrace, RequestTraces};
use super::{Story, Violation};
use crate::catalogue::Invariant;
use crate::history::{Content, Event, Record, Version};
use std::collections::{BTreeMap, BTreeSet};

/// When each version was written to the map. Its storage deadline is one storage TTL later at the
/// latest.
fn written(story: &Story) -> BTreeMap<Version, u64> {
    let version = |event| match event {
        Event::Published(_, version) | Event::Inserted(version) => Some(version),
        _ => None,
    };
    let of = |(_, record): &(usize, &Record)| Some((version(record.event)?, record.now));
    story.records.iter().filter_map(of).collect()
}

pub(super) fn never_serve_expired(story: &Story) -> Vec<Violation> {
    let written = written(story);
    let expired = |version: Version, now: u64| {
        written.get(&version).is_some_and(|at| now >= at + story.history.storage)
    };
    let at = story.records.iter().filter(|(_, record)| match record.event {
        Event::FreshHit(version) | Event::StaleHit(version) => expired(version, record.now),
        _ => false,
    });
    Story::violations(Invariant::NeverServeExpired, at.map(|(index, _)| *index).collect())
}

/// When each content was written to the map for the first time.
fn put(story: &Story) -> BTreeMap<Content, u64> {
    let (mut put, mut makes) = (BTreeMap::new(), BTreeMap::new());
    for (_, record) in &story.records {
        match record.event {
            Event::Makes(content) => drop(makes.insert(record.task, content)),
            Event::Published(..) => {
                put.extend(makes.get(&record.task).map(|content| (*content, record.now)));
            }
            Event::Put(content) => drop(put.insert(content, record.now)),
            _ => {}
        }
    }
    put
}

/// A violation: the content had expired before the request began, or before the end of the request's own compute.
pub(super) fn no_expired_value_after_a_wait(
    story: &Story,
    requests: &RequestTraces,
) -> Vec<Violation> {
    let put = put(story);
    let of = |request: &RequestTrace| {
        let (_, asked) = request.records.first()?;
        let (index, last) = request.records.last()?;
        let Event::Answered(content) = last.event else { return None };
        let published = request
            .records
            .iter()
            .rfind(|(_, record)| matches!(record.event, Event::Published(..)));
        let since = published.map_or(asked.now, |(_, record)| record.now);
        let expires = put.get(&content)? + story.history.storage;
        (since >= expires).then_some(*index)
    };
    let at = requests.0.iter().filter_map(of).collect();
    Story::violations(Invariant::NeverServeExpired, at)
}

/// Nothing has failed, timed out or waited for itself, and a request returns an error.
pub(super) fn healthy_origin_no_error(story: &Story, requests: &RequestTraces) -> Vec<Violation> {
    let is_reason = |record: &Record| {
        matches!(
            record.event,
            Event::ComputeFinished(_, false) | Event::TimedOut(_) | Event::Cycle(_)
        )
    };
    if story.history.records.iter().any(is_reason) {
        return Vec::new();
    }
    let of = |request: &RequestTrace| request.first(|event| event == Event::Refused);
    let at = requests.0.iter().filter_map(of).collect();
    Story::violations(Invariant::HealthyOriginNoError, at)
}

/// A request that finds a stale value returns a value, whatever becomes of the refresh.
pub(super) fn stale_is_no_error(_: &Story, requests: &RequestTraces) -> Vec<Violation> {
    let of = |request: &RequestTrace| {
        request.first(|event| matches!(event, Event::StaleHit(_)))?;
        request.first(|event| event == Event::Refused)
    };
    let at = requests.0.iter().filter_map(of).collect();
    Story::violations(Invariant::StaleNeverWaits, at)
}

/// No compute starts after a failed one until the shortest back-off has passed. A write ends the back-off. The failure
/// of a revoked compute begins none.
pub(super) fn failures_back_off(story: &Story) -> Vec<Violation> {
    let mut until = 0;
    let mut revoked = BTreeSet::new();
    let mut at = Vec::new();
    for (index, record) in story.records.iter().copied() {
        match record.event {
            Event::Revoked(lease) => drop(revoked.insert(lease)),
            Event::Inserted(_) | Event::Invalidated | Event::Cleared => until = 0,
            Event::ComputeFinished(lease, false) if !revoked.contains(&lease) => {
                until = record.now + story.history.back_off;
            }
            Event::ComputeStarted(..) if record.now < until => at.push(index),
            _ => {}
        }
    }
    Story::violations(Invariant::FailuresBackOff, at)
}
