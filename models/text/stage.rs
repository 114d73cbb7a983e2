//! Runs a scenario: a cache, its callers, and one more request when all have returned.

use super::core::steps::Protocol;
use super::core::{
    Cache, CallerRuns, Clock, Error, Executor, Found, Job, Metrics, Observer, Waiting, WeakCache,
    With, WorkerPool,
};
use super::locks::Locks;
use super::recorder::{Recorder, Time};
use super::{Start, begin, overlap, patience, thread, work, workers};
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use xfetch_vocabulary::catalogue::{Act, Before, On, Origin, PAYLOAD, STORAGE, Scenario, Setup};
use xfetch_vocabulary::history::{AnswerKind, Event, History, Usage};

/// The key that everybody asks for.
const KEY: u64 = 7;
/// A key that nobody asks for. With two shards it shares the one of `KEY`, and not that of the key next to it.
const THIRD: u64 = 11;
/// What the map has at the start. Every other content is made later.
const OLD: u64 = 0;
/// How long a failed key is left alone; no tick of a scene is as short.
const BACK_OFF: Duration = Duration::from_secs(1);
/// How long after that its failures are remembered.
const IDLE: Duration = Duration::from_secs(60);

/// The parts of every cache under test. One type for all: for another the compiler makes both protocols anew.
type TestedParts<P> = With<Arc<dyn Clock>, Arc<dyn Observer>, Arc<dyn Executor>, Plain, P>;
/// A cache under test.
pub(crate) type Tested<P> = Cache<u64, Value, TestedParts<P>>;
type WeakTested<P> = WeakCache<u64, Value, TestedParts<P>>;

/// A value of the origin's, by its content.
pub struct Value {
    /// The content.
    pub content: u64,
    /// What its drop does.
    at_drop: Option<Box<dyn Fn() + Send + Sync>>,
}

impl Value {
    /// A value with this content, whose drop does this.
    pub fn that_drops(content: u64, at_drop: impl Fn() + Send + Sync + 'static) -> Self {
        Self { content, at_drop: Some(Box::new(at_drop)) }
    }
}

impl From<u64> for Value {
    fn from(content: u64) -> Self {
        Self { content, at_drop: None }
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        if let Some(at_drop) = &self.at_drop {
            at_drop();
        }
    }
}

/// What every scenario computes with. One type for all, as above.
pub type Compute = Box<dyn FnOnce(&u64) -> Result<Value, io::Error> + Send>;

/// The executor of a setup. At rest it is the caller.
#[derive(Clone)]
struct Runs {
    at_rest: Arc<AtomicBool>,
    /// Started when the scene is set: its workers are tasks.
    pool: Arc<OnceLock<WorkerPool>>,
    refuses: bool,
}

impl Executor for Runs {
    fn execute(&self, job: Job) -> Result<(), Job> {
        match self.pool.get() {
            _ if self.at_rest.load(Ordering::Relaxed) => CallerRuns.execute(job),
            _ if self.refuses => Err(job),
            Some(pool) => pool.execute(job),
            None => CallerRuns.execute(job),
        }
    }

    fn runs_at_once(&self) -> bool {
        self.pool.get().is_none() && !self.refuses
    }
}

impl Runs {
    fn on(setup: &Setup) -> Self {
        let refuses = setup.runs_on == On::Nothing;
        Self { at_rest: Arc::default(), pool: Arc::default(), refuses }
    }

    fn start_pool(&self, workers: usize) {
        let pool = WorkerPool::new(workers, 4);
        let pool = pool.unwrap_or_else(|error| unreachable!("the pool is valid: {error}"));
        drop(self.pool.set(pool));
    }
}

/// A hasher without a seed: a key is its own hash.
#[derive(Clone, Default)]
pub(crate) struct Plain(u64);

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

