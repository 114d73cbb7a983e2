//! What ships, and its broken twins: each makes one mistake, in as many steps as that takes.

use super::core::Error;
pub(super) use super::core::steps::DoubleRecheck;
use super::core::steps::{
    Answer, Compute, Computed, Ended, Judgement, Lease, LeaseTable, Look, Protocol, Refusal,
    Request, Sight, SlotState, Stale, Sweep, Turn, World,
};
use super::core::{Found, Swept};
use super::locks;
use super::scenes::MINUTE;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::time::Duration;

/// A lease of a table that nobody else has.
fn private_lease<W: World>(request: &Request<W>) -> Result<Lease<W>, Refusal> {
    request.try_lease_of(&Arc::new(LeaseTable::new(1)))
}

/// The re-check before the lease: what needs a compute, or the answer.
fn needed<P: Protocol, W: World>(
    request: &Request<W>,
    stale: &Stale<W>,
) -> Result<Sight<W::Value>, Found<W::Value>> {
    match P::recheck_before(request, stale) {
        Judgement::Current(found) => Err(found),
        Judgement::Needed(sight) => Ok(sight),
    }
}

/// Phase 1 of the field report: everybody is let through.
pub(super) struct NoLock;

impl Protocol for NoLock {
    fn lease<W: World>(request: &Request<W>) -> Result<Lease<W>, Refusal> {
        private_lease(request)
    }
}

/// Phase 2: the lease alone.
pub(super) struct LockOnly;

impl Protocol for LockOnly {
    fn recheck_before<W: World>(_: &Request<W>, stale: &Stale<W>) -> Judgement<W> {
        Judgement::Needed(stale.captured())
    }

    fn recheck_inside<W: World>(
        _: &Request<W>,
        _: &Lease<W>,
        captured: Sight<W::Value>,
    ) -> Judgement<W> {
        Judgement::Needed(captured)
    }
}

/// Phase 3: the lease, and the re-check before it.
pub(super) struct BeforeOnly;

impl Protocol for BeforeOnly {
    fn recheck_inside<W: World>(
        _: &Request<W>,
        _: &Lease<W>,
        captured: Sight<W::Value>,
    ) -> Judgement<W> {
        Judgement::Needed(captured)
    }
}

/// Not in the report: the lease, and the re-check under it.
pub(super) struct InsideOnly;

impl Protocol for InsideOnly {
    fn recheck_before<W: World>(_: &Request<W>, stale: &Stale<W>) -> Judgement<W> {
        Judgement::Needed(stale.captured())
    }
}

/// The end of step 5 in the wrong order.
pub(super) struct ReleaseBeforePublish;

impl Protocol for ReleaseBeforePublish {
    fn finish<W: World>(
        request: &Request<W>,
        lease: Lease<W>,
        sight: Sight<W::Value>,
        computed: Computed<W>,
    ) -> Answer<W> {
        let id = lease.id();
        drop(lease);
        request.publish(id, &sight, computed).0
    }
}

/// The bug behind the report's run with 73 triggers and no compute: whatever is in the map counts
/// as refreshed.
pub(super) struct AlwaysSkip;

impl Protocol for AlwaysSkip {
    fn recheck_inside<W: World>(
        request: &Request<W>,
        _: &Lease<W>,
        captured: Sight<W::Value>,
    ) -> Judgement<W> {
        match request.look() {
            Look::Fresh(found) => Judgement::Current(found),
            Look::Stale(stale) => Judgement::Current(stale.found),
            Look::Absent => Judgement::Needed(captured),
        }
    }
}

/// The re-check under the lease, on what was seen before it.
pub(super) struct CapturedRecheck;

impl Protocol for CapturedRecheck {
    fn recheck_inside<W: World>(
        request: &Request<W>,
        lease: &Lease<W>,
        captured: Sight<W::Value>,
    ) -> Judgement<W> {
        request.judge_captured(lease, captured)
    }
}

/// Everybody takes the lease, whether there is something to do or not.
pub(super) struct AlwaysLock;

impl Protocol for AlwaysLock {
    fn answer<W: World, F: Compute<W>>(request: &Request<W>, compute: F) -> Answer<W> {
        match Self::look(request) {
            Look::Fresh(found) => {
                drop(Self::lease(request));
                Ok(found)
            }
            Look::Stale(stale) => Self::revalidate(request, stale, compute),
            Look::Absent => Self::fetch(request, compute),
        }
    }
}

