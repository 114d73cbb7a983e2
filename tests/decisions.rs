//! The decisions of docs/ARCHITECTURE.md, as far as one thread can see them. Each test fails if a decision is undone.
//!
//! A hook at an event stands for another thread that acts just then.

#[allow(dead_code, reason = "each test file uses a part of it")]
mod common;

use common::{ActsOnce, Counted, PAYLOAD, Plain, STORAGE, cache, counted};
use std::hash::{Hash, Hasher};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::spawn;
use std::time::Duration;
use xfetch_core::{
    Cache, CallerRuns, Clock, Error, Event, Executor, Job, ManualClock, Metrics, Moment,
    NoObserver, Observer, With,
};

const SECOND: Duration = Duration::from_secs(1);
const NANO: Duration = Duration::from_nanos(1);

fn down<V>() -> Result<V, io::Error> {
    Err(io::Error::other("down"))
}

struct Stage {
    cache: Counted<ActsOnce>,
    clock: ManualClock,
    hook: ActsOnce,
    metrics: Arc<Metrics>,
}

/// A cache that calls the test at the first event of a kind. Its draws nominate whatever can be nominated.
fn stage(at: fn(Event) -> bool) -> Stage {
    let hook = ActsOnce::at(at);
    let (cache, clock, metrics) = counted(hook.clone(), usize::MAX);
    Stage { cache, clock, hook, metrics }
}

// The re-check under the lease.

#[test]
fn a_stale_request_never_computes_what_was_refreshed_before_it_got_the_lease() {
    let Stage { cache, clock, hook, metrics } = stage(|event| event == Event::StillNeeded);
    cache.insert("k", 1);
    clock.advance(PAYLOAD);
    let other = cache.clone();
    hook.act(move || drop(other.get_or_compute(&"k", |_| 2)));
    assert_eq!(*cache.get_or_compute(&"k", |_| 3).expect("stale"), 1);
    assert_eq!(cache.get(&"k").map(|found| *found), Some(2));
    let counted = metrics.snapshot();
    assert_eq!((counted.computes, counted.leased, counted.skipped_inside), (1, 2, 1));
}

#[test]
fn a_miss_never_computes_what_was_computed_before_it_got_the_lease() {
    let Stage { cache, hook, metrics, .. } = stage(|event| event == Event::Miss);
    let other = cache.clone();
    hook.act(move || drop(other.get_or_compute(&"k", |_| 2)));
    assert_eq!(*cache.get_or_compute(&"k", |_| 3).expect("there is a value"), 2);
    assert_eq!(metrics.snapshot().computes, 1);
}

/// A compute under the revoked lease would be one of the window before the write: a second one could begin in the
/// window after it.
#[test]
fn a_lease_that_a_write_has_revoked_never_computes() {
    let Stage { cache, hook, metrics, .. } = stage(|event| matches!(event, Event::Leased(_)));
    let (other, inner) = (cache.clone(), cache.clone());
    hook.act(move || other.invalidate(&"k"));
    let found = cache.get_or_compute(&"k", move |_| {
        let second = inner.get_or_compute(&"k", |_| 2);
        assert!(matches!(second, Err(Error::Cycle { .. })), "one is in flight: {second:?}");
        1
    });
    assert!(found.expect("computed").version().is_some());
    let counted = metrics.snapshot();
    assert_eq!((counted.computes, counted.taken_over, counted.leased), (1, 1, 2));
}

// Versions.

/// The keys are in one shard, whose versions are made from one number.
#[test]
fn a_computed_value_always_has_a_later_version_than_all_before_it() {
    let clock = ManualClock::new();
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(CallerRuns);
    let cache = cache.shards(1).build().expect("valid");
    let mut last = cache.insert("k", 0);
    for _ in 0..3 {
        clock.advance(PAYLOAD);
        assert!(cache.get_or_compute(&"k", |_| 1).expect("stale").is_stale());
        let refreshed = cache.get(&"k").and_then(|found| found.version()).expect("published");
        assert!(refreshed > last, "{refreshed:?} after {last:?}");
        let computed = cache.get_or_compute(&"other", |_| 2).expect("computed").version();
        assert!(computed > Some(refreshed), "{computed:?} after {refreshed:?}");
        let found = cache.get(&"other").expect("published");
        assert_eq!(found.version(), computed, "the request and the map have one version");
        last = computed.expect("published");
        cache.invalidate(&"other");
    }
}

