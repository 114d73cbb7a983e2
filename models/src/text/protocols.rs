//! What ships, and its broken twins: each overrides one step, `LockOnly` two.

use super::core::Error;
use super::core::LeaseId;
pub(super) use super::core::steps::DoubleRecheck;
use super::core::steps::{
    Answer, Judgement, Lease, LeaseTable, Look, Protocol, Request, Sight, Stale, World,
};
use std::sync::Arc;

/// Phase 1 of the field report: everybody is let through. Each request takes a lease of a table of
/// its own, which excludes nobody.
pub(super) struct NoLock;

impl Protocol for NoLock {
    fn lease<W: World>(request: &Request<W>) -> Result<Lease<W>, LeaseId> {
        request.try_lease_of(&Arc::new(LeaseTable::new(1)))
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
        computed: Result<W::Value, Error>,
    ) -> Answer<W> {
        let id = lease.id();
        drop(lease);
        request.publish(id, &sight, computed)
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
