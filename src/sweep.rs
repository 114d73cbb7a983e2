//! Takes away what nobody needs any more: dead entries, and slots of the lease table that are idle.
//!
//! It is harmless at any moment and at any age of what it meets: an entry goes when nobody could be
//! served it again, a slot when nobody holds it and its last failure would not be looked at again. What
//! is in use is never judged by its age.

use crate::clock::{Clock, Moment};
use crate::error::ConfigError;
use crate::event::{Event, Observer};
use crate::key_lock::SlotState;
use crate::protocol::Protocol;
use crate::request::discard;
use crate::shared::Shared;
use crate::sync::{Arc, Condvar, Mutex, Thread};
use crate::world::World;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// What a sweep has taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// Keys whose entry had expired.
    pub keys: usize,
    /// Slots of the lease table: of keys that have failed, and were left alone for an idle time.
    pub slots: usize,
}

impl Swept {
    /// So many of each.
    pub(crate) fn new(keys: usize, slots: usize) -> Self {
        Self { keys, slots }
    }
}

/// A sweep under way.
#[doc(hidden)]
pub struct Sweep<'a, W: World> {
    shared: &'a Shared<W>,
    /// Read before anything was looked at: what was written since is younger than it seems.
    now: Moment,
}

impl<'a, W: World> Sweep<'a, W> {
    pub(crate) fn begin(shared: &'a Shared<W>) -> Self {
        Self { shared, now: shared.clock.now() }
    }

    /// Takes the dead entries out.
    pub fn entries(&self) -> usize {
        let swept = self.shared.store.sweep(self.now);
        let keys = swept.len();
        for ((hash, version), old) in swept {
            let tell = || self.shared.observer.on(hash, Event::Swept(version));
            // One that panics must not take the others along: two at once would end the process.
            discard(catch_unwind(AssertUnwindSafe(tell)));
            discard(catch_unwind(AssertUnwindSafe(|| drop(old))));
        }
        keys
    }

    /// Takes the slots away that `sweeps` says yes to.
    pub fn slots(&self, sweeps: impl Fn(SlotState) -> bool) -> usize {
        let Shared { leases, back_off, observer, .. } = self.shared;
        let swept = leases.sweep(self.now, back_off, sweeps);
        let slots = swept.len();
        for slot in swept {
            let tell = || observer.on(slot.hash(), Event::Forgotten);
            discard(catch_unwind(AssertUnwindSafe(tell)));
            discard(catch_unwind(AssertUnwindSafe(|| drop(slot))));
        }
        slots
    }
}

/// The thread that sweeps a cache now and then, until this is dropped.
pub(crate) struct Sweeper {
    until: Arc<Until>,
}

struct Until {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Until {
    /// Waits for a period; `true` if there is to be no further one.
    fn wait(&self, period: Duration) -> bool {
        let mut stopped = self.stopped.lock();
        while !*stopped {
            let timed_out;
            (stopped, timed_out) = self.changed.wait_for(stopped, period);
            if timed_out {
                break;
            }
        }
        *stopped
    }
}

impl Sweeper {
    /// One that has no thread yet.
    pub(crate) fn new() -> Self {
        let (stopped, changed) = (Mutex::new(false), Condvar::new());
        Self { until: Arc::new(Until { stopped, changed }) }
    }

    /// Starts the thread. It holds the cache only while it sweeps.
    pub(crate) fn start<W: World>(
        &self,
        shared: &Arc<Shared<W>>,
        period: Duration,
    ) -> Result<(), ConfigError> {
        if period == Duration::MAX {
            return Ok(());
        }
        let (until, shared) = (Arc::clone(&self.until), Arc::downgrade(shared));
        let sweep = move || {
            while !until.wait(period) {
                let Some(shared) = shared.upgrade() else { return };
                // A key's or a value's drop may panic, and so may the observer: the thread goes on.
                discard(catch_unwind(AssertUnwindSafe(|| shared.sweep())));
            }
        };
        Thread::spawn("xfetch-sweep".into(), sweep)
            .map(drop)
            .map_err(|error| ConfigError::NoThread { kind: error.kind() })
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        *self.until.stopped.lock() = true;
        self.until.changed.notify_all();
    }
}

impl<W: World> Shared<W> {
    pub(crate) fn sweep(&self) -> Swept {
        self.protocol.sweep(&Sweep::begin(self))
    }
}
