//! An entry of the store: a key, its value and its deadlines, and what a request gets of it. The store, the
//! protocol and the public face use it.

use crate::clock::{Moment, nanos};
use crate::ids::Version;
use crate::panics::Guarded;
use crate::policy::early::Early;
use crate::policy::lifetimes::{Freshness, Lifetimes};
use crate::sync::{Arc, Held, Mark};
use std::ops::Deref;
use std::time::Duration;

/// What the entries of a cache have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) lifetimes: Lifetimes,
    pub(crate) early: Early,
    /// How far the coarse time may be behind.
    pub(crate) lag: Duration,
}

/// A key, its value, and the deadlines. The parts that a hit reads come first, so that they share a line of the processor's
/// cache.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Entry<K, V> {
    key: Guarded<K>,
    /// At a coarse time before this one the entry is fresh, and no request nominates it: whatever the precise time is.
    surely_fresh_until: Moment,
    published_at: Moment,
    stale_at: Moment,
    /// 0 until it is published.
    version: Version,
    visited: Mark,
    /// Its drop may panic, and comes wherever the last reference is dropped: also in the request of another key.
    value: Guarded<V>,
    expires_at: Moment,
    delta: u64,
}

impl<K, V> Entry<K, V> {
    /// The entry of a value that is published at `now`.
    ///
    /// `delta` is how long its compute took; zero if it was not computed.
    pub(crate) fn new(
        terms: &Terms,
        key: Guarded<K>,
        value: Guarded<V>,
        now: Moment,
        delta: Duration,
    ) -> Self {
        let (stale_at, expires_at) = terms.lifetimes.deadlines(now);
        let delta = nanos(delta);
        let payload = stale_at.since(now);
        let early = Duration::from_nanos(terms.early.longest_gap(delta)).min(payload / 2);
        Self {
            key,
            surely_fresh_until: stale_at.before(early).before(terms.lag),
            published_at: now,
            stale_at,
            version: Version(0),
            visited: Mark::default(),
            value,
            expires_at,
            delta,
        }
    }

    /// Gives it its version. It is not shared yet.
    pub(crate) fn published(mut self: Arc<Self>, version: Version) -> Arc<Self> {
        if let Some(entry) = Arc::get_mut(&mut self) {
            entry.version = version;
        }
        self
    }

    /// Whether this is the entry's key.
    #[inline]
    pub(crate) fn is_of(&self, is: impl Fn(&K) -> bool) -> bool {
        is(&self.key)
    }

    pub(crate) fn key(&self) -> &K {
        &self.key
    }

    #[inline]
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// Whether a request has read it since the hand last passed.
    #[inline]
    pub(crate) fn visited(&self) -> &Mark {
        &self.visited
    }

    /// Whether the clock has stepped back since the publication, by more than the lifetime that ends at
    /// `deadline`. Then that lifetime is over. A smaller step prolongs it by as much.
    #[inline]
    fn is_ahead_of(&self, now: Moment, deadline: Moment) -> bool {
        self.published_at.nanos_since(now) > deadline.nanos_since(self.published_at)
    }

    /// The nanoseconds until the payload deadline.
    pub(crate) fn remaining(&self, now: Moment) -> u64 {
        self.stale_at.nanos_since(now)
    }

    /// Whether the time is in the second half of the payload TTL. No entry is refreshed early before: a compute that
    /// takes longer than the payload TTL would otherwise be repeated without a pause.
    pub(crate) fn may_refresh_early(&self, now: Moment) -> bool {
        let payload = self.stale_at.since(self.published_at);
        self.stale_at.since(now) <= payload / 2
    }

    /// How long the compute took, in nanoseconds; 0 if it was inserted.
    pub(crate) fn delta(&self) -> u64 {
        self.delta
    }

    pub(crate) fn published_at(&self) -> Moment {
        self.published_at
    }

    pub(crate) fn expires_at(&self) -> Moment {
        self.expires_at
    }

