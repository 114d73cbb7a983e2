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
//! What ships overrides none of it. The suite's broken twins override what one mistake takes.

use crate::Found;
use crate::error::Error;
use crate::key_lock::{Ended, Refusal, SlotState};
use crate::request::{Compute, Computed, Judgement, Lease, Look, Request, Stale, Turn};
use crate::store::Sight;
use crate::sweep::{Sweep, Swept};
use crate::world::World;

/// The steps. Hidden and unstable: it exists so that the suite can break one step at a time on the
/// very code that ships.
#[doc(hidden)]
pub trait Protocol: Send + Sync + Sized + 'static {
    /// Answers a request, with all five steps if need be.
    fn answer<W: World, F: Compute<W>>(request: &Request<W>, compute: F) -> Answer<W> {
        match Self::look(request) {
            // INVARIANT(fresh-takes-no-lease): what is fresh goes home from here.
            Look::Fresh(found) => Ok(found),
            Look::Stale(stale) => Self::revalidate(request, stale, compute),
            Look::Absent => {
                Self::fetch(request, compute).or_else(|error| request.look_again().ok_or(error))
            }
        }
    }

    /// The same without the part that waits: what is absent stays so.
    fn serve<W: World, F: Compute<W>>(request: &Request<W>, compute: F) -> Option<Found<W::Value>> {
        match Self::look(request) {
            Look::Fresh(found) => Some(found),
            Look::Stale(stale) => Self::revalidate(request, stale, compute).ok(),
            Look::Absent => None,
        }
    }

    /// Serves the stale value and refreshes it at most once.
    fn revalidate<W: World, F: Compute<W>>(
        request: &Request<W>,
        stale: Stale<W>,
        compute: F,
    ) -> Answer<W> {
        let sight = match Self::recheck_before(request, &stale) {
            Judgement::Current(found) => return Ok(found),
            Judgement::Needed(sight) => sight,
        };
        // INVARIANT(stale-never-waits): a stale request tries and goes home.
        let Ok(lease) = Self::lease(request) else { return Ok(stale.found) };
        // INVARIANT(lease-always-released): a job that is refused is dropped, and its lease with it.
        drop(request.dispatch(lease, move |request, lease| {
            drop(Self::refresh(request, lease, sight, compute));
        }));
        request.still(stale.found)
    }

    /// Waits for the key's lease until there is a value or the lease is ours.
    fn fetch<W: World, F: Compute<W>>(request: &Request<W>, compute: F) -> Answer<W> {
        loop {
            match Self::lease_for_miss(request)? {
                Turn::Ours(lease) => {
                    return Self::refresh(request, lease, Sight::nothing(), compute);
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
        request: &Request<W>,
        lease: Lease<W>,
        captured: Sight<W::Value>,
        compute: F,
    ) -> Answer<W> {
        match Self::recheck_inside(request, &lease, captured) {
            Judgement::Current(found) => Ok(found),
            Judgement::Needed(sight) => {
                let computed = request.compute(&lease, &sight, compute);
                Self::finish(request, lease, sight, computed)
            }
        }
    }

    /// Step 1.
    fn look<W: World>(request: &Request<W>) -> Look<W> {
        request.look()
    }

    /// Step 2.
    // INVARIANT(refreshed-in-time-takes-no-lease): the map is read after the look, before the lease.
    fn recheck_before<W: World>(request: &Request<W>, _stale: &Stale<W>) -> Judgement<W> {
        request.recheck_before()
    }

    /// Step 3 for a stale request.
    fn lease<W: World>(request: &Request<W>) -> Result<Lease<W>, Refusal> {
        request.try_lease()
    }

    /// Whether a miss takes a lease over that somebody has. Waiting for a thread is not computing: the miss
    /// has a thread, and the one who is waited for finds that he comes too late.
    fn takes_over(queued: bool) -> bool {
        queued
    }

    /// Step 3 for a miss.
    // INVARIANT(miss-single-flight): a miss that finds the lease taken waits for its release.
    fn lease_for_miss<W: World>(request: &Request<W>) -> Result<Turn<W>, Error> {
        request.lease_or_wait()
    }

    /// A refresh that was sent to the executor has got a thread: whether its lease is still its own.
    // INVARIANT(one-compute-per-window): who was taken over does not compute.
    fn begins<W: World>(request: &Request<W>, lease: &Lease<W>) -> bool {
        request.begins(lease)
    }

    /// Step 4.
    // INVARIANT(no-wasted-compute): the map is read under the lease, and what was captured before
    // is not used.
    fn recheck_inside<W: World>(
        request: &Request<W>,
        lease: &Lease<W>,
        _captured: Sight<W::Value>,
    ) -> Judgement<W> {
        request.recheck_inside(lease)
    }

    /// The end of step 5.
    // INVARIANT(one-compute-per-window): the value is in the map before the lease is free.
    fn finish<W: World>(
        request: &Request<W>,
        mut lease: Lease<W>,
        sight: Sight<W::Value>,
        computed: Computed<W>,
    ) -> Answer<W> {
        let (answer, ended) = request.publish(lease.id(), &sight, computed);
        lease.end(ended);
        drop(lease);
        answer
    }

    /// How many keys a part of the store may have, of those that it is to have at most.
    fn room(capacity: usize) -> usize {
        capacity
    }

    /// Whether the release of a lease takes its slot out of the table.
    // INVARIANT(lock-table-drains): only a failure to remember keeps it.
    fn retires(slot: SlotState) -> bool {
        !slot.remembers
    }

    /// Takes away what nobody needs any more.
    // INVARIANT(bounded-memory): dead entries and idle slots, both.
    fn sweep<W: World>(sweep: &Sweep<W>) -> Swept {
        Swept::new(sweep.entries(), sweep.slots(Self::sweeps))
    }

    /// Whether the sweeper may take a slot away. What is in use is not judged by its age.
    // INVARIANT(one-lease-per-key): a slot that is held stays, however old it is.
    fn sweeps(slot: SlotState) -> bool {
        !slot.held && !slot.remembers
    }
}

/// What a request gets.
#[doc(hidden)]
pub type Answer<W> = Result<Found<<W as World>::Value>, Error>;

/// The protocol that ships.
#[derive(Clone, Copy, Debug, Default)]
pub struct DoubleRecheck;

impl Protocol for DoubleRecheck {}
