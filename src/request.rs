//! One request for one key: what the steps of the protocol are made of.

use crate::clock::{Clock, Moment};
use crate::entry::{Found, Freshness, Version};
use crate::error::Error;
use crate::event::{Event, Observer};
use crate::executor::{Executor, Job};
use crate::key_lock::{LeaseId, LeaseTable};
use crate::protocol::Answer;
use crate::shared::Shared;
use crate::store::Sight;
use crate::sync::Arc;
use crate::world::World;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What computes a value.
#[doc(hidden)]
pub trait Compute<W: World>: FnOnce(&W::Key) -> Result<W::Value, Error> + Send + 'static {}

impl<W, F> Compute<W> for F
where
    W: World,
    F: FnOnce(&W::Key) -> Result<W::Value, Error> + Send + 'static,
{
}

/// What the look saw.
#[doc(hidden)]
pub enum Look<W: World> {
    Fresh(Found<W::Value>),
    Stale(Stale<W>),
    Absent,
}

/// A stale entry as the look captured it.
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
    Over,
}

/// The right to compute a key. It can be sent to the thread that computes; dropping it is the
/// release, whatever the reason.
#[doc(hidden)]
pub struct Lease<W: World> {
    shared: Arc<Shared<W>>,
    table: Arc<LeaseTable<W::Key>>,
    hash: u64,
    id: LeaseId,
}

impl<W: World> Lease<W> {
    pub fn id(&self) -> LeaseId {
        self.id
    }
}

impl<W: World> Drop for Lease<W> {
    fn drop(&mut self) {
        self.table.release(self.hash, self.id);
        self.shared.observer.on(self.hash, Event::Released(self.id));
    }
}

/// A request at work.
#[doc(hidden)]
pub struct Request<'a, W: World> {
    pub(crate) shared: &'a Arc<Shared<W>>,
    pub(crate) key: &'a W::Key,
    pub(crate) hash: u64,
    pub(crate) now: Moment,
}

impl<'a, W: World> Request<'a, W> {
    pub(crate) fn new(shared: &'a Arc<Shared<W>>, key: &'a W::Key, hash: u64) -> Self {
        Self { shared, key, hash, now: shared.clock.now() }
    }

    /// The same request, later.
    pub(crate) fn again(&self) -> Self {
        Self::new(self.shared, self.key, self.hash)
    }

    fn emit(&self, event: Event) {
        self.shared.observer.on(self.hash, event);
    }

    fn read(&self) -> Sight<W::Value> {
        self.shared.store.read(self.hash, self.key)
    }

    pub fn look(&self) -> Look<W> {
        let sight = self.read();
        match self.usable(&sight) {
            Some((found, version)) if found.is_stale() => {
                self.emit(Event::StaleHit(version));
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

    /// What there is now for a miss that has waited.
    pub(crate) fn look_again(&self) -> Option<Found<W::Value>> {
        self.usable(&self.read()).map(|(found, _)| found)
    }

    fn usable(&self, sight: &Sight<W::Value>) -> Option<(Found<W::Value>, Version)> {
        let (version, entry) = sight.entry()?;
        match entry.freshness(self.now) {
            Freshness::Expired => None,
            freshness => Some((Found::new(version, entry, freshness), version)),
        }
    }

    fn recheck(&self, skipped: impl FnOnce(Version) -> Event) -> Judgement<W> {
        let sight = self.read();
        match self.usable(&sight) {
            Some((found, version)) if !found.is_stale() => {
                self.emit(skipped(version));
                Judgement::Current(found)
            }
            _ => Judgement::Needed(sight),
        }
    }

    pub fn recheck_before(&self) -> Judgement<W> {
        self.recheck(Event::SkippedBefore)
    }

    pub fn recheck_inside(&self, lease: &Lease<W>) -> Judgement<W> {
        self.recheck(|version| Event::SkippedInside(lease.id, version))
    }

    pub fn try_lease(&self) -> Result<Lease<W>, LeaseId> {
        self.try_lease_of(&self.shared.leases)
    }

    /// Tries a lease of this table. The cache has one; a twin of the suite may bring its own.
    pub fn try_lease_of(&self, table: &Arc<LeaseTable<W::Key>>) -> Result<Lease<W>, LeaseId> {
        match table.try_acquire(self.hash, self.key.clone()) {
            Ok(id) => {
                self.emit(Event::Leased(id));
                let (shared, table) = (Arc::clone(self.shared), Arc::clone(table));
                Ok(Lease { shared, table, hash: self.hash, id })
            }
            Err(holder) => {
                self.emit(Event::Busy(holder));
                Err(holder)
            }
        }
    }

    pub fn lease_or_wait(&self) -> Result<Turn<W>, Error> {
        let holder = match self.try_lease() {
            Ok(lease) => return Ok(Turn::Ours(lease)),
            Err(holder) => holder,
        };
        let waited = self.shared.wait_timeout;
        let released = self.shared.leases.wait(self.hash, holder, waited);
        self.emit(Event::Waited(holder));
        if released { Ok(Turn::Over) } else { Err(Error::Timeout { waited }) }
    }

    /// Sends the refresh to the executor. If that refuses it, dropping the job frees the lease.
    pub(crate) fn dispatch(
        &self,
        lease: Lease<W>,
        refresh: impl FnOnce(&Request<W>, Lease<W>) + Send + 'static,
    ) {
        let (id, shared, key) = (lease.id, Arc::clone(self.shared), self.key.clone());
        let hash = self.hash;
        let job = Job::new(move || refresh(&Request::new(&shared, &key, hash), lease));
        if let Err(job) = self.shared.executor.execute(job) {
            self.emit(Event::Rejected(id));
            drop(job);
        }
    }

    /// Runs the compute, outside every lock. Its panic is a failure like any other.
    pub fn compute<F: Compute<W>>(
        &self,
        lease: &Lease<W>,
        sight: &Sight<W::Value>,
        compute: F,
    ) -> Result<W::Value, Error> {
        self.emit(Event::ComputeStarted(lease.id, sight.version()));
        let computed = catch_unwind(AssertUnwindSafe(|| compute(self.key)))
            .unwrap_or_else(|panic| Err(Error::Panicked(message(panic.as_ref()).into())));
        self.emit(Event::ComputeFinished(lease.id, computed.is_ok()));
        computed
    }

    /// Puts a computed value into the store, unless it was overtaken.
    pub fn publish(
        &self,
        lease: LeaseId,
        sight: &Sight<W::Value>,
        computed: Result<W::Value, Error>,
    ) -> Answer<W> {
        let store = &self.shared.store;
        let value = computed.inspect_err(|_| store.abandon(self.hash, lease))?;
        let entry = self.shared.lifetimes.entry(value, self.shared.clock.now());
        let (key, began) = (self.key.clone(), (lease, sight));
        match store.publish(self.hash, key, began, Arc::clone(&entry)) {
            Ok(version) => {
                self.emit(Event::Published(lease, version));
                Ok(Found::new(version, &entry, Freshness::Fresh))
            }
            Err(entry) => {
                self.emit(Event::Discarded(lease));
                Ok(Found::unpublished(entry))
            }
        }
    }
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
