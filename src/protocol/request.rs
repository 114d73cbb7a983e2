//! One request for one key: its looks and its re-checks. The steps of the protocol are made of this.

use crate::clock::{Clock, Moment};
use crate::error::Error;
use crate::ids::Version;
use crate::observe::event::{Event, Observer};
use crate::panics::{Guarded, drop_each};
use crate::policy::lifetimes::Freshness;
use crate::protocol::lease::Lease;
use crate::protocol::waits::Computing;
use crate::protocol::world::{Shared, World};
use crate::sync::{Arc, Seen};
use crate::tables::entry::{Entry, Found, Terms};
use crate::tables::fences::Stamp;
use crate::tables::store::MapSnapshot;
use std::borrow::Borrow;
use std::cell::Cell;
use std::time::Duration;

/// A function that computes a value.
#[doc(hidden)]
pub trait Compute<W: World>: FnOnce(&W::Key) -> Result<W::Value, Error> + Send + 'static {}

impl<W, F> Compute<W> for F
where
    W: World,
    F: FnOnce(&W::Key) -> Result<W::Value, Error> + Send + 'static,
{
}

/// The key that a request asks for, in whatever form the user has it.
pub(crate) trait Sought<K> {
    /// Whether this is the key.
    fn is(&self, key: &K) -> bool;

    /// The key, for the cache to keep.
    fn to_key(&self) -> K;
}

/// A key in a form that it can be borrowed as: `str` for a `String`.
pub(crate) struct Borrowed<'a, Q: ?Sized>(pub(crate) &'a Q);

impl<Q: Eq + ToOwned + ?Sized> Sought<Q::Owned> for Borrowed<'_, Q> {
    #[inline]
    fn is(&self, key: &Q::Owned) -> bool {
        self.0 == key.borrow()
    }

    fn to_key(&self) -> Q::Owned {
        self.0.to_owned()
    }
}

/// What a compute returned, when it began, and how long it took.
#[doc(hidden)]
pub struct Computed<W: World> {
    /// The key that was computed. Dropped after the release.
    pub(super) key: Guarded<W::Key>,
    pub(super) result: Result<Guarded<W::Value>, Error>,
    pub(super) took: Duration,
    pub(super) began: Moment,
    /// Dropped after the release.
    pub(super) ended: Option<Computing>,
}

impl<W: World> Computed<W> {
    pub fn failed(&self) -> bool {
        self.result.is_err()
    }
}

/// What a look has read, before it is judged.
#[doc(hidden)]
pub struct Glance<W: World> {
    seen: Seen<Entry<W::Key, W::Value>>,
    coarse: Moment,
}

/// What the look found.
#[doc(hidden)]
pub enum Look<W: World> {
    Fresh(Found<W::Key, W::Value>),
    /// An entry that is served and refreshed: it is stale, or this request has nominated it.
    Stale(RefreshCandidate<W>),
    Absent,
}

/// An entry to refresh, as the look saw it.
#[doc(hidden)]
pub struct RefreshCandidate<W: World> {
    /// The value that the request returns.
    pub found: Found<W::Key, W::Value>,
    stamp: Stamp,
}

impl<W: World> RefreshCandidate<W> {
    /// What the look saw, whatever has become of the key since.
    pub fn captured(&self) -> MapSnapshot<W::Key, W::Value> {
        MapSnapshot::of(&self.found, self.stamp)
    }
}

/// The result of a re-check.
#[doc(hidden)]
pub enum Recheck<W: World> {
    /// The key needs no compute: this is its value.
    Current(Found<W::Key, W::Value>),
    /// The key needs a compute: this is what the re-check saw.
    Needed(MapSnapshot<W::Key, W::Value>),
    /// A write has revoked the lease: a compute under it would be one of a window that is over.
    Revoked,
}

