//! Checks of leases: which task holds one, touches one, or waits for one.

use super::request_traces::{RequestTrace, RequestTraces};
use super::{Story, Violation, windows};
use crate::catalogue::Invariant;
use crate::history::Event;
use std::collections::BTreeSet;

/// A violation: computes started under two leases, and neither lease was released, nor had it
/// published, before the other one's compute started.
///
/// This compares sections of the map, not of the lease table. A twin with a lease table for each
/// request leaves no order between one request's acquisition and another one's release.
///
/// If the clock moves, the record of a compute may come after another publication, although the compute
/// had read the map before it. Then the version that the compute saw is not the newest one.
pub(super) fn one_lease_per_key(story: &Story) -> Vec<Violation> {
    let clock_moves = story.clock_moves();
    let (mut held, mut published) = (BTreeSet::new(), None);
    let mut at = Vec::new();
    for (index, record) in story.records.iter().copied() {
        match record.event {
            Event::Published(_, version) => published = Some(version),
            Event::Inserted(_) => published = None,
            _ => {}
        }
        match record.event {
            Event::ComputeStarted(lease, saw) => {
                held.insert((lease, record.task));
                let saw_older =
                    clock_moves && saw.is_some() && published.is_some() && saw != published;
                if held.len() > 1 || saw_older {
                    at.push(index);
                }
            }
            Event::Revoked(lease) => held.retain(|(of, _)| *of != lease),
            Event::Published(lease, _)
            | Event::Discarded(lease)
            | Event::Released(lease)
            | Event::ComputeFinished(lease, false) => drop(held.remove(&(lease, record.task))),
            _ => {}
        }
    }
    Story::violations(Invariant::OneLeasePerKey, at)
}

pub(super) fn lease_always_released(story: &Story) -> Vec<Violation> {
    let Some(rest) = story.events().position(|(_, event)| event == Event::Rest) else {
        return Vec::new();
    };
    let before = || story.events().take(rest);
    let count = |is: fn(Event) -> bool| before().filter(|(_, event)| is(*event)).count();
    let leased = count(|event| matches!(event, Event::Leased(_)));
    let released = count(|event| matches!(event, Event::Released(_)));
    let at = before().filter(|(_, event)| matches!(event, Event::Leased(_)));
    let last = at.map(|(index, _)| index).last();
    let leaked = last.filter(|_| leased > released);
    Story::violations(Invariant::LeaseAlwaysReleased, leaked.into_iter().collect())
}

fn has_value(event: Event) -> bool {
    matches!(event, Event::StaleHit(_) | Event::FreshHit(_) | Event::Nominated(_))
}

/// In each request that has an event of the kind `after`, the first later event for which `is` is true.
fn first_after(
    requests: &RequestTraces,
    after: impl Fn(Event) -> bool,
    is: impl Fn(Event) -> bool,
) -> Vec<usize> {
    let of = |request: &RequestTrace| {
        let from = request.first(&after)?;
        request.events().find(|(index, event)| *index > from && is(*event)).map(|(index, _)| index)
    };
    requests.0.iter().filter_map(of).collect()
}

pub(super) fn stale_never_waits(_: &Story, requests: &RequestTraces) -> Vec<Violation> {
    let waits = |event| matches!(event, Event::Waited(_) | Event::TimedOut(_));
    Story::violations(Invariant::StaleNeverWaits, first_after(requests, has_value, waits))
}

pub(super) fn fresh_takes_no_lease(_: &Story, requests: &RequestTraces) -> Vec<Violation> {
    let fresh = |event| matches!(event, Event::FreshHit(_));
    let touches = |event| matches!(event, Event::Leased(_) | Event::Busy(_));
    Story::violations(Invariant::FreshTakesNoLease, first_after(requests, fresh, touches))
}

/// A violation: the last write between the look and the re-check is a publication, and the re-check did
/// not see it. Without a re-check it is the last write between the look and the lease.
///
/// Without a re-check only a request that gets the lease counts. It comes after the release of the
/// lease that published, so conflicting sections order the two. A request that finds the lease held may
/// come before or after the publication. If the clock moves, a re-check is recorded after its look at
/// the clock. Then this checker reports nothing.
pub(super) fn refreshed_in_time_takes_no_lease(
    story: &Story,
    requests: &RequestTraces,
) -> Vec<Violation> {
    let clock_moves = story.clock_moves();
    let of = |request: &RequestTrace| {
        let look = request.first(|event| matches!(event, Event::StaleHit(_)))?;
        let rechecked = request.first(|event| event == Event::StillNeeded);
        let until = match rechecked {
            Some(_) if clock_moves => return None,
            Some(recheck) => recheck,
            None => request.first(|event| matches!(event, Event::Leased(_)))?,
        };
        let mut between = story.events().filter(|(index, _)| (look..until).contains(index));
        let last_write = between.rfind(|(_, event)| windows::ends_window(*event))?.1;
        matches!(last_write, Event::Published(..)).then_some(until)
    };
    let at = requests.0.iter().filter_map(of).collect();
    Story::violations(Invariant::RefreshedInTimeTakesNoLease, at)
}
