//! The protocol: five steps, in order. The public face runs it; it uses everything below.
//!
//! 1. **Look**: the key is fresh, stale or absent. A fresh value is the answer, unless this request
//!    nominates it for an early refresh.
//! 2. **Re-check before**: read the map again just before the lease. If the key was refreshed meanwhile,
//!    its value is the answer, and no lease is touched.
//! 3. **Lease**: at most one per key. A stale request tries to acquire it, a miss waits for it.
//! 4. **Re-check inside**: under the lease, read the map again, on the thread that computes. Compute
//!    only if the key still needs it.
//! 5. **Compute, publish, release**, in this order.
//!
//! Beside all requests, at any moment: **sweep**, which removes dead entries and idle slots.
//!
//! The functions below put the steps together, once for every protocol. A [`Protocol`] is a value that
//! has the steps. [`DoubleRecheck`] is the protocol of the published crate, and has them as they stand
//! here. The suite's broken twins replace steps, and never how the steps are put together.

pub(crate) mod lease;
mod publish;
pub(crate) mod request;
pub(crate) mod sweep;
pub(crate) mod sweeper;
pub(crate) mod waits;
pub(crate) mod world;

use crate::error::Error;
use crate::panics::drop_each;
use crate::protocol::lease::{Lease, Turn};
use crate::protocol::request::{
    Compute, Computed, Glance, Look, Recheck, RefreshCandidate, Request,
};
use crate::protocol::sweep::{Sweep, Swept};
use crate::protocol::world::World;
use crate::tables::entry::Found;
use crate::tables::leases::{SlotState, Takeover};
use crate::tables::outcome::LeaseOutcome;
use crate::tables::store::MapSnapshot;
use std::time::Duration;

/// The answer of a request.
#[doc(hidden)]
pub type Answer<W> = Result<Found<<W as World>::Key, <W as World>::Value>, Error>;

/// Answers a request, with as many of the five steps as it needs.
#[inline]
pub(crate) fn answer<W: World, F: Compute<W>>(
    protocol: impl Protocol,
    request: &Request<W>,
    compute: F,
) -> Answer<W> {
    match protocol.hit(request) {
        // INVARIANT(fresh-takes-no-lease): a fresh value is returned here, before any lease.
        Ok(found) => Ok(found),
        Err(glance) => answer_later(protocol, request, glance, compute),
    }
}

/// The rest of the steps. It is apart, so that a hit does not carry its code.
#[inline(never)]
fn answer_later<W: World, F: Compute<W>>(
    protocol: impl Protocol,
    request: &Request<W>,
    glance: Glance<W>,
    compute: F,
) -> Answer<W> {
    match protocol.look(request, glance) {
        // INVARIANT(fresh-takes-no-lease): the same, near a deadline.
        Look::Fresh(found) => Ok(found),
        Look::Stale(candidate) => revalidate(protocol, request, candidate, compute),
        Look::Absent => {
            fetch(protocol, request, compute).or_else(|error| request.look_again().ok_or(error))
        }
    }
}

/// Answers a request without waiting: an absent key stays absent.
pub(crate) fn serve<W: World, F: Compute<W>>(
    protocol: impl Protocol,
    request: &Request<W>,
    compute: F,
) -> Option<Found<W::Key, W::Value>> {
    let glance = match protocol.hit(request) {
        Ok(found) => return Some(found),
        Err(glance) => glance,
    };
    match protocol.look(request, glance) {
        Look::Fresh(found) => Some(found),
        Look::Stale(candidate) => revalidate(protocol, request, candidate, compute).ok(),
        Look::Absent => None,
    }
}

/// Returns the stale value and refreshes it at most once.
fn revalidate<W: World, F: Compute<W>>(
    protocol: impl Protocol,
    request: &Request<W>,
    candidate: RefreshCandidate<W>,
    compute: F,
) -> Answer<W> {
    let snapshot = match protocol.recheck_before(request, &candidate) {
        Recheck::Current(found) => return Ok(found),
        Recheck::Needed(snapshot) => snapshot,
        Recheck::Revoked => return Ok(candidate.found),
    };
    // INVARIANT(stale-never-waits): a stale request tries the lease and does not wait for it.
    let Some(lease) = protocol.lease(request) else { return Ok(candidate.found) };
    protocol.dispatch(request, lease, move |request, lease| {
        refresh(protocol, request, compute, snapshot, lease).ok()
    });
    protocol.settle(request, candidate.found)
}

