//! The state of the cache after a section: its entry, its leases, and its computes.

use super::names::TaskNames;
use crate::history::{Event, History, Record};

#[derive(Default)]
pub(crate) struct Known {
    /// Each lease that is held, with the task that took it.
    leases: Vec<(u64, usize)>,
    version: Option<u64>,
    /// When the version was written, in nanoseconds of the scenario's time.
    written: u64,
    now: u64,
    started: u32,
    ended: u32,
}

impl Known {
    pub(crate) fn learn(&mut self, record: &Record) {
        self.now = self.now.max(record.now);
        match record.event {
            Event::Leased(lease) => self.leases.push((lease, record.task)),
            Event::Released(lease) => {
                let place = self.leases.iter().position(|(held, _)| *held == lease);
                place.map(|place| self.leases.remove(place));
            }
            Event::Published(_, version) | Event::Inserted(version) => {
                self.version = Some(version);
                self.written = record.now;
            }
            Event::Invalidated | Event::Cleared => self.version = None,
            Event::Swept(gone) | Event::Evicted(gone) if self.version == Some(gone) => {
                self.version = None;
            }
            Event::ComputeStarted(..) => self.started += 1,
            Event::ComputeFinished(..) => self.ended += 1,
            _ => {}
        }
    }

    pub(crate) fn holders(&self, tasks: &TaskNames) -> String {
        let holder = |(lease, task): &(u64, usize)| format!("{lease}: {}", tasks.name(*task));
        self.leases.iter().map(holder).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn version(&self) -> String {
        self.version.map_or_else(|| "none".into(), |version| format!("v{version}"))
    }

    /// The version with its freshness: `v1, stale`.
    pub(crate) fn entry(&self, history: &History) -> String {
        let age = match self.now.saturating_sub(self.written) {
            age if age >= history.storage => "expired",
            age if age >= history.payload => "stale",
            _ => "fresh",
        };
        self.version.map_or_else(|| "none".into(), |version| format!("v{version}, {age}"))
    }

    /// How many computes have begun, and how many of them have not ended.
    pub(crate) fn computes(&self) -> (u32, u32) {
        (self.started, self.started.saturating_sub(self.ended))
    }
}
