//! The judge: it reads every event of a run as it happens, and keeps what the invariants need and no more.
//!
//! A scheduler that runs one section at a time shows the events in the order of the sections. So the judge knows what the
//! map has at every moment, and which deadlines each entry must have. The checkers of the scenarios
//! (`xfetch_vocabulary::checkers`) judge a whole history; this one has no history: it keeps a record for each key, and
//! none for a request that has ended.
//!
//! A step reads the map, then the clock, and emits its event after both. When a task asks for the time, no other task has
//! run since it read the map. So the judge notes the place of that moment: the step has read what the map had there.

mod counts;
mod events;
mod key;

pub use counts::Counts;

use crate::plan::Plan;
use events::Scene;
use key::{Entry, Held, Key, Lease, Place};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;
use xfetch_vocabulary::catalogue::Invariant;
use xfetch_vocabulary::history::{Content, Event, Record, Version};

/// What the caches of a run were built with, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long a value is fresh.
    pub payload: u64,
    /// How long a value is kept.
    pub storage: u64,
    /// The share of the payload TTL by which it may be shorter.
    pub jitter: f64,
    /// The first back-off and the longest.
    pub back_off: (u64, u64),
    /// How long failures are remembered.
    pub idle: u64,
    /// The most keys.
    pub capacity: usize,
    /// The shards.
    pub shards: usize,
    /// No task stands still, and no time passes while one could go on.
    pub is_steady: bool,
}

impl Terms {
    pub(crate) fn of(plan: &Plan) -> Self {
        let nanos = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let options = &plan.options;
        Self {
            payload: nanos(options.payload),
            storage: nanos(options.storage),
            jitter: options.jitter,
            back_off: (nanos(options.back_off.0), nanos(options.back_off.1)),
            idle: nanos(options.idle),
            capacity: options.capacity,
            shards: options.shards,
            is_steady: plan.is_steady,
        }
    }
}

/// A violated invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which one.
    pub invariant: Invariant,
    /// When.
    pub at: Duration,
    /// The event with this number shows it.
    pub place: u64,
    /// The key, unless it is about the whole cache.
    pub key: Option<u64>,
    /// What was seen.
    pub what: String,
}

/// Bits of a content that name its key.
const KEY_BITS: u32 = 24;
/// The most keys of a run.
pub const MAX_KEYS: u64 = 1 << (KEY_BITS - 1);

/// A content is the place where its compute or its insert began, and its key.
fn content(begun: Place, key: u64, inserted: bool) -> Content {
    begun << KEY_BITS | key << 1 | u64::from(inserted)
}

fn begun(content: Content) -> Place {
    content >> KEY_BITS
}

fn is_inserted(content: Content) -> bool {
    content & 1 == 1
}

fn key_of(content: Content) -> u64 {
    content >> 1 & (MAX_KEYS - 1)
}

/// A request under way.
#[derive(Default)]
struct Open {
    generation: usize,
    hash: u64,
    key: u64,
    /// By the cache's clock.
    asked: u64,
    steps_back: u32,
    /// The place of its look, and the entry that it saw.
    looked: Option<(Place, Option<Entry>)>,
    last_write_at_look: Place,
    missed: bool,
    has_value: bool,
    is_stale: bool,
    fresh: bool,
    nominated: Option<Version>,
    rechecked: bool,
    has_lease: bool,
    /// When it found the lease taken.
    busy_at: Option<Duration>,
    /// Something that is a reason for an error.
    reason: bool,
    /// Its own publication: its place, and its time by the cache's clock.
    published: Option<(Place, u64)>,
}

/// A task of the run.
#[derive(Default)]
struct Task {
    /// What it read last from the cache's clock.
    reading: u64,
    /// Where it was when it asked for it.
    read_from: Place,
    open: Vec<Open>,
    /// The content that it is putting into the cache.
    putting: Option<Content>,
    /// What its compute makes.
    makes: Vec<Content>,
}

/// A cache of the run. A restart makes another one.
struct Generation {
    keys: BTreeMap<u64, Key>,
    tally: Tally,
    counts: Counts,
    asked: u64,
    /// Requests under way.
    open: u32,
    closed: bool,
}

/// What the judge knows of a cache as a whole.
struct Tally {
    terms: Terms,
    leased: u64,
    released: u64,
    /// Where the first of the clearings under way has begun, and how many there are.
    clearing: Option<Place>,
    clearings: u32,
    /// Failures that are older may have been forgotten for want of room.
    remembered_since: Place,
    /// How many keys have failures that count.
    failing: usize,
    /// Its pool was shut down.
    shut_down: bool,
}

