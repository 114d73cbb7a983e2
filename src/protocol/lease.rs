//! The lease of a request: acquiring it, waiting for it, sending it to the executor, releasing it. The
//! steps of the protocol are made of this.

use crate::clock::{Clock, Moment};
use crate::error::Error;
use crate::executor::{Executor, Job};
use crate::ids::{LeaseId, Version};
use crate::observe::event::{Event, Observer};
use crate::panics::{Guarded, discard, drop_each};
use crate::policy::back_off::{BackingOff, Reading};
use crate::protocol::request::{Borrowed, Request};
use crate::protocol::waits::Computing;
use crate::protocol::world::{Shared, World};
use crate::protocol::{Answer, Protocol};
use crate::sync::{Arc, Weak};
use crate::tables::leases::{Ask, LeaseTable, Wants};
use crate::tables::outcome::{LeaseOutcome, Refusal, Waited};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// The right to compute a key. It can be sent to the thread that computes. Its drop is its release,
/// whatever the reason for the drop.
#[doc(hidden)]
pub struct Lease<W: World> {
    shared: Arc<Shared<W>>,
    table: Arc<LeaseTable<W::Key, W::Value>>,
    hash: u64,
    id: LeaseId,
    outcome: LeaseOutcome<W::Key, W::Value>,
    /// A copy of the key that the table did not keep. Its drop may ask for the key, so it comes after the release.
    spare_key: Option<W::Key>,
    /// Another value releases it.
    handed_on: bool,
}

impl<W: World> Lease<W> {
    fn new(
        shared: Arc<Shared<W>>,
        table: Arc<LeaseTable<W::Key, W::Value>>,
        hash: u64,
        id: LeaseId,
    ) -> Self {
        let outcome = LeaseOutcome::Unused;
        Self { shared, table, hash, id, outcome, spare_key: None, handed_on: false }
    }

    pub fn id(&self) -> LeaseId {
        self.id
    }

    /// Whether it is a lease of this table. A twin of the suite may bring its own.
    pub(super) fn is_of(&self, table: &Arc<LeaseTable<W::Key, W::Value>>) -> bool {
        Arc::ptr_eq(&self.table, table)
    }

    /// Sets what the release tells the waiters.
    pub fn set_outcome(&mut self, outcome: LeaseOutcome<W::Key, W::Value>) {
        self.outcome = outcome;
    }
}

impl<W: World> Drop for Lease<W> {
    fn drop(&mut self) {
        if self.handed_on {
            return;
        }
        // No code of the user's runs before the release: it could panic, or ask for this very key.
        let Shared { back_off, observer, protocol, .. } = &*self.shared;
        let outcome = std::mem::replace(&mut self.outcome, LeaseOutcome::Unused);
        let retires = |slot| protocol.retires(slot);
        let leftovers = self.table.release(self.hash, self.id, outcome, back_off, retires);
        emit_from_drop(observer, self.hash, Event::Released(self.id));
        leftovers.discard();
        drop_each(self.spare_key.take());
    }
}

impl<W: World> std::fmt::Debug for Lease<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Lease").field(&self.id).finish()
    }
}

/// Emits an event from a destructor. A second panic while one unwinds would abort the process.
fn emit_from_drop(observer: &impl Observer, hash: u64, event: Event) {
    let emit = AssertUnwindSafe(|| observer.on(hash, event));
    if std::thread::panicking() {
        discard(catch_unwind(emit));
    } else {
        emit();
    }
}

/// A lease on its way to the thread that refreshes. It does not keep the cache alive: a refresh of a cache that
/// nobody holds has nothing to do.
struct QueuedLease<W: World> {
    shared: Weak<Shared<W>>,
    table: Arc<LeaseTable<W::Key, W::Value>>,
    hash: u64,
    id: LeaseId,
    spare_key: Option<W::Key>,
    /// A thread has taken it.
    taken: bool,
}

impl<W: World> QueuedLease<W> {
    fn new(mut lease: Lease<W>) -> Self {
        lease.handed_on = true;
        let (shared, table) = (Arc::downgrade(&lease.shared), Arc::clone(&lease.table));
        let spare_key = lease.spare_key.take();
        Self { shared, table, hash: lease.hash, id: lease.id, spare_key, taken: false }
    }