/// Whoever refreshes is told how that went.
pub(super) struct ErrorOnStale;

impl Protocol for ErrorOnStale {
    fn revalidate<W: World, F: Compute<W>>(
        request: &Request<W>,
        stale: Stale<W>,
        compute: F,
    ) -> Answer<W> {
        let sight = match needed::<Self, _>(request, &stale) {
            Ok(sight) => sight,
            Err(found) => return Ok(found),
        };
        match Self::lease(request) {
            Ok(lease) => Self::refresh(request, lease, sight, compute),
            Err(_) => Ok(stale.found),
        }
    }
}

/// What was stale at the look is taken to be stale still, whatever time the refresh took.
pub(super) struct ServeAsLooked;

impl Protocol for ServeAsLooked {
    fn revalidate<W: World, F: Compute<W>>(
        request: &Request<W>,
        stale: Stale<W>,
        compute: F,
    ) -> Answer<W> {
        let sight = match needed::<Self, _>(request, &stale) {
            Ok(sight) => sight,
            Err(found) => return Ok(found),
        };
        if let Ok(lease) = Self::lease(request) {
            drop(request.dispatch(lease, move |request, lease| {
                drop(Self::refresh(request, lease, sight, compute));
            }));
        }
        Ok(stale.found)
    }
}

/// Who saw nothing has nothing to compare with, it seems.
pub(super) struct MissUnchecked;

impl Protocol for MissUnchecked {
    fn recheck_inside<W: World>(
        request: &Request<W>,
        lease: &Lease<W>,
        captured: Sight<W::Value>,
    ) -> Judgement<W> {
        match captured.version() {
            Some(_) => request.recheck_inside(lease),
            None => Judgement::Needed(request.sight()),
        }
    }
}

/// A stale request waits for whoever refreshes.
pub(super) struct WaitOnStale;

impl Protocol for WaitOnStale {
    fn revalidate<W: World, F: Compute<W>>(
        request: &Request<W>,
        stale: Stale<W>,
        compute: F,
    ) -> Answer<W> {
        Self::fetch(request, compute).or(Ok(stale.found))
    }
}

/// Misses are not collapsed.
pub(super) struct MissesComputeAlone;

impl Protocol for MissesComputeAlone {
    fn lease_for_miss<W: World>(request: &Request<W>) -> Result<Turn<W>, Error> {
        private_lease(request).map(Turn::Ours).map_err(|_| unreachable!("nobody else has it"))
    }
}

/// An early return on an error.
pub(super) struct LeaseLeaksOnFailure;

impl Protocol for LeaseLeaksOnFailure {
    fn finish<W: World>(
        request: &Request<W>,
        mut lease: Lease<W>,
        sight: Sight<W::Value>,
        computed: Computed<W>,
    ) -> Answer<W> {
        let failed = computed.failed();
        let (answer, ended) = request.publish(lease.id(), &sight, computed);
        if failed {
            std::mem::forget(lease);
        } else {
            lease.end(ended);
        }
        answer
    }
}

/// The fence is read as if it were the compute's beginning.
pub(super) struct UnfencedPublish;

impl Protocol for UnfencedPublish {
    fn finish<W: World>(
        request: &Request<W>,
        mut lease: Lease<W>,
        _: Sight<W::Value>,
        computed: Computed<W>,
    ) -> Answer<W> {
        let (answer, ended) = request.publish(lease.id(), &request.sight(), computed);
        lease.end(ended);
        answer
    }
}

/// Looks as if the storage deadline had not come yet.
pub(super) struct ServeExpired;

impl Protocol for ServeExpired {
    fn look<W: World>(request: &Request<W>) -> Look<W> {
        request.look_as_of(Duration::from_secs(120))
    }
}

/// Whoever comes after a failure tries at once.
pub(super) struct NoBackOff;

impl Protocol for NoBackOff {
    fn finish<W: World>(
        request: &Request<W>,
        mut lease: Lease<W>,
        sight: Sight<W::Value>,
        computed: Computed<W>,
    ) -> Answer<W> {
        let (answer, ended) = request.publish(lease.id(), &sight, computed);
        lease.end(match ended {
            Ended::Failed(_) => Ended::Unused,
            ended => ended,
        });
        answer
    }
}

/// The re-check under the lease is a look like the first one, with a draw of its own.
pub(super) struct RedrawRecheck;