/// The newer version is fresh: a compute of it would be one that nobody has nominated.
#[test]
fn a_nomination_never_counts_for_a_newer_version() {
    let at: [(fn(Event) -> bool, u32); 2] = [
        (|event| matches!(event, Event::Nominated(_)), 2),
        // The request has taken its value before that, and meets the newer version under the lease.
        (|event| event == Event::StillNeeded, 1),
    ];
    for (at, answer) in at {
        let Stage { cache, clock, hook, metrics } = stage(at);
        let slow = clock.clone();
        let computed = cache.get_or_compute(&"k", move |_| {
            slow.advance(SECOND);
            1
        });
        assert!(computed.is_ok());
        clock.advance(PAYLOAD / 2);
        let other = cache.clone();
        hook.act(move || _ = other.insert("k", 2));
        assert_eq!(*cache.get_or_compute(&"k", |_| 3).expect("fresh"), answer);
        assert_eq!(cache.get(&"k").map(|found| *found), Some(2));
        assert_eq!((metrics.snapshot().computes, metrics.snapshot().nominated), (1, 1));
    }
}

// Failures.

/// The computes of a key that always fails.
#[derive(Default)]
struct Attempts(Arc<AtomicU32>);

impl Attempts {
    /// Asks for the key. Returns how often it was computed so far: a key that backs off is not.
    fn ask<X: Executor>(
        &self,
        cache: &Cache<&'static str, u32, With<ManualClock, NoObserver, X>>,
    ) -> u32 {
        let attempts = Arc::clone(&self.0);
        drop(cache.try_get_or_compute(&"k", move |_| {
            attempts.fetch_add(1, Ordering::Relaxed);
            down()
        }));
        self.0.load(Ordering::Relaxed)
    }
}

/// The compute takes longer than the back-off, so that a back-off from its start would be over at its end.
#[test]
fn a_back_off_never_begins_before_its_compute_has_ended() {
    let clock = ManualClock::new();
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(CallerRuns);
    let cache = cache.back_off(SECOND, SECOND).randomness(|| 1.0).build().expect("valid");
    let slow = clock.clone();
    let failed = cache.try_get_or_compute(&"k", move |_| {
        slow.advance(SECOND * 20);
        down()
    });
    assert!(failed.is_err());
    let attempts = Attempts::default();
    clock.advance(SECOND - NANO);
    assert_eq!(attempts.ask(&cache), 0, "it backs off");
    clock.advance(NANO);
    assert_eq!(attempts.ask(&cache), 1, "its back-off is over");
}

/// What becomes of the refreshes that are sent to it: refused, dropped, or run at once.
#[derive(Clone, Default)]
struct Moody(Arc<AtomicU32>);

const RUNS: u32 = 0;
const REFUSES: u32 = 1;
const DROPS: u32 = 2;

impl Executor for Moody {
    fn execute(&self, job: Job) -> Result<(), Job> {
        match self.0.load(Ordering::Relaxed) {
            REFUSES => return Err(job),
            DROPS => drop(job),
            _ => job.run(),
        }
        Ok(())
    }
}

/// A refresh that never ran says nothing about the origin. The second failure in a row backs off for two seconds, and
/// not for one as a first failure would.
#[test]
fn a_refresh_that_never_ran_never_ends_a_row_of_failures() {
    for mood in [REFUSES, DROPS] {
        let (clock, executor) = (ManualClock::new(), Moody::default());
        let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone());
        let cache = cache.executor(executor.clone()).back_off(SECOND, SECOND * 8);
        let cache = cache.randomness(|| 1.0).build().expect("valid");
        let attempts = Attempts::default();
        cache.insert("k", 1);
        clock.advance(PAYLOAD);
        assert_eq!(attempts.ask(&cache), 1);
        clock.advance(SECOND);
        executor.0.store(mood, Ordering::Relaxed);
        assert_eq!(attempts.ask(&cache), 1, "it never runs");
        executor.0.store(RUNS, Ordering::Relaxed);
        assert_eq!(attempts.ask(&cache), 2);
        clock.advance(SECOND * 2 - NANO);
        assert_eq!(attempts.ask(&cache), 2, "it backs off");
        clock.advance(NANO);
        assert_eq!(attempts.ask(&cache), 3, "its back-off is over");
    }
}

/// The back-off is the whole span then.
#[test]
fn a_failure_is_always_remembered_even_if_the_draw_panics() {
    let clock = ManualClock::new();
    let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock.clone()).executor(CallerRuns);
    let cache = cache.back_off(SECOND, SECOND * 8);
    let cache = cache.randomness(|| resume_unwind(Box::new("the draw panics")));
    let cache = cache.build().expect("valid");
    let attempts = Attempts::default();
    let asked = catch_unwind(AssertUnwindSafe(|| attempts.ask(&cache)));
    assert_eq!(asked.ok(), Some(1), "the request gets its error and no panic");
    clock.advance(SECOND - NANO);
    assert_eq!(attempts.ask(&cache), 1, "it backs off");
    clock.advance(NANO);
    assert_eq!(attempts.ask(&cache), 2, "its back-off is over");
}

