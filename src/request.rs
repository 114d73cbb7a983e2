//! One request for one key: what the steps of the protocol are made of.

use crate::back_off::{BackingOff, Failed, Reading};
use crate::clock::{Clock, Moment};
use crate::early::unit_interval;
use crate::entry::{Entry, Found, Freshness, Version};
use crate::error::Error;
use crate::event::{Event, Observer};
use crate::executor::{Executor, Job};
use crate::key_lock::{Ended, LeaseId, LeaseTable, Refusal, Waited, Wants};
use crate::protocol::{Answer, Protocol};
use crate::shared::Shared;
use crate::store::{Sight, Wrote};
use crate::sync::Arc;
use crate::waits::Computing;
use crate::world::World;
use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// What computes a value.
#[doc(hidden)]
pub trait Compute<W: World>: FnOnce(&W::Key) -> Result<W::Value, Error> + Send + 'static {}

impl<W, F> Compute<W> for F
where
    W: World,
    F: FnOnce(&W::Key) -> Result<W::Value, Error> + Send + 'static,
{
}

/// What a compute has come to.
#[doc(hidden)]
pub struct Computed<W: World> {
    result: Result<W::Value, Error>,
    took: Duration,
    began: Moment,
}

impl<W: World> Computed<W> {
    pub fn failed(&self) -> bool {
        self.result.is_err()
    }
}

/// What the look saw.
#[doc(hidden)]
pub enum Look<W: World> {
    Fresh(Found<W::Value>),
    /// To be served and refreshed: stale, or nominated.
    Stale(Stale<W>),
    Absent,
}

/// An entry to refresh as the look captured it.
#[doc(hidden)]
pub struct Stale<W: World> {
    /// The answer that it makes.
    pub found: Found<W::Value>,
    sight: Sight<W::Value>,
}

impl<W: World> Stale<W> {
    /// What the look saw, whatever has become of it since.
    pub fn captured(&self) -> Sight<W::Value> {
        self.sight.clone()
    }
}

/// What a re-check says.
#[doc(hidden)]
pub enum Judgement<W: World> {
    /// This entry needs no compute.
    Current(Found<W::Value>),
    /// What was seen needs one.
    Needed(Sight<W::Value>),
}

/// What a miss gets that asks for the lease.
#[doc(hidden)]
pub enum Turn<W: World> {
    Ours(Lease<W>),
    /// Whoever had it has released it.
    Over(Ended<W::Value>),
}

/// The right to compute a key. It can be sent to the thread that computes; dropping it is the
/// release, whatever the reason.
#[doc(hidden)]
pub struct Lease<W: World> {
    shared: Arc<Shared<W>>,
    table: Arc<LeaseTable<W::Key, W::Value>>,
    hash: u64,
    id: LeaseId,
    ended: Ended<W::Value>,
}

impl<W: World> Lease<W> {
    pub fn id(&self) -> LeaseId {
        self.id
    }

    /// What those who wait are told at the release.
    pub fn end(&mut self, ended: Ended<W::Value>) {
        self.ended = ended;
    }
}

impl<W: World> Drop for Lease<W> {
    fn drop(&mut self) {
        // Nothing of the user's runs before the release: it could panic.
        let Shared { back_off, observer, .. } = &*self.shared;
        let ended = std::mem::replace(&mut self.ended, Ended::Unused);
        let retires = |slot| self.shared.protocol.retires(slot);
        let remains = self.table.release(self.hash, self.id, ended, back_off, retires);
        tell(observer, self.hash, Event::Released(self.id));
        drop(remains);
    }
}

/// Tells the observer from a destructor: a second panic while one unwinds would end the process.
fn tell(observer: &impl Observer, hash: u64, event: Event) {
    let tell = AssertUnwindSafe(|| observer.on(hash, event));
    if std::thread::panicking() {
        discard(catch_unwind(tell));
    } else {
        tell();
    }
}

/// A lease on its way to the thread that refreshes. Whoever drops it unused tells so, then releases it.
struct Carried<W: World>(Option<Lease<W>>);