impl Protocol for RedrawRecheck {
    fn recheck_inside<W: World>(
        request: &Request<W>,
        _: &Lease<W>,
        _: Sight<W::Value>,
    ) -> Judgement<W> {
        match request.look() {
            Look::Fresh(found) => Judgement::Current(found),
            Look::Stale(stale) => Judgement::Needed(stale.captured()),
            Look::Absent => Judgement::Needed(request.sight()),
        }
    }
}

/// Waits whatever it waits for.
pub(super) struct NoRecursionCheck;

impl Protocol for NoRecursionCheck {
    fn lease_for_miss<W: World>(request: &Request<W>) -> Result<Turn<W>, Error> {
        request.lease_or_wait_unguarded()
    }
}

/// Whoever queued the refresh lets go of the lease.
pub(super) struct ReleaseOnQueue;

impl Protocol for ReleaseOnQueue {
    fn revalidate<W: World, F: Compute<W>>(
        request: &Request<W>,
        stale: Stale<W>,
        compute: F,
    ) -> Answer<W> {
        let sight = match needed::<Self, _>(request, &stale) {
            Ok(sight) => sight,
            Err(found) => return Ok(found),
        };
        if let (Ok(lease), Ok(apart)) = (Self::lease(request), private_lease(request)) {
            drop(request.dispatch(apart, move |request, lease| {
                drop(Self::refresh(request, lease, sight, compute));
            }));
            drop(lease);
        }
        Ok(stale.found)
    }
}

/// Nobody looks at what the executor hands back.
pub(super) struct LeaseLeaksOnRejection;

impl Protocol for LeaseLeaksOnRejection {
    fn revalidate<W: World, F: Compute<W>>(
        request: &Request<W>,
        stale: Stale<W>,
        compute: F,
    ) -> Answer<W> {
        let sight = match needed::<Self, _>(request, &stale) {
            Ok(sight) => sight,
            Err(found) => return Ok(found),
        };
        if let Ok(lease) = Self::lease(request) {
            std::mem::forget(request.dispatch(lease, move |request, lease| {
                drop(Self::refresh(request, lease, sight, compute));
            }));
        }
        Ok(stale.found)
    }
}

/// Slots are taken away by nobody but the sweeper.
pub(super) struct NeverRetire;

impl Protocol for NeverRetire {
    fn retires(_: SlotState) -> bool {
        false
    }
}

/// As a count of references decides: whoever waits has one, and whoever releases sees it.
pub(super) struct RetireByRefcount;

impl Protocol for RetireByRefcount {
    fn retires(slot: SlotState) -> bool {
        !slot.remembers && !slot.waited_for
    }
}

/// The report's soft cleanup: a minute is longer than any compute, it is hoped.
pub(super) struct SweepByAge;

impl Protocol for SweepByAge {
    fn sweeps(slot: SlotState) -> bool {
        slot.age.is_some_and(|age| age >= MINUTE)
    }
}

/// The report's soft cleanup, with the check that its text leaves out: what is held stays.
pub(super) struct SweepIdle;

impl Protocol for SweepIdle {
    fn lease<W: World>(request: &Request<W>) -> Result<Lease<W>, Refusal> {
        let lock = locks::look_up::<W>();
        locks::take(request, &lock)
    }

    fn refresh<W: World, F: Compute<W>>(
        request: &Request<W>,
        lease: Lease<W>,
        captured: Sight<W::Value>,
        compute: F,
    ) -> Answer<W> {
        let answer = DoubleRecheck::refresh(request, lease, captured, compute);
        locks::done();
        answer
    }

    fn sweep<W: World>(sweep: &Sweep<W>) -> Swept {
        locks::remove_idle(MINUTE);
        DoubleRecheck::sweep(sweep)
    }
}

/// The lock is looked up, taken, released and removed, each on its own, with the re-checks of `P`.
pub(super) struct Removed<P>(PhantomData<P>);

impl<P: Protocol> Protocol for Removed<P> {
    fn recheck_before<W: World>(request: &Request<W>, stale: &Stale<W>) -> Judgement<W> {
        P::recheck_before(request, stale)
    }

    fn lease<W: World>(request: &Request<W>) -> Result<Lease<W>, Refusal> {
        request.try_lease_of(&locks::look_up::<W>())
    }

    fn refresh<W: World, F: Compute<W>>(
        request: &Request<W>,
        lease: Lease<W>,
        captured: Sight<W::Value>,
        compute: F,
    ) -> Answer<W> {
        let answer = P::refresh(request, lease, captured, compute);
        locks::remove();
        answer
    }
}

