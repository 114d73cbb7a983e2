//! The checkers of deadlines. A record has the time of the clock at which it was written.

use super::request_traces::{RequestTrace, RequestTraces};
use super::{Story, Violation};
use crate::catalogue::Invariant;
use crate::history::{Content, Event, Record, Version};
use std::collections::BTreeMap;

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

/// A request that has waited or computed reads the clock again: its answer must not have expired
/// while that took its time.
pub(super) fn no_expired_value_after_a_wait(
    story: &Story,
    requests: &RequestTraces,
) -> Vec<Violation> {
    let put = put(story);
    let took_time = |(_, record): &&(usize, &Record)| {
        matches!(record.event, Event::Waited(_) | Event::ComputeFinished(..))
    };
    let of = |request: &RequestTrace| {
        let (_, over) = request.records.iter().rfind(took_time)?;
        let (index, last) = request.records.last()?;
        let Event::Answered(content) = last.event else { return None };
        let at = put.get(&content)?;
        (over.now >= at + story.history.storage).then_some(*index)
    };
    let at = requests.0.iter().filter_map(of).collect();
    Story::violations(Invariant::NeverServeExpired, at)
}

/// A request that finds a stale value returns a value, whatever becomes of the refresh; unless that value has expired
/// by then.
pub(super) fn stale_is_no_error(story: &Story, requests: &RequestTraces) -> Vec<Violation> {
    let written = written(story);
    let of = |request: &RequestTrace| {
        let stale = request.events().find_map(|(_, event)| match event {
            Event::StaleHit(version) => Some(version),
            _ => None,
        })?;
        let (index, last) = request.records.last()?;
        let expires = written.get(&stale)? + story.history.storage;
        (last.event == Event::Refused && last.now < expires).then_some(*index)
    };
    let at = requests.0.iter().filter_map(of).collect();
    Story::violations(Invariant::StaleNeverWaits, at)
}

/// No compute starts after a failed one until the shortest back-off has passed.
pub(super) fn failures_back_off(story: &Story) -> Vec<Violation> {
    let mut until = 0;
    let mut at = Vec::new();
    for (index, record) in story.records.iter().copied() {
        match record.event {
            Event::ComputeFinished(_, false) => until = record.now + story.history.back_off,
            Event::ComputeStarted(..) if record.now < until => at.push(index),
            _ => {}
        }
    }
    Story::violations(Invariant::FailuresBackOff, at)
}
