//! The core on one thread against a specification, which is one map, a clock and a few lines for each operation.
//! Random sequences of operations must give equal answers, equal computes and equal contents.

use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use xfetch_core::{Cache, CallerRuns, Error, ManualClock, Moment, NoObserver, With};

type Tested = Cache<u8, u32, With<ManualClock, NoObserver, CallerRuns>>;

const INITIAL: u64 = 100;
const CAP: u64 = 800;
const IDLE: u64 = 150;

/// What happens inside a compute, and how it ends.
#[derive(Clone, Copy, Debug)]
enum Compute {
    Returns,
    Fails,
    Panics,
    /// The key is inserted meanwhile.
    AfterInsert,
    /// The key is invalidated meanwhile.
    AfterInvalidate,
    /// Time passes meanwhile.
    Takes(u64),
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Request(u8, Compute),
    Get(u8),
    Insert(u8),
    Invalidate(u8),
    InvalidateAll,
    /// Not in the specification, since no request could see it.
    Sweep,
    Advance(u64),
}

#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Value(u32, bool),
    Absent,
    Failed,
    Panicked,
}

/// The specification. Times in nanoseconds.
struct Specification {
    payload: u64,
    storage: u64,
    now: u64,
    entries: BTreeMap<u8, (u32, u64)>,
    /// Failures in a row, the end of the back-off, the last error.
    failures: BTreeMap<u8, (u32, u64, Answer)>,
    computes: u32,
    /// Values count up: inserts and computes take the next one.
    next: u32,
}

impl Specification {
    fn usable(&self, key: u8) -> Option<(u32, bool)> {
        let (value, at) = *self.entries.get(&key)?;
        let age = self.now - at;
        (age < self.storage).then_some((value, age >= self.payload))
    }

    fn next(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn insert(&mut self, key: u8) {
        let value = self.next();
        self.entries.insert(key, (value, self.now));
        self.failures.remove(&key);
    }

    fn invalidate(&mut self, key: u8) {
        self.entries.remove(&key);
        self.failures.remove(&key);
    }

    /// Computes, and returns the answer of a miss.
    fn compute(&mut self, key: u8, compute: Compute) -> Answer {
        self.computes += 1;
        let value = self.next();
        let failed = match compute {
            Compute::Fails => Answer::Failed,
            Compute::Panics => Answer::Panicked,
            _ => {
                self.failures.remove(&key);
                match compute {
                    Compute::AfterInsert => self.insert(key),
                    Compute::AfterInvalidate => self.invalidate(key),
                    _ => {
                        if let Compute::Takes(span) = compute {
                            self.now += span;
                        }
                        self.entries.insert(key, (value, self.now));
                    }
                }
                return Answer::Value(value, false);
            }
        };
        let remembered = self.failures.get(&key).filter(|(_, until, _)| self.now < until + IDLE);
        let in_a_row = remembered.map_or(0, |(in_a_row, ..)| *in_a_row) + 1;
        let wait = (INITIAL << (in_a_row - 1).min(20)).min(CAP);
        self.failures.insert(key, (in_a_row, self.now + wait, failed.clone()));
        failed
    }

    fn backs_off(&self, key: u8) -> Option<Answer> {
        let (_, until, error) = self.failures.get(&key)?;
        (self.now < *until).then(|| error.clone())
    }

    fn request(&mut self, key: u8, compute: Compute) -> Answer {
        match (self.usable(key), self.backs_off(key)) {
            (Some((value, false)), _) => Answer::Value(value, false),
            (Some((value, true)), Some(_)) => Answer::Value(value, true),
            (Some((value, true)), None) => {
                let (_, at) = self.entries[&key];
                self.compute(key, compute);
                // The compute has taken time: if the value has expired, the request returns a newer one.
                let newer = self.usable(key).filter(|_| self.now - at >= self.storage);
                let (value, stale) = newer.unwrap_or((value, true));
                Answer::Value(value, stale)
            }
            (None, Some(error)) => error,
            (None, None) => self.compute(key, compute),
        }
    }

    fn perform(&mut self, operation: Operation) -> Option<Answer> {
        match operation {
            Operation::Request(key, compute) => return Some(self.request(key, compute)),
            Operation::Get(key) => {
                let found = self.usable(key);
                return Some(
                    found.map_or(Answer::Absent, |(value, stale)| Answer::Value(value, stale)),
                );
            }
            Operation::Insert(key) => self.insert(key),
            Operation::Invalidate(key) => self.invalidate(key),
            Operation::InvalidateAll => {
                self.entries.clear();
                self.failures.clear();
            }
            Operation::Sweep => {}
            Operation::Advance(span) => self.now += span,
        }
        None
    }
}

/// The cache under the same operations.
struct Real {
    cache: Tested,
    clock: ManualClock,
    next: Arc<AtomicU32>,
    computes: Arc<AtomicU32>,
    newest: BTreeMap<u8, u64>,
}

impl Real {
    fn new(payload: u64, storage: u64) -> Self {
        let clock = ManualClock::new();
        let cache = Cache::builder(Duration::from_nanos(payload), Duration::from_nanos(storage))
            .clock(clock.clone())
            .beta(0.0)
            .randomness(|| 1.0)
            .back_off(Duration::from_nanos(INITIAL), Duration::from_nanos(CAP))
            .idle(Duration::from_nanos(IDLE))
            .executor(CallerRuns)
            .sweep_every(Duration::MAX)
            .build()
            .expect("valid");
        let (next, computes) = (Arc::default(), Arc::default());
        Self { cache, clock, next, computes, newest: BTreeMap::new() }
    }

