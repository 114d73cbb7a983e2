//! An entry of the store: a value and its two deadlines, and what a request gets of it. The store, the
//! protocol and the public face use it.

use crate::clock::{Moment, nanos};
use crate::ids::Version;
use crate::policy::lifetimes::{Freshness, Lifetimes};
use crate::sync::Arc;
use std::ops::Deref;
use std::time::Duration;

/// A value and its deadlines.
#[derive(Debug)]
pub(crate) struct Entry<V> {
    value: V,
    published_at: Moment,
    stale_at: Moment,
    expires_at: Moment,
    delta: u64,
}

impl<V> Entry<V> {
    /// The entry of a value that is published at `now`.
    ///
    /// `delta` is how long its compute took; zero if it was not computed.
    pub(crate) fn new(lifetimes: Lifetimes, value: V, now: Moment, delta: Duration) -> Arc<Self> {
        let (stale_at, expires_at) = lifetimes.deadlines(now);
        Arc::new(Self { value, published_at: now, stale_at, expires_at, delta: nanos(delta) })
    }

    /// Whether the clock has stepped back since the publication, by more than the lifetime that ends at
    /// `deadline`. Then that lifetime is over. A smaller step prolongs it by as much.
    fn is_ahead_of(&self, now: Moment, deadline: Moment) -> bool {
        self.published_at.since(now) > deadline.since(self.published_at)
    }

    /// The nanoseconds until the payload deadline.
    pub(crate) fn remaining(&self, now: Moment) -> u64 {
        nanos(self.stale_at.since(now))
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

    /// `now` was read after the entry was.
    // INVARIANT(never-serve-expired): every answer of a cache is checked here against its deadline.
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
/// It dereferences to the value, and keeps the value alive after the cache has dropped it.
#[derive(Debug)]
pub struct Found<V> {
    entry: Arc<Entry<V>>,
    version: Option<Version>,
    freshness: Freshness,
}

impl<V> Found<V> {
    pub(crate) fn new(version: Version, entry: &Arc<Entry<V>>, freshness: Freshness) -> Self {
        Self { entry: Arc::clone(entry), version: Some(version), freshness }
    }

    /// A value whose lease was revoked during its compute.
    pub(crate) fn unpublished(entry: Arc<Entry<V>>) -> Self {
        Self { entry, version: None, freshness: Freshness::Fresh }
    }

    pub(crate) fn expired_before(&self, then: Moment) -> bool {
        self.entry.expires_at < then
    }

    pub(crate) fn has_expired(&self, now: Moment) -> bool {
        self.entry.freshness(now) == Freshness::Expired
    }

    /// The version of the value. `None` if the value was never published: this request computed it or waited for it,
    /// and an insert, an invalidation or the compute time-out came meanwhile.
    pub fn version(&self) -> Option<Version> {
        self.version
    }

    /// Whether the value was past its payload deadline when the request looked.
    pub fn is_stale(&self) -> bool {
        self.freshness == Freshness::Stale
    }
}

impl<V> Clone for Found<V> {
    fn clone(&self) -> Self {
        Self { entry: Arc::clone(&self.entry), version: self.version, freshness: self.freshness }
    }
}

impl<V> Deref for Found<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.entry.value
    }
}