    /// Whether it is fresh and not to be refreshed early, at every precise time that this coarse time can stand for.
    ///
    /// `coarse` was read after the entry was.
    // INVARIANT(never-serve-expired): the lag of the coarse time is taken off the deadline.
    #[inline]
    pub(crate) fn is_surely_fresh(&self, coarse: Moment) -> bool {
        coarse < self.surely_fresh_until && !self.is_ahead_of(coarse, self.stale_at)
    }

    /// Whether it is stale at every precise time that this coarse time can stand for. Between two times at which it is stale
    /// it may be fresh: from the future at the first one, and past its deadline at the second. So one reason has to hold at
    /// both.
    pub(crate) fn is_surely_stale(&self, coarse: Moment, lag: Duration) -> bool {
        let latest = coarse.after(lag);
        let one_reason = coarse >= self.stale_at || self.is_ahead_of(latest, self.stale_at);
        one_reason && [coarse, latest].iter().all(|now| self.freshness(*now) == Freshness::Stale)
    }

    /// Whether it had expired at this moment, which may be before the entry was made.
    pub(crate) fn had_expired(&self, then: Moment) -> bool {
        self.expires_at <= then
    }

    /// `now` was read after the entry was.
    // INVARIANT(never-serve-expired): every answer that `is_surely_fresh` does not settle is checked here.
    pub(crate) fn freshness(&self, now: Moment) -> Freshness {
        if now >= self.expires_at || self.is_ahead_of(now, self.expires_at) {
            Freshness::Expired
        } else if now >= self.stale_at || self.is_ahead_of(now, self.stale_at) {
            Freshness::Stale
        } else {
            Freshness::Fresh
        }
    }
}

/// The answer of a request: the value, without a copy of it, and what the cache knew of it.
///
/// It dereferences to the value. It keeps the value and its key alive after the cache has dropped them. It may be kept, and
/// sent to another thread. If it is the last one that holds them, it drops them, and catches a panic of their `Drop`. While a thread keeps eight answers, each further one costs it a reference count.
#[derive(Debug)]
pub struct Found<K, V> {
    entry: Held<Entry<K, V>>,
    state: State,
}

/// A whole word: an answer is moved a word at a time, and a processor waits for a word of which a byte was just written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
enum State {
    Fresh,
    Stale,
}

impl<K, V> Found<K, V> {
    #[inline]
    pub(crate) fn fresh(entry: Held<Entry<K, V>>) -> Self {
        Self { entry, state: State::Fresh }
    }

    pub(crate) fn stale(entry: Held<Entry<K, V>>) -> Self {
        Self { entry, state: State::Stale }
    }

    /// A value that was computed or inserted just now.
    pub(crate) fn made(entry: &Arc<Entry<K, V>>) -> Self {
        Self::fresh(Held::from(Arc::clone(entry)))
    }

    pub(crate) fn held(&self) -> &Held<Entry<K, V>> {
        &self.entry
    }

    pub(crate) fn had_expired(&self, then: Moment) -> bool {
        self.entry.had_expired(then)
    }

    pub(crate) fn has_expired(&self, now: Moment) -> bool {
        self.entry.freshness(now) == Freshness::Expired
    }

    /// Whether it may have expired at some precise time that this coarse time can stand for.
    pub(crate) fn may_have_expired(&self, coarse: Moment, lag: Duration) -> bool {
        self.has_expired(coarse) || self.has_expired(coarse.after(lag))
    }

    /// The key as the cache has it.
    pub fn key(&self) -> &K {
        self.entry.key()
    }

    /// The version of the value. `None` if the value was never published: this request computed it or waited for it,
    /// and an insert, an invalidation or the compute time-out came meanwhile.
    pub fn version(&self) -> Option<Version> {
        let version = self.entry.version();
        (version != Version(0)).then_some(version)
    }

    /// Whether the value was past its payload deadline when the request looked.
    pub fn is_stale(&self) -> bool {
        self.state == State::Stale
    }
}

impl<K, V> Clone for Found<K, V> {
    fn clone(&self) -> Self {
        Self { entry: self.entry.clone(), state: self.state }
    }
}

impl<K, V> Deref for Found<K, V> {
    type Target = V;

    #[inline]
    fn deref(&self) -> &V {
        &self.entry.value
    }
}
