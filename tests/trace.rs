//! The output of `Trace`.
//!
//! - a lease can be followed by its number, from the thread that took it to the thread that released it;
//! - a compute is a span: its log lines are inside, and its outcome is a field of the span;
//! - no span is left entered, whichever subscriber listens from whenever on, and whatever panics;
//! - without a subscriber a fresh hit allocates nothing.

#[allow(dead_code, reason = "each test file uses a part of it")]
mod common;

use common::{HeldJobs, PAYLOAD, STORAGE};
use std::cell::RefCell;
use std::collections::hash_map::DefaultHasher;
use std::hash::BuildHasherDefault;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use tracing::{Dispatch, Level, dispatcher, info};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;
use xfetch_core::{
    Cache, CallerRuns, Clock, Event, Executor, ManualClock, Metrics, Moment, Observer, Trace, With,
};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// A second subscriber, which reads nothing. If a process has only one, `tracing` asks it once for each log
/// line, on the first thread that gets there, and keeps the answer for all threads. Some threads here have no
/// subscriber, and their answer must not be kept.
static OTHERS: LazyLock<[Dispatch; 2]> = LazyLock::new(|| [(); 2].map(|()| quiet()));

fn quiet() -> Dispatch {
    Dispatch::new(tracing_subscriber::fmt().with_max_level(Level::ERROR).finish())
}

/// A subscriber, and the lines that it has written.
#[derive(Clone)]
struct Log(Dispatch, Lines);

impl Log {
    fn of(level: Level) -> Self {
        LazyLock::force(&OTHERS);
        let lines = Lines::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_writer(lines.clone())
            .with_span_events(FmtSpan::FULL)
            .without_time()
            .with_ansi(false)
            .finish();
        Self(Dispatch::new(subscriber), lines)
    }

    /// It listens to this thread until the guard is dropped.
    fn hears<R>(&self, what: impl FnOnce() -> R) -> R {
        dispatcher::with_default(&self.0, what)
    }

    fn text(&self) -> String {
        String::from_utf8(self.1.0.lock().expect("no panic").clone()).expect("text")
    }

    /// The lines with each of these words.
    fn lines(&self, words: &[&str]) -> Vec<String> {
        let has_all = |line: &&str| words.iter().all(|word| line.contains(word));
        self.text().lines().filter(has_all).map(str::to_owned).collect()
    }

    /// The span of each compute that has ended, with its fields.
    fn closed(&self) -> Vec<String> {
        self.lines(&["xfetch: close"])
            .iter()
            .map(|line| line.rsplit("compute{").next().unwrap_or_default().to_owned())
            .map(|line| line.split('}').next().unwrap_or_default().to_owned())
            .collect()
    }

    /// Whether this thread is in no span now.
    fn is_outside(&self) -> bool {
        self.hears(|| info!("where am I"));
        let said = self.lines(&["where am I"]);
        !said.last().expect("it was heard").contains("compute{")
    }
}

/// The value of a field in a line.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let after = line.rsplit_once(&format!("{name}=")).unwrap_or_else(|| panic!("{name}: {line}")).1;
    after.split([' ', '}']).next().unwrap_or_default()
}

/// A key has the same hash in every cache.
type Fixed = BuildHasherDefault<DefaultHasher>;
type Traced<O = Trace, X = CallerRuns> = Cache<&'static str, u32, With<ManualClock, O, X, Fixed>>;

fn traced_by<O: Observer, X: Executor>(observer: O, executor: X) -> (Traced<O, X>, ManualClock) {
    let clock = ManualClock::new();
    let cache = Cache::builder(PAYLOAD, STORAGE)
        .clock(clock.clone())
        .shards(1)
        .executor(executor)
        .observer(observer)
        .hasher(Fixed::default())
        .build()
        .expect("valid");
    (cache, clock)
}

fn traced() -> (Traced, ManualClock) {
    traced_by(Trace, CallerRuns)
}