/// The judge.
pub struct Judge {
    place: Place,
    tasks: Vec<Task>,
    generations: Vec<Generation>,
    /// The first violation of each invariant.
    violations: BTreeMap<Invariant, Violation>,
    counts: Counts,
    steps_back: u32,
    events: DefaultHasher,
    /// The events, if somebody wants to see them.
    pub log: Option<Vec<Record>>,
    healed_from: Option<Place>,
    frozen: Option<bool>,
}

/// The moment at which an event comes.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Virtual time.
    pub time: Duration,
    /// What the cache's clock says.
    pub clock: u64,
    /// The running task.
    pub task: usize,
    /// The section.
    pub step: usize,
}

impl Judge {
    /// A judge who has seen nothing.
    pub fn new(logs: bool) -> Self {
        Self {
            // A content with the place 0 would be no content.
            place: 1,
            tasks: Vec::new(),
            generations: Vec::new(),
            violations: BTreeMap::new(),
            counts: Counts::default(),
            steps_back: 0,
            events: DefaultHasher::new(),
            log: logs.then(Vec::new),
            healed_from: None,
            frozen: None,
        }
    }

    /// The first violation of each invariant.
    pub fn violations(&self) -> &BTreeMap<Invariant, Violation> {
        &self.violations
    }

    /// What was counted, over all caches of the run.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// What was counted of this cache.
    pub fn counts_of(&self, generation: usize) -> Counts {
        self.generations.get(generation).map(|it| it.counts).unwrap_or_default()
    }

    /// Events so far.
    pub fn events(&self) -> u64 {
        self.place
    }

    /// A hash over all events.
    pub fn hash(&self) -> u64 {
        self.events.finish()
    }

    /// Another cache. Its number is returned.
    pub fn open(&mut self, terms: Terms) -> usize {
        let tally = Tally {
            terms,
            leased: 0,
            released: 0,
            clearing: None,
            clearings: 0,
            remembered_since: 0,
            failing: 0,
            shut_down: false,
        };
        let (keys, counts) = (BTreeMap::new(), Counts::default());
        let generation = Generation { keys, tally, counts, asked: 0, open: 0, closed: false };
        self.generations.push(generation);
        self.generations.len() - 1
    }

    /// Reports a violation that is not one of an event.
    pub fn report(&mut self, now: Now, invariant: Invariant, what: String) {
        self.violated(now, invariant, None, what);
    }

    fn violated(&mut self, now: Now, invariant: Invariant, key: Option<u64>, what: String) {
        let (at, place) = (now.time, self.place);
        self.violations.entry(invariant).or_insert(Violation { invariant, at, place, key, what });
    }

    fn task(&mut self, task: usize) -> &mut Task {
        if self.tasks.len() <= task {
            self.tasks.resize_with(task + 1, Task::default);
        }
        &mut self.tasks[task]
    }

    fn write_down(&mut self, now: Now, hash: u64, event: Event) {
        self.place += 1;
        let record = Record {
            task: now.task,
            step: now.step,
            now: now.time.as_nanos() as u64,
            key: hash,
            event,
        };
        record.hash(&mut self.events);
        if let Some(log) = &mut self.log {
            log.push(record);
        }
    }

    /// The running task asks the clock, and is still in the section before that.
    pub fn asks_the_clock(&mut self, task: usize) {
        let place = self.place;
        self.task(task).read_from = place;
    }

    /// The running task has read the clock.
    pub fn reads_the_clock(&mut self, task: usize, reading: u64) {
        self.task(task).reading = reading;
    }

    /// The clock has stepped back.
    pub fn steps_back(&mut self) {
        self.steps_back += 1;
    }

    /// From here on the origin, the clock and the tasks are well.
    pub fn heals(&mut self) {
        self.healed_from = Some(self.place);
    }

    /// Whether this content was made after everything was well again.
    pub fn is_healthy(&self, content: Content) -> bool {
        self.healed_from.is_some_and(|from| begun(content) >= from)
    }

    /// A request begins.
    pub fn asked(&mut self, now: Now, generation: usize, hash: u64, key: u64) {
        self.write_down(now, hash, Event::Asked);
        let steps_back = self.steps_back;
        self.task(now.task).open.push(Open {
            generation,
            hash,
            key,
            asked: now.clock,
            steps_back,
            ..Open::default()
        });
        let of = &mut self.generations[generation];
        of.open += 1;
        of.asked += 1;
        if of.closed {
            return;
        }
        let key = of.keys.entry(hash).or_insert_with(Key::new);
        key.open += 1;
    }

    /// The running task begins to put a value into the cache.
    pub fn puts(&mut self, now: Now, hash: u64, key: u64) -> Content {
        let content = content(self.place, key, true);
        self.write_down(now, hash, Event::Put(content));
        self.task(now.task).putting = Some(content);
        content
    }

