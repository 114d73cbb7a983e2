//! A lock table as the field report has it, for the twins that bring their own: a lock is looked up in one
//! section and taken in another, and it goes by its key, whichever lock that is by then.
//!
//! Every scenario of such a twin is about one key, so that one place is the whole table.

use super::core::steps::{
    Condvar, Lease, LeaseTable, Mutex, Refusal, Request, World, thread_local,
};
use super::core::{Clock, Moment};
use super::current_task;
use super::recorder::Time;
use std::any::Any;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

/// A lock of the report's: a table of one lease.
type Lock<W> = Arc<LeaseTable<<W as World>::Key, <W as World>::Value>>;

/// The table, one for an execution.
pub(crate) struct Locks {
    time: Arc<dyn Clock>,
    place: Mutex<Place>,
    freed: Condvar,
}

#[derive(Default)]
struct Place {
    /// The key's lock, if there is one.
    lock: Option<Arc<dyn Any + Send + Sync>>,
    /// When it was looked up last.
    used: Moment,
    /// The task that took it last and has not said that it is done.
    held: Option<usize>,
}

thread_local! {
    /// The table of the execution that this task belongs to.
    static LOCKS: RefCell<Option<Arc<Locks>>> = RefCell::default();
}

impl Locks {
    pub(crate) fn new(time: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { time, place: Mutex::new(Place::default()), freed: Condvar::new() })
    }

    /// The task that calls this belongs to the table's execution.
    pub(crate) fn enter(self: &Arc<Self>) {
        LOCKS.with(|locks| *locks.borrow_mut() = Some(Arc::clone(self)));
    }

    /// The table of this task. There is none before the callers start: what happens then is not part of the
    /// scenario.
    fn entered() -> Option<Arc<Self>> {
        LOCKS.with(|locks| locks.borrow().clone())
    }

    fn here() -> Arc<Self> {
        // A worker of the pool belongs to no caller: it has a table of its own.
        Self::entered().unwrap_or_else(|| Self::new(Arc::new(Time::default())))
    }
}

/// The key's lock, which is made if there is none.
pub(super) fn look_up<W: World>() -> Lock<W> {
    let locks = Locks::here();
    let mut place = locks.place.lock();
    place.used = locks.time.now();
    let found = place.lock.as_ref().and_then(|lock| Arc::clone(lock).downcast().ok());
    found.unwrap_or_else(|| {
        let lock: Lock<W> = Arc::new(LeaseTable::new(1));
        place.lock = Some(Arc::<LeaseTable<W::Key, W::Value>>::clone(&lock));
        lock
    })
}

/// Takes a lock that was looked up. The sweeper knows of it at once, which is more than the report's does.
pub(super) fn take<W: World>(request: &Request<W>, lock: &Lock<W>) -> Result<Lease<W>, Refusal> {
    let locks = Locks::here();
    let mut place = locks.place.lock();
    let lease = request.try_lease_of(lock)?;
    place.held = Some(current_task());
    drop(place);
    Ok(lease)
}

/// The task that took the lock has released it. Another task may have taken it since.
pub(super) fn done() {
    let Some(locks) = Locks::entered() else { return };
    let mut place = locks.place.lock();
    if place.held == Some(current_task()) {
        place.held = None;
    }
}

/// Takes the key's lock out of the table, whichever it is.
pub(super) fn remove() {
    let Some(locks) = Locks::entered() else { return };
    let removed = locks.place.lock().lock.take();
    drop(removed);
}

/// The same if nobody holds it, and nobody has looked it up for so long.
pub(super) fn remove_idle(idle: Duration) {
    let locks = Locks::here();
    let mut place = locks.place.lock();
    let age = locks.time.now().since(place.used);
    let is_idle = place.held.is_none() && age >= idle;
    let removed = if is_idle { place.lock.take() } else { None };
    drop(place);
    drop(removed);
}

/// Waits until the lock is free, and takes it.
pub(super) fn wait() {
    let Some(locks) = Locks::entered() else { return };
    let mut place = locks.place.lock();
    while place.held.is_some() {
        place = locks.freed.wait_for(place, Duration::MAX).0;
    }
    place.held = Some(current_task());
}