/// The request has looked before the insert. Its own compute fails, and there is a value all the same.
#[test]
fn a_miss_whose_compute_fails_always_returns_what_was_inserted_meanwhile() {
    let (cache, _) = cache();
    let other = cache.clone();
    let found = cache.try_get_or_compute(&"k", move |_| {
        other.insert("k", 2);
        down()
    });
    assert_eq!(found.map(|found| *found).ok(), Some(2));
}

/// An insert may get the lock long after it has read the clock. Then its value has expired before others ask.
#[test]
fn a_stale_request_never_returns_a_newer_value_that_had_expired_before_it_asked() {
    let (cache, clock) = cache();
    let at = |seconds: u64| Moment::from_nanos(seconds * 1_000_000_000);
    clock.set(at(1_000));
    cache.insert("k", 1);
    clock.set(at(1_100));
    let (other, late) = (cache.clone(), clock.clone());
    let found = cache.try_get_or_compute(&"k", move |_| {
        // 970 s and a storage TTL of 120 s: it expires at 1,090 s.
        late.set(at(970));
        other.insert("k", 2);
        late.set(at(1_130));
        down()
    });
    assert_eq!(found.map(|found| *found).ok(), Some(1));
}

/// The first lease is revoked and released, and another one is taken and overdue before the request tries again.
#[test]
fn a_stale_request_that_meets_two_overdue_leases_in_a_row_is_always_counted_as_contended() {
    let hook = ActsOnce::at(|event| matches!(event, Event::Revoked(_)));
    let (clock, metrics) = (ManualClock::new(), Arc::new(Metrics::new()));
    let cache = Cache::builder(PAYLOAD, STORAGE)
        .clock(clock.clone())
        .observer((hook.clone(), Arc::clone(&metrics)))
        .executor(CallerRuns)
        .beta(0.0)
        .compute_timeout(SECOND)
        .build()
        .expect("valid");
    cache.insert("k", 1);
    clock.advance(PAYLOAD);
    let hangs = move |cache: &Cache<&'static str, u32, _>| {
        let ((began, has_begun), (end, ended)) = (mpsc::channel(), mpsc::channel::<()>());
        let cache = cache.clone();
        let thread = spawn(move || {
            let hung = cache.try_get_or_compute(&"k", move |_| {
                began.send(()).expect("the test waits");
                let _ = ended.recv();
                down()
            });
            drop(hung);
        });
        has_begun.recv().expect("it computes");
        (thread, end)
    };
    let (first, end) = hangs(&cache);
    clock.advance(SECOND * 2);
    let (other, later) = (cache.clone(), clock.clone());
    let second = Arc::new(Mutex::new(None));
    let kept = Arc::clone(&second);
    hook.act(move || {
        drop(end);
        first.join().expect("no panic");
        *kept.lock().expect("no panic") = Some(hangs(&other));
        later.advance(SECOND * 2);
    });
    assert_eq!(cache.get_or_compute(&"k", |_| 2).map(|found| *found).ok(), Some(1));
    let counted = metrics.snapshot();
    assert_eq!((counted.leased, counted.contended), (2, 1));
    let (thread, end) = second.lock().expect("no panic").take().expect("it hangs");
    drop(end);
    thread.join().expect("no panic");
}

// Computes that ask for other keys.

/// Asks for the first key. Its compute asks for the second key, and so on.
fn nested(cache: &Plain, keys: &'static [&'static str]) -> Result<u32, Error> {
    let Some((key, deeper)) = keys.split_first() else { return Ok(1) };
    let inner = cache.clone();
    cache.try_get_or_compute(key, move |_| nested(&inner, deeper)).map(|found| *found)
}

/// The error that the innermost request got.
fn innermost(error: &Error) -> &Error {
    match error {
        Error::Failed(cause) => cause.downcast_ref().map_or(error, innermost),
        other => other,
    }
}