#[test]
fn a_lease_can_be_followed_through_its_life() {
    let log = Log::of(Level::DEBUG);
    let metrics = Arc::new(Metrics::new());
    let (cache, clock) = traced_by((Trace, Arc::clone(&metrics)), CallerRuns);
    log.hears(|| {
        cache.insert("k", 1);
        clock.advance(PAYLOAD);
        drop(cache.get_or_compute(&"k", |_| 2));
    });
    let told = log.lines(&["lease=1 ", "xfetch: "]);
    let said: Vec<_> = told.iter().filter_map(|line| line.split("xfetch: ").nth(1)).collect();
    let steps =
        ["new", "enter", "compute started", "compute returned", "exit", "close", "published"];
    assert_eq!(said.len(), steps.len(), "{}", log.text());
    assert!(said.iter().zip(steps).all(|(said, step)| said.starts_with(step)), "{said:?}");
    assert_eq!((field(said[2], "saw"), field(said[6], "version")), ("1", "2"));
    assert_eq!(metrics.snapshot().computes, 1, "two observers read one stream");
}

#[test]
fn a_lease_goes_from_the_caller_to_a_worker_under_one_number() {
    let log = Log::of(Level::TRACE);
    let jobs = HeldJobs::default();
    let (cache, clock) = traced_by(Trace, jobs.clone());
    log.hears(|| {
        cache.insert("k", 1);
        clock.advance(PAYLOAD);
        drop(cache.get_or_compute(&"k", |_| 2));
    });
    let heard = log.clone();
    thread::spawn(move || heard.hears(|| jobs.run_all())).join().expect("no panic");

    let step = |said| log.lines(&["lease=1", said]).pop().unwrap_or_else(|| panic!("no {said}"));
    let (taken, started, freed) = (step("acquired"), step("started"), step("released"));
    assert_ne!(field(&taken, "caller"), field(&freed, "caller"), "{taken}\n{freed}");
    assert_eq!(field(&started, "caller"), field(&freed, "caller"), "{started}\n{freed}");
    assert_eq!(field(&taken, "key"), field(&freed, "key"));
}

#[test]
fn every_line_has_its_key_its_caller_and_its_step() {
    let log = Log::of(Level::TRACE);
    let (cache, clock) = traced();
    log.hears(|| {
        drop(cache.get_or_compute(&"k", |_| 1));
        drop(cache.get(&"k"));
        clock.advance(PAYLOAD);
        drop(cache.try_get_or_compute(&"k", |_| Err(io::Error::other("down"))));
        drop(cache.get_or_compute(&"k", |_| 2));
        cache.invalidate(&"k");
        cache.insert("k", 3);
        cache.invalidate_all();
    });
    for line in log.lines(&["xfetch: "]) {
        let said = line.rsplit("xfetch: ").next().unwrap_or_default();
        let told = said.split(" key=").next().unwrap_or_default();
        assert!(!told.is_empty() && !told.contains('='), "{line}");
        assert!(line.contains("key=") && line.contains("caller="), "{line}");
    }
    for said in ["miss", "fresh hit", "compute failed", "backing off", "all keys invalidated"] {
        assert!(!log.lines(&[said]).is_empty(), "{said}: {}", log.text());
    }
}

#[test]
fn the_log_lines_of_a_compute_are_inside_its_span() {
    let log = Log::of(Level::DEBUG);
    let (cache, clock) = traced();
    log.hears(|| {
        cache.insert("k", 1);
        clock.advance(PAYLOAD);
        let ask = |_: &_| {
            info!("the origin is asked");
            2
        };
        drop(cache.get_or_compute(&"k", ask));
    });
    let (said, published) = (log.lines(&["the origin is asked"]), log.lines(&["published key="]));
    let key = field(&published[0], "key");
    let prefix = format!(" INFO compute{{key={key} lease=1 saw=1 caller=");
    assert!(said[0].starts_with(&prefix), "{}", said[0]);
    assert!(log.is_outside());
}