/// Runs a scenario once.
///
/// Every participant is spawned and this thread only joins (loom issue 392); when all have returned it
/// looks at what they have left behind.
pub(super) fn perform<P: Protocol>(
    with: P,
    scenario: Scenario,
    protocol: super::Protocol,
    callers: usize,
) -> History {
    let setup = Setup::played(scenario, protocol);
    let stage = Stage::new(with, &setup);
    let locks = Locks::new(Arc::new(stage.around.time.clone()));
    locks.enter();
    let start = Start::new(callers);
    let callers: Vec<_> = (0..callers)
        .map(|caller| {
            let (start, stage, acts) = (start.clone(), stage.clone(), setup.roles.of(caller));
            let locks = Arc::clone(&locks);
            thread::spawn_alike(setup.roles.class(caller), move || {
                begin(caller + 1);
                locks.enter();
                start.wait();
                acts.iter().fold(None, |answer, act| stage.act(*act).or(answer))
            })
        })
        .collect();
    let home = move || {
        let join = |caller: thread::JoinHandle<_>| {
            caller.join().unwrap_or_else(|panic| resume_unwind(panic))
        };
        callers.into_iter().filter_map(join).collect()
    };
    let answers = match stage.around.runs.pool.get().cloned() {
        // A section of main's would be one too many while the workers live: a task ends them.
        Some(pool) => {
            let last = thread::spawn(move || {
                let answers = home();
                pool.shut_down(Waiting::Run);
                answers
            });
            last.join().unwrap_or_else(|panic| resume_unwind(panic))
        }
        None => home(),
    };
    let counted = stage.around.metrics.as_ref().map(|metrics| metrics.snapshot());
    let at_rest = stage.usage();
    stage.rest();
    let at_last = stage.clean_up();
    let nanos = |span: Duration| span.as_nanos() as u64;
    History {
        records: stage.around.recorder.take(),
        answers,
        payload: nanos(PAYLOAD),
        storage: nanos(setup.storage),
        back_off: nanos(BACK_OFF) / 2,
        capacity: setup.capacity,
        asks_again: false,
        says_silent: false,
        at_rest,
        at_last,
        counted: counted.iter().flat_map(|snapshot| snapshot.counters()).collect(),
    }
}

/// A cache and what is around it.
struct Stage<P: Protocol> {
    cache: Tested<P>,
    around: Around,
}

/// The clock, the origin, and everything that is written down about a cache.
#[derive(Clone)]
struct Around {
    time: Time,
    recorder: Recorder,
    metrics: Option<Arc<Metrics>>,
    runs: Runs,
    origin: Origin,
    overlaps: bool,
    /// How long a compute takes, by the clock.
    takes: Duration,
    /// How many contents there are.
    contents: Arc<AtomicU64>,
}

impl<P: Protocol> Clone for Stage<P> {
    fn clone(&self) -> Self {
        Self { cache: self.cache.clone(), around: self.around.clone() }
    }
}

impl<P: Protocol> Stage<P> {
    fn new(with: P, setup: &Setup) -> Self {
        let time = Time::new(setup.ticks(), setup.lag);
        let recorder = Recorder::new(time.clone());
        let nominates = setup.before == Before::Fresh;
        let patient = if setup.impatient { Duration::from_secs(1) } else { Duration::MAX };
        let runs = Runs::on(setup);
        let metrics = setup.counted.then(|| Arc::new(Metrics::new()));
        let observer: Arc<dyn Observer> = match &metrics {
            Some(metrics) => Arc::new((recorder.clone(), Arc::clone(metrics))),
            None => Arc::new(recorder.clone()),
        };
        // One shard, so that every key meets every other, and no chance in hashing.
        let cache = Cache::builder(PAYLOAD, setup.storage)
            .shards(setup.shards)
            .capacity(setup.capacity)
            .idle(IDLE)
            .sweep_every(Duration::MAX)
            .executor(Arc::new(runs.clone()) as Arc<dyn Executor>)
            .clock(Arc::new(time.clone()) as Arc<dyn Clock>)
            .observer(observer)
            .hasher(Plain::default())
            .beta(if nominates { 1.0 } else { 0.0 })
            .randomness(|| f64::EPSILON)
            .back_off(BACK_OFF, BACK_OFF)
            .wait_timeout(patience(patient))
            .protocol(with)
            .build()
            .unwrap_or_else(|error| unreachable!("the stage's configuration is valid: {error}"));
        let takes = if nominates { PAYLOAD / 10 } else { Duration::ZERO };
        let (origin, overlaps, contents) = (setup.origin, setup.overlaps, Arc::default());
        let around = Around { time, recorder, metrics, runs, origin, overlaps, takes, contents };
        let stage = Self { cache, around };
        stage.prepare(setup.before);
        if let On::Pool { workers: of_setup } = setup.runs_on {
            stage.around.runs.start_pool(workers(of_setup));
        }
        stage
    }

    fn prepare(&self, before: Before) {
        match before {
            Before::Absent => {}
            Before::New => {
                self.cache.insert(KEY, OLD.into());
                self.around.recorder.note(KEY, Event::Put(OLD));
            }
            Before::Stale | Before::BothStale => {
                let other = (before == Before::BothStale).then_some(KEY + 1);
                for key in [Some(KEY), other].into_iter().flatten() {
                    self.cache.insert(key, OLD.into());
                    self.around.recorder.note(key, Event::Put(OLD));
                }
                self.around.time.advance(PAYLOAD);
            }
            Before::Expired => {
                self.cache.insert(KEY, self.value_that_asks());
                self.around.recorder.note(KEY, Event::Put(OLD));
                self.around.time.advance(STORAGE);
            }
            Before::Fresh => {
                let (time, takes) = (self.around.time.clone(), self.around.takes);
                let compute: Compute = Box::new(move |_| {
                    time.advance(takes);
                    Ok(OLD.into())
                });
                drop(self.cache.try_get_or_compute(&KEY, compute));
                self.around.recorder.note(KEY, Event::Put(OLD));
                // No entry is refreshed early in the first half of its payload TTL.
                self.around.time.advance(PAYLOAD / 2);
            }
        }
    }

