//! Facts that need no scheduler: they are counted, or measured on one thread.

use std::io;
use std::time::Duration;
use xfetch_core::{Cache, CallerRuns, ManualClock};

/// The counters of the report's certification run. A trigger is refused, skips or computes.
pub(super) fn sums() -> (String, bool) {
    let (triggers, refused, skipped, computed) = (43, 0, 99, 1);
    let ended = refused + skipped + computed;
    let result = format!(
        "{triggers} triggers, but {refused} refused + {skipped} skipped + {computed} computed = {ended}"
    );
    (result, ended != triggers)
}

/// Computes for each trigger: in the certification run, and in the run without any lock.
pub(super) fn efficiencies() -> (String, bool) {
    let percent = |computes: f64, triggers: f64| 100.0 * computes / triggers;
    let (certified, stampede) = (percent(1.0, 43.0), percent(100.0, 100.0));
    let result = format!("certified run {certified:.1} %, no pattern at all {stampede:.1} %");
    (result, certified < 90.0 && stampede >= 90.0)
}

/// The bytes of the lease table after 1,000 keys have failed, and after 1,000 keys have not.
pub(super) fn bytes_of_a_lock() -> (String, bool) {
    let bytes = |fails: bool| {
        let cache = Cache::builder(Duration::from_secs(5), Duration::from_secs(120))
            .executor(CallerRuns)
            .clock(ManualClock::new())
            .sweep_every(Duration::MAX)
            .shards(1)
            .build()
            .unwrap_or_else(|error| unreachable!("the configuration is valid: {error}"));
        for key in 0..1_000_u64 {
            let compute =
                move |key: &u64| if fails { Err(io::Error::other("down")) } else { Ok(*key) };
            drop(cache.try_get_or_compute(&key, compute));
        }
        let usage = cache.usage();
        (usage.slots, usage.lease_bytes)
    };
    let ((failed, of_failed), (healthy, of_healthy)) = (bytes(true), bytes(false));
    let each = (of_failed + failed / 2) / failed;
    let result = format!(
        "about {each} bytes for each of {failed} keys that have failed; of 1000 that have not, {healthy} locks are left"
    );
    (result, each > 60 && healthy == 0 && of_healthy < each * 10)
}

/// The states of an entry with equal lifetimes, in ten steps for each lifetime.
pub(super) fn states_with_equal_lifetimes() -> (String, bool) {
    let (clock, lifetime) = (ManualClock::new(), Duration::from_secs(5));
    let cache = Cache::builder(lifetime, lifetime)
        .executor(CallerRuns)
        .clock(clock.clone())
        .sweep_every(Duration::MAX)
        .build()
        .unwrap_or_else(|error| unreachable!("equal lifetimes are valid: {error}"));
    cache.insert(7_u64, 1_u64);
    let (mut fresh, mut stale, mut gone) = (0, 0, 0);
    for _ in 0..20 {
        match cache.get(&7).map(|found| found.is_stale()) {
            Some(false) => fresh += 1,
            Some(true) => stale += 1,
            None => gone += 1,
        }
        clock.advance(lifetime / 10);
    }
    let result = format!("of 20 looks {fresh} fresh, {stale} stale, {gone} at nothing");
    (result, (fresh, stale, gone) == (10, 0, 10))
}
