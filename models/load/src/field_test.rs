//! The certification of the field report, repeated with the shipped code: real threads, the real clock.
//!
//! The compute is held until every response has returned. So the test counts, and does not time, that
//! no stale hit waits for it. Then a second wave of threads asks repeatedly while the value is
//! published. In that wave a re-check can find the key refreshed.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};
use xfetch_core::{
    Cache, ConfigError, Event, Metrics, Observer, Snapshot, SystemClock, Version, Waiting, With,
    WorkerPool,
};

/// The most threads of the first wave.
pub const MAX_THREADS: u16 = 1_000;

/// The longest wait of the test for its own threads: a broken cache fails the test and does not hang
/// it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Threads of the second wave, which ask while the value is published.
pub const RACERS: usize = 100;
const KEY: &str = "match";
const OLD: u32 = 1;
const NEW: u32 = 2;

/// The lifetimes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// How long an entry is fresh. A run waits that long until it is stale.
    pub payload: Duration,
    /// How long an entry is kept.
    pub storage: Duration,
}

impl Setting {
    /// The field report's lifetimes.
    pub const REPORT: Self = Self::seconds(5, 120);
    /// A fifth of them. Shorter ones would fail on a slow machine: the run would reach the next
    /// staleness window, or the old value would expire while the compute is held.
    pub const SCALED: Self = Self::seconds(1, 24);

    const fn seconds(payload: u64, storage: u64) -> Self {
        Self { payload: Duration::from_secs(payload), storage: Duration::from_secs(storage) }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} / {:?}", self.payload, self.storage)
    }
}

/// Why the test did not run.
#[derive(Debug)]
pub enum Refused {
    /// The cache refuses these lifetimes.
    Config(ConfigError),
    /// The system cannot start this many threads.
    Threads(usize, io::Error),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(wrong) => wrong.fmt(f),
            Self::Threads(threads, error) => write!(f, "{threads} threads: {error}"),
        }
    }
}

impl std::error::Error for Refused {}

/// The results of one run.
#[derive(Clone, Debug)]
pub struct Results {
    /// The lifetimes.
    pub setting: Setting,
    /// Threads of the first wave.
    pub threads: usize,
    /// Responses of the first wave that returned while the compute was held.
    pub while_held: usize,
    /// Requests of the first wave that returned a value.
    pub answered: usize,
    /// The 99th percentile of the times of the first wave.
    pub p99: Duration,
    /// The time from the first request of the first wave to its last return.
    pub all_done: Duration,
    /// The counters when the first wave had returned.
    pub first_wave: Snapshot,
    /// The counters at the end.
    pub total: Snapshot,
    /// Computes that started in the staleness window.
    pub computes: usize,
    /// Computes that a thread of the pool ran.
    pub in_background: usize,
    /// Computes that started after the publication, before any request found the new value stale.
    pub wasted: usize,
    /// The most computes at the same time.
    pub most_in_flight: usize,
    /// Whether the next request returned the new value.
    pub next_is_new: bool,
}

/// What a criterion measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A count, which is the same on every machine.
    Counted,
    /// A time, which depends on the machine too.
    Timed,
    /// A count that this design does not limit.
    ByDesign,
}

/// A criterion of the field report.
#[derive(Clone, Debug)]
pub struct Criterion {
    /// Its name.
    pub name: &'static str,
    /// What it measures.
    pub kind: Kind,
    /// The value that is required.
    pub target: String,
    /// The value in the report.
    pub reported: &'static str,
    /// The value in this run.
    pub value: String,
    /// Whether the value meets the target.
    pub passed: bool,
}

impl Results {
    /// The field report's seven criteria, in the report's order.
    pub fn criteria(&self) -> [Criterion; 7] {
        let Self { computes, in_background, threads, answered, p99, all_done, .. } = *self;
        let (triggers, contended) = (self.first_wave.triggers(), self.first_wave.contended);
        let fewest = threads.min(10) as u64;
        let counted = |name, target: String, reported, value: String, passed| {
            let kind = Kind::Counted;
            Criterion { name, kind, target, reported, value, passed }
        };
        let timed = |name, most: Duration, reported, took: Duration| {
            let (target, value) = (format!("< {most:?}"), format!("{took:.2?}"));
            Criterion { name, kind: Kind::Timed, target, reported, value, passed: took < most }
        };
        [
            counted("computes", "<= 2".into(), "1", computes.to_string(), computes <= 2),
            counted(
                "refreshes in the background",
                ">= 1".into(),
                ">= 1",
                in_background.to_string(),
                in_background >= 1,
            ),
            counted(
                "triggers",
                format!(">= {fewest}"),
                "43",
                triggers.to_string(),
                triggers >= fewest,
            ),
            Criterion {
                kind: Kind::ByDesign,
                ..counted("lock rejections", "0".into(), "0", contended.to_string(), contended == 0)
            },
            counted(
                "requests answered",
                format!("{threads}"),
                "100",
                answered.to_string(),
                answered == threads,
            ),
            timed("P99 of the answers", Duration::from_millis(500), "492 ms", p99),
            timed("all done", Duration::from_secs(5), "0.74 s", all_done),
        ]
    }