/// A wait would end at once with a time-out, so that a cycle that is not found does not hang.
#[test]
fn a_compute_that_comes_back_to_any_key_of_its_own_thread_is_always_a_cycle() {
    let cycles: [(&[&str], &str); 4] = [
        (&["a", "a"], r#""a" -> "a""#),
        (&["a", "b", "a"], r#""a" -> "b" -> "a""#),
        (&["a", "b", "c", "a"], r#""a" -> "b" -> "c" -> "a""#),
        (&["a", "b", "c", "b"], r#""b" -> "c" -> "b""#),
    ];
    for (keys, path) in cycles {
        let clock = ManualClock::new();
        let cache = Cache::builder(PAYLOAD, STORAGE).clock(clock).executor(CallerRuns);
        let cache = cache.wait_timeout(Duration::ZERO).build().expect("valid");
        let error = nested(&cache, keys).expect_err("it needs itself");
        let expected = format!("computes wait for each other: {path}");
        assert_eq!(innermost(&error).to_string(), expected);
    }
}

// The clock is read after the map.

/// What a request did, in order: `map` for a look at a key in a table, `clock` for a reading, and its events.
type Log = Arc<Mutex<Vec<String>>>;

fn note(log: &Log, what: impl Into<String>) {
    log.lock().expect("no panic").push(what.into());
}

/// A key that notes when a table compares it. There is one key, so that every comparison is of the key itself.
#[derive(Clone, Debug)]
struct Compared(Log);

impl PartialEq for Compared {
    fn eq(&self, _: &Self) -> bool {
        note(&self.0, "map");
        true
    }
}

impl Eq for Compared {}

impl Hash for Compared {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

#[derive(Clone)]
struct NotedClock(ManualClock, Log);

impl Clock for NotedClock {
    fn now(&self) -> Moment {
        note(&self.1, "clock");
        self.0.now()
    }
}

struct NotedEvents(Log);

impl Observer for NotedEvents {
    fn on(&self, _: u64, event: Event) {
        let event = format!("{event:?}");
        note(&self.0, event.split('(').next().unwrap_or_default());
    }
}

type Noted = Cache<Compared, u32, With<NotedClock, NotedEvents, CallerRuns>>;

fn noted() -> (Noted, Compared, ManualClock, Log) {
    let (log, clock) = (Log::default(), ManualClock::new());
    let cache = Cache::builder(PAYLOAD, STORAGE)
        .clock(NotedClock(clock.clone(), Arc::clone(&log)))
        .observer(NotedEvents(Arc::clone(&log)))
        .executor(CallerRuns)
        .build()
        .expect("valid");
    (cache, Compared(Arc::clone(&log)), clock, log)
}

/// Otherwise a request could judge an entry by a time before its publication, and take it for one from the future.
#[test]
fn no_step_of_a_request_reads_the_clock_before_the_map() {
    let (cache, key, clock, log) = noted();
    cache.insert(key.clone(), 1);
    let read = |ask: &dyn Fn()| {
        log.lock().expect("no panic").clear();
        ask();
        std::mem::take(&mut *log.lock().expect("no panic"))
    };
    let peeked = read(&|| assert!(cache.get(&key).is_some()));
    assert_eq!(peeked, ["map", "Looked", "clock", "FreshHit"]);
    clock.advance(PAYLOAD);
    let stale = read(&|| assert!(cache.get_or_compute(&key, |_| 2).is_ok()));
    let look = ["map", "Looked", "clock", "StaleHit"];
    // The map has the version that the look saw as stale, so that no time is needed.
    let recheck_before = ["map", "StillNeeded"];
    let lease = ["clock", "Leased"];
    let recheck_inside = ["map", "clock", "ComputeStarted"];
    let steps = [&look[..], &recheck_before, &lease, &recheck_inside].concat();
    assert_eq!(stale[..steps.len()], steps);
    // The look after a failure finds what was inserted during the compute.
    cache.invalidate(&key);
    let missed = read(&|| {
        let (other, inserted) = (cache.clone(), key.clone());
        let found = cache.try_get_or_compute(&key, move |_| {
            other.insert(inserted, 3);
            down()
        });
        assert_eq!(found.map(|found| *found).ok(), Some(3));
    });
    let released = missed.iter().rposition(|what| what == "Released").expect("it had a lease");
    assert_eq!(missed[released..], ["Released", "map", "clock"]);
    // A stale value that has expired during its own refresh: the map is asked for a newer one.
    clock.advance(PAYLOAD);
    let settled = read(&|| {
        let slow = clock.clone();
        let found = cache.get_or_compute(&key, move |_| {
            slow.advance(STORAGE);
            4
        });
        assert_eq!(*found.expect("stale"), 4);
    });
    let released = settled.iter().rposition(|what| what == "Released").expect("it had a lease");
    assert_eq!(settled[released..], ["Released", "clock", "map", "clock"]);
}