    /// The running task begins to make a value.
    pub fn makes(&mut self, now: Now, generation: usize, hash: u64, key: u64) -> Content {
        let content = content(self.place, key, false);
        self.write_down(now, hash, Event::Makes(content));
        self.task(now.task).makes.push(content);
        let mut broken = None;
        let clearing = self.generations[generation].tally.clearing.is_some();
        if let Some(key) = self.generations[generation].keys.get_mut(&hash) {
            let lease = key.leases.iter_mut().rfind(|it| it.task == now.task && it.computing);
            let id = lease.map_or(0, |lease| {
                lease.content = Some(content);
                lease.id
            });
            key.computing.push((now.task, id));
            let leases = &key.leases;
            let current = key.computing.iter().filter(|(task, id)| {
                let lease = leases.iter().find(|it| it.id == *id && it.task == *task);
                lease.is_none_or(|lease| lease.revoked.is_none())
            });
            let (current, all) = (current.count(), key.computing.len());
            if (current > 1 || all > 2) && !clearing {
                broken = Some(format!(
                    "{all} computes run, {current} of them under a lease that is not revoked"
                ));
            }
        }
        if let Some(what) = broken {
            self.violated(now, Invariant::OneInFlight, Some(key), what);
        }
        content
    }

    /// The running task begins to remove all keys.
    pub fn clears(&mut self, generation: usize) {
        let place = self.place;
        let of = &mut self.generations[generation];
        of.tally.clearing.get_or_insert(place);
        of.tally.clearings += 1;
        for key in of.keys.values_mut() {
            key.set(Held::Unsure, place);
        }
    }

    /// The running task's request returns this content. Returns whether its look found a fresh value.
    pub fn answered(&mut self, now: Now, content: Content) -> bool {
        let Some(open) = self.task(now.task).open.pop() else { return false };
        self.write_down(now, open.hash, Event::Answered(content));
        let mut broken = Vec::new();
        if key_of(content) != open.key {
            broken.push((Invariant::InvalidationWins, "it has a value of another key".to_owned()));
        }
        let of = &mut self.generations[open.generation];
        of.open -= 1;
        if let Some(key) = of.keys.get_mut(&open.hash) {
            key.open -= 1;
            let put = key.put.iter().find(|(of, ..)| *of == content);
            let since = match put {
                Some((_, place, _)) if is_inserted(content) => *place,
                _ => begun(content),
            };
            if open.looked.is_some() && since < open.last_write_at_look {
                let what = "it looked after a write, and returns what was begun before it";
                broken.push((Invariant::InvalidationWins, what.into()));
            }
            // By a clock that has stepped back meanwhile, nothing can be said.
            if let (Some((.., expires)), true) = (put, open.steps_back == self.steps_back) {
                if open.asked >= *expires {
                    let what = "what it returns had expired before it asked";
                    broken.push((Invariant::NeverServeExpired, what.into()));
                }
                // It returns what it found, unless that expired and the map has something newer: its own publication,
                // unless something has come since.
                let expired = open
                    .published
                    .is_some_and(|(at, published)| published >= *expires && key.since() == at);
                let has_newer =
                    matches!(key.held, Held::Known(Some(entry)) if entry.content != content);
                if expired && has_newer {
                    let what = "what it returns had expired before its own publication";
                    broken.push((Invariant::NeverServeExpired, what.into()));
                }
            }
            key.forget_the_past();
        }
        for (invariant, what) in broken {
            self.violated(now, invariant, Some(open.key), what);
        }
        open.fresh
    }

    /// The running task's request returns an error; that of a compute which began at `of` if it is one.
    pub fn refused(&mut self, now: Now, of: Option<Content>) {
        let Some(open) = self.task(now.task).open.pop() else { return };
        self.write_down(now, open.hash, Event::Refused);
        let generation = &mut self.generations[open.generation];
        generation.open -= 1;
        if let Some(key) = generation.keys.get_mut(&open.hash) {
            key.open -= 1;
            key.forget_the_past();
        }
        let key = Some(open.key);
        if open.is_stale {
            let what = "it found a stale value and returns an error".into();
            self.violated(now, Invariant::StaleNeverWaits, key, what);
        }
        if let Some(of) = of
            && open.looked.is_some()
            && begun(of) < open.last_write_at_look
        {
            let what =
                "it looked after a write, and returns the error of a compute that began before it"
                    .into();
            self.violated(now, Invariant::InvalidationWins, key, what);
        }
        if of.is_none() && !open.reason {
            let what = "nothing has failed for it, and it returns an error".into();
            self.violated(now, Invariant::HealthyOriginNoError, key, what);
        }
    }

    /// The pool of this cache was shut down.
    pub fn shut_down(&mut self, now: Now, generation: usize) {
        self.write_down(now, 0, Event::ShutDown);
        self.generations[generation].tally.shut_down = true;
    }

