//! The types that a cache is made of, under one name.

use crate::clock::{Clock, SystemClock};
use crate::event::{NoObserver, Observer};
use crate::executor::{Executor, WorkerPool};
use crate::protocol::{DoubleRecheck, Protocol};
use std::fmt::Debug;
use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;

/// What a key has to be. Implemented for every type that can be one. `Debug` is for errors that name
/// keys.
pub trait Key: Hash + Eq + Clone + Debug + Send + Sync + 'static {}

impl<K: Hash + Eq + Clone + Debug + Send + Sync + 'static> Key for K {}

/// The replaceable parts of a cache; [`With`] puts them together.
pub trait Parts: 'static {
    /// Where the time comes from.
    type Clock: Clock;
    /// Who reads the events.
    type Observer: Observer;
    /// Where refreshes run.
    type Executor: Executor;
    /// How keys are hashed.
    type Hasher: BuildHasher + Send + Sync + 'static;
    /// The protocol.
    #[doc(hidden)]
    type Protocol: Protocol;
}

/// The parts of a cache, each with its default; the builder changes one at a time.
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

/// All types of a cache.
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
