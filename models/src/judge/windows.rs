//! The guarantee: what may be computed in a staleness window.

use super::Violation;
use crate::catalogue::Invariant;
use crate::history::{Event, History};

/// A window ends when a newer version is there, or the key is removed.
fn ends_window(event: Event) -> bool {
    matches!(event, Event::Published(..) | Event::Inserted(_) | Event::Invalidated)
}

/// Counts the computes of each window against one and its failures.
pub(super) fn one_compute_per_window(history: &History) -> Vec<Violation> {
    let (mut started, mut allowed) = (0, 1);
    let mut violations = Vec::new();
    for (index, record) in history.records.iter().enumerate() {
        match record.event {
            event if ends_window(event) => (started, allowed) = (0, 1),
            Event::ComputeFinished(_, false) => allowed += 1,
            Event::ComputeStarted(..) => {
                started += 1;
                if started > allowed {
                    violations.push((Invariant::OneComputePerWindow, index));
                }
            }
            _ => {}
        }
    }
    violations
}

/// A compute is wasted if the entry in the map was fresh when it started.
pub(super) fn no_wasted_compute(history: &History) -> Vec<Violation> {
    let mut fresh_until = 0;
    let mut violations = Vec::new();
    for (index, record) in history.records.iter().enumerate() {
        match record.event {
            Event::Published(..) | Event::Inserted(_) => fresh_until = record.now + history.payload,
            Event::Invalidated => fresh_until = 0,
            Event::ComputeStarted(..) if record.now < fresh_until => {
                violations.push((Invariant::NoWastedCompute, index));
            }
            _ => {}
        }
    }
    violations
}

/// At rest, a stale key that was asked for has been computed.
pub(super) fn at_least_one_compute(history: &History) -> Vec<Violation> {
    let asked = history.records.iter().any(|record| matches!(record.event, Event::StaleHit(_)));
    let computed =
        history.records.iter().any(|record| matches!(record.event, Event::ComputeStarted(..)));
    if asked && !computed {
        return vec![(Invariant::AtLeastOneCompute, history.records.len().saturating_sub(1))];
    }
    Vec::new()
}
