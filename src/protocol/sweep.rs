//! A sweep: it removes dead entries from the store, and idle slots from the lease table. The protocol and
//! the public face call it.
//!
//! A sweep may come at any moment. It removes an entry when no request could be served it again, and a
//! slot when no request holds it and the next failure would not look at the last one. It never judges
//! what is in use by its age.

use crate::clock::{Clock, Moment};
use crate::error::ConfigError;
use crate::observe::event::{Event, Observer};
use crate::panics::{discard, drop_each};
use crate::protocol::Protocol;
use crate::protocol::world::{Shared, World};
use crate::sync::Arc;
use crate::tables::leases::SlotState;
use crate::tables::store::Sweeping;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

/// What a sweep has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// Keys whose entry had expired.
    pub keys: usize,
    /// Slots of the lease table: of keys that have failed, and were left alone for an idle time.
    pub slots: usize,
}

impl Swept {
    pub(crate) fn new(keys: usize, slots: usize) -> Self {
        Self { keys, slots }
    }
}

/// A sweep under way.
#[doc(hidden)]
pub struct Sweep<'a, W: World> {
    shared: &'a Shared<W>,
    /// Read before the tables were: an entry that was written since is younger than it seems.
    now: Moment,
}

impl<'a, W: World> Sweep<'a, W> {
    pub(crate) fn begin(shared: &'a Shared<W>) -> Self {
        Self { shared, now: shared.clock.now() }
    }

    /// Removes the dead entries.
    pub fn entries(&self) -> usize {
        let Sweeping { entries, panicked } =
            self.shared.store.sweep(self.now, || self.shared.clock.now());
        let keys = entries.len();
        for (removed, replaced) in entries {
            let emit = || self.shared.observer.on(removed.hash, Event::Swept(removed.version));
            // A panic must not stop the others: a second one while it unwinds would abort the process.
            discard(catch_unwind(AssertUnwindSafe(emit)));
            drop_each(Some(replaced));
        }
        if let Some(panic) = panicked {
            resume_unwind(panic);
        }
        keys
    }

    /// Removes the slots for which `sweeps` returns true.
    pub fn slots(&self, sweeps: impl Fn(SlotState) -> bool) -> usize {
        let Shared { leases, back_off, observer, clock, .. } = self.shared;
        let swept = leases.sweep(self.now, || clock.now(), back_off, sweeps);
        let slots = swept.len();
        for slot in swept {
            let emit = || observer.on(slot.hash(), Event::Forgotten);
            discard(catch_unwind(AssertUnwindSafe(emit)));
            slot.discard();
        }
        slots
    }
}

impl<W: World> Shared<W> {
    pub(crate) fn sweep(&self) -> Swept {
        self.protocol.sweep(&Sweep::begin(self))
    }

    /// Starts the thread that sweeps once a period. The thread holds the cache only while it sweeps.
    pub(crate) fn start_sweeper(self: &Arc<Self>, period: Duration) -> Result<(), ConfigError> {
        let cache = Arc::downgrade(self);
        self.sweeper.start(period, move || {
            let Some(cache) = cache.upgrade() else { return false };
            // The drop of a key or a value may panic, and so may the observer: the thread goes on.
            discard(catch_unwind(AssertUnwindSafe(|| cache.sweep())));
            true
        })
    }
}
