//! The core as its users see it, on one thread.
//!
//! - a fresh value is served, a stale one is served and refreshed, an absent or expired one is computed;
//! - an insert or an invalidation beats a compute that began before it;
//! - a compute that fails or panics leaves the key usable.

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use xfetch_core::{
    Cache, CallerRuns, ConfigError, Error, Event, ManualClock, NoObserver, Observer, With,
};

type Tested = Cache<&'static str, u32, With<ManualClock, NoObserver, CallerRuns>>;

const PAYLOAD: Duration = Duration::from_secs(5);
const STORAGE: Duration = Duration::from_secs(120);

fn cache() -> (Tested, ManualClock) {
    let clock = ManualClock::new();
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(CallerRuns);
    (cache.build().expect("valid"), clock)
}

#[test]
fn a_fresh_value_is_not_computed_again() {
    let (cache, clock) = cache();
    assert_eq!(*cache.get_or_compute(&"k", |_| 1).expect("computed"), 1);
    clock.advance(PAYLOAD - Duration::from_nanos(1));
    assert_eq!(*cache.get_or_compute(&"k", |_| 2).expect("fresh"), 1);
}

#[test]
fn a_stale_value_is_served_and_refreshed() {
    let (cache, clock) = cache();
    cache.insert("k", 1);
    clock.advance(PAYLOAD);
    let found = cache.get_or_compute(&"k", |_| 2).expect("stale");
    assert!(found.is_stale());
    assert_eq!((*found, *cache.get(&"k").expect("refreshed")), (1, 2));
}

#[test]
fn an_expired_value_is_never_served() {
    let (cache, clock) = cache();
    cache.insert("k", 1);
    clock.advance(STORAGE);
    assert!(cache.get(&"k").is_none());
    assert_eq!(*cache.get_or_compute(&"k", |_| 2).expect("computed"), 2);
}

#[test]
fn an_entry_with_equal_lifetimes_is_never_stale() {
    let clock = ManualClock::new();
    let cache = Cache::builder(PAYLOAD, PAYLOAD).clock(clock.clone()).build().expect("valid");
    cache.insert("k", 1);
    clock.advance(PAYLOAD);
    assert!(cache.get(&"k").is_none());
}

#[test]
fn an_insert_beats_a_compute_that_began_before_it() {
    let (cache, _) = cache();
    let inner = cache.clone();
    let compute = move |key: &&'static str| {
        inner.insert(*key, 2);
        1
    };
    let found = cache.get_or_compute(&"k", compute).expect("computed");
    assert_eq!((*found, found.version()), (1, None));
    assert_eq!(*cache.get(&"k").expect("inserted"), 2);
}

#[test]
fn an_invalidation_of_an_absent_key_beats_a_compute_that_began_before_it() {
    let (cache, _) = cache();
    let inner = cache.clone();
    let compute = move |key: &&'static str| {
        inner.invalidate(key);
        1
    };
    assert_eq!(*cache.get_or_compute(&"k", compute).expect("computed"), 1);
    assert!(cache.get(&"k").is_none());
}

/// The cache is empty: the invalidation removes nothing, and a compute is in flight.
#[test]
fn an_invalidation_of_everything_beats_a_compute_of_an_absent_key() {
    let (cache, _) = cache();
    let inner = cache.clone();
    let own = cache.get_or_compute(&"k", move |_| {
        inner.invalidate_all();
        1
    });
    assert_eq!(own.expect("its own value").version(), None);
    assert_eq!(cache.usage().keys, 0);
}

/// The two keys are in one shard: the fence of one is not taken for the fence of the other.
#[test]
fn each_of_two_computes_that_an_invalidation_overtakes_is_discarded() {
    let cache = Cache::builder(PAYLOAD, STORAGE).shards(1).build().expect("valid");
    let (outer, inner) = (cache.clone(), cache.clone());
    let own = cache.get_or_compute(&"outer", move |_| {
        let own = outer.get_or_compute(&"inner", move |_| {
            inner.invalidate(&"outer");
            inner.invalidate(&"inner");
            inner.invalidate(&"outer");
            1
        });
        assert_eq!(own.expect("its own value").version(), None);
        2
    });
    assert_eq!(own.expect("its own value").version(), None);
    assert!(cache.get(&"outer").is_none() && cache.get(&"inner").is_none());
}

/// No two values have the same version, whichever shards they are in.
#[test]
fn each_value_has_a_version_of_its_own_and_those_of_a_key_grow() {
    let cache = Cache::builder(PAYLOAD, STORAGE).build().expect("valid");
    let insert = |key| cache.insert(key, ());
    let rounds = [(); 3].map(|()| (0..100).map(insert).collect::<Vec<_>>());
    for pair in rounds.windows(2) {
        assert!(pair[0].iter().zip(&pair[1]).all(|(before, after)| before < after));
    }
    let different: BTreeSet<_> = rounds.iter().flatten().collect();
    assert_eq!(different.len(), 300);
}