impl<W: World> Drop for Carried<W> {
    fn drop(&mut self) {
        if let Some(lease) = &self.0 {
            tell(&lease.shared.observer, lease.hash, Event::Dropped(lease.id));
        }
    }
}

/// A request at work.
#[doc(hidden)]
pub struct Request<'a, W: World> {
    pub(crate) shared: &'a Arc<Shared<W>>,
    pub(crate) key: &'a W::Key,
    pub(crate) hash: u64,
    /// The version that this request's look nominated. It is drawn once.
    nominated: Cell<Option<Version>>,
    /// When this request stops to wait.
    patience_ends: Cell<Option<Moment>>,
}

impl<'a, W: World> Request<'a, W> {
    pub(crate) fn new(shared: &'a Arc<Shared<W>>, key: &'a W::Key, hash: u64) -> Self {
        let (nominated, patience_ends) = (Cell::new(None), Cell::new(None));
        Self { shared, key, hash, nominated, patience_ends }
    }

    fn emit(&self, event: Event) {
        self.shared.observer.on(self.hash, event);
    }

    /// What the map has now, and when that was. The clock is read afterwards: no entry is younger.
    fn read(&self) -> (Sight<W::Value>, Moment) {
        let sight = self.shared.store.read(self.hash, self.key);
        (sight, self.shared.clock.now())
    }

    pub fn look(&self) -> Look<W> {
        let (sight, now) = self.first_read();
        self.look_at(sight, now)
    }

    fn first_read(&self) -> (Sight<W::Value>, Moment) {
        let sight = self.shared.store.read(self.hash, self.key);
        self.emit(Event::Looked(sight.version()));
        (sight, self.shared.clock.now())
    }

    /// A look that refreshes nothing.
    pub(crate) fn peek(&self) -> Option<Found<W::Value>> {
        let (sight, now) = self.first_read();
        let seen = usable(&sight, now);
        self.emit(match &seen {
            Some((found, version)) if found.is_stale() => Event::StaleHit(*version),
            Some((_, version)) => Event::FreshHit(*version),
            None => Event::Miss,
        });
        seen.map(|(found, _)| found)
    }

    /// The look of somebody for whom it is `ago` earlier.
    pub fn look_as_of(&self, ago: Duration) -> Look<W> {
        let (sight, now) = self.first_read();
        let then = now.as_nanos().saturating_sub(ago.as_nanos() as u64);
        self.look_at(sight, Moment::from_nanos(then))
    }

    fn look_at(&self, sight: Sight<W::Value>, now: Moment) -> Look<W> {
        match usable(&sight, now) {
            Some((found, version)) if found.is_stale() => {
                self.emit(Event::StaleHit(version));
                Look::Stale(Stale { found, sight })
            }
            Some((found, version)) if self.nominates(&sight, now) => {
                self.nominated.set(Some(version));
                self.emit(Event::Nominated(version));
                Look::Stale(Stale { found, sight })
            }
            Some((found, version)) => {
                self.emit(Event::FreshHit(version));
                Look::Fresh(found)
            }
            None => {
                self.emit(Event::Miss);
                Look::Absent
            }
        }
    }

    fn nominates(&self, sight: &Sight<W::Value>, now: Moment) -> bool {
        let Some((_, entry)) = sight.entry() else { return false };
        let Shared { early, draw, .. } = &**self.shared;
        early.nominates(entry.remaining(now), entry.delta(), || draw())
    }

    /// What there is now for a miss that has waited or failed.
    pub(crate) fn look_again(&self) -> Option<Found<W::Value>> {
        let (sight, now) = self.read();
        usable(&sight, now).map(|(found, _)| found)
    }

    /// What was found, unless it has expired while this request refreshed it: then what there is now.
    pub(crate) fn still(&self, found: Found<W::Value>) -> Answer<W> {
        // INVARIANT(never-serve-expired): a compute on this very thread may have taken its time.
        if found.has_expired(self.shared.clock.now()) {
            return self.look_again().ok_or(Error::Expired);
        }
        Ok(found)
    }

