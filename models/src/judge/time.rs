//! Deadlines. A record says what the clock said when it was written.

use super::requests::{Request, Requests};
use super::{Story, Violation};
use crate::catalogue::Invariant;
use crate::history::{Event, Version};
use std::collections::BTreeMap;

/// When each version was in the map: its deadline is a storage TTL later at the latest.
fn written(story: &Story) -> BTreeMap<Version, u64> {
    let version = |event| match event {
        Event::Published(_, version) | Event::Inserted(version) => Some(version),
        _ => None,
    };
    let of =
        |(_, record): &(usize, &crate::history::Record)| Some((version(record.event)?, record.now));
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

/// What a miss has waited for must not have expired while it slept.
pub(super) fn nothing_that_was_waited_for_has_expired(
    story: &Story,
    requests: &Requests,
) -> Vec<Violation> {
    let mut published = BTreeMap::new();
    let mut makes = BTreeMap::new();
    for (_, record) in &story.records {
        match record.event {
            Event::Makes(content) => drop(makes.insert(record.task, content)),
            Event::Published(..) => {
                if let Some(content) = makes.get(&record.task) {
                    published.insert(*content, record.now);
                }
            }
            _ => {}
        }
    }
    let of = |request: &Request| {
        let waited = |(_, record): &&(usize, &crate::history::Record)| {
            matches!(record.event, Event::Waited(_))
        };
        let (_, woken) = request.records.iter().rfind(|record| waited(record))?;
        let (index, last) = request.records.last()?;
        let Event::Answered(content) = last.event else { return None };
        let at = published.get(&content)?;
        (woken.now >= at + story.history.storage).then_some(*index)
    };
    let at = requests.0.iter().filter_map(of).collect();
    Story::violations(Invariant::NeverServeExpired, at)
}

/// No compute starts after a failed one before the shortest back-off has passed.
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
