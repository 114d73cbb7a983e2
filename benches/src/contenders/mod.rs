//! The contenders: ours in several configurations, the peers, and the floors. Each has one small adapter.

mod amalgam;
mod cached;
mod cachet;
mod fibre;
mod flight;
mod floors;
mod foyer;
mod moka;
pub mod ours;
mod quick;

use crate::keys::{Key, Value};
use std::time::Duration;

/// What the tables say of a contender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    pub name: &'static str,
    /// Its package, for the table of versions.
    pub package: &'static str,
    /// The clock that a hit reads.
    pub clock: &'static str,
}

/// The name of ours in its default configuration.
pub const OURS: &str = "ours";
/// The peer that is nearest to ours.
pub const FIBRE: &str = "fibre_cache";
/// The floor that ours is compared with: its values outlive the map, as ours do.
pub const FLOOR: &str = "floor: papaya";

/// Longer than any run.
pub const LONG: Duration = Duration::from_secs(3_600);

/// A cache whose hits, writes and misses are measured. The calls are compiled for each contender.
pub trait Contender: Send + Sync + 'static {
    type Key: Key;

    /// The first byte of the key's value. An absent value is computed, which costs nothing, and kept.
    fn hit(&self, key: &Self::Key) -> u8;

    fn insert(&self, key: Self::Key);

    fn invalidate(&self, key: &Self::Key);
}

/// Something that is done with every contender.
pub trait Visit {
    fn visit<C: Contender>(&mut self, info: Info, make: fn() -> C);
}

/// Every contender, with keys of one kind. Two peers have text keys in any case.
pub fn each<K: Key>(visit: &mut impl Visit) {
    ours::each::<K>(visit);
    fibre::each::<K>(visit);
    quick::each::<K>(visit);
    moka::each::<K>(visit);
    cached::each::<K>(visit);
    foyer::each::<K>(visit);
    cachet::each::<K>(visit);
    flight::each(visit);
    amalgam::each(visit);
    floors::each::<K>(visit);
}

/// The time a value is fresh, and what computes it.
#[derive(Clone, Copy)]
pub struct Terms {
    pub fresh: Duration,
    /// It gets the number of the key.
    pub compute: &'static (dyn Fn(u64) + Sync),
}

/// A cache that serves a stale value while it refreshes that value.
pub trait Revalidate: Send + Sync + 'static {
    /// The first byte of the value.
    fn ask(&self, key: u64) -> u8;
}

/// Something that is done with every contender that serves stale values.
pub trait VisitStale {
    fn visit<R: Revalidate>(&mut self, info: Info, make: fn(Terms) -> R);
}

/// Every contender that serves stale values.
pub fn each_stale(visit: &mut impl VisitStale) {
    ours::each_stale(visit);
    fibre::each_stale(visit);
    cached::each_stale(visit);
    cachet::each_stale(visit);
    flight::each_stale(visit);
    amalgam::each_stale(visit);
}

/// A cache in front of an origin that always fails.
pub struct Failing {
    pub info: Info,
    /// Asks for an absent key. It gets the function that counts an attempt.
    pub absent: Box<dyn Fn() + Send>,
    /// Asks for a stale key. `None` if the peer keeps no stale value for such a case.
    pub stale: Option<Box<dyn Fn() + Send>>,
}

/// What an attempt of the failing origin does.
pub type Attempt = &'static (dyn Fn() + Sync);

/// Every contender whose computes can fail. Each gets counters of its attempts, for an absent and for a stale key.
pub fn each_failing(mut attempts: impl FnMut() -> (Attempt, Attempt)) -> Vec<Failing> {
    let all = [
        ours::failing,
        quick::failing,
        moka::failing,
        cachet::failing,
        flight::failing,
        amalgam::failing,
    ];
    all.map(|make: fn(Attempt, Attempt) -> Failing| {
        let (absent, stale) = attempts();
        make(absent, stale)
    })
    .into()
}

/// The text key of a number, made once.
pub struct Names(Vec<String>);

impl Names {
    /// The most keys of a group that asks by number.
    pub fn new() -> Self {
        Self((0..64).map(String::of).collect())
    }

    pub fn of(&self, key: u64) -> &str {
        &self.0[key as usize]
    }
}

/// `foyer-memory` with S3-FIFO and at most so many keys, in one shard.
pub fn bounded_foyer(capacity: usize) -> foyer_memory::Cache<u64, Value> {
    foyer::of(capacity, 1)
}
