//! The state of the cache after a section: its leases and its version.

use super::names::TaskNames;
use crate::history::{Event, Record};

#[derive(Default)]
pub(super) struct Known {
    /// Each lease that is held, with the task that took it.
    leases: Vec<(u64, usize)>,
    version: Option<u64>,
}

impl Known {
    pub(super) fn learn(&mut self, record: &Record) {
        match record.event {
            Event::Leased(lease) => self.leases.push((lease, record.task)),
            Event::Released(lease) => {
                let place = self.leases.iter().position(|(held, _)| *held == lease);
                place.map(|place| self.leases.remove(place));
            }
            Event::Published(_, version) | Event::Inserted(version) => self.version = Some(version),
            Event::Invalidated | Event::Cleared => self.version = None,
            Event::Swept(gone) | Event::Evicted(gone) if self.version == Some(gone) => {
                self.version = None;
            }
            _ => {}
        }
    }

    pub(super) fn holders(&self, tasks: &TaskNames) -> String {
        let holder = |(lease, task): &(u64, usize)| format!("{lease}: {}", tasks.name(*task));
        self.leases.iter().map(holder).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn version(&self) -> String {
        self.version.map_or_else(|| "none".into(), |version| format!("v{version}"))
    }
}