    /// The lease, for the thread that has come to it. Nothing if the cache has no handle any more.
    fn begin(&mut self) -> Option<Lease<W>> {
        self.shared.upgrade().filter(|shared| shared.handles.any())?;
        self.take()
    }

    fn take(&mut self) -> Option<Lease<W>> {
        let shared = self.shared.upgrade()?;
        self.taken = true;
        let mut lease = Lease::new(shared, Arc::clone(&self.table), self.hash, self.id);
        lease.spare_key = self.spare_key.take();
        Some(lease)
    }
}

impl<W: World> Drop for QueuedLease<W> {
    /// It is dropped on the way: it emits that first, and releases the lease then.
    fn drop(&mut self) {
        if self.taken {
            return;
        }
        if let Some(lease) = self.take() {
            emit_from_drop(&lease.shared.observer, lease.hash, Event::Dropped(lease.id));
        }
    }
}

/// A refresh on its way to a thread. The lease is the first field, so that it is dropped first.
struct QueuedRefresh<W: World, R> {
    lease: QueuedLease<W>,
    key: Guarded<W::Key>,
    hash: u64,
    nominated: Option<Version>,
    refresh: Guarded<R>,
}

impl<W: World, R: FnOnce(&Request<W>, Lease<W>) -> Option<Answer<W>>> QueuedRefresh<W, R> {
    fn run(self) {
        let Self { lease: mut queued, key, hash, nominated, refresh } = self;
        let Some(lease) = queued.begin() else { return };
        let shared = Arc::clone(&lease.shared);
        let sought = Borrowed(&*key);
        let request = Request::new(&shared, &sought, hash);
        request.nominated.set(nominated);
        let begins = shared.protocol.begins(&request, &lease);
        match refresh.take() {
            Some(refresh) if begins => drop_each(refresh(&request, lease)),
            refresh => {
                drop(lease);
                drop_each(refresh);
            }
        }
    }
}

/// What a miss gets that asks for the lease.
#[doc(hidden)]
pub enum Turn<W: World> {
    Ours(Lease<W>),
    /// Another request held the lease and has released it, with this outcome.
    Over(LeaseOutcome<W::Key, W::Value>),
}