/// A request at work.
#[doc(hidden)]
pub struct Request<'a, W: World> {
    pub(crate) shared: &'a Arc<Shared<W>>,
    pub(super) key: &'a dyn Sought<W::Key>,
    pub(crate) hash: u64,
    /// The version that the look of this request nominated. It is drawn once.
    pub(super) nominated: Cell<Option<Version>>,
    /// What the look of this request read: the version that was there, and the time.
    pub(super) looked: Cell<(Option<Version>, Moment)>,
    /// When this request stops to wait.
    pub(super) wait_deadline: Cell<Option<Moment>>,
    /// How long this request has waited for computes that were overdue then.
    pub(super) waited: Cell<Duration>,
}

impl<'a, W: World> Request<'a, W> {
    #[inline]
    pub(crate) fn new(shared: &'a Arc<Shared<W>>, key: &'a dyn Sought<W::Key>, hash: u64) -> Self {
        Self {
            shared,
            key,
            hash,
            nominated: Cell::new(None),
            looked: Cell::new((None, Moment::ORIGIN)),
            wait_deadline: Cell::new(None),
            waited: Cell::new(Duration::ZERO),
        }
    }

    #[inline]
    pub(super) fn emit(&self, event: Event) {
        self.shared.observer.on(self.hash, event);
    }

    /// What the map has now, and the time. The clock is read second, so that no entry is from the future.
    fn read(&self) -> (MapSnapshot<W::Key, W::Value>, Moment) {
        let snapshot = self.shared.store.read(self.hash, |key| self.key.is(key));
        (snapshot, self.shared.clock.now())
    }

    /// The quick half of a look: what the map has, and the coarse time. It is inlined into the caller. The
    /// other half is not: most requests need only this one.
    #[inline(always)]
    pub fn glance(&self) -> Glance<W> {
        let seen = self.shared.store.look(self.hash, |key| self.key.is(key));
        self.emit(Event::Looked(seen.get().map(Entry::version)));
        self.timed(seen)
    }

    /// The clock is read after the map, so that no entry is from the future.
    #[inline]
    fn timed(&self, seen: Seen<Entry<W::Key, W::Value>>) -> Glance<W> {
        Glance { seen, coarse: self.shared.clock.coarse() }
    }

    /// The answer of a hit.
    ///
    /// # Errors
    ///
    /// The glance, if the coarse time is not enough to say that this is a fresh value, or if the look found no entry.
    #[inline(always)]
    pub fn hit(&self, glance: Glance<W>) -> Result<Found<W::Key, W::Value>, Glance<W>> {
        match glance.seen.get() {
            Some(entry) if entry.is_surely_fresh(glance.coarse) => {
                self.emit(Event::FreshHit(entry.version()));
                Ok(Found::fresh(glance.seen.hold()))
            }
            _ => Err(glance),
        }
    }

    /// What a glance saw, and the time: the precise one, unless the coarse one is enough to say that the entry is stale.
    #[inline]
    fn closely(&self, glance: Glance<W>) -> (MapSnapshot<W::Key, W::Value>, Moment) {
        let Shared { store, clock, terms, .. } = &**self.shared;
        let Glance { seen, coarse } = glance;
        let is_stale = seen.get().is_some_and(|entry| entry.is_surely_stale(coarse, terms.lag));
        let now = if is_stale || terms.lag.is_zero() { coarse } else { clock.now() };
        (store.looked(seen), now)
    }

    #[inline]
    fn look_closely(&self, glance: Glance<W>) -> (MapSnapshot<W::Key, W::Value>, Moment) {
        let (snapshot, now) = self.closely(glance);
        self.looked.set((snapshot.version(), now));
        (snapshot, now)
    }

    /// The other half of a look.
    #[inline(never)]
    pub fn look(&self, glance: Glance<W>) -> Look<W> {
        let (snapshot, now) = self.look_closely(glance);
        self.look_at(snapshot, now)
    }

    /// Whether this request has found the value expired when it looked, or would have.
    // INVARIANT(never-serve-expired): a waiter gets what a compute makes however short its life, but for what had expired
    // before the waiter asked.
    pub(super) fn has_refused(&self, found: &Found<W::Key, W::Value>) -> bool {
        let (seen, at) = self.looked.get();
        found.version().is_some_and(|version| seen.is_some_and(|seen| version <= seen))
            || found.had_expired(at)
    }