    /// Needed: absent, past its deadline, or the very version that this request nominated. There is
    /// no second draw.
    // INVARIANT(nomination-at-most-once): what was nominated is needed only as long as it is current.
    pub fn judge(
        &self,
        (sight, now): (Sight<W::Value>, Moment),
        skipped: impl FnOnce(Version) -> Event,
    ) -> Judgement<W> {
        match usable(&sight, now) {
            Some((found, version))
                if !found.is_stale() && self.nominated.get() != Some(version) =>
            {
                self.emit(skipped(version));
                Judgement::Current(found)
            }
            _ => Judgement::Needed(sight),
        }
    }

    pub fn recheck_before(&self) -> Judgement<W> {
        let judgement = self.judge(self.read(), Event::SkippedBefore);
        if matches!(judgement, Judgement::Needed(_)) {
            self.emit(Event::StillNeeded);
        }
        judgement
    }

    pub fn recheck_inside(&self, lease: &Lease<W>) -> Judgement<W> {
        self.judge(self.read(), |version| Event::SkippedInside(lease.id, version))
    }

    /// The judgement of what was captured before, as if nothing could have come between.
    pub fn judge_captured(&self, lease: &Lease<W>, captured: Sight<W::Value>) -> Judgement<W> {
        let now = self.shared.clock.now();
        self.judge((captured, now), |version| Event::SkippedInside(lease.id, version))
    }

    /// What the map has now, with the stamp at which it was read.
    pub fn sight(&self) -> Sight<W::Value> {
        self.read().0
    }

    pub fn try_lease(&self) -> Result<Lease<W>, Refusal> {
        self.try_lease_of(&self.shared.leases)
    }

    /// Tries a lease of this table. The cache has one; a twin of the suite may bring its own.
    pub fn try_lease_of(
        &self,
        table: &Arc<LeaseTable<W::Key, W::Value>>,
    ) -> Result<Lease<W>, Refusal> {
        let at_once = self.shared.executor.runs_at_once();
        self.try_lease_to(table, if at_once { self.to_compute() } else { Wants::Queue })
    }

    fn to_compute(&self) -> Wants {
        Wants::Compute(self.shared.protocol.takeover())
    }

    fn try_lease_to(
        &self,
        table: &Arc<LeaseTable<W::Key, W::Value>>,
        wants: Wants,
    ) -> Result<Lease<W>, Refusal> {
        let mut key = Some(self.key.clone());
        let acquired = self.reading_again(
            |now| table.try_acquire(self.hash, &mut key, now, wants),
            |acquired| match acquired {
                Err(Refusal::BackingOff(backing_off)) => backing_off.from_the_future,
                _ => false,
            },
        );
        match acquired {
            Ok(id) => {
                let lease = self.leased(table, id);
                // The spare key's drop may panic: the lease is there by now.
                drop(key);
                Ok(lease)
            }
            Err(refusal) => {
                self.emit(match refusal {
                    Refusal::Busy(holder) => Event::Busy(holder),
                    Refusal::BackingOff(_) => Event::BackingOff,
                });
                Err(refusal)
            }
        }
    }

    /// Attempts with the time, and once more with a new reading if the first looked wrong.
    fn reading_again<R>(
        &self,
        mut attempt: impl FnMut(Reading) -> R,
        looks_wrong: impl Fn(&R) -> bool,
    ) -> R {
        let clock = &self.shared.clock;
        let first = attempt(Reading::first(clock.now()));
        if looks_wrong(&first) { attempt(Reading::again(clock.now())) } else { first }
    }

    /// The lease is there before anybody is told of it: what it is told may panic.
    fn leased(&self, table: &Arc<LeaseTable<W::Key, W::Value>>, id: LeaseId) -> Lease<W> {
        let (shared, table) = (Arc::clone(self.shared), Arc::clone(table));
        let lease = Lease { shared, table, hash: self.hash, id, ended: Ended::Unused };
        self.emit(Event::Leased(id));
        lease
    }

    pub fn lease_or_wait(&self) -> Result<Turn<W>, Error> {
        let own = Computing::of(self.cache());
        if own.is_empty() { self.lease_or_wait_unguarded() } else { self.wait_inside(&own) }
    }

