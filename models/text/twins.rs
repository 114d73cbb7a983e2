//! The broken twins. Each step is a match over them, with the shipped step at its end: all mistakes
//! of one step stand side by side.
//!
//! A twin is a value, so that the core is compiled for two protocols and no more. It takes part in the
//! steps that its entry in the catalogue names, and in no other: [`Twin::in_step`] hides it elsewhere.

use super::core::steps::{
    self, Answer, Computed, DoubleRecheck, Glance, Lease, LeaseOutcome, LeaseTable, Look,
    MapSnapshot, Protocol, Recheck, RefreshCandidate, Refusal, Request, SlotState, Sweep, Takeover,
    Turn, World, thread_local,
};
use super::core::{Error, Found, Swept};
use super::{decisions, locks};
use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::time::Duration;
use xfetch_vocabulary::catalogue::Protocol as Name;
use xfetch_vocabulary::catalogue::Protocol::*;
use xfetch_vocabulary::catalogue::{MINUTE, Step};

/// A protocol of the catalogue that is not shipped.
#[derive(Clone, Copy)]
pub(crate) struct Twin(pub(crate) Name);

impl Twin {
    /// The twin, if it differs in this step.
    fn in_step(self, step: Step) -> Option<Name> {
        let differs = self.0.steps().contains(&step);
        if differs {
            decisions::note(step);
        }
        differs.then_some(self.0)
    }
}

/// A lease of a table that nobody else has.
fn private_lease<W: World>(request: &Request<W>) -> Result<Lease<W>, Refusal> {
    request.try_lease_of(&Arc::new(LeaseTable::new(1)))
}

/// A re-check that looks as the first look does: it draws, and is counted.
fn as_a_look<W: World>(request: &Request<W>) -> Recheck<W> {
    match request.look(request.glance()) {
        Look::Fresh(found) => Recheck::Current(found),
        Look::Stale(candidate) => Recheck::Needed(candidate.captured()),
        Look::Absent => Recheck::Needed(request.snapshot()),
    }
}

thread_local! {
    /// The error with which the refresh on this task's own thread has ended, for `ErrorOnStale`.
    static ERROR: RefCell<Option<Error>> = RefCell::default();
}

impl Protocol for Twin {
    fn allows_for(self, lag: Duration) -> Duration {
        match self.in_step(Step::AllowsFor) {
            Some(TrustCoarse) => Duration::ZERO,
            _ => DoubleRecheck.allows_for(lag),
        }
    }

    fn hit<W: World>(self, request: &Request<W>) -> Result<Found<W::Key, W::Value>, Glance<W>> {
        match self.in_step(Step::Hit) {
            // Their looks see every value.
            Some(AlwaysLock | ServeExpired) => Err(request.glance()),
            _ => DoubleRecheck.hit(request),
        }
    }

    fn look<W: World>(self, request: &Request<W>, glance: Glance<W>) -> Look<W> {
        match self.in_step(Step::Look) {
            Some(AlwaysLock) => match DoubleRecheck.look(request, glance) {
                Look::Fresh(found) => {
                    drop(request.try_lease());
                    Look::Fresh(found)
                }
                look => look,
            },
            // As if the storage deadline had not come yet.
            Some(ServeExpired) => request.look_as_of(glance, Duration::from_secs(120)),
            _ => DoubleRecheck.look(request, glance),
        }
    }

    fn recheck_before<W: World>(
        self,
        request: &Request<W>,
        candidate: &RefreshCandidate<W>,
    ) -> Recheck<W> {
        match self.in_step(Step::RecheckBefore) {
            Some(LockOnly | LockOnlyRemoved | LockOnlyKept | InsideOnly) => {
                Recheck::Needed(candidate.captured())
            }
            // A look, and counted like one.
            Some(CountTwice) => as_a_look(request),
            _ => DoubleRecheck.recheck_before(request, candidate),
        }
    }

    fn lease<W: World>(self, request: &Request<W>) -> Option<Lease<W>> {
        match self.in_step(Step::Lease) {
            Some(NoLock) => private_lease(request).ok(),
            Some(WaitOnStale) => loop {
                match request.lease_or_wait() {
                    Ok(Turn::Ours(lease)) => return Some(lease),
                    Ok(Turn::Over(_)) => {}
                    Err(_) => return None,
                }
            },
            Some(SweepIdle) => locks::take(request, &locks::look_up::<W>()).ok(),
            Some(
                RetireAtRelease | LockOnlyRemoved | LockOnlyKept | BeforeOnlyRemoved
                | BeforeOnlyKept,
            ) => request.try_lease_of(&locks::look_up::<W>()).ok(),
            _ => DoubleRecheck.lease(request),
        }
    }

