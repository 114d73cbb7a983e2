//! What all handles of a cache share.

use crate::back_off::BackOff;
use crate::early::Early;
use crate::entry::Lifetimes;
use crate::error::Error;
use crate::event::{Event, Observer};
use crate::key_lock::LeaseTable;
use crate::protocol::Protocol;
use crate::store::{Gone, Store};
use crate::sweep::Sweeper;
use crate::sync::Arc;
use crate::waits::Waits;
use crate::world::{Parts, World};
use std::time::Duration;

/// The insides of a cache.
#[doc(hidden)]
pub struct Shared<W: World> {
    /// Zero-sized in the shipped crate.
    pub(crate) protocol: <W::Parts as Parts>::Protocol,
    pub(crate) store: Store<W::Key, W::Value>,
    pub(crate) leases: Arc<LeaseTable<W::Key, W::Value>>,
    pub(crate) waits: Waits,
    pub(crate) clock: <W::Parts as Parts>::Clock,
    pub(crate) observer: <W::Parts as Parts>::Observer,
    pub(crate) executor: <W::Parts as Parts>::Executor,
    pub(crate) hasher: <W::Parts as Parts>::Hasher,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) wait_timeout: Duration,
    pub(crate) early: Early,
    pub(crate) back_off: BackOff,
    pub(crate) draw: Draw,
    pub(crate) refresh: Option<Refresh<W::Key, W::Value>>,
    pub(crate) sweeper: Sweeper,
}

impl<W: World> Shared<W> {
    /// How many keys a part of the store may have.
    pub(crate) fn room(&self) -> usize {
        self.protocol.room(self.store.capacity)
    }

    /// Tells of who had to make room.
    pub(crate) fn tell_evicted(&self, evicted: Option<Gone>) {
        if let Some((hash, version)) = evicted {
            self.observer.on(hash, Event::Evicted(version));
        }
    }
}

/// A source of chance: a number in (0, 1].
pub(crate) type Draw = Arc<dyn Fn() -> f64 + Send + Sync>;

/// What computes any key.
pub(crate) type Refresh<K, V> = Arc<dyn Fn(&K) -> Result<V, Error> + Send + Sync>;