    fn act(&self, act: Act) -> Option<AnswerKind> {
        match act {
            Act::Request => return Some(self.request(KEY, None, self.around.origin)),
            Act::Nested(outer, inner) => {
                return Some(self.request(outer, Some(inner), self.around.origin));
            }
            Act::Other => return Some(self.request(KEY + 1, None, self.around.origin)),
            Act::Sweep => {
                self.cache.sweep();
            }
            Act::ShutDown => {
                let pool = self.around.runs.pool.get();
                pool.iter().for_each(|pool| pool.shut_down(Waiting::Drop));
                self.around.recorder.note(KEY, Event::ShutDown);
            }
            Act::Invalidate => self.cache.invalidate(&KEY),
            Act::InvalidateAll => self.cache.invalidate_all(),
            Act::Insert => {
                let content = self.content();
                self.cache.insert(KEY, content.into());
                self.around.recorder.note(KEY, Event::Put(content));
            }
            Act::Push => {
                self.cache.insert(THIRD, OLD.into());
            }
            Act::Tick(span) => {
                self.around.time.advance(span);
                self.around.recorder.note(KEY, Event::Tick);
            }
        }
        None
    }

    /// A value whose drop asks for the key, if the cache is still there.
    fn value_that_asks(&self) -> Value {
        let (cache, around): (WeakTested<P>, _) = (self.cache.downgrade(), self.around.clone());
        let at_drop = move || {
            if let Some(cache) = cache.upgrade() {
                let stage = Self { cache, around: around.clone() };
                stage.request(KEY, None, stage.around.origin);
            }
        };
        Value::that_drops(OLD, at_drop)
    }

    fn content(&self) -> u64 {
        self.around.contents.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Asks for a key; the compute asks for `inner` in its turn.
    fn request(&self, key: u64, inner: Option<u64>, origin: Origin) -> AnswerKind {
        let stage = self.clone();
        self.around.recorder.note(key, Event::Asked);
        let compute: Compute = Box::new(move |key| {
            if stage.around.overlaps {
                overlap();
            }
            let content = stage.content();
            stage.around.recorder.note(*key, Event::Makes(content));
            work();
            stage.around.time.advance(stage.around.takes);
            let made = stage.make(content, inner, origin);
            if stage.around.overlaps {
                overlap();
            }
            made
        });
        let found = self.cache.try_get_or_compute(&key, compute);
        self.answer(key, found)
    }

    /// What the origin does for this content.
    fn make(&self, content: u64, inner: Option<u64>, origin: Origin) -> Result<Value, io::Error> {
        if let Some(inner) = inner
            && self.request(inner, None, origin) == AnswerKind::Error
        {
            return Err(io::Error::other("no inner value"));
        }
        match origin {
            Origin::Healthy => Ok(content.into()),
            Origin::FailsOnce if content > 1 => Ok(content.into()),
            Origin::Fails | Origin::FailsOnce => Err(io::Error::other("the origin is down")),
            Origin::Panics => resume_unwind(Box::new("the origin panics")),
        }
    }

    fn answer(&self, key: u64, found: Result<Found<u64, Value>, Error>) -> AnswerKind {
        let (event, answer) = match &found {
            Ok(found) if found.content == OLD => (Event::Answered(OLD), AnswerKind::Stale),
            Ok(found) => (Event::Answered(found.content), AnswerKind::Fresh),
            Err(_) => (Event::Refused, AnswerKind::Error),
        };
        self.around.recorder.note(key, event);
        answer
    }

    /// All callers have returned. Time passes, beyond every payload deadline and every back-off; then one
    /// request of a healthy origin must compute once, and leave the key fresh.
    fn rest(&self) {
        self.around.recorder.note(KEY, Event::Rest);
        self.around.runs.at_rest.store(true, Ordering::Relaxed);
        self.around.time.advance(PAYLOAD);
        self.request(KEY, None, Origin::Healthy);
        drop(self.cache.get(&KEY));
    }

    /// Everything is past its time: entries, back-offs, failures. A sweep then leaves nothing.
    fn clean_up(&self) -> Usage {
        self.around.time.advance(STORAGE + BACK_OFF + IDLE);
        self.cache.sweep();
        self.usage()
    }

    fn usage(&self) -> Usage {
        let usage = self.cache.usage();
        Usage { keys: usage.keys, leases: usage.leases, slots: usage.slots }
    }
}
