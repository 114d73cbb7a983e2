//! The last step of the protocol: running the compute, and publishing what it returned.

use crate::clock::{Clock, Moment};
use crate::error::Error;
use crate::ids::LeaseId;
use crate::observe::event::Event;
use crate::panics::{Guarded, OnPanic, discard, drop_each, message};
use crate::policy::back_off::Failed;
use crate::policy::early::unit_interval;
use crate::protocol::Answer;
use crate::protocol::lease::Lease;
use crate::protocol::request::{Compute, Computed, Request};
use crate::protocol::waits::Computing;
use crate::protocol::world::{Shared, World};
use crate::tables::entry::Found;
use crate::tables::outcome::LeaseOutcome;
use crate::tables::store::{MapSnapshot, Replaced, Written};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A publication, or why there is none.
#[doc(hidden)]
pub struct Publication<W: World> {
    /// The answer of the request that computed.
    pub answer: Answer<W>,
    /// What the waiters of the lease learn.
    pub outcome: LeaseOutcome<W::Key, W::Value>,
    replaced: Replaced<W::Key, W::Value>,
    /// Of a compute that failed.
    key: Option<Guarded<W::Key>>,
    ended: Option<Computing>,
}

impl<W: World> Publication<W> {
    /// Drops what was replaced, and returns the answer.
    pub fn into_answer(self) -> Answer<W> {
        drop_each(self.replaced);
        drop(self.key);
        drop_each(self.ended);
        self.answer
    }
}

impl<W: World> Request<'_, W> {
    /// Runs the compute, outside every lock. A panic of the compute is a failure like any other.
    // INVARIANT(one-in-flight): a compute is called under the key's lease, and nowhere else.
    pub fn compute<F: Compute<W>>(
        &self,
        lease: &Lease<W>,
        snapshot: &MapSnapshot<W::Key, W::Value>,
        compute: F,
    ) -> Computed<W> {
        let clock = &self.shared.clock;
        // The clock or the observer may panic. Then the compute ends all the same, for whoever counts.
        let finished = OnPanic(|| self.emit(Event::ComputeFinished(lease.id(), false)));
        self.emit(Event::ComputeStarted(lease.id(), snapshot.version()));
        let key = Guarded::new(self.key.to_key());
        let began = clock.now();
        let computing = self.computing(lease.id()).begin();
        let compute = || compute(&key).map(Guarded::new);
        let result = catch_unwind(AssertUnwindSafe(compute)).unwrap_or_else(|panic| {
            let error = Error::Panicked(message(panic.as_ref()).into());
            discard(Err::<(), _>(panic));
            Err(error)
        });
        let ended = computing.end();
        let took = clock.now().since(began);
        finished.disarm();
        let discarded = self.discards(lease.id(), &result);
        self.emit(Event::ComputeFinished(lease.id(), result.is_ok()));
        discarded.disarm();
        Computed { key, result, took, began, ended }
    }

    /// Emits that the value of a compute is not published, if a panic comes before its publication.
    fn discards<'a>(
        &'a self,
        lease: LeaseId,
        result: &Result<Guarded<W::Value>, Error>,
    ) -> OnPanic<impl FnMut() + use<'a, W>> {
        let has_value = result.is_ok();
        OnPanic(move || {
            if has_value {
                self.emit(Event::Discarded(lease));
            }
        })
    }

    /// Publishes what a compute returned, unless its lease was revoked. What a publication replaces is the user's, and is
    /// dropped after the release: its drop may ask for this very key.
    // INVARIANT(versions-never-regress): the version is made in the section that writes the entry.
    pub fn publish(
        &self,
        lease: LeaseId,
        snapshot: &MapSnapshot<W::Key, W::Value>,
        computed: Computed<W>,
    ) -> Publication<W> {
        let Computed { key, result, took, began, ended } = computed;
        let discarded = self.discards(lease, &result);
        let value = match result {
            Ok(value) => value,
            Err(error) => {
                discarded.disarm();
                let failed = self.failed(error.clone(), began);
                let outcome = LeaseOutcome::Failed(failed);
                let (answer, replaced, key) = (Err(error), Vec::new(), Some(key));
                return Publication { answer, outcome, replaced, key, ended };
            }
        };
        let entry = self.shared.entry(key, value, took);
        let Shared { store, .. } = &**self.shared;
        let written = store.publish(self.hash, entry, lease, snapshot.stamp(), self.shared.room());
        discarded.disarm();
        let (found, replaced) = match written {
            Ok(Written { entry, evicted, replaced }) => {
                self.emit(Event::Published(lease, entry.version()));
                self.shared.emit_evicted(evicted);
                (Found::made(&entry), replaced)
            }
            Err(overtaken) => {
                self.emit(Event::Discarded(lease));
                (Found::made(&overtaken), Vec::new())
            }
        };
        let outcome = LeaseOutcome::Value(found.clone());
        Publication { answer: Ok(found), outcome, replaced, key: None, ended }
    }

    /// A failure is remembered even if the clock or the draw panics.
    fn failed(&self, error: Error, began: Moment) -> Failed {
        let Shared { clock, draw, .. } = &**self.shared;
        let drawn = catch_unwind(AssertUnwindSafe(|| (clock.now(), unit_interval(draw()))));
        let (at, jitter) = drawn.unwrap_or_else(|panic| {
            discard(Err::<(), _>(panic));
            (began, 1.0)
        });
        Failed { error, at, jitter }
    }
}
