//! A mixed load on the shipped code, for any time: real threads, the real clock, a pool that refuses
//! what does not fit, many more keys than there is room for. Afterwards everything has to add up.

use fastrand::Rng;
use memory_stats::memory_stats;
use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};
use xfetch_core::{
    Cache, ConfigError, Metrics, Snapshot, SystemClock, Usage, Waiting, With, WorkerPool,
};

/// Threads of the load.
pub const THREADS: u64 = 8;
/// Keys of the load.
pub const KEYS: u64 = 10_000;
/// The capacity of the cache.
pub const CAPACITY: usize = 64;

const PAYLOAD: Duration = Duration::from_micros(100);
const STORAGE: Duration = Duration::from_millis(1);
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(8));
/// The time of a slow compute.
const SLOW: Duration = Duration::from_micros(200);
/// The longest wait for the cache to come to rest: a broken cache fails and does not hang.
const PATIENCE: Duration = Duration::from_secs(10);
/// Samples of one run. There is at least one a minute.
const SAMPLES: u32 = 20;
/// Bytes by which memory may grow after the first tenth of a run, in addition to a tenth of its size
/// then.
const SLACK: usize = 8 << 20;

/// The size of the load.
#[derive(Clone, Copy, Debug)]
pub enum Load {
    /// This many steps of each thread, without samples of memory.
    Steps(u64),
    /// As many steps as fit into this time.
    Time(Duration),
}

/// A sample of a run.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The time since the load began.
    pub at: Duration,
    /// The counters.
    pub counted: Snapshot,
    /// What the cache holds.
    pub usage: Usage,
    /// The resident memory of the process in bytes; `None` if the system does not report it.
    pub memory: Option<usize>,
}

/// A check at the end of a run.
#[derive(Clone, Debug)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// The value that was found.
    pub seen: String,
    /// The value that is required.
    pub target: String,
    /// Whether it holds.
    pub holds: bool,
}

/// The result of a run.
#[derive(Clone, Debug)]
pub struct Soaked {
    /// The counters, which include the requests after the load.
    pub counted: Snapshot,
    /// The checks.
    pub checks: Vec<Check>,
}

/// A value that holds its key. It has some size, so that a leak shows in the memory.
struct Page([u64; 32]);

impl Page {
    fn of(key: u64) -> Self {
        Self([key; 32])
    }

    fn is_of(&self, key: u64) -> bool {
        self.0 == [key; 32]
    }
}

/// How a compute ends.
#[derive(Clone, Copy)]
enum Fate {
    Healthy,
    Slow,
    Fails,
    Panics,
    /// The compute asks for another key.
    Asks(u64),
}

impl Fate {
    fn drawn(rng: &mut Rng) -> Self {
        match rng.u32(0..1_000) {
            0..40 => Self::Fails,
            40..70 => Self::Panics,
            70..90 => Self::Slow,
            90..100 => Self::Asks(drawn_key(rng)),
            _ => Self::Healthy,
        }
    }
}

/// Draws a key. The distribution is skewed: a third of the requests ask for the first key, and more
/// than half for the first hundredth of the keys.
fn drawn_key(rng: &mut Rng) -> u64 {
    (rng.f64().powi(8) * KEYS as f64) as u64
}

/// The cache under load.
struct Site {
    cache: Cache<u64, Page, With<SystemClock, Arc<Metrics>>>,
    asked: AtomicU64,
    /// Answers that held another key.
    wrong: AtomicU64,
    stopped: AtomicBool,
}

impl Site {
    fn new(metrics: &Arc<Metrics>, pool: &WorkerPool) -> Result<Self, ConfigError> {
        let cache = Cache::builder(PAYLOAD, STORAGE)
            .capacity(CAPACITY)
            .back_off(BACK_OFF.0, BACK_OFF.1)
            .idle(STORAGE)
            // A slow compute takes a tenth of this, so a wait times out only on a busy machine.
            .wait_timeout(Duration::from_millis(2))
            .sweep_every(Duration::from_millis(5))
            .observer(Arc::clone(metrics))
            .executor(pool.clone())
            .build()?;
        let (asked, wrong) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(Self { cache, asked, wrong, stopped: AtomicBool::new(false) })
    }

