//! The state of the cache after a section: its entries, its leases, and its computes.

use super::names::TaskNames;
use crate::history::{Event, History, Record};

/// A version, and when it was written in nanoseconds of the scenario's time.
type Entry = (u64, u64);

#[derive(Default)]
pub(crate) struct Known {
    /// Each lease that is held, with the task that took it, and whether it was revoked.
    leases: Vec<(u64, usize, bool)>,
    /// The entry of each key, in the order in which the keys came.
    entries: Vec<(u64, Option<Entry>)>,
    now: u64,
    started: u32,
    ended: u32,
}

impl Known {
    pub(crate) fn learn(&mut self, record: &Record) {
        self.now = self.now.max(record.now);
        match record.event {
            Event::Leased(lease) => self.leases.push((lease, record.task, false)),
            Event::Released(lease) => self.release(lease, record.task),
            Event::Revoked(lease) => {
                let held = self.leases.iter_mut().find(|(held, _, _)| *held == lease);
                held.into_iter().for_each(|(_, _, revoked)| *revoked = true);
            }
            Event::Published(_, version) | Event::Inserted(version) => {
                *self.entry_of(record.key) = Some((version, record.now));
            }
            Event::Invalidated => *self.entry_of(record.key) = None,
            Event::Cleared => self.entries.iter_mut().for_each(|(_, entry)| *entry = None),
            Event::Swept(gone) | Event::Evicted(gone) => {
                let entry = self.entry_of(record.key);
                *entry = entry.filter(|(version, _)| *version != gone);
            }
            Event::ComputeStarted(..) => self.started += 1,
            Event::ComputeFinished(..) => self.ended += 1,
            _ => {}
        }
    }

    fn entry_of(&mut self, key: u64) -> &mut Option<Entry> {
        let place = self.entries.iter().position(|(other, _)| *other == key);
        let place = place.unwrap_or_else(|| {
            self.entries.push((key, None));
            self.entries.len() - 1
        });
        &mut self.entries[place].1
    }

    /// A twin's tables of its own count their leases each from 1: that of the task goes first.
    fn release(&mut self, lease: u64, task: usize) {
        let of_task = self.leases.iter().position(|(held, by, _)| (*held, *by) == (lease, task));
        let place = of_task.or_else(|| self.leases.iter().position(|(held, _, _)| *held == lease));
        place.map(|place| self.leases.remove(place));
    }

    pub(crate) fn holders(&self, tasks: &TaskNames) -> String {
        let holder = |(lease, task, revoked): &(u64, usize, bool)| {
            let revoked = if *revoked { " (revoked)" } else { "" };
            format!("{lease}: {}{revoked}", tasks.name(*task))
        };
        self.leases.iter().map(holder).collect::<Vec<_>>().join(", ")
    }

    /// The version of each key.
    pub(crate) fn version(&self) -> String {
        self.joined(|(version, _)| format!("v{version}"))
    }

    /// The same with the freshness: `v1 stale`.
    pub(crate) fn entry(&self, history: &History) -> String {
        self.joined(|(version, written)| {
            let age = match self.now.saturating_sub(written) {
                age if age >= history.storage => "expired",
                age if age >= history.payload => "stale",
                _ => "fresh",
            };
            format!("v{version} {age}")
        })
    }

    fn joined(&self, say: impl Fn(Entry) -> String) -> String {
        let one = |(_, entry): &(u64, Option<Entry>)| entry.map_or_else(|| "none".into(), &say);
        match self.entries.as_slice() {
            [] => "none".into(),
            entries => entries.iter().map(one).collect::<Vec<_>>().join(", "),
        }
    }

    /// How many computes have begun, and how many of them have not ended.
    pub(crate) fn computes(&self) -> (u32, u32) {
        (self.started, self.started.saturating_sub(self.ended))
    }
}