    /// An event of a cache.
    pub fn on(&mut self, now: Now, generation: usize, hash: u64, event: Event) {
        if self.frozen.is_some() {
            return;
        }
        self.write_down(now, hash, event);
        self.counts.count(event);
        // Where no task stands still, a request that found the lease taken before now waits for it.
        if matches!(event, Event::TimedOut(_))
            && self.generations[generation].tally.terms.is_steady
            && self.has_circle(Some(now.time))
        {
            let what = "requests inside computes wait for each other until a time-out".to_owned();
            self.violated(now, Invariant::NoDeadlock, None, what);
        }
        let of = &mut self.generations[generation];
        of.counts.count(event);
        if of.closed {
            return;
        }
        if event == Event::Cleared {
            return self.cleared(generation);
        }
        if self.tasks.len() <= now.task {
            self.tasks.resize_with(now.task + 1, Task::default);
        }
        let Task { reading, read_from, open, putting, makes } = &mut self.tasks[now.task];
        let depth = open.len();
        let is_own = |open: &&mut Open| open.hash == hash && open.generation == generation;
        let mut scene = Scene {
            now,
            place: self.place,
            reading: *reading,
            read_from: *read_from,
            steps_back: self.steps_back,
            depth,
            own: open.last_mut().filter(is_own),
            makes,
            putting,
            tally: &mut of.tally,
            key: of.keys.entry(hash).or_insert_with(Key::new),
            broken: Vec::new(),
        };
        scene.note(event);
        let broken = scene.broken;
        if broken.is_empty() {
            return;
        }
        let named = self.tasks[now.task].open.last().map(|open| open.key);
        for (invariant, what) in broken {
            self.violated(now, invariant, named, what);
        }
    }

    /// All keys were removed, one shard after the other. What was published meanwhile may be there or not.
    fn cleared(&mut self, generation: usize) {
        let place = self.place;
        let of = &mut self.generations[generation];
        let tally = &mut of.tally;
        let began = tally.clearing.unwrap_or(place);
        tally.clearings = tally.clearings.saturating_sub(1);
        if tally.clearings == 0 {
            tally.clearing = None;
        }
        tally.failing = 0;
        for key in of.keys.values_mut() {
            let newer = key.last_published.or(Some(key.last_write)).is_some_and(|at| at >= began);
            let held = if newer { Held::Unsure } else { Held::Known(None) };
            key.set(held, place);
            key.begin_window(place);
            key.failures = key.failures.filter(|failures| failures.since >= began);
            if let Some(failures) = &mut key.failures {
                failures.unsure = true;
                tally.failing += 1;
            }
            key.last_write = key.last_write.max(began);
            key.last_published = None;
        }
    }

    /// Requests of this cache.
    pub fn asked_of(&self, generation: usize) -> u64 {
        self.generations[generation].asked
    }

    /// Whether requests wait in a circle: each inside a compute, for a lease whose holder is the next one.
    fn has_circle(&self, since_before: Option<Duration>) -> bool {
        // The holder of the lease of the key that this task asks for inside another request, and has no lease of.
        let next = |task: usize| {
            let open = &self.tasks.get(task)?.open;
            let last = open.last().filter(|last| open.len() > 1 && !last.has_lease)?;
            if since_before.is_some_and(|now| last.busy_at.is_none_or(|at| at >= now)) {
                return None;
            }
            let key = self.generations[last.generation].keys.get(&last.hash)?;
            let holds = |lease: &&Lease| lease.revoked.is_none() && !lease.queued;
            key.leases.iter().find(holds).map(|it| it.task)
        };
        (0..self.tasks.len()).any(|first| {
            let mut task = first;
            for _ in 0..self.tasks.len() {
                match next(task) {
                    Some(holder) if holder == first => return true,
                    Some(holder) => task = holder,
                    None => return false,
                }
            }
            false
        })
    }

    /// Nobody can go on, or the run is stopped: what comes now is the tasks' unwinding.
    pub fn freezes(&mut self) {
        let circle = self.has_circle(None);
        self.frozen.get_or_insert(circle);
    }

    /// Whether requests waited in a circle when the run froze.
    pub fn froze_in_a_circle(&self) -> bool {
        self.frozen == Some(true)
    }

    /// Whether every lease of this cache was released.
    pub fn balance(&self, generation: usize) -> (u64, u64) {
        let Tally { leased, released, .. } = self.generations[generation].tally;
        (leased, released)
    }

    /// The keys of this cache whose failures may be remembered.
    pub fn failing(&self, generation: usize) -> usize {
        self.generations[generation].keys.values().filter(|key| key.failures.is_some()).count()
    }

    /// A cache that nothing asks any more needs no memory. A straggler may ask it all the same: nothing is judged then.
    pub fn close(&mut self, generation: usize) {
        let of = &mut self.generations[generation];
        of.keys.clear();
        of.closed = true;
    }

    /// Requests under way on this cache.
    pub fn open_requests(&self, generation: usize) -> u32 {
        self.generations[generation].open
    }
}