#[test]
fn a_compute_ends_published_discarded_or_failed() {
    let log = Log::of(Level::DEBUG);
    let (cache, clock) = traced();
    let inside = cache.clone();
    log.hears(|| {
        drop(cache.get_or_compute(&"k", |_| 1));
        drop(cache.get_or_compute(&"other", move |key| {
            inside.invalidate(key);
            1
        }));
        clock.advance(PAYLOAD);
        drop(cache.try_get_or_compute(&"k", |_| Err(io::Error::other("down"))));
        drop(cache.get_or_compute(&"third", |_| resume_unwind(Box::new("boom"))));
    });
    let closed = log.closed();
    let outcomes: Vec<_> = closed.iter().map(|span| field(span, "outcome")).collect();
    assert_eq!(outcomes, ["\"published\"", "\"discarded\"", "\"failed\"", "\"failed\""]);
    assert!(log.is_outside());
}

#[test]
fn nested_computes_close_their_spans_in_order() {
    let log = Log::of(Level::DEBUG);
    let (cache, _) = traced();
    let middle = cache.clone();
    log.hears(|| {
        drop(cache.get_or_compute(&"a", move |_| {
            let inner = middle.clone();
            let of_b = middle.get_or_compute(&"b", move |_| {
                let of_c = inner.get_or_compute(&"c", |_| 1);
                info!("between c and b");
                *of_c.expect("computed") + 1
            });
            info!("between b and a");
            *of_b.expect("computed") + 1
        }));
    });
    let closed = log.closed();
    let leases: Vec<_> = closed.iter().map(|span| field(span, "lease")).collect();
    assert_eq!(leases, ["3", "2", "1"]);
    assert!(closed.iter().all(|span| span.ends_with("outcome=\"published\"")), "{closed:?}");
    let depth = |said| log.lines(&[said])[0].matches("lease=").count();
    assert_eq!((depth("between c and b"), depth("between b and a")), (2, 1));
    assert!(log.is_outside());
}

/// Each cache numbers its own leases: the inner lease must not be taken for the outer one.
#[test]
fn caches_inside_each_other_never_close_each_others_spans() {
    let log = Log::of(Level::DEBUG);
    let (near, _) = traced();
    let (far, clock) = traced();
    log.hears(|| {
        drop(near.get_or_compute(&"k", move |key| {
            drop(far.get_or_compute(key, |_| 1));
            info!("first");
            clock.advance(PAYLOAD);
            let inside = far.clone();
            drop(far.get_or_compute(key, move |key| {
                inside.invalidate(key);
                2
            }));
            info!("second");
            3
        }));
    });
    for said in ["first", "second"] {
        let line = &log.lines(&[said])[0];
        assert_eq!(line.matches("compute{").count(), 1, "{line}");
    }
    let closed = log.closed();
    let ends: Vec<_> =
        closed.iter().map(|span| (field(span, "lease"), field(span, "outcome"))).collect();
    assert_eq!(ends, [("1", "\"published\""), ("2", "\"discarded\""), ("1", "\"published\"")]);
}

#[test]
fn a_subscriber_may_come_and_go_inside_a_compute() {
    let before = Log::of(Level::DEBUG);
    let within = Log::of(Level::DEBUG);
    let (cache, _) = traced();
    let heard = within.clone();
    let inner = cache.clone();
    before.hears(|| {
        drop(cache.get_or_compute(&"a", move |_| {
            heard.hears(|| inner.get_or_compute(&"b", |_| 1)).map(|found| *found).expect("computed")
        }));
    });
    assert_eq!((before.closed().len(), within.closed().len()), (1, 1));
    assert_eq!(field(&before.closed()[0], "lease"), "1");
    assert_eq!(field(&within.closed()[0], "lease"), "2");

    // No subscriber listens when the compute begins.
    let late = Log::of(Level::DEBUG);
    let inner = cache.clone();
    let heard = late.clone();
    drop(cache.get_or_compute(&"c", move |_| {
        heard.hears(|| drop(inner.get_or_compute(&"d", |_| 1)));
        1
    }));
    assert_eq!(late.closed().len(), 1);
    assert!(before.is_outside() && within.is_outside() && late.is_outside());
}

/// A clock that panics at its n-th reading from now. With 0 it never panics.
#[derive(Clone, Default)]
struct Brittle(Arc<AtomicU32>);

impl Clock for Brittle {
    fn now(&self) -> Moment {
        let left = self.0.load(Ordering::Relaxed);
        self.0.store(left.saturating_sub(1), Ordering::Relaxed);
        if left == 1 {
            resume_unwind(Box::new("the clock"));
        }
        Moment::ORIGIN
    }
}

