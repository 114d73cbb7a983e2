//! The lease of a request: acquiring it, waiting for it, sending it to the executor, releasing it. The
//! steps of the protocol are made of this.

use crate::clock::{Clock, Moment};
use crate::error::Error;
use crate::executor::{Executor, Job};
use crate::ids::LeaseId;
use crate::observe::event::{Event, Observer};
use crate::panics::discard;
use crate::policy::back_off::{BackingOff, Reading};
use crate::protocol::request::Request;
use crate::protocol::waits::Computing;
use crate::protocol::world::{Shared, World};
use crate::protocol::{Answer, Protocol};
use crate::sync::Arc;
use crate::tables::leases::{LeaseTable, Wants};
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
    outcome: LeaseOutcome<W::Value>,
}

impl<W: World> Lease<W> {
    pub fn id(&self) -> LeaseId {
        self.id
    }

    /// Sets what the release tells the waiters.
    pub fn set_outcome(&mut self, outcome: LeaseOutcome<W::Value>) {
        self.outcome = outcome;
    }
}

impl<W: World> Drop for Lease<W> {
    fn drop(&mut self) {
        // No code of the user's runs before the release: it could panic.
        let Shared { back_off, observer, protocol, .. } = &*self.shared;
        let outcome = std::mem::replace(&mut self.outcome, LeaseOutcome::Unused);
        let retires = |slot| protocol.retires(slot);
        let leftovers = self.table.release(self.hash, self.id, outcome, back_off, retires);
        emit_from_drop(observer, self.hash, Event::Released(self.id));
        drop(leftovers);
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

/// A lease on its way to the thread that refreshes. If it is dropped on the way, it emits that first and
/// releases the lease then.
struct Carried<W: World>(Option<Lease<W>>);

impl<W: World> Drop for Carried<W> {
    fn drop(&mut self) {
        if let Some(lease) = &self.0 {
            emit_from_drop(&lease.shared.observer, lease.hash, Event::Dropped(lease.id));
        }
    }
}

/// What a miss gets that asks for the lease.
#[doc(hidden)]
pub enum Turn<W: World> {
    Ours(Lease<W>),
    /// Another request held the lease and has released it, with this outcome.
    Over(LeaseOutcome<W::Value>),
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
        let (acquired, spare_key) = self.reading_again(
            |key, now| table.try_acquire(self.hash, key, now, wants),
            |acquired| match acquired {
                Err(Refusal::BackingOff(backing_off)) => backing_off.from_the_future,
                _ => false,
            },
        );
        match acquired {
            Ok(id) => {
                let lease = self.leased(table, id);
                // Its drop may panic. The lease is a value by now, and is released all the same.
                drop(spare_key);
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

    /// Attempts an acquisition with a copy of the key and the time. If the first reading of the clock
    /// looks wrong, attempts it once more with a second one.
    ///
    /// An attempt returns the key if the table has not kept it. A refused attempt always does.
    fn reading_again<R>(
        &self,
        mut attempt: impl FnMut(W::Key, Reading) -> (R, Option<W::Key>),
        looks_wrong: impl Fn(&R) -> bool,
    ) -> (R, Option<W::Key>) {
        let clock = &self.shared.clock;
        let (first, key) = attempt(self.key.clone(), Reading::first(clock.now()));
        match key {
            Some(key) if looks_wrong(&first) => attempt(key, Reading::again(clock.now())),
            key => (first, key),
        }
    }

    /// Makes the lease a value before it emits anything: the observer may panic.
    fn leased(&self, table: &Arc<LeaseTable<W::Key, W::Value>>, id: LeaseId) -> Lease<W> {
        let lease = Lease {
            shared: Arc::clone(self.shared),
            table: Arc::clone(table),
            hash: self.hash,
            id,
            outcome: LeaseOutcome::Unused,
        };
        self.emit(Event::Leased(id));
        lease
    }

    pub fn lease_or_wait(&self) -> Result<Turn<W>, Error> {
        let own = Computing::of(self.cache());
        if own.is_empty() { self.lease_or_wait_unguarded() } else { self.wait_inside(&own) }
    }

    /// Acquires the lease or waits for it, without a look at the graph of waits.
    pub fn lease_or_wait_unguarded(&self) -> Result<Turn<W>, Error> {
        let time_left = self.time_left();
        let (waited, spare_key) = self.reading_again(
            |key, now| {
                let Shared { leases, protocol, .. } = &**self.shared;
                leases.acquire_or_wait(self.hash, key, now, protocol.takeover(), time_left)
            },
            |waited| match waited {
                Waited::BackingOff(backing_off) => backing_off.from_the_future,
                _ => false,
            },
        );
        let turn = self.turn(waited);
        drop(spare_key);
        turn
    }

    /// The same for a request inside a compute: its thread holds leases, and they wait with it.
    fn wait_inside(&self, own: &[Computing]) -> Result<Turn<W>, Error> {
        let time_left = self.time_left();
        let holder = match self.try_lease_to(&self.shared.leases, self.to_compute()) {
            Ok(lease) => return Ok(Turn::Ours(lease)),
            Err(Refusal::BackingOff(backing_off)) => return Err(backing_off.error),
            Err(Refusal::Busy(holder)) => holder,
        };
        let waited = match self.shared.waits.enter(own, &self.computing(holder)) {
            Ok(_edges) => Ok(self.shared.leases.wait(self.hash, holder, time_left)),
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

    /// A lease of this request's key, as the graph of waits has it.
    pub(super) fn computing(&self, lease: LeaseId) -> Computing {
        Computing { cache: self.cache(), lease, name: Arc::new(self.key.clone()) }
    }

    fn turn(&self, waited: Waited<W::Value>) -> Result<Turn<W>, Error> {
        match waited {
            Waited::Ours(id) => Ok(Turn::Ours(self.leased(&self.shared.leases, id))),
            Waited::Released(holder, outcome) => {
                self.emit(Event::Waited(holder));
                Ok(Turn::Over(match outcome {
                    // INVARIANT(never-serve-expired): the value can expire while a waiter sleeps.
                    LeaseOutcome::Value(found, _) if found.has_expired(self.shared.clock.now()) => {
                        LeaseOutcome::Unused
                    }
                    outcome => outcome,
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

    /// How long this request may still wait, by the cache's clock. Its first wait sets the deadline.
    fn time_left(&self) -> Duration {
        let most = self.shared.wait_timeout;
        if most == Duration::MAX {
            return most;
        }
        let now = self.shared.clock.now();
        let deadline: Moment = self.wait_deadline.get().unwrap_or_else(|| now.after(most));
        self.wait_deadline.set(Some(deadline));
        deadline.since(now).min(most)
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
        refresh: impl FnOnce(&Request<W>, Lease<W>) -> Answer<W> + Send + 'static,
    ) -> Result<(), Job> {
        let id = lease.id;
        let shared = Arc::clone(self.shared);
        let key = self.key.clone();
        let hash = self.hash;
        let nominated = self.nominated.get();
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

    /// A thread has come to a refresh that was sent to it. `false` if a miss has taken its lease over.
    pub fn begins(&self, lease: &Lease<W>) -> bool {
        let begins = self.shared.executor.runs_at_once() || lease.table.begin(self.hash, lease.id);
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