    /// Takes the lease or waits for it, whether or not that can ever end.
    pub fn lease_or_wait_unguarded(&self) -> Result<Turn<W>, Error> {
        let (patience, mut key) = (self.patience(), Some(self.key.clone()));
        let waited = self.reading_again(
            |now| {
                let Shared { leases, protocol, .. } = &**self.shared;
                leases.acquire_or_wait(self.hash, &mut key, (now, protocol.takeover()), patience)
            },
            |waited| match waited {
                Waited::BackingOff(backing_off) => backing_off.from_the_future,
                _ => false,
            },
        );
        let turn = self.turn(waited);
        drop(key);
        turn
    }

    /// The same inside a compute, whose leases wait with this request.
    fn wait_inside(&self, own: &[Computing]) -> Result<Turn<W>, Error> {
        let patience = self.patience();
        let holder = match self.try_lease_to(&self.shared.leases, self.to_compute()) {
            Ok(lease) => return Ok(Turn::Ours(lease)),
            Err(Refusal::BackingOff(backing_off)) => return Err(backing_off.error),
            Err(Refusal::Busy(holder)) => holder,
        };
        let waited = match self.shared.waits.enter(own, &self.computing(holder)) {
            Ok(_edges) => Ok(self.shared.leases.wait(self.hash, holder, patience)),
            Err(cycle) => Err(cycle),
        };
        match waited {
            Ok(waited) => self.turn(waited),
            Err(cycle) => {
                self.emit(Event::Cycle(holder));
                Err(cycle_error(&cycle))
            }
        }
    }

    /// A lease of this request's key.
    fn computing(&self, lease: LeaseId) -> Computing {
        Computing { cache: self.cache(), lease, name: Arc::new(self.key.clone()) }
    }

    fn turn(&self, waited: Waited<W::Value>) -> Result<Turn<W>, Error> {
        match waited {
            Waited::Ours(id) => Ok(Turn::Ours(self.leased(&self.shared.leases, id))),
            Waited::Ended(holder, ended) => {
                self.emit(Event::Waited(holder));
                Ok(Turn::Over(match ended {
                    // INVARIANT(never-serve-expired): it can have expired while this one slept.
                    Ended::Value(found, _) if found.has_expired(self.shared.clock.now()) => {
                        Ended::Unused
                    }
                    ended => ended,
                }))
            }
            Waited::TimedOut(holder) => {
                self.emit(Event::TimedOut(holder));
                Err(Error::Timeout { waited: self.shared.wait_timeout })
            }
            Waited::BackingOff(BackingOff { error, .. }) => {
                self.emit(Event::BackingOff);
                Err(error)
            }
        }
    }

    /// How long this request may still wait, by the cache's clock.
    fn patience(&self) -> Duration {
        let most = self.shared.wait_timeout;
        if most == Duration::MAX {
            return most;
        }
        let now = self.shared.clock.now();
        let ends = self.patience_ends.get().unwrap_or_else(|| now.after(most));
        self.patience_ends.set(Some(ends));
        ends.since(now).min(most)
    }

    fn cache(&self) -> usize {
        Arc::as_ptr(self.shared).addr()
    }

    /// Sends the refresh to the executor, or hands the job back if that refuses it: to drop it is to
    /// free the lease.
    pub fn dispatch(
        &self,
        lease: Lease<W>,
        refresh: impl FnOnce(&Request<W>, Lease<W>) -> Answer<W> + Send + 'static,
    ) -> Result<(), Job> {
        let (id, shared, key) = (lease.id, Arc::clone(self.shared), self.key.clone());
        let (hash, nominated) = (self.hash, self.nominated.get());
        let mut carried = Carried(Some(lease));
        let job = Job::new(move || {
            let request = Request::new(&shared, &key, hash);
            request.nominated.set(nominated);
            let lease = carried.0.take();
            if let Some(lease) = lease.filter(|lease| shared.protocol.begins(&request, lease)) {
                drop(refresh(&request, lease));
            }
        });
        let sent = self.shared.executor.execute(job);
        if sent.is_err() {
            self.emit(Event::Rejected(id));
        }
        sent
    }