/// Waits until there is a value, or computes it under the key's lease.
fn fetch<W: World, F: Compute<W>>(
    protocol: impl Protocol,
    request: &Request<W>,
    mut compute: F,
) -> Answer<W> {
    loop {
        match protocol.lease_for_miss(request)? {
            Turn::Ours(lease) => {
                match refresh(protocol, request, compute, MapSnapshot::nothing(), lease) {
                    Ok(answer) => return answer,
                    Err(unused) => compute = unused,
                }
            }
            Turn::Over(LeaseOutcome::Value(found)) => return Ok(found),
            Turn::Over(LeaseOutcome::Failed(failed)) => return Err(failed.error),
            Turn::Over(LeaseOutcome::Unused) => {}
        }
        if let Some(found) = request.look_again() {
            return Ok(found);
        }
    }
}

/// Under the lease: computes the value if it is still needed.
///
/// What it is given is the user's too, and its drop may ask for this very key: the lease is the last parameter, so that
/// it is released first, by a panic too.
///
/// # Errors
///
/// The compute, if the lease was revoked.
fn refresh<W: World, F: Compute<W>>(
    protocol: impl Protocol,
    request: &Request<W>,
    compute: F,
    captured: MapSnapshot<W::Key, W::Value>,
    lease: Lease<W>,
) -> Result<Answer<W>, F> {
    match protocol.recheck_inside(request, &lease, &captured) {
        Recheck::Current(found) => {
            protocol.release(lease);
            Ok(Ok(found))
        }
        Recheck::Revoked => {
            protocol.release(lease);
            Err(compute)
        }
        Recheck::Needed(snapshot) => {
            let computed = request.compute(&lease, &snapshot, compute);
            let answer = protocol.finish(request, snapshot, computed, lease);
            drop_each(Some(captured));
            Ok(answer)
        }
    }
}

/// The end of step 5: publishes, then releases.
// INVARIANT(one-compute-per-window): the value is in the map before the lease is free.
#[doc(hidden)]
pub fn finish<W: World>(
    protocol: impl Protocol,
    request: &Request<W>,
    snapshot: MapSnapshot<W::Key, W::Value>,
    computed: Computed<W>,
    mut lease: Lease<W>,
) -> Answer<W> {
    let publication = request.publish(lease.id(), &snapshot, computed);
    lease.set_outcome(publication.outcome.clone());
    protocol.release(lease);
    drop_each(Some(snapshot));
    publication.into_answer()
}

/// Removes dead entries, then idle slots.
// INVARIANT(bounded-memory): dead entries and idle slots, both.
#[doc(hidden)]
pub fn sweep<W: World>(protocol: impl Protocol, sweep: &Sweep<W>) -> Swept {
    Swept::new(sweep.entries(), sweep.slots(|slot| protocol.sweeps(slot)))
}