    /// A look that refreshes nothing.
    #[inline]
    pub(crate) fn peek(&self) -> Option<Found<W::Key, W::Value>> {
        match self.hit(self.glance()) {
            Ok(found) => Some(found),
            Err(glance) => self.peek_closely(glance),
        }
    }

    #[inline(never)]
    fn peek_closely(&self, glance: Glance<W>) -> Option<Found<W::Key, W::Value>> {
        let (snapshot, now) = self.look_closely(glance);
        let version = snapshot.version();
        let seen = usable(snapshot, now);
        self.emit(match (&seen, version) {
            (Some(found), Some(version)) if found.is_stale() => Event::StaleHit(version),
            (Some(_), Some(version)) => Event::FreshHit(version),
            _ => Event::Miss,
        });
        seen
    }

    /// A look that takes the time for `ago` earlier than it is.
    pub fn look_as_of(&self, glance: Glance<W>, ago: Duration) -> Look<W> {
        let (snapshot, now) = self.look_closely(glance);
        let then = now.as_nanos().saturating_sub(ago.as_nanos() as u64);
        self.look_at(snapshot, Moment::from_nanos(then))
    }

    fn look_at(&self, snapshot: MapSnapshot<W::Key, W::Value>, now: Moment) -> Look<W> {
        let stamp = snapshot.stamp();
        let Some(entry) = snapshot.into_entry() else {
            self.emit(Event::Miss);
            return Look::Absent;
        };
        let version = entry.version();
        match entry.freshness(now) {
            Freshness::Stale => {
                self.emit(Event::StaleHit(version));
                Look::Stale(RefreshCandidate { found: Found::stale(entry), stamp })
            }
            Freshness::Fresh if self.nominates(&entry, now) => {
                self.nominated.set(Some(version));
                self.emit(Event::Nominated(version));
                Look::Stale(RefreshCandidate { found: Found::fresh(entry), stamp })
            }
            Freshness::Fresh => {
                self.emit(Event::FreshHit(version));
                Look::Fresh(Found::fresh(entry))
            }
            Freshness::Expired => {
                // It may be the last one of an expired value.
                drop_each(Some(entry));
                self.emit(Event::Miss);
                Look::Absent
            }
        }
    }

    fn nominates(&self, entry: &Entry<W::Key, W::Value>, now: Moment) -> bool {
        let Shared { terms, draw, .. } = &**self.shared;
        entry.may_refresh_early(now)
            && terms.early.nominates(entry.remaining(now), entry.delta(), || draw())
    }

    /// What a miss finds after it has waited or failed.
    pub(crate) fn look_again(&self) -> Option<Found<W::Key, W::Value>> {
        let (snapshot, now) = self.read();
        usable(snapshot, now)
    }

    /// The value that the look found. If it has expired meanwhile and the map has a newer one, that one: a compute on
    /// this thread may have taken long. Both were servable at some moment of this request.
    // INVARIANT(never-serve-expired): what the look found was servable then. The newer one is not returned if it had
    // expired by then: an insert may get the lock long after it has read the clock.
    // INVARIANT(healthy-origin-no-error): a value that was found is not refused because it expires before the answer.
    pub(crate) fn still(&self, found: Found<W::Key, W::Value>) -> Found<W::Key, W::Value> {
        if !self.has_expired(&found) {
            return found;
        }
        let (snapshot, now) = self.read();
        let Terms { lifetimes, lag, .. } = &self.shared.terms;
        let looked_at = self.looked.get().1.after(lifetimes.behind(*lag));
        let is_newer = |entry: &Entry<W::Key, W::Value>| {
            found.version().is_some_and(|before| entry.version() > before)
                && !entry.had_expired(looked_at)
        };
        match snapshot.into_entry() {
            Some(entry) if is_newer(&entry) => {
                let fresh = entry.freshness(now) == Freshness::Fresh;
                drop_each(Some(found));
                if fresh { Found::fresh(entry) } else { Found::stale(entry) }
            }
            _ => found,
        }
    }

