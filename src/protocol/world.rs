//! The types of a cache, and the state that its handles share. The protocol and the public face use it.

use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::executor::{Executor, WorkerPool};
use crate::observe::event::{Event, NoObserver, Observer};
use crate::panics::{Guarded, discard};
use crate::policy::back_off::BackOff;
use crate::policy::early::unit_interval;
use crate::protocol::sweeper::Sweeper;
use crate::protocol::waits::Waits;
use crate::protocol::{DoubleRecheck, Protocol};
use crate::sync::{Arc, Handles};
use crate::tables::entry::{Entry, Terms};
use crate::tables::leases::{Ends, LeaseTable, Revoked};
use crate::tables::store::{Removed, Store};
use std::fmt::Debug;
use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// A type of keys. Every type with these traits is one. Errors name keys by their `Debug`.
///
/// `Eq` may run under a lock of the cache, and so may `Borrow` and the `Eq` of the borrowed form, if a request asks by
/// one. No other code of the user's does. They also run without a lock, on several threads at once. An `Eq` that calls the
/// same cache may wait for itself for ever. One that is slow under a lock holds up the writes and misses of its shard.
/// `Hash`, `Clone`, `ToOwned`, `Debug` and every `Drop` run under no lock.
pub trait Key: Hash + Eq + Clone + Debug + Send + Sync + 'static {}

impl<K: Hash + Eq + Clone + Debug + Send + Sync + 'static> Key for K {}

/// The replaceable parts of a cache; [`With`] puts them together.
pub trait Parts: 'static {
    /// The source of time.
    type Clock: Clock;
    /// The reader of the events.
    type Observer: Observer;
    /// The executor of refreshes.
    type Executor: Executor;
    /// The hasher of keys.
    type Hasher: BuildHasher + Send + Sync + 'static;
    /// The protocol.
    #[doc(hidden)]
    type Protocol: Protocol;
}

/// The parts of a cache, each with its default. The builder changes one at a time.
///
/// `Cache<String, Page, With<ManualClock>>` is a cache on a manual clock.
pub struct With<
    C = SystemClock,
    O = NoObserver,
    X = WorkerPool,
    S = foldhash::fast::RandomState,
    P = DoubleRecheck,
>(PhantomData<fn() -> (C, O, X, S, P)>);

impl<C, O, X, S, P> Parts for With<C, O, X, S, P>
where
    C: Clock,
    O: Observer,
    X: Executor,
    S: BuildHasher + Send + Sync + 'static,
    P: Protocol,
{
    type Clock = C;
    type Observer = O;
    type Executor = X;
    type Hasher = S;
    type Protocol = P;
}

/// All types of a cache, under one name.
#[doc(hidden)]
pub trait World: 'static {
    type Key: Key;
    type Value: Send + Sync + 'static;
    type Parts: Parts;
}

/// The world of a `Cache<K, V, E>`.
#[doc(hidden)]
pub struct Of<K, V, E>(PhantomData<fn() -> (K, V, E)>);

impl<K: Key, V: Send + Sync + 'static, E: Parts> World for Of<K, V, E> {
    type Key = K;
    type Value = V;
    type Parts = E;
}

/// The state that all handles of a cache share.
#[doc(hidden)]
pub struct Shared<W: World> {
    /// Zero-sized in the published crate.
    pub(crate) protocol: <W::Parts as Parts>::Protocol,
    pub(crate) handles: Handles,
    pub(crate) store: Store<W::Key, W::Value>,
    pub(crate) leases: Arc<LeaseTable<W::Key, W::Value>>,
    pub(crate) waits: Waits,
    pub(crate) clock: <W::Parts as Parts>::Clock,
    pub(crate) observer: <W::Parts as Parts>::Observer,
    pub(crate) executor: <W::Parts as Parts>::Executor,
    pub(crate) hasher: <W::Parts as Parts>::Hasher,
    pub(crate) terms: Terms,
    pub(crate) wait_timeout: Duration,
    pub(crate) compute_timeout: Duration,
    pub(crate) back_off: BackOff,
    pub(crate) draw: Draw,
    pub(crate) refresh: Option<Refresh<W::Key, W::Value>>,
    pub(crate) sweeper: Sweeper,
}

impl<W: World> Shared<W> {
    /// The entry of a value that is published now. Its jitter is drawn under no lock. If the draw panics there is none:
    /// a value that was computed is not lost for want of a random number.
    pub(crate) fn entry(
        &self,
        key: Guarded<W::Key>,
        value: Guarded<W::Value>,
        delta: Duration,
    ) -> Arc<Entry<W::Key, W::Value>> {
        let draw = || {
            let drawn = catch_unwind(AssertUnwindSafe(|| unit_interval((self.draw)())));
            drawn.unwrap_or_else(|panic| {
                discard(Err::<(), _>(panic));
                0.0
            })
        };
        let terms = Terms { lifetimes: self.terms.lifetimes.drawn(draw), ..self.terms };
        Arc::new(Entry::new(&terms, key, value, self.clock.now(), delta))
    }

    /// How many keys a shard of the store may have.
    pub(crate) fn room(&self) -> usize {
        self.protocol.room(self.store.capacity)
    }

    /// What a write of a key ends.
    pub(crate) fn ends(&self) -> Ends {
        let revokes = [false, true].map(|another| self.protocol.revokes(another));
        Ends { revokes, forgets: self.protocol.forgets() }
    }

    pub(crate) fn emit_revoked(&self, revoked: &Revoked<W::Key>) {
        for (hash, lease) in &revoked.leases {
            self.observer.on(*hash, Event::Revoked(*lease));
        }
    }

    pub(crate) fn emit_evicted(&self, evicted: Option<Removed>) {
        if let Some(Removed { hash, version }) = evicted {
            self.observer.on(hash, Event::Evicted(version));
        }
    }
}

/// A source of random numbers in (0, 1].
pub(crate) type Draw = Arc<dyn Fn() -> f64 + Send + Sync>;

/// The registered refresh of a cache: it computes any key.
pub(crate) type Refresh<K, V> = Arc<dyn Fn(&K) -> Result<V, Error> + Send + Sync>;
