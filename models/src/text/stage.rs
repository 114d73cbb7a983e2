//! What every scenario starts from.

use super::core::steps::Protocol;
use super::core::{Cache, CallerRuns, With};
use super::ledger::{Ledger, Still};
use super::{Start, thread};
use crate::history::{Answer, History};
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

/// The field report's lifetimes.
pub(super) const PAYLOAD: Duration = Duration::from_secs(5);
pub(super) const STORAGE: Duration = Duration::from_secs(120);

/// The cache under test: one shard, so that every key meets every other, and no chance in hashing.
pub(super) type Tested<P> = Cache<u64, u64, With<Still, Ledger, CallerRuns, Plain, P>>;

/// A hasher without a seed: a key is its own hash.
#[derive(Clone, Default)]
pub(super) struct Plain(u64);

impl BuildHasher for Plain {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        self.clone()
    }
}

impl Hasher for Plain {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0 << 8 | u64::from(*byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

/// A cache, its clock and everything that is written down about it.
pub(super) struct Stage<P: Protocol> {
    pub(super) cache: Tested<P>,
    pub(super) clock: Still,
    ledger: Ledger,
}

impl<P: Protocol> Stage<P> {
    pub(super) fn new() -> Self {
        let clock = Still::default();
        let ledger = Ledger::new(clock.clone());
        let cache = Cache::builder(PAYLOAD, STORAGE)
            .shards(1)
            .clock(clock.clone())
            .observer(ledger.clone())
            .hasher(Plain::default())
            .protocol::<P>()
            .build()
            .unwrap_or_else(|error| unreachable!("the stage's configuration is valid: {error}"));
        Self { cache, clock, ledger }
    }

    /// Lets `callers` run at once, and ends the execution when all are home.
    ///
    /// Every participant is spawned and this thread only joins (loom issue 392).
    pub(super) fn perform<F>(self, callers: usize, call: F) -> History
    where
        F: Fn(usize, &Tested<P>) -> Answer + Clone + Send + 'static,
    {
        let start = Start::new(callers);
        let callers: Vec<_> = (0..callers)
            .map(|caller| {
                let (start, cache, call) = (start.clone(), self.cache.clone(), call.clone());
                thread::spawn(move || {
                    start.wait();
                    call(caller, &cache)
                })
            })
            .collect();
        let answers = callers
            .into_iter()
            .map(|caller| caller.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect();
        let payload = PAYLOAD.as_nanos() as u64;
        History { records: self.ledger.take(), answers, payload }
    }
}
