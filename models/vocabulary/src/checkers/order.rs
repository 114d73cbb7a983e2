//! The checkers of order: computes, contents and versions.

use super::request_traces::{RequestTrace, RequestTraces};
use super::{Story, Violation};
use crate::catalogue::Invariant;
use crate::history::{Content, Event, Record};
use std::collections::BTreeSet;

/// Two computes overlap if one begins before the other has ended. Here the beginnings and ends of
/// computes are sections.
pub(super) fn one_in_flight(story: &Story) -> Vec<Violation> {
    let mut computing = BTreeSet::new();
    let mut at = Vec::new();
    for (index, record) in story.records.iter().copied() {
        match record.event {
            Event::Makes(_) => {
                computing.insert(record.task);
                if computing.len() > 1 {
                    at.push(index);
                }
            }
            Event::ComputeFinished(..) => drop(computing.remove(&record.task)),
            _ => {}
        }
    }
    Story::violations(Invariant::OneInFlight, at)
}

/// Versions grow, and a published compute began after the value that it replaces was begun.
pub(super) fn versions_never_regress(story: &Story) -> Vec<Violation> {
    let clock_moves = story.clock_moves();
    // Leases of different tables may have the same number, so a publication belongs to the last compute
    // of its task. If the clock moves, two starts are ordered by the contents that their computes make.
    let began = |published: usize, task: usize| {
        let mut before = story.records.iter().rev().filter(|(index, _)| *index < published);
        let starts = |record: &Record| {
            record.task == task
                && match record.event {
                    Event::ComputeStarted(..) => !clock_moves,
                    Event::Makes(_) => clock_moves,
                    _ => false,
                }
        };
        before.find(|(_, record)| starts(record)).map(|(index, _)| *index)
    };
    let (mut newest, mut latest_begin) = (0, 0);
    let mut at = Vec::new();
    for (index, record) in story.records.iter().copied() {
        let (version, begin) = match record.event {
            Event::Published(_, version) => (version, began(index, record.task).unwrap_or(index)),
            Event::Inserted(version) => (version, index),
            _ => continue,
        };
        if version <= newest || begin < latest_begin {
            at.push(index);
        }
        (newest, latest_begin) = (newest.max(version), latest_begin.max(begin));
    }
    Story::violations(Invariant::VersionsNeverRegress, at)
}

/// Where a content comes from: the index of its insert, or of the start of its compute.
fn origin(story: &Story, content: Content) -> Option<usize> {
    let mut last_start = None;
    for (place, (index, record)) in story.records.iter().copied().enumerate() {
        match record.event {
            Event::Put(put) if put == content => {
                let before = story.records[..place].iter().rev();
                let mut inserts = before.filter(|(_, other)| {
                    other.task == record.task && matches!(other.event, Event::Inserted(_))
                });
                return inserts.next().map(|(index, _)| *index).or(Some(index));
            }
            Event::Makes(made) if made == content => {
                let before = story.records[..place].iter().rev();
                let mut starts = before.filter(|(_, other)| {
                    other.task == record.task && matches!(other.event, Event::ComputeStarted(..))
                });
                last_start = starts.next().map(|(index, _)| *index);
            }
            _ => {}
        }
    }
    last_start
}

/// A violation: the content was begun before an invalidation or an insert, and the request looked after
/// it.
pub(super) fn invalidation_wins(story: &Story, requests: &RequestTraces) -> Vec<Violation> {
    let fences = |event| matches!(event, Event::Invalidated | Event::Cleared | Event::Inserted(_));
    let of = |request: &RequestTrace| {
        let look = request.first(|event| matches!(event, Event::Looked(_)))?;
        let answered = |(index, event)| match event {
            Event::Answered(content) => Some((index, content)),
            _ => None,
        };
        let (answer, content) = request.events().filter_map(answered).last()?;
        let begun = origin(story, content)?;
        let overtaken =
            story.events().any(|(index, event)| begun < index && index < look && fences(event));
        overtaken.then_some(answer)
    };
    let at = requests.0.iter().filter_map(of).collect();
    Story::violations(Invariant::InvalidationWins, at)
}

pub(super) fn nomination_at_most_once(_: &Story, requests: &RequestTraces) -> Vec<Violation> {
    let second = |request: &RequestTrace| {
        let nominated = |(_, event): &(usize, Event)| matches!(event, Event::Nominated(_));
        request.events().filter(nominated).nth(1).map(|(index, _)| index)
    };
    let at = requests.0.iter().filter_map(second).collect();
    Story::violations(Invariant::NominationAtMostOnce, at)
}
