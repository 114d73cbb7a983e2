//! Events in words.

use crate::catalogue::Invariant;
use crate::history::{Event, Record};

/// A number of things, with the plural where it is due.
pub fn counted(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

pub(crate) fn violated(invariant: Invariant) -> String {
    format!("<- violates {invariant}")
}

/// An event in words; `None` if another event of the same moment says it better.
pub(crate) fn say(record: &Record) -> Option<String> {
    Some(match record.event {
        Event::Looked(_) | Event::Asked | Event::Put(_) | Event::Rest => return None,
        // Only the runs that are held against the transition table have these.
        Event::Waits | Event::WakesUp | Event::Reads(_) | Event::ReadsTheClock => return None,
        Event::FreshHit(version) => format!("finds v{version} fresh"),
        Event::StaleHit(version) => format!("finds v{version} stale"),
        Event::Miss => "finds the key absent".into(),
        Event::Nominated(version) => format!("nominates v{version}"),
        Event::StillNeeded => "finds the refresh still needed".into(),
        Event::SkippedBefore(version) => format!("finds v{version} fresh, returns it"),
        Event::Leased(lease) => format!("takes lease {lease}"),
        Event::Busy(lease) => format!("finds lease {lease} held"),
        Event::Waited(lease) => format!("has waited for lease {lease}"),
        Event::TimedOut(_) => "times out".into(),
        Event::BackingOff => "finds that the key backs off".into(),
        Event::Cycle(lease) => format!("finds that lease {lease} waits for a lease of this caller"),
        Event::SkippedInside(_, version) => format!("finds v{version} fresh, does not compute"),
        Event::ComputeStarted(_, Some(version)) => format!("COMPUTES to replace v{version}"),
        Event::ComputeStarted(_, None) => "COMPUTES, as the key is absent".into(),
        Event::ComputeFinished(_, true) => "ends the compute".into(),
        Event::ComputeFinished(_, false) => "fails to compute".into(),
        Event::Published(_, version) => format!("publishes v{version}"),
        Event::Discarded(_) => "discards its value: the key was written meanwhile".into(),
        Event::Released(lease) => format!("releases lease {lease}"),
        Event::Inserted(version) => format!("inserts v{version}"),
        Event::Invalidated => "invalidates".into(),
        Event::Cleared => "invalidates all keys".into(),
        Event::Evicted(version) => format!("evicts v{version}"),
        Event::Swept(version) => format!("sweeps v{version}"),
        Event::Forgotten => "forgets the failures of the key".into(),
        Event::Revoked(lease) => format!("revokes lease {lease}"),
        Event::TakenOver(lease) => {
            format!("finds lease {lease} taken over or revoked, does nothing")
        }
        Event::Rejected(_) => "is refused by the executor".into(),
        Event::Dropped(_) => "drops the refresh".into(),
        Event::Makes(content) => format!("makes content {content}"),
        Event::Answered(content) => format!("returns content {content}"),
        Event::Refused => "returns an error".into(),
        Event::ShutDown => "has shut the pool down".into(),
        Event::Tick => "moves the clock".into(),
    })
}