#[test]
fn a_failed_compute_leaves_the_key_usable() {
    let (cache, clock) = cache();
    let failed = cache.try_get_or_compute(&"k", |_| Err(io::Error::other("origin is down")));
    assert_eq!(failed.expect_err("failed").to_string(), "the compute failed: origin is down");
    clock.advance(PAYLOAD);
    let panicked = cache.get_or_compute(&"k", |_| std::panic::resume_unwind(Box::new("boom")));
    assert!(matches!(panicked, Err(Error::Panicked(message)) if &*message == "boom"));
    clock.advance(PAYLOAD);
    assert_eq!(*cache.get_or_compute(&"k", |_| 3).expect("computed"), 3);
}

#[test]
fn a_key_that_backs_off_is_not_computed_and_returns_its_last_error() {
    let (cache, _) = cache();
    let fails = |_: &&'static str| Err(io::Error::other("origin is down"));
    drop(cache.try_get_or_compute(&"k", fails));
    let again = cache.get_or_compute(&"k", |_| unreachable!("it backs off"));
    assert_eq!(
        again.expect_err("the last error").to_string(),
        "the compute failed: origin is down"
    );
    cache.insert("k", 1);
    assert_eq!(*cache.get_or_compute(&"k", |_| unreachable!("fresh")).expect("inserted"), 1);
}

/// What is remembered of a key is from before the write: its failures, and the failure of a compute that began before.
#[test]
fn a_back_off_never_outlives_a_write() {
    let writes: [fn(&Tested); 3] = [
        |cache| {
            cache.insert("k", 1);
            cache.invalidate(&"k");
        },
        |cache| cache.invalidate(&"k"),
        |cache| cache.invalidate_all(),
    ];
    for write in writes {
        let (cache, _) = cache();
        let fails = || Err::<u32, _>(io::Error::other("down"));
        drop(cache.try_get_or_compute(&"k", move |_| fails()));
        assert!(cache.get_or_compute(&"k", |_| unreachable!("it backs off")).is_err());
        write(&cache);
        let inner = cache.clone();
        drop(cache.try_get_or_compute(&"k", move |_| {
            write(&inner);
            fails()
        }));
        assert_eq!(*cache.get_or_compute(&"k", |_| 2).expect("nothing is remembered"), 2);
    }
}

/// A stale key that backs off is refreshed by the first request after an insert has become stale.
#[test]
fn an_insert_never_waits_for_an_old_back_off_to_be_refreshed() {
    let (cache, clock) = cache();
    for _ in 0..10 {
        drop(cache.try_get_or_compute(&"k", |_| Err::<u32, _>(io::Error::other("down"))));
        clock.advance(PAYLOAD * 100);
    }
    drop(cache.try_get_or_compute(&"k", |_| Err::<u32, _>(io::Error::other("down"))));
    cache.insert("k", 1);
    clock.advance(PAYLOAD);
    assert_eq!(*cache.get_or_compute(&"k", |_| 2).expect("stale"), 1);
    assert_eq!(cache.get(&"k").map(|found| *found), Some(2));
}

#[test]
fn a_stale_value_is_served_while_its_key_backs_off() {
    let (cache, clock) = cache();
    cache.insert("k", 1);
    clock.advance(PAYLOAD);
    drop(cache.try_get_or_compute(&"k", |_| Err(io::Error::other("origin is down"))));
    let found = cache.get_or_compute(&"k", |_| unreachable!("it backs off")).expect("stale");
    assert!(found.is_stale());
}

#[test]
fn only_a_request_that_nominates_an_entry_refreshes_it_early() {
    let clock = ManualClock::new();
    let draw = Arc::new(AtomicBool::new(false));
    let nominates = Arc::clone(&draw);
    let lots = move || if nominates.load(Ordering::Relaxed) { f64::MIN_POSITIVE } else { 1.0 };
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).randomness(lots);
    let cache = cache.executor(CallerRuns).build().expect("valid");
    let takes_a_second = clock.clone();
    drop(cache.get_or_compute(&"k", move |_| {
        takes_a_second.advance(Duration::from_secs(1));
        1
    }));
    assert_eq!(*cache.get_or_compute(&"k", |_| unreachable!("fresh")).expect("fresh"), 1);
    draw.store(true, Ordering::Relaxed);
    assert_eq!(*cache.get_or_compute(&"k", |_| unreachable!("too early")).expect("fresh"), 1);
    clock.advance(PAYLOAD / 2);
    let found = cache.get_or_compute(&"k", |_| 2).expect("fresh");
    assert_eq!((*found, found.is_stale()), (1, false));
    // The new entry's compute took no time, so that no draw can nominate it.
    assert_eq!(*cache.get_or_compute(&"k", |_| unreachable!("fresh")).expect("fresh"), 2);
    assert_eq!(cache.get(&"k").map(|found| *found), Some(2), "a look never nominates");
}

#[test]
fn a_registered_refresh_computes_any_key() {
    let cache = Cache::builder(PAYLOAD, STORAGE).refresh(|key: &u32| key * 2).build();
    let cache = cache.expect("valid");
    assert_eq!(*cache.get_or_refresh(&21).expect("computed"), 42);
    let cache = Cache::<u32, u32>::builder(PAYLOAD, STORAGE).build().expect("valid");
    let error = cache.get_or_refresh(&21).expect_err("none is registered");
    assert_eq!(error.to_string(), "the cache has no refresh: register one with Builder::refresh");
}

