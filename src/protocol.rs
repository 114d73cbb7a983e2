//! The protocol: five steps, in order.
//!
//! 1. **look**: fresh, stale or absent. What is fresh is the answer, unless this request nominates it
//!    for an early refresh.
//! 2. **re-check before**: read the map again just before the lease; what was refreshed meanwhile
//!    is the answer, and no lease is touched.
//! 3. **lease**: one per key. A stale request tries, a miss waits.
//! 4. **re-check inside**: under the lease read the map's current entry, on the thread that
//!    computes. Compute only if that entry still needs it.
//! 5. **compute, publish, release**, in this order.
//!
//! And beside all requests, at any moment: **sweep**, what nobody needs any more.
//!
//! The functions below put the steps together, once for every protocol. A [`Protocol`] is a value that
//! has the steps; [`DoubleRecheck`], which is shipped, has them as they stand here. The suite's broken
//! twins replace a step, and never how the steps are put together.

use crate::Found;
use crate::error::Error;
use crate::key_lock::{Ended, SlotState, Takeover};
use crate::request::{Compute, Computed, Judgement, Lease, Look, Request, Stale, Turn};
use crate::store::Sight;
use crate::sweep::{Sweep, Swept};
use crate::world::World;

/// What a request gets.
#[doc(hidden)]
pub type Answer<W> = Result<Found<<W as World>::Value>, Error>;

/// Answers a request, with all five steps if need be.
pub(crate) fn answer<W: World, F: Compute<W>>(
    protocol: impl Protocol,
    request: &Request<W>,
    compute: F,
) -> Answer<W> {
    match protocol.look(request) {
        // INVARIANT(fresh-takes-no-lease): a fresh value is returned here, before any lease.
        Look::Fresh(found) => Ok(found),
        Look::Stale(stale) => revalidate(protocol, request, stale, compute),
        Look::Absent => {
            fetch(protocol, request, compute).or_else(|error| request.look_again().ok_or(error))
        }
    }
}

/// The same without the part that waits: what is absent stays so.
pub(crate) fn serve<W: World, F: Compute<W>>(
    protocol: impl Protocol,
    request: &Request<W>,
    compute: F,
) -> Option<Found<W::Value>> {
    match protocol.look(request) {
        Look::Fresh(found) => Some(found),
        Look::Stale(stale) => revalidate(protocol, request, stale, compute).ok(),
        Look::Absent => None,
    }
}

/// Returns the stale value and refreshes it at most once.
fn revalidate<W: World, F: Compute<W>>(
    protocol: impl Protocol,
    request: &Request<W>,
    stale: Stale<W>,
    compute: F,
) -> Answer<W> {
    let sight = match protocol.recheck_before(request, &stale) {
        Judgement::Current(found) => return Ok(found),
        Judgement::Needed(sight) => sight,
    };
    // INVARIANT(stale-never-waits): a stale request tries the lease and does not wait for it.
    let Some(lease) = protocol.lease(request) else { return Ok(stale.found) };
    protocol.dispatch(request, lease, move |request, lease| {
        refresh(protocol, request, lease, sight, compute)
    });
    protocol.settle(request, stale.found)
}

/// Waits for the key's lease until there is a value or the lease is ours.
fn fetch<W: World, F: Compute<W>>(
    protocol: impl Protocol,
    request: &Request<W>,
    compute: F,
) -> Answer<W> {
    loop {
        match protocol.lease_for_miss(request)? {
            Turn::Ours(lease) => {
                return refresh(protocol, request, lease, Sight::nothing(), compute);
            }
            Turn::Over(Ended::Value(found, _)) => return Ok(found),
            Turn::Over(Ended::Failed(failed)) => return Err(failed.error),
            Turn::Over(Ended::Unused | Ended::Discarded) => {}
        }
        if let Some(found) = request.look_again() {
            return Ok(found);
        }
    }
}

/// Under the lease: compute what is still needed.
fn refresh<W: World, F: Compute<W>>(
    protocol: impl Protocol,
    request: &Request<W>,
    lease: Lease<W>,
    captured: Sight<W::Value>,
    compute: F,
) -> Answer<W> {
    match protocol.recheck_inside(request, &lease, captured) {
        Judgement::Current(found) => {
            protocol.release(lease);
            Ok(found)
        }
        Judgement::Needed(sight) => {
            let computed = request.compute(&lease, &sight, compute);
            protocol.finish(request, lease, sight, computed)
        }
    }
}