    fn request(&self, key: u8, compute: Compute) -> Answer {
        let (cache, clock) = (self.cache.clone(), self.clock.clone());
        let (next, computes) = (Arc::clone(&self.next), Arc::clone(&self.computes));
        let found = self.cache.try_get_or_compute(&key, move |_| {
            computes.fetch_add(1, Ordering::Relaxed);
            let value = next.fetch_add(1, Ordering::Relaxed) + 1;
            match compute {
                Compute::Returns => {}
                Compute::Fails => return Err(io::Error::other("down")),
                Compute::Panics => std::panic::resume_unwind(Box::new("boom")),
                Compute::AfterInsert => {
                    cache.insert(key, next.fetch_add(1, Ordering::Relaxed) + 1);
                }
                Compute::AfterInvalidate => cache.invalidate(&key),
                Compute::Takes(span) => clock.advance(Duration::from_nanos(span)),
            }
            Ok(value)
        });
        match found {
            Ok(found) => Answer::Value(*found, found.is_stale()),
            Err(Error::Failed(_)) => Answer::Failed,
            Err(Error::Panicked(_)) => Answer::Panicked,
            Err(other) => unreachable!("one thread neither waits nor recurs: {other}"),
        }
    }

    fn perform(&mut self, operation: Operation) -> Option<Answer> {
        match operation {
            Operation::Request(key, compute) => return Some(self.request(key, compute)),
            Operation::Get(key) => {
                let found = self.cache.get(&key);
                return Some(found.map_or(Answer::Absent, |found| {
                    let version = found.version().expect("published").get();
                    let newest = self.newest.entry(key).or_default();
                    assert!(version >= *newest, "versions of a key never regress");
                    *newest = version;
                    Answer::Value(*found, found.is_stale())
                }));
            }
            Operation::Insert(key) => {
                let value = self.next.fetch_add(1, Ordering::Relaxed) + 1;
                self.cache.insert(key, value);
            }
            Operation::Invalidate(key) => self.cache.invalidate(&key),
            Operation::InvalidateAll => self.cache.invalidate_all(),
            Operation::Sweep => drop(self.cache.sweep()),
            Operation::Advance(span) => self.clock.advance(Duration::from_nanos(span)),
        }
        None
    }
}

fn compute() -> impl Strategy<Value = Compute> {
    prop_oneof![
        4 => Just(Compute::Returns),
        2 => Just(Compute::Fails),
        1 => Just(Compute::Panics),
        1 => Just(Compute::AfterInsert),
        1 => Just(Compute::AfterInvalidate),
        1 => (0..300_u64).prop_map(Compute::Takes),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let key = || 0..3_u8;
    prop_oneof![
        8 => (key(), compute()).prop_map(|(key, compute)| Operation::Request(key, compute)),
        3 => key().prop_map(Operation::Get),
        1 => key().prop_map(Operation::Insert),
        1 => key().prop_map(Operation::Invalidate),
        1 => Just(Operation::InvalidateAll),
        2 => Just(Operation::Sweep),
        4 => (0..250_u64).prop_map(Operation::Advance),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 10_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_core_does_what_the_specification_says(
        payload in prop::sample::select(vec![0_u64, 1, 100]),
        more in prop::sample::select(vec![0_u64, 1, 200]),
        operations in prop::collection::vec(operation(), 1..40),
    ) {
        let storage = payload + more;
        let mut specification = Specification {
            payload,
            storage,
            now: 0,
            entries: BTreeMap::new(),
            failures: BTreeMap::new(),
            computes: 0,
            next: 0,
        };
        let mut real = Real::new(payload, storage);
        for (place, operation) in operations.iter().enumerate() {
            let (expected, got) = (specification.perform(*operation), real.perform(*operation));
            prop_assert_eq!(expected, got, "operation {}: {:?}", place, operation);
            prop_assert_eq!(specification.computes, real.computes.load(Ordering::Relaxed));
            prop_assert_eq!(Moment::from_nanos(specification.now), xfetch_core::Clock::now(&real.clock));
        }
    }
}
