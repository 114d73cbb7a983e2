//! Writes down every event of a cache, in the order of the sections.

use super::core::{self, Clock, Moment, Observer};
use super::{current_step, current_task};
use crate::history::{Event, Record};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The scenario's time. It moves only while no caller is running, so nobody has to see it move.
#[derive(Clone, Default)]
pub(super) struct Still(Arc<AtomicU64>);

impl Still {
    pub(super) fn advance(&self, span: Duration) {
        self.0.fetch_add(span.as_nanos() as u64, Ordering::Relaxed);
    }
}

impl Clock for Still {
    fn now(&self) -> Moment {
        Moment::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// An observer that keeps everything.
#[derive(Clone)]
pub(super) struct Ledger {
    clock: Still,
    records: Arc<Mutex<Vec<Record>>>,
}

impl Ledger {
    pub(super) fn new(clock: Still) -> Self {
        Self { clock, records: Arc::default() }
    }

    pub(super) fn take(&self) -> Vec<Record> {
        std::mem::take(&mut self.records.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Observer for Ledger {
    fn on(&self, key: u64, event: core::Event) {
        let record = Record {
            task: current_task(),
            step: current_step(),
            now: self.clock.now().as_nanos(),
            key,
            event: plain(event),
        };
        self.records.lock().unwrap_or_else(PoisonError::into_inner).push(record);
    }
}

/// The event in terms of no particular build of the core.
fn plain(event: core::Event) -> Event {
    use core::Event as E;
    match event {
        E::FreshHit(version) => Event::FreshHit(version.get()),
        E::StaleHit(version) => Event::StaleHit(version.get()),
        E::Miss => Event::Miss,
        E::SkippedBefore(version) => Event::SkippedBefore(version.get()),
        E::Leased(lease) => Event::Leased(lease.get()),
        E::Busy(lease) => Event::Busy(lease.get()),
        E::Waited(lease) => Event::Waited(lease.get()),
        E::SkippedInside(lease, version) => Event::SkippedInside(lease.get(), version.get()),
        E::ComputeStarted(lease, saw) => Event::ComputeStarted(lease.get(), saw.map(|v| v.get())),
        E::ComputeFinished(lease, done) => Event::ComputeFinished(lease.get(), done),
        E::Published(lease, version) => Event::Published(lease.get(), version.get()),
        E::Discarded(lease) => Event::Discarded(lease.get()),
        E::Released(lease) => Event::Released(lease.get()),
        E::Inserted(version) => Event::Inserted(version.get()),
        E::Invalidated => Event::Invalidated,
        E::Rejected(lease) => Event::Rejected(lease.get()),
        other => unreachable!("the ledger does not know the event {other:?}"),
    }
}