#[test]
fn a_request_that_must_not_wait_is_served_a_stale_value_and_has_it_refreshed() {
    let clock = ManualClock::new();
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(CallerRuns);
    let cache = cache.refresh(|_: &&'static str| 2).build().expect("valid");
    let get = || {
        let found = cache.get_and_refresh(&"k").expect("one is registered");
        found.map(|found| (*found, found.is_stale()))
    };
    assert_eq!(get(), None, "what is absent is not computed");
    assert_eq!(cache.usage().keys, 0);
    cache.insert("k", 1);
    assert_eq!((get(), get()), (Some((1, false)), Some((1, false))));
    clock.advance(PAYLOAD);
    assert_eq!((get(), get()), (Some((1, true)), Some((2, false))));
}

#[test]
fn a_refused_configuration_names_its_limit() {
    let error = Cache::<u8, u8>::builder(STORAGE, PAYLOAD).build().expect_err("too long");
    assert_eq!(error.to_string(), "payload TTL 120s is longer than its limit, the storage TTL 5s");
    let error = Cache::<u8, u8>::builder(PAYLOAD, STORAGE).shards(0).build().expect_err("none");
    assert_eq!(error, ConfigError::Shards { shards: 0 });
    for (beta, shown) in
        [(f64::NAN, "NaN"), (-1.0, "-1"), (f64::INFINITY, "inf"), (2e9, "2000000000")]
    {
        let error = Cache::<u8, u8>::builder(PAYLOAD, STORAGE).beta(beta).build().expect_err(shown);
        let expected = format!("beta {shown} is outside the limit of 0 to 1000000000");
        assert_eq!(error.to_string(), expected);
    }
    let back_off = Cache::<u8, u8>::builder(PAYLOAD, STORAGE).back_off(STORAGE, PAYLOAD).build();
    let error = back_off.expect_err("the first is longer than the cap").to_string();
    assert_eq!(error, "first back-off 120s is longer than its limit, the cap 5s");
}

#[test]
fn endless_lifetimes_do_not_overflow() {
    let cache = Cache::builder(Duration::MAX, Duration::MAX).build().expect("valid");
    cache.insert("k", 1);
    assert_eq!(cache.get(&"k").map(|found| *found), Some(1));
}

/// Text, a boxed error, and an error of a type of its own: the error of the compute is the cause.
#[test]
fn a_compute_may_fail_with_any_error_type() {
    let clock = ManualClock::new();
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock).build().expect("valid");
    let text = cache.try_get_or_compute(&1, |_| Err::<u32, _>("down"));
    let boxed = cache
        .try_get_or_compute(&2, |_| Err::<u32, Box<dyn StdError + Send + Sync>>("down".into()));
    let own = cache.try_get_or_compute(&3, |_| Err::<u32, _>(io::Error::other("down")));
    for failed in [text, boxed, own] {
        let error = failed.expect_err("nothing was computed");
        assert_eq!(error.to_string(), "the compute failed: down");
        // The cause is in the text: a reporter that walks along the sources must not print it twice.
        assert!(error.source().is_none());
    }
}

/// Records the events.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<Event>>>);

impl Observer for Events {
    fn on(&self, _: u64, event: Event) {
        self.0.lock().expect("no panic").push(event);
    }
}

#[test]
fn a_look_emits_the_version_that_it_has_seen() {
    let events = Events::default();
    let cache = Cache::builder(PAYLOAD, STORAGE).observer(events.clone()).build().expect("valid");
    assert!(cache.get(&"k").is_none());
    let version = cache.insert("k", 1);
    assert!(cache.get(&"k").is_some());
    let told = events.0.lock().expect("no panic");
    let looked = told.iter().filter_map(|event| match event {
        Event::Looked(version) => Some(*version),
        _ => None,
    });
    assert_eq!(looked.collect::<Vec<_>>(), [None, Some(version)]);
}

/// A reader of the events tells leases apart by their numbers.
#[test]
fn each_lease_has_a_number_of_its_own() {
    let events = Events::default();
    let cache = Cache::builder(PAYLOAD, STORAGE).observer(events.clone()).build().expect("valid");
    for key in 0..100 {
        drop(cache.get_or_compute(&key, |_| ()));
    }
    let told = events.0.lock().expect("no panic").clone();
    let told: Vec<_> = told
        .into_iter()
        .filter_map(|event| match event {
            Event::Leased(lease) => Some((lease.get(), true)),
            Event::Released(lease) => Some((lease.get(), false)),
            _ => None,
        })
        .collect();
    let pairs = told.chunks(2).map(|pair| (pair[0], pair[1]));
    assert!(pairs.clone().all(|(leased, released)| leased == (released.0, true) && !released.1));
    let different: BTreeSet<u64> = pairs.map(|(leased, _)| leased.0).collect();
    assert_eq!(different.len(), 100);
}