/// The end of step 5: publish, then release.
// INVARIANT(one-compute-per-window): the value is in the map before the lease is free.
#[doc(hidden)]
pub fn finish<W: World>(
    protocol: impl Protocol,
    request: &Request<W>,
    mut lease: Lease<W>,
    sight: Sight<W::Value>,
    computed: Computed<W>,
) -> Answer<W> {
    let (answer, ended) = request.publish(lease.id(), &sight, computed);
    lease.end(ended);
    protocol.release(lease);
    answer
}

/// Takes away what nobody needs any more.
// INVARIANT(bounded-memory): dead entries and idle slots, both.
#[doc(hidden)]
pub fn sweep<W: World>(protocol: impl Protocol, sweep: &Sweep<W>) -> Swept {
    Swept::new(sweep.entries(), sweep.slots(|slot| protocol.sweeps(slot)))
}

/// The steps. Hidden and unstable: it exists so that the suite can break one step at a time on the
/// very code that is shipped.
#[doc(hidden)]
pub trait Protocol: Copy + Send + Sync + 'static {
    /// Step 1.
    fn look<W: World>(self, request: &Request<W>) -> Look<W> {
        request.look()
    }

    /// Step 2.
    // INVARIANT(refreshed-in-time-takes-no-lease): the map is read after the look, before the lease.
    fn recheck_before<W: World>(self, request: &Request<W>, _stale: &Stale<W>) -> Judgement<W> {
        request.recheck_before()
    }

    /// Step 3 for a stale request; nothing if somebody has the lease, or the key backs off.
    fn lease<W: World>(self, request: &Request<W>) -> Option<Lease<W>> {
        request.try_lease().ok()
    }

    /// Which leases a miss takes over. Waiting for a thread is not computing: the miss has a thread, and
    /// the refresh that waits finds, when it begins, that it comes too late.
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
        refresh: impl FnOnce(&Request<W>, Lease<W>) -> Answer<W> + Send + 'static,
    ) {
        // INVARIANT(lease-always-released): a job that is refused is dropped, and its lease with it.
        drop(request.dispatch(lease, refresh));
    }

    /// A refresh that was sent to the executor has got a thread: whether its lease is still its own.
    // INVARIANT(one-compute-per-window): a refresh whose lease was taken over does not compute.
    fn begins<W: World>(self, request: &Request<W>, lease: &Lease<W>) -> bool {
        request.begins(lease)
    }

    /// Step 4.
    // INVARIANT(no-wasted-compute): the map is read under the lease, and what was captured before
    // is not used.
    fn recheck_inside<W: World>(
        self,
        request: &Request<W>,
        lease: &Lease<W>,
        _captured: Sight<W::Value>,
    ) -> Judgement<W> {
        request.recheck_inside(lease)
    }

    /// The end of step 5.
    fn finish<W: World>(
        self,
        request: &Request<W>,
        lease: Lease<W>,
        sight: Sight<W::Value>,
        computed: Computed<W>,
    ) -> Answer<W> {
        finish(self, request, lease, sight, computed)
    }

    /// Gives the lease back, computed or not.
    fn release<W: World>(self, lease: Lease<W>) {
        drop(lease);
    }

    /// What a stale request returns when its refresh was sent, or done.
    fn settle<W: World>(self, request: &Request<W>, found: Found<W::Value>) -> Answer<W> {
        request.still(found)
    }

    /// How many keys a shard of the store may have, of those that it is to have at most.
    fn room(self, capacity: usize) -> usize {
        capacity
    }

    /// Whether the release of a lease takes its slot out of the table.
    // INVARIANT(lock-table-drains): only a failure to remember keeps it.
    fn retires(self, slot: SlotState) -> bool {
        !slot.remembers
    }

    /// A sweep, which may come at any moment.
    fn sweep<W: World>(self, of: &Sweep<W>) -> Swept {
        sweep(self, of)
    }

    /// Whether the sweeper may take a slot away. What is in use is not judged by its age.
    // INVARIANT(one-lease-per-key): a slot that is held stays, however old it is.
    fn sweeps(self, slot: SlotState) -> bool {
        !slot.held && !slot.remembers
    }
}

/// The protocol that is shipped.
#[derive(Clone, Copy, Debug, Default)]
pub struct DoubleRecheck;

impl Protocol for DoubleRecheck {}
