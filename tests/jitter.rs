//! The jitter of lifetimes: what is written together does not become stale together.

use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use xfetch_core::{Cache, CallerRuns, ConfigError, ManualClock, With};

const PAYLOAD: Duration = Duration::from_secs(100);
const STORAGE: Duration = Duration::from_secs(1_000);

type Jittered = Cache<u64, u64, With<ManualClock, xfetch_core::NoObserver, CallerRuns>>;

fn cache(jitter: f64, draw: impl Fn() -> f64 + Send + Sync + 'static) -> (Jittered, ManualClock) {
    let clock = ManualClock::new();
    let cache = Cache::builder(PAYLOAD, STORAGE)
        .jitter(jitter)
        .randomness(draw)
        .beta(0.0)
        .clock(clock.clone())
        .executor(CallerRuns)
        .build()
        .expect("the jitter is valid");
    (cache, clock)
}

fn is_stale(cache: &Jittered, key: u64) -> bool {
    cache.get(&key).expect("it is kept").is_stale()
}

proptest! {
    /// Rounding may shorten a lifetime by a nanosecond more.
    #[test]
    fn no_entry_is_fresh_for_longer_than_its_payload_ttl_or_shorter_than_the_jitter_says(
        jitter in 0.0..=1.0,
        drawn in 0.0..=1.0,
        computed in any::<bool>(),
    ) {
        let (cache, clock) = cache(jitter, move || drawn);
        if computed {
            cache.get_or_compute(&1, |_| 1).expect("it computes");
        } else {
            cache.insert(1, 1);
        }
        let shortest = PAYLOAD.mul_f64(1.0 - jitter).saturating_sub(Duration::from_nanos(1));
        if let Some(before) = shortest.checked_sub(Duration::from_nanos(1)) {
            clock.advance(before);
            prop_assert!(!is_stale(&cache, 1), "stale before {shortest:?}");
            clock.advance(PAYLOAD - before);
        } else {
            clock.advance(PAYLOAD);
        }
        prop_assert!(is_stale(&cache, 1), "fresh after its payload TTL");
        clock.advance(STORAGE - PAYLOAD - Duration::from_nanos(1));
        prop_assert!(is_stale(&cache, 1), "its storage TTL is shorter");
    }
}

/// Of a thousand keys that were inserted together, each hundredth part of the jitter makes about ten stale.
#[test]
fn keys_that_were_written_together_never_become_stale_together() {
    let draws = AtomicU64::new(0);
    // The golden ratio spreads its multiples evenly.
    let draw = move || (draws.fetch_add(1, Ordering::Relaxed) as f64 * 0.618_033_988_749_895) % 1.0;
    let (cache, clock) = cache(0.5, draw);
    (0..1_000).for_each(|key| {
        cache.insert(key, key);
    });
    let stale = || (0..1_000).filter(|key| is_stale(&cache, *key)).count();
    clock.advance(PAYLOAD / 2);
    let mut before = stale();
    assert!(before <= 1, "{before} are stale half a payload TTL after the insert");
    for part in 0..100 {
        clock.advance(PAYLOAD / 200);
        let now = stale();
        assert!((5..=15).contains(&(now - before)), "{} become stale in part {part}", now - before);
        before = now;
    }
    assert_eq!(before, 1_000);
}

#[test]
fn the_same_draws_always_give_the_same_lifetimes() {
    let stale_after = |second: u64| {
        let draws = AtomicU64::new(0);
        let (cache, clock) =
            cache(0.9, move || (draws.fetch_add(1, Ordering::Relaxed) % 10) as f64 / 10.0);
        (0..50).for_each(|key| {
            cache.insert(key, key);
        });
        clock.advance(Duration::from_secs(second));
        (0..50).filter(|key| is_stale(&cache, *key)).collect::<Vec<_>>()
    };
    for second in [10, 50, 90] {
        assert_eq!(stale_after(second), stale_after(second));
    }
    assert_ne!(stale_after(30), stale_after(90));
}

#[test]
fn a_cache_without_jitter_never_draws_when_it_writes() {
    let draws = Arc::new(AtomicU64::new(0));
    let counts = Arc::clone(&draws);
    let (cache, _) = cache(0.0, move || {
        counts.fetch_add(1, Ordering::Relaxed);
        0.5
    });
    cache.insert(1, 1);
    cache.get_or_compute(&2, |_| 2).expect("it computes");
    assert_eq!(draws.load(Ordering::Relaxed), 0);
}

#[test]
fn a_draw_that_panics_never_loses_a_value() {
    let (cache, clock) = cache(0.5, || std::panic::resume_unwind(Box::new("no number")));
    cache.insert(1, 1);
    assert_eq!(*cache.get_or_compute(&2, |_| 2).expect("it computes"), 2);
    clock.advance(PAYLOAD - Duration::from_nanos(1));
    assert_eq!([1, 2].map(|key| is_stale(&cache, key)), [false, false], "they have no jitter then");
}

#[test]
fn a_jitter_outside_its_limits_is_never_taken() {
    for jitter in [-0.1, 1.000_1, f64::NAN, f64::INFINITY] {
        let built = Cache::<u64, u64>::builder(PAYLOAD, STORAGE).jitter(jitter).build();
        let error = built.expect_err("it is no share");
        assert!(matches!(error, ConfigError::Jitter { .. }), "{error}");
        assert_eq!(error.to_string(), format!("jitter {jitter} is outside the limit of 0 to 1"));
    }
    let longest = Cache::<u64, u64>::builder(Duration::MAX, Duration::MAX).jitter(1.0).build();
    longest.expect("no lifetime is too long").insert(1, 1);
}