/// The steps. Hidden and unstable: the suite breaks one step at a time of the published code.
#[doc(hidden)]
pub trait Protocol: Copy + Send + Sync + 'static {
    /// How far behind a look takes the coarse time to be.
    // INVARIANT(never-serve-expired): the clock's whole lag.
    fn allows_for(self, lag: Duration) -> Duration {
        lag
    }

    /// Step 1, as much of it as a hit needs.
    ///
    /// # Errors
    ///
    /// What it has read, if that is not enough.
    #[inline(always)]
    fn hit<W: World>(self, request: &Request<W>) -> Result<Found<W::Key, W::Value>, Glance<W>> {
        request.hit(request.glance())
    }

    /// Step 1, the rest.
    fn look<W: World>(self, request: &Request<W>, glance: Glance<W>) -> Look<W> {
        request.look(glance)
    }

    /// Step 2.
    // INVARIANT(refreshed-in-time-takes-no-lease): the map is read after the look, before the lease.
    fn recheck_before<W: World>(
        self,
        request: &Request<W>,
        _candidate: &RefreshCandidate<W>,
    ) -> Recheck<W> {
        request.recheck_before()
    }

    /// Step 3 for a stale request. Nothing if another request holds the lease, or the key backs off.
    fn lease<W: World>(self, request: &Request<W>) -> Option<Lease<W>> {
        request.try_lease().ok()
    }

    /// Which leases a miss takes over. A queued refresh has not begun to compute, and the miss has a
    /// thread. The refresh learns of it when it begins, and does nothing.
    fn takeover(self) -> Takeover {
        Takeover::Queued
    }

    /// Step 3 for a miss.
    // INVARIANT(miss-single-flight): a miss that finds the lease taken waits for its release.
    fn lease_for_miss<W: World>(self, request: &Request<W>) -> Result<Turn<W>, Error> {
        request.lease_or_wait()
    }

    /// Sends the refresh of a stale value to the executor, with the lease.
    fn dispatch<W: World>(
        self,
        request: &Request<W>,
        lease: Lease<W>,
        refresh: impl FnOnce(&Request<W>, Lease<W>) -> Option<Answer<W>> + Send + 'static,
    ) {
        // INVARIANT(lease-always-released): a refused job is dropped, and its lease with it.
        drop(request.dispatch(lease, refresh));
    }

    /// A thread has come to a refresh that was sent to it. Returns whether the lease is still its own.
    // INVARIANT(one-compute-per-window): a refresh whose lease was taken over does not compute.
    fn begins<W: World>(self, request: &Request<W>, lease: &Lease<W>) -> bool {
        request.begins(lease)
    }

    /// Step 4.
    // INVARIANT(no-wasted-compute): the map is read under the lease; the captured snapshot is not used.
    fn recheck_inside<W: World>(
        self,
        request: &Request<W>,
        lease: &Lease<W>,
        _captured: &MapSnapshot<W::Key, W::Value>,
    ) -> Recheck<W> {
        request.recheck_inside(lease)
    }

    /// The end of step 5.
    fn finish<W: World>(
        self,
        request: &Request<W>,
        snapshot: MapSnapshot<W::Key, W::Value>,
        computed: Computed<W>,
        lease: Lease<W>,
    ) -> Answer<W> {
        finish(self, request, snapshot, computed, lease)
    }

    /// Releases the lease, after a compute or without one.
    fn release<W: World>(self, lease: Lease<W>) {
        drop(lease);
    }

    /// What a stale request returns after its refresh was sent or has run.
    fn settle<W: World>(self, request: &Request<W>, found: Found<W::Key, W::Value>) -> Answer<W> {
        Ok(request.still(found))
    }

    /// Whether a write revokes the key's lease. It does so unless another revoked one is still in flight: then
    /// requests wait until one of the two has ended.
    // INVARIANT(one-in-flight): a key has at most one revoked compute in flight, and one current one.
    fn revokes(self, another_in_flight: bool) -> bool {
        !another_in_flight
    }

    /// Whether a write ends the key's back-off: what is remembered of the key is from before.
    fn forgets(self) -> bool {
        true
    }

    /// How many keys a shard of the store may have.
    fn room(self, capacity: usize) -> usize {
        capacity
    }

    /// Whether the release of a lease removes its slot from the table.
    // INVARIANT(lock-table-drains): only a slot that remembers a failure stays.
    fn retires(self, slot: SlotState) -> bool {
        !slot.remembers
    }

    /// A sweep. It may come at any moment.
    fn sweep<W: World>(self, of: &Sweep<W>) -> Swept {
        sweep(self, of)
    }

    /// Whether a sweep removes a slot. A slot in use is not judged by its age.
    // INVARIANT(one-lease-per-key): a slot that is held stays, however old it is.
    fn sweeps(self, slot: SlotState) -> bool {
        !slot.held && !slot.remembers
    }
}

/// The protocol of the published crate.
#[derive(Clone, Copy, Debug, Default)]
pub struct DoubleRecheck;

impl Protocol for DoubleRecheck {}
