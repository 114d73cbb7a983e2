//! The core as its users see it, on one thread.
//!
//! - fresh is served, stale is served and refreshed, absent and expired are computed;
//! - an insert or an invalidation beats a compute that began before it;
//! - a compute that fails or panics leaves the key usable.

use std::io;
use std::time::Duration;
use xfetch_core::{Cache, ConfigError, Error, ManualClock, With};

type Tested = Cache<&'static str, u32, With<ManualClock>>;

const PAYLOAD: Duration = Duration::from_secs(5);
const STORAGE: Duration = Duration::from_secs(120);

fn cache() -> (Tested, ManualClock) {
    let clock = ManualClock::new();
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).build().expect("valid");
    (cache, clock)
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

#[test]
fn a_failed_compute_leaves_the_key_usable() {
    let (cache, _) = cache();
    let failed = cache.try_get_or_compute(&"k", |_| Err(io::Error::other("origin is down")));
    assert_eq!(failed.expect_err("failed").to_string(), "the compute failed: origin is down");
    let panicked = cache.get_or_compute(&"k", |_| std::panic::resume_unwind(Box::new("boom")));
    assert!(matches!(panicked, Err(Error::Panicked(message)) if &*message == "boom"));
    assert_eq!(*cache.get_or_compute(&"k", |_| 3).expect("computed"), 3);
}

#[test]
fn a_configuration_that_no_cache_can_have_names_its_limit() {
    let error = Cache::<u8, u8>::builder(STORAGE, PAYLOAD).build().expect_err("too long");
    assert_eq!(error.to_string(), "payload TTL 120s is longer than its limit, the storage TTL 5s");
    let error = Cache::<u8, u8>::builder(PAYLOAD, STORAGE).shards(0).build().expect_err("none");
    assert_eq!(error, ConfigError::Shards { shards: 0 });
}

#[test]
fn lifetimes_without_end_do_not_overflow() {
    let cache = Cache::builder(Duration::MAX, Duration::MAX).build().expect("valid");
    cache.insert("k", 1);
    assert_eq!(cache.get(&"k").map(|found| *found), Some(1));
}