#[test]
fn a_panic_of_the_clock_leaves_no_span_behind() {
    // The clock is read at the end of the compute, and before the publication.
    for (reading, outcome) in [(1, "failed"), (2, "discarded")] {
        let log = Log::of(Level::DEBUG);
        let clock = Brittle::default();
        let breaks = Arc::clone(&clock.0);
        let cache = Cache::builder(PAYLOAD, STORAGE)
            .clock(clock)
            .executor(CallerRuns)
            .observer(Trace)
            .build()
            .expect("valid");
        let ask = || cache.get_or_compute(&"k", move |_| breaks.store(reading, Ordering::Relaxed));
        let computed = log.hears(|| catch_unwind(AssertUnwindSafe(ask)).map(drop));
        assert!(computed.is_err() && log.is_outside(), "{reading}: {}", log.text());
        let closed = log.closed();
        assert_eq!(closed.len(), 1, "{reading}");
        assert!(closed[0].contains(outcome), "{reading}: {closed:?}");
    }
}

/// An observer that panics at the end of a compute and at the release, before it passes the event on.
struct Silenced;

impl Observer for Silenced {
    fn on(&self, key: u64, event: Event) {
        if matches!(event, Event::ComputeFinished(..) | Event::Released(_)) {
            resume_unwind(Box::new("silenced"));
        }
        Trace.on(key, event);
    }
}

#[test]
fn a_span_without_an_end_event_is_left_with_the_span_around_it() {
    let log = Log::of(Level::DEBUG);
    let (cache, _) = traced();
    let (silenced, _) = traced_by(Silenced, CallerRuns);
    log.hears(|| {
        drop(cache.get_or_compute(&"k", move |_| {
            let ask = || silenced.get_or_compute(&"inner", |_| 1);
            assert!(catch_unwind(AssertUnwindSafe(ask)).is_err());
            1
        }));
    });
    assert!(log.is_outside());
    let ends: Vec<_> = log.closed().iter().map(|span| span.contains("published")).collect();
    assert_eq!(ends, [false, true], "the inner one first");
}

#[test]
fn a_thread_may_end_with_a_span_without_an_end_event() {
    let log = Log::of(Level::DEBUG);
    let (silenced, _) = traced_by((Silenced, Trace), CallerRuns);
    let thread = thread::spawn(move || {
        let ask = |key| catch_unwind(AssertUnwindSafe(|| silenced.get_or_compute(&key, |_| 1)));
        // The first compute is not logged. So the thread-locals of the subscriber are made after those of `Trace`,
        // and dropped before them.
        drop((ask("k"), log.hears(|| ask("other"))));
    });
    assert!(thread.join().is_ok());
}

/// A thread-local that asks a cache when its thread ends.
struct AtTheEnd(Traced, Log);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        self.1.hears(|| drop(self.0.get_or_compute(&"at the end", |_| 2)));
    }
}

thread_local! {
    static LAST: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
}

#[test]
fn a_thread_that_ends_may_still_compute() {
    let log = Log::of(Level::DEBUG);
    let (cache, _) = traced();
    let (heard, asked) = (log.clone(), cache.clone());
    let thread = thread::spawn(move || {
        // Thread-locals that are made later are dropped earlier, and those of `Trace` are.
        LAST.with_borrow_mut(|last| *last = Some(AtTheEnd(asked.clone(), heard.clone())));
        heard.hears(|| drop(asked.get_or_compute(&"before", |_| 1)));
    });
    thread.join().expect("no panic");
    assert_eq!(cache.get(&"at the end").map(|found| *found), Some(2));
}

#[test]
fn a_fresh_hit_without_a_subscriber_allocates_nothing() {
    let (cache, _) = traced();
    drop(cache.get_or_compute(&"k", |_| 1));
    let hits = || {
        for _ in 0..100 {
            assert!(cache.get_or_compute(&"k", |_| unreachable!("fresh")).is_ok());
        }
    };
    hits();
    assert_eq!(allocation_counter::measure(hits).count_total, 0);
}
