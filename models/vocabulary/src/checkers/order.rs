//! The checkers of order: computes, contents and versions.

use super::request_traces::{RequestTrace, RequestTraces};
use super::{Story, Violation};
use crate::catalogue::Invariant;
use crate::history::{Content, Event, LeaseId};
use std::collections::{BTreeMap, BTreeSet};

/// Two computes overlap if one begins before the other has ended. Here the beginnings and ends of
/// computes are sections. Two may be in flight if the lease of one of them was revoked.
///
/// The search orders the beginning of a compute neither before nor after a write of the key. But of two leases that the
/// shipped code lets overlap, the second was acquired after the first was revoked. So both revocations may have come or
/// not: it is enough to count those that have not.
pub(super) fn one_in_flight(story: &Story) -> Vec<Violation> {
    // The lease of each task's compute.
    let mut computing: BTreeMap<usize, LeaseId> = BTreeMap::new();
    let (mut leases, mut revoked) = (BTreeMap::new(), BTreeSet::new());
    let mut at = Vec::new();
    for (index, record) in story.records.iter().copied() {
        match record.event {
            Event::ComputeStarted(lease, _) => drop(leases.insert(record.task, lease)),
            Event::Revoked(lease) => drop(revoked.insert(lease)),
            Event::Makes(_) => {
                let lease = leases.get(&record.task).copied().unwrap_or_default();
                computing.insert(record.task, lease);
                let current = computing.values().filter(|lease| !revoked.contains(*lease)).count();
                if current > 1 || computing.len() > 2 {
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
///
/// Two computes begin one after the other only if a write of the map comes between: their re-checks read the map, and the
/// order of two reads is in no trace.
pub(super) fn versions_never_regress(story: &Story) -> Vec<Violation> {
    let clock_moves = story.clock_moves();
    let mut writes = 0;
    let mut began = BTreeMap::new();
    let (mut newest, mut latest_begin) = (0, 0);
    let mut at = Vec::new();
    for (index, record) in story.records.iter().copied() {
        let (version, begin) = match record.event {
            Event::ComputeStarted(_, seen) => {
                // If the clock moves, the event comes in a later section than the read. Then only what the read saw says
                // after which write it came.
                let begin = if clock_moves { seen } else { Some(writes) };
                began.insert(record.task, begin);
                continue;
            }
            Event::Published(_, version) => {
                (version, began.get(&record.task).copied().flatten().unwrap_or(latest_begin))
            }
            Event::Inserted(version) if clock_moves => (version, version),
            Event::Inserted(version) => (version, writes + 1),
            Event::Invalidated | Event::Cleared | Event::Evicted(_) | Event::Swept(_) => {
                writes += 1;
                continue;
            }
            _ => continue,
        };
        writes += 1;
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

/// A violation: the compute of the content, or of the error that the request returns, began before an invalidation or
/// an insert, and the request looked after it.
pub(super) fn invalidation_wins(story: &Story, requests: &RequestTraces) -> Vec<Violation> {
    let fences = |event| matches!(event, Event::Invalidated | Event::Cleared | Event::Inserted(_));
    let last_write = |until: usize| {
        let mut before = story.events().filter(|(index, _)| *index < until);
        before.rfind(|(_, event)| fences(*event)).map(|(index, _)| index)
    };
    let of = |request: &RequestTrace| {
        let look = request.first(|event| matches!(event, Event::Looked(_)))?;
        let write = last_write(look)?;
        let (answer, event) = request.events().last()?;
        let begun = match event {
            Event::Answered(content) => origin(story, content)?,
            Event::Refused => of_an_error(story, request)?,
            _ => return None,
        };
        (begun < write).then_some(answer)
    };
    let at = requests.0.iter().filter_map(of).collect();
    Story::violations(Invariant::InvalidationWins, at)
}

/// The start of the compute whose error the request returns: of its own, of the one that it waited for, or of the one that
/// its key backs off for. Nothing if the error is not one of a compute.
fn of_an_error(story: &Story, request: &RequestTrace) -> Option<usize> {
    let (last, event) = request
        .events()
        .filter(|(_, event)| {
            matches!(event, Event::ComputeFinished(_, false) | Event::Waited(_) | Event::BackingOff)
        })
        .last()?;
    let before = || story.records.iter().rev().filter(|(index, _)| *index <= last);
    let lease = match event {
        Event::Waited(lease) | Event::ComputeFinished(lease, _) => lease,
        _ => before().find_map(|(_, record)| match record.event {
            Event::ComputeFinished(lease, false) => Some(lease),
            _ => None,
        })?,
    };
    let start = before()
        .find(|(_, record)| matches!(record.event, Event::ComputeStarted(of, _) if of == lease));
    start.map(|(index, _)| *index)
}

pub(super) fn nomination_at_most_once(_: &Story, requests: &RequestTraces) -> Vec<Violation> {
    let second = |request: &RequestTrace| {
        let nominated = |(_, event): &(usize, Event)| matches!(event, Event::Nominated(_));
        request.events().filter(nominated).nth(1).map(|(index, _)| index)
    };
    let at = requests.0.iter().filter_map(second).collect();
    Story::violations(Invariant::NominationAtMostOnce, at)
}