    fn takeover(self) -> Takeover {
        match self.in_step(Step::Takeover) {
            Some(WaitForQueued) => Takeover::Never,
            Some(TakeOverAll) => Takeover::Always,
            _ => DoubleRecheck.takeover(),
        }
    }

    fn lease_for_miss<W: World>(self, request: &Request<W>) -> Result<Turn<W>, Error> {
        let private = || private_lease(request).map(Turn::Ours);
        match self.in_step(Step::LeaseForMiss) {
            Some(MissesComputeAlone) => private().map_err(|_| unreachable!("nobody else has it")),
            // A lock with a condition variable.
            Some(ReleaseWithoutNotify) => {
                locks::wait();
                private().map_err(|_| unreachable!("nobody else has it"))
            }
            Some(NoRecursionCheck) => request.lease_or_wait_unguarded(),
            _ => DoubleRecheck.lease_for_miss(request),
        }
    }

    fn dispatch<W: World>(
        self,
        request: &Request<W>,
        lease: Lease<W>,
        refresh: impl FnOnce(&Request<W>, Lease<W>) -> Option<Answer<W>> + Send + 'static,
    ) {
        match self.in_step(Step::Dispatch) {
            Some(ErrorOnStale) => {
                let error = refresh(request, lease).and_then(Result::err);
                ERROR.with(|last| *last.borrow_mut() = error);
            }
            Some(ReleaseOnQueue) => {
                if let Ok(apart) = private_lease(request) {
                    drop(request.dispatch(apart, refresh));
                }
                drop(lease);
            }
            Some(LeaseLeaksOnRejection) => std::mem::forget(request.dispatch(lease, refresh)),
            // The lease is released by the refresh, not by what carries it.
            Some(LeaseLeaksOnDrop) => {
                let lease = ManuallyDrop::new(lease);
                if let Ok(apart) = private_lease(request) {
                    drop(request.dispatch(apart, move |request, apart| {
                        drop(apart);
                        refresh(request, ManuallyDrop::into_inner(lease))
                    }));
                }
            }
            _ => DoubleRecheck.dispatch(request, lease, refresh),
        }
    }

    fn begins<W: World>(self, request: &Request<W>, lease: &Lease<W>) -> bool {
        let begins = DoubleRecheck.begins(request, lease);
        match self.in_step(Step::Begins) {
            Some(BeginUnasked) => true,
            _ => begins,
        }
    }

    fn recheck_inside<W: World>(
        self,
        request: &Request<W>,
        lease: &Lease<W>,
        captured: &MapSnapshot<W::Key, W::Value>,
    ) -> Recheck<W> {
        match self.in_step(Step::RecheckInside) {
            Some(
                LockOnly | LockOnlyRemoved | LockOnlyKept | BeforeOnly | BeforeOnlyRemoved
                | BeforeOnlyKept,
            ) => Recheck::Needed(captured.clone()),
            // The bug behind the report's run with 73 triggers and no compute: whatever is in the map
            // counts as refreshed.
            Some(AlwaysSkip) => match request.look(request.glance()) {
                Look::Fresh(found) => Recheck::Current(found),
                Look::Stale(candidate) => Recheck::Current(candidate.found),
                Look::Absent => Recheck::Needed(captured.clone()),
            },
            Some(CapturedRecheck) => request.recheck_captured(lease, captured),
            // A caller that saw nothing has nothing to compare with, it seems.
            Some(MissUnchecked) if captured.version().is_none() => {
                Recheck::Needed(request.snapshot())
            }
            // A look like the first one, with a draw of its own.
            Some(RedrawRecheck) => as_a_look(request),
            // The map as it is, under a lease that may be one of a window that is over.
            Some(RevokedComputes) => request.recheck_captured(lease, &request.snapshot()),
            _ => DoubleRecheck.recheck_inside(request, lease, captured),
        }
    }