    /// Whether every criterion is met, except the one that is missed by design, and the values that the
    /// report could not measure are right too.
    pub fn passed(&self) -> bool {
        let met = |criterion: &Criterion| criterion.passed || criterion.kind == Kind::ByDesign;
        self.criteria().iter().all(met)
            && self.while_held == self.threads
            && self.next_is_new
            && (self.wasted, self.most_in_flight) == (0, 1)
    }
}

/// A counter of threads that others can wait for.
#[derive(Default)]
struct Arrivals {
    count: Mutex<usize>,
    changed: Condvar,
}

impl Arrivals {
    fn add(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }

    /// Waits for this many threads, at most for `patience`. Returns how many have arrived.
    fn wait_for(&self, so_many: usize, patience: Duration) -> usize {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(count, patience, |count| *count < so_many);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Measures the staleness window from the events; the metrics do not have it.
#[derive(Default)]
struct Window {
    /// The version that ended the window, or 0.
    ended_by: AtomicU64,
    /// Whether a request has found that version stale. Computes after that belong to another window.
    another: AtomicBool,
    computes: AtomicUsize,
    wasted: AtomicUsize,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
}

impl Window {
    fn started(&self) {
        let in_flight = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_in_flight.fetch_max(in_flight, Ordering::Relaxed);
        if self.another.load(Ordering::Relaxed) {
            return;
        }
        self.computes.fetch_add(1, Ordering::Relaxed);
        if self.ended_by.load(Ordering::Relaxed) > 0 {
            self.wasted.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn published(&self, version: Version) {
        let (first, relaxed) = (version.get(), Ordering::Relaxed);
        let _ = self.ended_by.compare_exchange(0, first, relaxed, relaxed);
    }

    fn found_stale(&self, version: Version) {
        if version.get() == self.ended_by.load(Ordering::Relaxed) {
            self.another.store(true, Ordering::Relaxed);
        }
    }
}

impl Observer for Window {
    fn on(&self, _key: u64, event: Event) {
        match event {
            Event::ComputeStarted(..) => self.started(),
            Event::ComputeFinished(..) => {
                self.in_flight.fetch_sub(1, Ordering::Relaxed);
            }
            Event::Published(_, version) => self.published(version),
            Event::StaleHit(version) => self.found_stale(version),
            _ => {}
        }
    }
}

/// The compute, which waits until it is released.
#[derive(Default)]
struct Held {
    entered: Arrivals,
    released: Arrivals,
    in_background: AtomicUsize,
}

impl Held {
    fn compute(&self) -> u32 {
        let of_pool = |name: &str| name.starts_with("xfetch-refresh");
        if thread::current().name().is_some_and(of_pool) {
            self.in_background.fetch_add(1, Ordering::Relaxed);
        }
        self.entered.add();
        // Longer than the test holds it, so this limit decides nothing.
        self.released.wait_for(1, PATIENCE * 5);
        NEW
    }
}

/// One request of the first wave.
struct Response {
    began: Instant,
    ended: Instant,
    answered: bool,
}

/// The cache under test, and the counters around it.
struct Bench {
    cache: Cache<&'static str, u32, With<SystemClock, (Arc<Metrics>, Arc<Window>), WorkerPool>>,
    pool: WorkerPool,
    metrics: Arc<Metrics>,
    window: Arc<Window>,
    held: Arc<Held>,
    threads: usize,
    ready: Arrivals,
    responses: Arrivals,
    asked_again: Arrivals,
}

impl Bench {
    fn new(setting: Setting, threads: usize) -> Result<Self, ConfigError> {
        let (metrics, window) = (Arc::new(Metrics::new()), Arc::new(Window::default()));
        let pool = WorkerPool::new(4, 1_024)?;
        let cache = Cache::builder(setting.payload, setting.storage)
            .beta(0.0) // no early refresh, as in the report
            .observer((Arc::clone(&metrics), Arc::clone(&window)))
            .executor(pool.clone())
            .build()?;
        let (held, ready) = (Arc::default(), Arrivals::default());
        let (responses, asked_again) = (Arrivals::default(), Arrivals::default());
        Ok(Self { cache, pool, metrics, window, held, threads, ready, responses, asked_again })
    }

    /// Inserts the old value and waits until it is stale by the cache's own clock.
    fn until_stale(&self, payload: Duration) {
        self.cache.insert(KEY, OLD);
        thread::sleep(payload);
        while self.cache.get(&KEY).is_some_and(|found| !found.is_stale()) {
            thread::sleep(Duration::from_millis(1));
        }
        self.metrics.reset();
    }

    fn ask(&self) -> Option<u32> {
        let held = Arc::clone(&self.held);
        self.cache.get_or_compute(&KEY, move |_| held.compute()).ok().map(|found| *found)
    }

    /// Sends one request when all threads are ready.
    fn request(&self) -> Response {
        self.ready.add();
        self.ready.wait_for(self.threads, PATIENCE);
        let began = Instant::now();
        let answered = self.ask().is_some();
        let ended = Instant::now();
        self.responses.add();
        Response { began, ended, answered }
    }

    /// Sends requests until one returns the new value; at least one.
    fn ask_until_new(&self) {
        let began = Instant::now();
        let mut answer = self.ask();
        self.asked_again.add();
        while answer != Some(NEW) && began.elapsed() < PATIENCE {
            answer = self.ask();
        }
    }

    /// Starts this many threads.
    fn wave<'scope, 'env, R: Send + 'scope>(
        &'env self,
        scope: &'scope Scope<'scope, 'env>,
        threads: usize,
        each: fn(&Self) -> R,
    ) -> Result<Vec<ScopedJoinHandle<'scope, R>>, Refused> {
        let start = |_| thread::Builder::new().spawn_scoped(scope, move || each(self));
        let started: Result<_, _> = (0..threads).map(start).collect();
        started.map_err(|error| Refused::Threads(threads, error))
    }

    /// Runs both waves, and releases the compute while the second wave asks.
    fn waves(&self) -> Result<(Vec<Response>, usize, Snapshot), Refused> {
        let result = thread::scope(|scope| {
            let first = self.wave(scope, self.threads, Self::request)?;
            self.held.entered.wait_for(1, PATIENCE);
            let while_held = self.responses.wait_for(self.threads, PATIENCE);
            let counted = self.metrics.snapshot();
            let second = self.wave(scope, RACERS, Self::ask_until_new);
            self.asked_again.wait_for(RACERS, PATIENCE);
            self.held.released.add();
            drop(second?);
            Ok((first.into_iter().filter_map(|it| it.join().ok()).collect(), while_held, counted))
        });
        self.held.released.add();
        result
    }
}

/// A percentile of the times, by the nearest rank.
fn percentile(times: impl Iterator<Item = Duration>, percent: usize) -> Duration {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    let rank = (times.len() * percent).div_ceil(100);
    times.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// The time from the first request to the last return.
fn all_done(responses: &[Response]) -> Duration {
    let began = responses.iter().map(|response| response.began).min();
    let ended = responses.iter().map(|response| response.ended).max();
    ended.zip(began).map_or(Duration::ZERO, |(ended, began)| ended - began)
}

/// One run: it waits for the payload TTL, then sends `threads` requests at once, then starts the second
/// wave.
///
/// # Errors
///
/// [`Refused`] if the cache refuses the lifetimes, or the system cannot start the threads.
pub fn run(setting: Setting, threads: usize) -> Result<Results, Refused> {
    let bench = Bench::new(setting, threads).map_err(Refused::Config)?;
    bench.until_stale(setting.payload);
    let waves = bench.waves();
    let next_is_new = bench.ask() == Some(NEW);
    bench.pool.shut_down(Waiting::Run);
    let (responses, while_held, first_wave) = waves?;
    let read = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    Ok(Results {
        setting,
        threads,
        while_held,
        answered: responses.iter().filter(|response| response.answered).count(),
        p99: percentile(responses.iter().map(|response| response.ended - response.began), 99),
        all_done: all_done(&responses),
        first_wave,
        total: bench.metrics.snapshot(),
        computes: read(&bench.window.computes),
        in_background: read(&bench.held.in_background),
        wasted: read(&bench.window.wasted),
        most_in_flight: read(&bench.window.most_in_flight),
        next_is_new,
    })
}