impl<W: World> Request<'_, W> {
    pub fn try_lease(&self) -> Result<Lease<W>, Refusal> {
        self.try_lease_of(&self.shared.leases)
    }

    /// Tries a lease of this table. A cache has one table; a twin of the suite may bring its own.
    pub fn try_lease_of(
        &self,
        table: &Arc<LeaseTable<W::Key, W::Value>>,
    ) -> Result<Lease<W>, Refusal> {
        let at_once = self.shared.executor.runs_at_once();
        let wants = if at_once { self.to_compute() } else { Wants::Queue };
        match self.try_lease_to(table, wants) {
            Err(Refusal::Overdue(holder)) => {
                self.revoke_overdue(holder);
                match self.try_lease_to(table, wants) {
                    // Another lease is overdue by now. The next request revokes it.
                    Err(Refusal::Overdue(holder)) => {
                        self.emit(Event::Busy(holder));
                        Err(Refusal::Busy(holder))
                    }
                    acquired => acquired,
                }
            }
            acquired => acquired,
        }
    }

    /// Frees the key of a lease whose compute is overdue, unless another request has done so.
    fn revoke_overdue(&self, holder: LeaseId) {
        if self.shared.store.revoke_overdue(self.hash, holder, &self.shared.leases) {
            self.emit(Event::Revoked(holder));
        }
    }

    fn ask(&self, now: Reading, wants: Wants) -> Ask {
        let compute_timeout = self.shared.compute_timeout;
        Ask { now, wants, compute_timeout, waited: self.waited.get() }
    }

    fn to_compute(&self) -> Wants {
        Wants::Compute(self.shared.protocol.takeover())
    }

    fn try_lease_to(
        &self,
        table: &Arc<LeaseTable<W::Key, W::Value>>,
        wants: Wants,
    ) -> Result<Lease<W>, Refusal> {
        let (acquired, spare_key) = self.reading_once(
            |key, now| table.try_acquire(self.hash, key, &self.ask(now, wants)),
            |acquired| match acquired {
                Err(Refusal::BackingOff(backing_off)) => Some(backing_off),
                _ => None,
            },
        );
        match acquired {
            Ok(id) => {
                let mut lease = self.leased(table, id);
                lease.spare_key = spare_key;
                Ok(lease)
            }
            Err(refusal) => {
                drop_each(spare_key);
                match refusal {
                    Refusal::Busy(holder) => self.emit(Event::Busy(holder)),
                    Refusal::BackingOff(_) => self.emit(Event::BackingOff),
                    Refusal::Overdue(_) => {}
                }
                Err(refusal)
            }
        }
    }

    /// Attempts an acquisition with the time that the look read. It reads the clock in two cases: at that time the key backs
    /// off, or computes have a time-out. Most attempts find the lease taken.
    fn reading_once<R>(
        &self,
        mut attempt: impl FnMut(W::Key, Reading) -> (R, Option<W::Key>),
        backs_off: impl Fn(&R) -> Option<&BackingOff>,
    ) -> (R, Option<W::Key>) {
        let Shared { terms, compute_timeout, .. } = &**self.shared;
        if terms.lag.is_zero() || *compute_timeout < Duration::MAX {
            return self.reading_again(self.key.to_key(), attempt, backs_off);
        }
        let (first, key) = attempt(self.key.to_key(), Reading::first(self.looked.get().1));
        match key {
            Some(key) if backs_off(&first).is_some() => self.reading_again(key, attempt, backs_off),
            key => (first, key),
        }
    }

    /// Attempts an acquisition with a copy of the key and the time. If by the first reading of the clock the key backs
    /// off since a moment in the future, attempts it once more with a second one.
    ///
    /// An attempt returns the key if the table has not kept it. A refused attempt always does.
    fn reading_again<R>(
        &self,
        key: W::Key,
        mut attempt: impl FnMut(W::Key, Reading) -> (R, Option<W::Key>),
        backs_off: impl Fn(&R) -> Option<&BackingOff>,
    ) -> (R, Option<W::Key>) {
        let clock = &self.shared.clock;
        let (first, key) = attempt(key, Reading::first(clock.now()));
        let from_the_future = backs_off(&first).filter(|it| it.from_the_future);
        match (key, from_the_future.map(|it| it.number)) {
            (Some(key), Some(number)) => attempt(key, Reading::again(clock.now(), number)),
            (key, _) => (first, key),
        }
    }

    /// Makes the lease a value before it emits anything: the observer may panic.
    fn leased(&self, table: &Arc<LeaseTable<W::Key, W::Value>>, id: LeaseId) -> Lease<W> {
        let lease = Lease::new(Arc::clone(self.shared), Arc::clone(table), self.hash, id);
        self.emit(Event::Leased(id));
        lease
    }

    pub fn lease_or_wait(&self) -> Result<Turn<W>, Error> {
        let own = Computing::of(self.cache());
        if own.is_empty() { self.lease_or_wait_unguarded() } else { self.wait_inside(&own) }
    }

    /// Acquires the lease or waits for it, without a look at the graph of waits.
    pub fn lease_or_wait_unguarded(&self) -> Result<Turn<W>, Error> {
        loop {
            let time_left = self.time_left();
            let (waited, spare_key) = self.reading_again(
                self.key.to_key(),
                |key, now| {
                    let ask = self.ask(now, self.to_compute());
                    self.shared.leases.acquire_or_wait(self.hash, key, &ask, time_left)
                },
                |waited| match waited {
                    Waited::BackingOff(backing_off) => Some(backing_off),
                    _ => None,
                },
            );
            let turn = match waited {
                Waited::Overdue(holder, waited) => {
                    self.has_waited(waited);
                    self.revoke_overdue(holder);
                    None
                }
                waited => Some(self.turn(waited)),
            };
            match turn {
                Some(Ok(Turn::Ours(mut lease))) => {
                    lease.spare_key = spare_key;
                    return Ok(Turn::Ours(lease));
                }
                turn => {
                    drop_each(spare_key);
                    if let Some(turn) = turn {
                        return turn;
                    }
                }
            }
        }
    }

    /// The same for a request inside a compute: its thread holds leases, and they wait with it.
    fn wait_inside(&self, own: &[Computing]) -> Result<Turn<W>, Error> {
        loop {
            let time_left = self.time_left();
            let holder = match self.try_lease_to(&self.shared.leases, self.to_compute()) {
                Ok(lease) => return Ok(Turn::Ours(lease)),
                Err(Refusal::BackingOff(backing_off)) => return Err(backing_off.error),
                Err(Refusal::Overdue(holder)) => {
                    self.revoke_overdue(holder);
                    continue;
                }
                Err(Refusal::Busy(holder)) => holder,
            };
            let now = Reading::first(self.shared.clock.now());
            let ask = self.ask(now, self.to_compute());
            let waited = match self.shared.waits.enter(own, &self.computing(holder)) {
                Ok(_edges) => Ok(self.shared.leases.wait(self.hash, holder, &ask, time_left)),
                Err(cycle) => Err(cycle),
            };
            match waited {
                Ok(Waited::Overdue(holder, waited)) => {
                    self.has_waited(waited);
                    self.revoke_overdue(holder);
                }
                Ok(waited) => return self.turn(waited),
                Err(cycle) => {
                    self.emit(Event::Cycle(holder));
                    return Err(cycle_error(&cycle));
                }
            }
        }
    }

    /// A lease of this request's key, as the graph of waits has it.
    pub(super) fn computing(&self, lease: LeaseId) -> Computing {
        Computing { cache: self.cache(), lease, name: Arc::new(self.key.to_key()) }
    }

    fn turn(&self, waited: Waited<W::Key, W::Value>) -> Result<Turn<W>, Error> {
        match waited {
            Waited::Ours(id) => Ok(Turn::Ours(self.leased(&self.shared.leases, id))),
            Waited::Released(holder, outcome) => {
                self.emit(Event::Waited(holder));
                Ok(Turn::Over(match outcome {
                    LeaseOutcome::Value(found) if self.has_refused(&found) => LeaseOutcome::Unused,
                    outcome => outcome,
                }))
            }
            Waited::TimedOut(holder) | Waited::Overdue(holder, _) => {
                self.emit(Event::TimedOut(holder));
                Err(Error::Timeout { waited: self.shared.wait_timeout })
            }
            Waited::BackingOff(BackingOff { error, .. }) => {
                self.emit(Event::BackingOff);
                Err(error)
            }
        }
    }

    /// A clock that stands still must not make the wait endless.
    fn has_waited(&self, waited: Duration) {
        self.waited.set(self.waited.get().saturating_add(waited));
    }

    /// How long this request may still wait, by the cache's clock. Its first wait sets the deadline.
    fn time_left(&self) -> Duration {
        let most = self.shared.wait_timeout;
        if most == Duration::MAX {
            return most;
        }
        let now = self.shared.clock.now();
        let deadline: Moment = self.wait_deadline.get().unwrap_or_else(|| now.after(most));
        self.wait_deadline.set(Some(deadline));
        deadline.since(now).min(most.saturating_sub(self.waited.get()))
    }

    fn cache(&self) -> usize {
        Arc::as_ptr(self.shared).addr()
    }

    /// Sends the refresh to the executor, with the lease.
    ///
    /// # Errors
    ///
    /// The job, if the executor refuses it. The drop of the job releases the lease.
    pub fn dispatch(
        &self,
        lease: Lease<W>,
        refresh: impl FnOnce(&Request<W>, Lease<W>) -> Option<Answer<W>> + Send + 'static,
    ) -> Result<(), Job> {
        let id = lease.id;
        let hash = self.hash;
        let nominated = self.nominated.get();
        let (key, refresh) = (Guarded::new(self.key.to_key()), Guarded::new(refresh));
        let queued =
            QueuedRefresh { lease: QueuedLease::new(lease), key, hash, nominated, refresh };
        // A method call moves the whole of it into the job, so that a job that is dropped frees the lease first.
        let job = Job::new(move || queued.run());
        let sent = self.shared.executor.execute(job);
        if sent.is_err() {
            self.emit(Event::Rejected(id));
        }
        sent
    }

    /// A thread has come to a refresh that was sent to it. `false` if a miss has taken its lease over, or a write has
    /// revoked it.
    pub fn begins(&self, lease: &Lease<W>) -> bool {
        let has_timeout = self.shared.compute_timeout < Duration::MAX;
        let now = has_timeout.then(|| self.shared.clock.now());
        let begins =
            self.shared.executor.runs_at_once() || lease.table.begin(self.hash, lease.id, now);
        if !begins {
            self.emit(Event::TakenOver(lease.id));
        }
        begins
    }
}

fn cycle_error(cycle: &[Computing]) -> Error {
    let mut path: Vec<_> = cycle.iter().map(|of| format!("{:?}", of.name)).collect();
    path.extend(path.first().cloned());
    Error::Cycle { path: path.into() }
}