    /// A thread has come to a refresh that was sent to it. `false` if it comes too late.
    pub fn begins(&self, lease: &Lease<W>) -> bool {
        let in_time = self.shared.executor.runs_at_once() || lease.table.begin(self.hash, lease.id);
        if !in_time {
            self.emit(Event::TakenOver(lease.id));
        }
        in_time
    }

    /// Runs the compute, outside every lock. Its panic is a failure like any other.
    // INVARIANT(one-in-flight): called under the lease alone.
    pub fn compute<F: Compute<W>>(
        &self,
        lease: &Lease<W>,
        sight: &Sight<W::Value>,
        compute: F,
    ) -> Computed<W> {
        let clock = &self.shared.clock;
        self.emit(Event::ComputeStarted(lease.id, sight.version()));
        let began = clock.now();
        let until = self.computing(lease.id).begin();
        let result = catch_unwind(AssertUnwindSafe(|| compute(self.key))).unwrap_or_else(|panic| {
            let error = Error::Panicked(message(panic.as_ref()).into());
            discard(Err::<(), _>(panic));
            Err(error)
        });
        drop(until);
        let took = clock.now().since(began);
        self.emit(Event::ComputeFinished(lease.id, result.is_ok()));
        Computed { result, took, began }
    }

    /// Puts a computed value into the store, unless it was overtaken. Says what the request gets, and
    /// what those who wait for the lease are told.
    // INVARIANT(versions-never-regress): the version is made in the section that writes the entry.
    pub fn publish(
        &self,
        lease: LeaseId,
        sight: &Sight<W::Value>,
        computed: Computed<W>,
    ) -> (Answer<W>, Ended<W::Value>) {
        let Shared { store, lifetimes, clock, draw, .. } = &**self.shared;
        let value = match computed.result {
            Ok(value) => value,
            Err(error) => {
                // A failure is remembered also if the clock or the draw panics.
                let drawn = catch_unwind(AssertUnwindSafe(|| (clock.now(), unit_interval(draw()))));
                let (at, jitter) = drawn.unwrap_or_else(|panic| {
                    discard(Err::<(), _>(panic));
                    (computed.began, 1.0)
                });
                return (Err(error.clone()), Ended::Failed(Failed { error, at, jitter }));
            }
        };
        let entry = lifetimes.entry(value, clock.now(), computed.took);
        let (new, began) = ((self.key.clone(), Arc::clone(&entry)), (lease, sight));
        match store.publish(self.hash, new, began, self.shared.room()) {
            Ok(Wrote { version, evicted, old }) => {
                self.emit(Event::Published(lease, version));
                self.shared.tell_evicted(evicted);
                drop(old);
                let found = Found::new(version, &entry, Freshness::Fresh);
                (Ok(found.clone()), Ended::Value(found, sight.stamp()))
            }
            Err(unused) => {
                self.emit(Event::Discarded(lease));
                drop(unused);
                (Ok(Found::unpublished(entry)), Ended::Discarded)
            }
        }
    }
}

/// What can be served of what was seen, and its version.
fn usable<V>(sight: &Sight<V>, now: Moment) -> Option<(Found<V>, Version)> {
    let (version, entry): (Version, &Arc<Entry<V>>) = sight.entry()?;
    match entry.freshness(now) {
        Freshness::Expired => None,
        freshness => Some((Found::new(version, entry, freshness), version)),
    }
}

/// Drops what was thrown. That may panic again: then it is left alone.
pub(crate) fn discard<T>(caught: std::thread::Result<T>) {
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(caught)));
    std::mem::forget(dropped);
}

fn cycle_error(cycle: &[Computing]) -> Error {
    let mut path: Vec<_> = cycle.iter().map(|of| format!("{:?}", of.name)).collect();
    path.extend(path.first().cloned());
    Error::Cycle { path: path.into() }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

impl<W: World> std::fmt::Debug for Lease<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Lease").field(&self.id).finish()
    }
}