    pub fn has_expired(&self, found: &Found<W::Key, W::Value>) -> bool {
        let Shared { clock, terms, .. } = &**self.shared;
        let coarse = clock.coarse();
        found.may_have_expired(coarse, terms.lag)
            && (terms.lag.is_zero() || found.has_expired(clock.now()))
    }

    /// A compute is needed if the key is absent or past its payload deadline, or if the entry is the
    /// version that this request nominated. There is no second draw.
    // INVARIANT(nomination-at-most-once): a nomination counts only as long as its version is current.
    fn recheck(
        &self,
        snapshot: MapSnapshot<W::Key, W::Value>,
        now: Moment,
        skipped: impl FnOnce(Version) -> Event,
    ) -> Recheck<W> {
        let nominated = self.nominated.get();
        let is_current = |entry: &Entry<_, _>| {
            entry.freshness(now) == Freshness::Fresh && nominated != Some(entry.version())
        };
        match snapshot.entry() {
            Some(entry) if is_current(entry) => self.emit(skipped(entry.version())),
            _ => return Recheck::Needed(snapshot),
        }
        let current = snapshot.into_entry().map(Found::fresh);
        current.map_or_else(|| Recheck::Needed(MapSnapshot::nothing()), Recheck::Current)
    }

    /// It takes no lock: most stale requests end at a lease that another one holds. It reads no clock if the map has what
    /// the look saw, which was stale or nominated then.
    pub fn recheck_before(&self) -> Recheck<W> {
        let seen = self.shared.store.look(self.hash, |key| self.key.is(key));
        let (looked, _) = self.looked.get();
        let recheck = if looked.is_some() && seen.get().map(Entry::version) == looked {
            Recheck::Needed(self.shared.store.looked(seen))
        } else {
            let (snapshot, now) = self.closely(self.timed(seen));
            self.recheck(snapshot, now, Event::SkippedBefore)
        };
        if matches!(recheck, Recheck::Needed(_)) {
            self.emit(Event::StillNeeded);
        }
        recheck
    }

    // INVARIANT(one-compute-per-window): the lease's fence is read in the section that reads the entry. So a compute
    // belongs to the window that its lease was for.
    pub fn recheck_inside(&self, lease: &Lease<W>) -> Recheck<W> {
        let read = if lease.is_of(&self.shared.leases) {
            self.shared.store.read_under(self.hash, |key| self.key.is(key), lease.id())
        } else {
            Some(self.shared.store.read(self.hash, |key| self.key.is(key)))
        };
        let Some(snapshot) = read else {
            self.emit(Event::TakenOver(lease.id()));
            return Recheck::Revoked;
        };
        let now = self.shared.clock.now();
        self.recheck(snapshot, now, |version| Event::SkippedInside(lease.id(), version))
    }

    /// A re-check of what was captured before, as if nothing could have been written since.
    pub fn recheck_captured(
        &self,
        lease: &Lease<W>,
        captured: &MapSnapshot<W::Key, W::Value>,
    ) -> Recheck<W> {
        let now = self.shared.clock.now();
        self.recheck(captured.clone(), now, |version| Event::SkippedInside(lease.id(), version))
    }

    /// What the map has now, with the stamp at which it was read.
    pub fn snapshot(&self) -> MapSnapshot<W::Key, W::Value> {
        self.read().0
    }
}

/// The value that a snapshot has at `now`. Nothing if it is absent or expired.
fn usable<K, V>(snapshot: MapSnapshot<K, V>, now: Moment) -> Option<Found<K, V>> {
    let entry = snapshot.into_entry()?;
    match entry.freshness(now) {
        Freshness::Fresh => Some(Found::fresh(entry)),
        Freshness::Stale => Some(Found::stale(entry)),
        Freshness::Expired => {
            drop_each(Some(entry));
            None
        }
    }
}
