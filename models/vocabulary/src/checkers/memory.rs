//! Checks at rest: what is left in the tables, in the pool and on the counters.

use super::{Story, Violation, stories};
use crate::catalogue::Invariant;
use crate::history::{Event, History};
use std::collections::BTreeSet;

/// The violations of this kind. They are reported at the rest of the execution.
pub(super) fn violated(history: &History) -> Vec<Violation> {
    let events = || history.records.iter().map(|record| record.event);
    let Some(rest) = events().position(|event| event == Event::Rest) else { return Vec::new() };
    let checks: [(Invariant, fn(&History, usize) -> bool); 4] = [
        (Invariant::LockTableDrains, drains),
        (Invariant::BoundedMemory, is_bounded),
        (Invariant::ShutdownDrains, shuts_down),
        (Invariant::MetricsBalance, balances),
    ];
    let broken = checks.into_iter().filter(|(_, holds)| !holds(history, rest));
    broken.map(|(invariant, _)| (invariant, rest)).collect()
}

/// A slot is left only for a key whose last compute failed and is not forgotten. A write forgets the failure. The
/// failure of a revoked compute is not remembered.
fn drains(history: &History, rest: usize) -> bool {
    let remembers = |story: &Story| {
        let (mut revoked, mut remembers) = (BTreeSet::new(), false);
        for (_, event) in story.events().filter(|(index, _)| *index < rest) {
            match event {
                Event::Revoked(lease) => drop(revoked.insert(lease)),
                Event::ComputeFinished(lease, false) if !revoked.contains(&lease) => {
                    remembers = true
                }
                Event::Published(..)
                | Event::Inserted(_)
                | Event::Invalidated
                | Event::Cleared
                | Event::Forgotten => remembers = false,
                _ => {}
            }
        }
        remembers
    };
    history.at_rest.slots <= stories(history).iter().filter(|story| remembers(story)).count()
}

fn is_bounded(history: &History, _: usize) -> bool {
    let last = history.at_last;
    history.at_rest.keys <= history.capacity && (last.keys, last.leases, last.slots) == (0, 0, 0)
}

/// After a shutdown only callers start computes, and no lease is held.
fn shuts_down(history: &History, rest: usize) -> bool {
    let before_rest = &history.records[..rest];
    let Some(at) = before_rest.iter().position(|record| record.event == Event::ShutDown) else {
        return true;
    };
    let asks = |record: &&crate::history::Record| record.event == Event::Asked;
    let callers: BTreeSet<_> = before_rest.iter().filter(asks).map(|record| record.task).collect();
    let runs = before_rest[at..].iter().any(|record| {
        matches!(record.event, Event::ComputeStarted(..)) && !callers.contains(&record.task)
    });
    !runs && history.at_rest.leases == 0
}

/// Each counter is the number of its events, and the counters add up. The number of requests comes from
/// the scenario.
fn balances(history: &History, rest: usize) -> bool {
    let counted = |name: &str| {
        history.counted.iter().find(|(counter, _)| *counter == name).map_or(0, |(_, count)| *count)
    };
    let happened = |is: fn(Event) -> bool| {
        history.records[..rest].iter().filter(|record| is(record.event)).count() as u64
    };
    if history.counted.is_empty() {
        return true;
    }
    let requests = counted("hits_fresh") + counted("hits_stale") + counted("misses");
    let ended = counted("failed") + counted("published") + counted("discarded");
    let unused = counted("skipped_inside") + counted("dropped") + counted("taken_over");
    requests == happened(|event| event == Event::Asked)
        && counted("computes") == happened(|event| matches!(event, Event::ComputeStarted(..)))
        && counted("computes") == ended
        && counted("leased") == counted("released")
        && counted("leased") == counted("computes") + unused
}