    fn finish<W: World>(
        self,
        request: &Request<W>,
        snapshot: MapSnapshot<W::Key, W::Value>,
        computed: Computed<W>,
        mut lease: Lease<W>,
    ) -> Answer<W> {
        match self.in_step(Step::Finish) {
            Some(ReleaseBeforePublish) => {
                let id = lease.id();
                drop(lease);
                request.publish(id, &snapshot, computed).into_answer()
            }
            // An early return on an error.
            Some(LeaseLeaksOnFailure) if computed.failed() => {
                let answer = request.publish(lease.id(), &snapshot, computed).into_answer();
                std::mem::forget(lease);
                answer
            }
            // The fence is read as if it were the compute's beginning.
            Some(UnfencedPublish) => {
                steps::finish(self, request, request.snapshot(), computed, lease)
            }
            // The old value is dropped as soon as it is replaced.
            Some(DropUnderLease) => {
                let publication = request.publish(lease.id(), &snapshot, computed);
                lease.set_outcome(publication.outcome.clone());
                drop(snapshot);
                let answer = publication.into_answer();
                self.release(lease);
                answer
            }
            Some(NoBackOff) => {
                let publication = request.publish(lease.id(), &snapshot, computed);
                lease.set_outcome(match publication.outcome.clone() {
                    LeaseOutcome::Failed(_) => LeaseOutcome::Unused,
                    outcome => outcome,
                });
                self.release(lease);
                publication.into_answer()
            }
            _ => steps::finish(self, request, snapshot, computed, lease),
        }
    }

    fn release<W: World>(self, lease: Lease<W>) {
        DoubleRecheck.release(lease);
        match self.in_step(Step::Release) {
            Some(RetireAtRelease | LockOnlyRemoved | BeforeOnlyRemoved) => locks::remove(),
            // The second forgets the line that wakes the waiters.
            Some(SweepIdle | ReleaseWithoutNotify) => locks::done(),
            _ => {}
        }
    }

    fn settle<W: World>(self, request: &Request<W>, found: Found<W::Key, W::Value>) -> Answer<W> {
        match self.in_step(Step::Settle) {
            Some(ErrorOnStale) => match ERROR.with(|last| last.borrow_mut().take()) {
                Some(error) => Err(error),
                None => DoubleRecheck.settle(request, found),
            },
            Some(ServeAsLooked) => Ok(found),
            // What was found has expired meanwhile: an error, though nothing has failed.
            Some(RefuseExpired) if request.has_expired(&found) => {
                Err(Error::Timeout { waited: Duration::ZERO })
            }
            _ => DoubleRecheck.settle(request, found),
        }
    }

    fn revokes(self, another_in_flight: bool) -> bool {
        match self.in_step(Step::Revokes) {
            Some(RevokeAll) => true,
            _ => DoubleRecheck.revokes(another_in_flight),
        }
    }

    fn forgets(self) -> bool {
        match self.in_step(Step::Forgets) {
            Some(BackOffOutlivesWrites) => false,
            _ => DoubleRecheck.forgets(),
        }
    }

    fn room(self, capacity: usize) -> usize {
        match self.in_step(Step::Room) {
            Some(EvictNothing) => usize::MAX,
            _ => DoubleRecheck.room(capacity),
        }
    }

    fn retires(self, slot: SlotState) -> bool {
        match self.in_step(Step::Retires) {
            Some(NeverRetire) => false,
            // As a count of references decides: a waiter has one, and the release sees it.
            Some(RetireByRefcount) => !slot.remembers && !slot.waited_for,
            _ => DoubleRecheck.retires(slot),
        }
    }

    fn sweep<W: World>(self, sweep: &Sweep<W>) -> Swept {
        match self.in_step(Step::Sweep) {
            Some(SweepNothing) => return Swept::default(),
            // The report's soft cleanup, with the check that its text leaves out.
            Some(SweepIdle) => locks::remove_idle(MINUTE),
            _ => {}
        }
        steps::sweep(self, sweep)
    }

    fn sweeps(self, slot: SlotState) -> bool {
        match self.in_step(Step::Sweeps) {
            // The report's soft cleanup: a minute is longer than any compute, it is hoped.
            Some(SweepByAge) => slot.age.is_some_and(|age| age >= MINUTE),
            _ => DoubleRecheck.sweeps(slot),
        }
    }
}