    /// Asks for a key. Returns whether it got a value.
    fn ask(self: &Arc<Self>, key: u64, fate: Fate) -> bool {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let inside = Arc::clone(self);
        let answer = self.cache.try_get_or_compute(&key, move |key| inside.compute(*key, fate));
        if answer.as_ref().is_ok_and(|page| !page.is_of(key)) {
            self.wrong.fetch_add(1, Ordering::Relaxed);
        }
        answer.is_ok()
    }

    fn compute(self: &Arc<Self>, key: u64, fate: Fate) -> io::Result<Page> {
        match fate {
            Fate::Fails => return Err(io::Error::other("down")),
            // Unlike `panic!`, this prints nothing.
            Fate::Panics => resume_unwind(Box::new("boom")),
            Fate::Slow => thread::sleep(SLOW),
            Fate::Asks(other) => {
                self.ask(other, Fate::Healthy);
            }
            Fate::Healthy => {}
        }
        Ok(Page::of(key))
    }

    /// One random operation of the mix.
    fn step(self: &Arc<Self>, rng: &mut Rng) {
        let key = drawn_key(rng);
        match rng.u32(0..10_000) {
            0 => self.cache.invalidate_all(),
            1..3 => {
                self.cache.sweep();
            }
            3..100 => self.cache.invalidate(&key),
            100..200 => {
                self.cache.insert(key, Page::of(key));
            }
            _ => {
                self.ask(key, Fate::drawn(rng));
            }
        }
    }

    fn steps(self: &Arc<Self>, thread: u64, steps: u64) {
        let mut rng = Rng::with_seed(thread);
        for _ in 0..steps {
            if self.stopped.load(Ordering::Relaxed) {
                return;
            }
            self.step(&mut rng);
        }
    }

    /// Whether the key returns a value soon. Its last compute may still be backing off.
    fn is_usable(self: &Arc<Self>, key: u64) -> bool {
        soon(|| self.ask(key, Fate::Healthy))
    }
}

/// Whether `is_true` becomes true before the patience ends.
fn soon(mut is_true: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while !is_true() {
        if began.elapsed() > PATIENCE {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
    true
}

/// A run: the load and its samples.
struct Run<'a> {
    site: Arc<Site>,
    metrics: Arc<Metrics>,
    pool: WorkerPool,
    samples: Vec<Sample>,
    report: &'a mut dyn FnMut(&Sample),
}

impl Run<'_> {
    fn load(&mut self, load: Load) -> io::Result<()> {
        let site = Arc::clone(&self.site);
        thread::scope(|scope| match load {
            Load::Steps(steps) => start(scope, &site, steps).map(drop),
            Load::Time(time) => {
                let started = start(scope, &site, u64::MAX);
                if started.is_ok() {
                    self.watch(time);
                }
                site.stopped.store(true, Ordering::Relaxed);
                started.map(drop)
            }
        })
    }

    /// Takes samples at regular times until the time is over.
    fn watch(&mut self, time: Duration) {
        let (began, period) = (Instant::now(), (time / SAMPLES).min(Duration::from_secs(60)));
        while began.elapsed() < time {
            thread::sleep(period.min(time.saturating_sub(began.elapsed())));
            let memory = memory_stats().map(|stats| stats.physical_mem);
            let (counted, usage) = (self.metrics.snapshot(), self.site.cache.usage());
            let sample = Sample { at: began.elapsed(), counted, usage, memory };
            (self.report)(&sample);
            self.samples.push(sample);
        }
    }

    /// The checks after the load. The counters are read when no thread can change them any more.
    fn checks(&self) -> Vec<Check> {
        let Site { cache, asked, wrong, .. } = &*self.site;
        let mut checks = vec![check("the cache comes to rest", "leases", self.leases_at_rest(), 0)];
        cache.invalidate_all();
        let usable = (0..KEYS).take_while(|key| self.site.is_usable(*key)).count();
        self.pool.shut_down(Waiting::Run);
        let most_keys = self.most_keys();
        let (keys, slots) = self.after_sweeps();
        let counted = self.metrics.snapshot();
        let [wrong, asked] = [wrong, asked].map(|count| count.load(Ordering::Relaxed));
        checks.extend(balance(&counted, asked));
        checks.extend([
            check("every key is usable", "keys", usable as u64, KEYS),
            check("no request returns the value of another key", "values", wrong, 0),
            most_keys,
            check("sweeps remove every expired entry", "keys", keys, 0),
            check("sweeps empty the lease table", "slots", slots, 0),
            mixed(&counted),
        ]);
        checks.extend(self.memory());
        checks
    }

    fn leases_at_rest(&self) -> u64 {
        soon(|| self.site.cache.usage().leases == 0);
        self.site.cache.usage().leases as u64
    }

    /// Keys and slots that are left after sweeps, when every value has expired and every failure is
    /// forgotten.
    fn after_sweeps(&self) -> (u64, u64) {
        let mut usage = self.site.cache.usage();
        soon(|| {
            self.site.cache.sweep();
            usage = self.site.cache.usage();
            (usage.keys, usage.slots) == (0, 0)
        });
        (usage.keys as u64, usage.slots as u64)
    }

    fn most_keys(&self) -> Check {
        let now = self.site.cache.usage().keys;
        let most = self.samples.iter().map(|sample| sample.usage.keys).chain([now]).max();
        let (most, name) = (most.unwrap_or(now), "no more keys than the capacity");
        let (seen, target) = (format!("{most} keys"), format!("<= {CAPACITY}"));
        Check { name, seen, target, holds: most <= CAPACITY }
    }

    /// Whether memory stays flat: the most in the second half of the run, compared with its size after
    /// the first tenth.
    fn memory(&self) -> Option<Check> {
        let time = self.samples.last()?.at;
        let after = |part: Duration| self.samples.iter().filter(move |sample| sample.at >= part);
        let before = after(time / 10).find_map(|sample| sample.memory)?;
        let most = after(time / 2).filter_map(|sample| sample.memory).max()?;
        let limit = before + before / 10 + SLACK;
        let mib = |bytes: usize| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
        let seen = format!("{}, {} after the first tenth", mib(most), mib(before));
        let target = format!("<= {}", mib(limit));
        Some(Check { name: "memory stays flat", seen, target, holds: most <= limit })
    }
}

fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    site: &Arc<Site>,
    steps: u64,
) -> io::Result<Vec<ScopedJoinHandle<'scope, ()>>> {
    let one = |thread| {
        let site = Arc::clone(site);
        thread::Builder::new().spawn_scoped(scope, move || site.steps(thread, steps))
    };
    (0..THREADS).map(one).collect()
}

fn check(name: &'static str, of: &str, is: u64, should_be: u64) -> Check {
    let (seen, target) = (format!("{is} {of}"), should_be.to_string());
    Check { name, seen, target, holds: is == should_be }
}

/// The sums of counters that must be equal at rest.
fn balance(counted: &Snapshot, asked: u64) -> [Check; 4] {
    let Snapshot { leased, released, computes, failed, published, discarded, .. } = *counted;
    let ended = failed + published + discarded;
    let used = computes + counted.skipped_inside + counted.dropped + counted.taken_over;
    [
        check("every request is counted", "asked", asked, counted.requests()),
        check("every lease is released", "leased", leased, released),
        check("every lease computes, skips, is dropped or is taken over", "leased", leased, used),
        check("every compute ends", "computes", computes, ended),
    ]
}

/// Whether the load met every case. A case that was never met was not tested.
fn mixed(counted: &Snapshot) -> Check {
    let rare =
        ["timed_out", "cycles", "skipped_before", "skipped_inside", "nominated", "taken_over"];
    let never = counted.counters().filter(|(name, count)| *count == 0 && !rare.contains(name));
    let never: Vec<_> = never.map(|(name, _)| name).collect();
    let holds = never.is_empty();
    let seen = if holds { "every case".into() } else { format!("no {}", never.join(", ")) };
    Check { name: "the load was mixed", seen, target: "every case".into(), holds }
}

/// Runs the load, reports samples meanwhile, and checks the counts afterwards.
///
/// # Errors
///
/// [`ConfigError::NoThread`] if the system cannot start a thread.
pub fn soak(load: Load, report: &mut dyn FnMut(&Sample)) -> Result<Soaked, ConfigError> {
    let (metrics, pool) = (Arc::new(Metrics::new()), WorkerPool::new(4, 1)?);
    let site = Arc::new(Site::new(&metrics, &pool)?);
    let mut run = Run { site, metrics, pool, samples: Vec::new(), report };
    run.load(load).map_err(|error| ConfigError::NoThread { kind: error.kind() })?;
    let checks = run.checks();
    Ok(Soaked { counted: run.metrics.snapshot(), checks })
}

impl Soaked {
    /// Whether every check holds.
    pub fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.holds)
    }
}