/// The same without the removal: the lock is kept.
pub(super) struct Kept<P>(PhantomData<P>);

impl<P: Protocol> Protocol for Kept<P> {
    fn recheck_before<W: World>(request: &Request<W>, stale: &Stale<W>) -> Judgement<W> {
        P::recheck_before(request, stale)
    }

    fn lease<W: World>(request: &Request<W>) -> Result<Lease<W>, Refusal> {
        request.try_lease_of(&locks::look_up::<W>())
    }

    fn recheck_inside<W: World>(
        request: &Request<W>,
        lease: &Lease<W>,
        captured: Sight<W::Value>,
    ) -> Judgement<W> {
        P::recheck_inside(request, lease, captured)
    }
}

pub(super) type RetireAtRelease = Removed<DoubleRecheck>;
pub(super) type LockOnlyRemoved = Removed<LockOnly>;
pub(super) type LockOnlyKept = Kept<LockOnly>;
pub(super) type BeforeOnlyRemoved = Removed<BeforeOnly>;
pub(super) type BeforeOnlyKept = Kept<BeforeOnly>;

/// A lock with a condition variable, and the line forgotten that wakes who waits.
pub(super) struct ReleaseWithoutNotify;

impl Protocol for ReleaseWithoutNotify {
    fn lease_for_miss<W: World>(request: &Request<W>) -> Result<Turn<W>, Error> {
        locks::wait();
        private_lease(request).map(Turn::Ours).map_err(|_| unreachable!("nobody else has it"))
    }

    fn refresh<W: World, F: Compute<W>>(
        request: &Request<W>,
        lease: Lease<W>,
        captured: Sight<W::Value>,
        compute: F,
    ) -> Answer<W> {
        let answer = DoubleRecheck::refresh(request, lease, captured, compute);
        locks::done();
        answer
    }
}

/// Nobody sweeps.
pub(super) struct SweepNothing;

impl Protocol for SweepNothing {
    fn sweep<W: World>(_: &Sweep<W>) -> Swept {
        Swept::default()
    }
}

/// A new key is let in, full or not.
pub(super) struct EvictNothing;

impl Protocol for EvictNothing {
    fn room(_: usize) -> usize {
        usize::MAX
    }
}

/// The refresh releases what it was given; a refresh that never runs does not.
pub(super) struct LeaseLeaksOnDrop;

impl Protocol for LeaseLeaksOnDrop {
    fn revalidate<W: World, F: Compute<W>>(
        request: &Request<W>,
        stale: Stale<W>,
        compute: F,
    ) -> Answer<W> {
        let sight = match needed::<Self, _>(request, &stale) {
            Ok(sight) => sight,
            Err(found) => return Ok(found),
        };
        if let (Ok(lease), Ok(apart)) = (Self::lease(request), private_lease(request)) {
            let lease = ManuallyDrop::new(lease);
            drop(request.dispatch(apart, move |request, apart| {
                drop(apart);
                let lease = ManuallyDrop::into_inner(lease);
                drop(Self::refresh(request, lease, sight, compute));
            }));
        }
        Ok(stale.found)
    }
}

/// Whoever has the lease is waited for.
pub(super) struct WaitForQueued;

impl Protocol for WaitForQueued {
    fn takes_over(_: bool) -> bool {
        false
    }
}

/// Whoever has the lease is not waited for.
pub(super) struct TakeOverAll;

impl Protocol for TakeOverAll {
    fn takes_over(_: bool) -> bool {
        true
    }
}

/// Nobody looks whether the lease is still there.
pub(super) struct BeginUnasked;

impl Protocol for BeginUnasked {
    fn begins<W: World>(request: &Request<W>, lease: &Lease<W>) -> bool {
        request.begins(lease);
        true
    }
}

/// The re-check is a look, and is counted like one.
pub(super) struct CountTwice;

impl Protocol for CountTwice {
    fn recheck_before<W: World>(request: &Request<W>, _: &Stale<W>) -> Judgement<W> {
        match request.look() {
            Look::Fresh(found) => Judgement::Current(found),
            Look::Stale(stale) => Judgement::Needed(stale.captured()),
            Look::Absent => Judgement::Needed(request.sight()),
        }
    }
}

/// What ships.
pub(super) struct AsBuilt;

impl Protocol for AsBuilt {}
