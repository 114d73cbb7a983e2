//! The judge: it reads every event of a run as it happens, and keeps what the invariants need and no more.
//!
//! A scheduler that runs one section at a time shows the events in the order of the sections. So the judge knows what the
//! map has at every moment, and which deadlines each entry must have. The checkers of the scenarios
//! (`xfetch_vocabulary::checkers`) judge a whole history; this one has no history, and its memory grows with the keys
//! alone.
//!
//! One detail needs care. A step reads the map in one section and the clock in the next, and its event comes after both.
//! So when the clock is asked, before anything else can happen, the judge notes the place: what the map had there is what
//! the step has read.

mod counts;
mod key;

pub use counts::Counts;

use key::{Entry, Failures, Held, Key, Lease, Place};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;
use xfetch_vocabulary::catalogue::Invariant;
use xfetch_vocabulary::history::{Content, Event, LeaseId, Record, Version};

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
    terms: Terms,
    keys: BTreeMap<u64, Key>,
    asked: u64,
    leased: u64,
    released: u64,
    counts: Counts,
    /// Where the clearings under way have begun.
    clearing: Option<Place>,
    clearings: u32,
    /// Failures that are older may have been forgotten for want of room.
    remembered_since: Place,
    /// How many keys have failures that count.
    failing: usize,
    shut_down: bool,
    closed: bool,
    open: u32,
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
        self.generations.push(Generation {
            terms,
            keys: BTreeMap::new(),
            asked: 0,
            leased: 0,
            released: 0,
            counts: Counts::default(),
            clearing: None,
            clearings: 0,
            remembered_since: 0,
            failing: 0,
            shut_down: false,
            closed: false,
            open: 0,
        });
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
            looked: None,
            last_write_at_look: 0,
            missed: false,
            has_value: false,
            is_stale: false,
            fresh: false,
            nominated: None,
            rechecked: false,
            has_lease: false,
            busy_at: None,
            reason: false,
            published: None,
        });
        let of = &mut self.generations[generation];
        of.open += 1;
        of.asked += 1;
        if of.closed {
            return;
        }
        let key = of.keys.entry(hash).or_insert_with(Key::new);
        key.open += 1;
        key.was_requested = true;
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
        let clearing = self.generations[generation].clearing.is_some();
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
        of.clearing.get_or_insert(place);
        of.clearings += 1;
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
        self.generations[generation].shut_down = true;
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
            && self.generations[generation].terms.is_steady
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
        let place = self.place;
        let step_backs = self.steps_back;
        if self.tasks.len() <= now.task {
            self.tasks.resize_with(now.task + 1, Task::default);
        }
        let task = &mut self.tasks[now.task];
        let (reading, read_from) = (task.reading, task.read_from);
        let depth = task.open.len();
        let own = task.open.last_mut();
        let own = own.filter(|open| open.hash == hash && open.generation == generation);
        let key = of.keys.entry(hash).or_insert_with(Key::new);
        let terms = of.terms;
        // Between the shards of a clearing the judge does not know which leases were revoked.
        let clearing = of.clearing.is_some();
        let mut broken: Vec<(Invariant, String)> = Vec::new();
        match event {
            Event::Looked(seen) => {
                match key.held {
                    Held::Known(entry) => {
                        let has = entry.map(|entry| entry.version);
                        // A sweep writes down what it has removed when it has been through all shards.
                        let may_be_swept = seen.is_none()
                            && entry.is_some_and(|it| it.is_expired(now.clock) || step_backs > 0);
                        if seen != has && may_be_swept {
                            key.set(Held::Known(None), place);
                        } else if seen != has && of.clearing.is_none() {
                            let what =
                                format!("the map has version {has:?}, and the look reads {seen:?}");
                            broken.push((Invariant::VersionsNeverRegress, what));
                        }
                    }
                    Held::Unsure if seen.is_none() => key.set(Held::Known(None), place),
                    Held::Unsure => {}
                }
                if let Some(open) = own {
                    let entry = match key.held {
                        Held::Known(Some(entry)) if Some(entry.version) == seen => Some(entry),
                        _ => None,
                    };
                    open.looked = Some((place, entry));
                    open.last_write_at_look = key.last_write;
                }
            }
            Event::FreshHit(_) | Event::Nominated(_) | Event::StaleHit(_) => {
                if let Some(open) = own {
                    open.has_value = true;
                    open.fresh = matches!(event, Event::FreshHit(_));
                    open.is_stale = matches!(event, Event::StaleHit(_));
                    if let Event::Nominated(version) = event
                        && open.nominated.replace(version).is_some()
                    {
                        broken.push((Invariant::NominationAtMostOnce, "it nominates twice".into()));
                    }
                    if let Some((_, Some(entry))) = open.looked {
                        if entry.is_expired(reading) {
                            broken.push((
                                Invariant::NeverServeExpired,
                                "it finds a value that has expired".into(),
                            ));
                        } else if !open.is_stale && !entry.may_be_fresh(reading) {
                            broken.push((
                                Invariant::RefreshMakesProgress,
                                "it takes a stale value for a fresh one".into(),
                            ));
                        } else if open.is_stale && entry.is_surely_fresh(reading) {
                            broken.push((
                                Invariant::NoWastedCompute,
                                "it takes a fresh value for a stale one".into(),
                            ));
                        }
                    }
                }
            }
            Event::Miss => {
                if let Some(open) = own {
                    open.missed = true;
                    if let Some((_, Some(entry))) = open.looked
                        && !entry.is_expired(reading)
                    {
                        broken.push((
                            Invariant::StaleNeverWaits,
                            "it takes a value that may be served for none".into(),
                        ));
                    }
                }
            }
            Event::StillNeeded => {
                if let Some(open) = own {
                    open.rechecked = true;
                }
            }
            Event::Busy(_) => {
                if let Some(open) = own {
                    open.busy_at = Some(now.time);
                    if open.fresh {
                        let what = "it has a fresh value and asks for the lease".into();
                        broken.push((Invariant::FreshTakesNoLease, what));
                    }
                }
            }
            Event::Leased(id) => {
                of.leased += 1;
                let (mut missed, mut nominated, mut has_stale) = (false, None, false);
                if let Some(open) = own {
                    has_stale = open.has_value;
                    open.has_lease = true;
                    (missed, nominated) = (open.missed, open.nominated);
                    if open.fresh && open.nominated.is_none() {
                        broken.push((
                            Invariant::FreshTakesNoLease,
                            "it has a fresh value and takes the lease".into(),
                        ));
                    }
                    let refreshed = key
                        .last_published
                        .filter(|at| open.looked.is_some_and(|(looked, _)| *at > looked));
                    if open.is_stale && !open.rechecked && refreshed.is_some() {
                        let what =
                            "the key was refreshed after its look, and it takes the lease".into();
                        broken.push((Invariant::RefreshedInTimeTakesNoLease, what));
                    }
                }
                let most = terms.back_off.1;
                let remembered_since = of.remembered_since;
                let early = key.failures.is_some_and(|failures| {
                    reading < failures.until.0
                        && failures.since >= remembered_since
                        && !failures.unsure
                        && !clearing
                        && failures.until.1.saturating_sub(reading) <= most
                });
                key.leases.push(Lease {
                    id,
                    task: now.task,
                    queued: has_stale,
                    missed,
                    nominated,
                    early,
                    window: None,
                    revoked: None,
                    computing: false,
                    failed: false,
                    content: None,
                });
            }
            Event::Waited(_) | Event::TimedOut(_) => {
                if let Some(open) = own {
                    if open.has_value {
                        broken
                            .push((Invariant::StaleNeverWaits, "it has a value and waits".into()));
                    }
                    open.reason |= matches!(event, Event::TimedOut(_));
                }
                // A request inside a compute leaves the graph of waits before it says so.
                if let (Event::TimedOut(id), true) = (event, depth < 2) {
                    match key.lease(id, usize::MAX) {
                        None => {
                            let what = format!(
                                "it waits for lease {id} until its time-out, and the lease was released"
                            );
                            broken.push((Invariant::NoWaiterLeftBehind, what));
                        }
                        // Where no task stands still, a lease is queued until its compute starts.
                        Some(lease) if lease.queued && terms.is_steady => {
                            let what = format!(
                                "it waits for lease {id}, whose refresh waits for a thread"
                            );
                            broken.push((Invariant::NoWaiterLeftBehind, what));
                        }
                        Some(_) => {}
                    }
                }
            }
            Event::BackingOff => {
                if let Some(open) = own {
                    open.reason = true;
                }
                if step_backs == 0 && of.clearing.is_none() {
                    match key.failures {
                        None => {
                            let what = "no failure is to be remembered, and it backs off".into();
                            broken.push((Invariant::HealthyOriginNoError, what));
                        }
                        Some(failures) if reading >= failures.until.1 => {
                            let what = "the longest back-off has passed, and it backs off".into();
                            broken.push((Invariant::RefreshMakesProgress, what));
                        }
                        Some(_) => {}
                    }
                }
            }
            Event::Cycle(_) => {
                if let Some(open) = own {
                    open.reason = true;
                }
            }
            Event::Revoked(id) => {
                let mut window = None;
                if let Some(lease) = key.lease(id, usize::MAX)
                    && lease.revoked.is_none()
                {
                    lease.revoked = Some(place);
                    window = lease.window.filter(|_| lease.computing);
                }
                if let Some(window) = window.and_then(|since| key.window_at(since)) {
                    window.in_vain += 1;
                }
            }
            Event::ComputeStarted(id, _) => {
                let others = key.leases.iter().filter(|it| {
                    !(it.id == id && it.task == now.task) && it.computing && it.revoked.is_none()
                });
                let others = others.count();
                if let Some(lease) = key.lease(id, now.task) {
                    lease.task = now.task;
                    lease.computing = true;
                    lease.queued = false;
                    let Lease { revoked, missed, nominated, early, .. } = *lease;
                    let counts = revoked.is_none_or(|revoked| revoked <= read_from);
                    if others > 0 && revoked.is_none() && !clearing {
                        broken.push((
                            Invariant::OneLeasePerKey,
                            "another lease of the key computes".into(),
                        ));
                    }
                    if early && counts {
                        let what = format!(
                            "the back-off has not ended, and it computes: {:?}, at {reading}",
                            key.failures
                        );
                        broken.push((Invariant::FailuresBackOff, what));
                    }
                    if let Some(Held::Known(Some(entry))) = key.held_at(read_from)
                        && entry.is_surely_fresh(reading)
                        && nominated != Some(entry.version)
                    {
                        broken.push((
                            Invariant::NoWastedCompute,
                            "the value is fresh, and it computes".into(),
                        ));
                    }
                    let mut of_window = None;
                    if counts && let Some(window) = key.window_at(read_from) {
                        of_window = Some(window.since);
                        window.started += 1;
                        window.started_by_misses += u32::from(missed);
                        let most = if clearing { u32::MAX } else { 1 + window.in_vain };
                        if missed && window.started_by_misses > most {
                            let what = format!(
                                "it missed, and is compute {} of this window",
                                window.started
                            );
                            broken.push((Invariant::MissSingleFlight, what));
                        }
                        if window.started > most {
                            let what = format!(
                                "it is compute {} of this window, and {} have failed or were revoked",
                                window.started, window.in_vain
                            );
                            broken.push((Invariant::OneComputePerWindow, what));
                        }
                    }
                    if let Some(lease) = key.lease(id, now.task) {
                        lease.window = of_window;
                    }
                }
                // A worker's tasks have no request: the callers of a cache whose pool is gone compute themselves.
                if of.shut_down && self.tasks[now.task].open.is_empty() {
                    broken.push((
                        Invariant::ShutdownDrains,
                        "the pool was shut down, and a worker computes".into(),
                    ));
                }
            }
            Event::ComputeFinished(id, returned) => {
                key.computing.retain(|(task, lease)| (*task, *lease) != (now.task, id));
                let mut window = None;
                if let Some(lease) = key.lease(id, now.task)
                    && !returned
                {
                    lease.failed = true;
                    lease.computing = false;
                    window = lease.window.filter(|_| lease.revoked.is_none());
                    if let Some(open) = own {
                        open.reason = true;
                    }
                }
                if let Some(window) = window.and_then(|since| key.window_at(since)) {
                    window.in_vain += 1;
                }
            }
            Event::Published(id, version) => {
                let made = task.makes.pop();
                let lease = key.lease(id, now.task);
                let content = lease.as_ref().and_then(|lease| lease.content).or(made).unwrap_or(0);
                if let Some(lease) = lease {
                    lease.computing = false;
                    if lease.revoked.is_some() {
                        let what = "the lease was revoked, and it publishes".into();
                        broken.push((Invariant::InvalidationWins, what));
                    }
                }
                if begun(content) < key.newest_begun {
                    let what = "it replaces a value that was begun after it".into();
                    broken.push((Invariant::VersionsNeverRegress, what));
                }
                if version <= key.newest {
                    let what = format!("version {version} comes after version {}", key.newest);
                    broken.push((Invariant::VersionsNeverRegress, what));
                }
                key.newest = key.newest.max(version);
                key.newest_begun = key.newest_begun.max(begun(content));
                let entry = Entry::new(&terms, version, content, reading);
                // A clearing may have come to this shard or not.
                key.set(if clearing { Held::Unsure } else { Held::Known(Some(entry)) }, place);
                key.begin_window(place);
                key.put.push((content, place, entry.expires_at));
                key.last_published = Some(place);
                of.failing -= usize::from(key.failures.take().is_some());
                if let Some(open) = own {
                    open.published = Some((place, reading));
                }
            }
            Event::Discarded(id) => {
                task.makes.pop();
                if let Some(lease) = key.lease(id, now.task) {
                    lease.computing = false;
                }
            }
            Event::Released(id) => {
                of.released += 1;
                let at = key.leases.iter().position(|it| it.id == id && it.task == now.task);
                let at = at.or_else(|| key.leases.iter().position(|it| it.id == id));
                if let Some(lease) = at.map(|at| key.leases.remove(at))
                    && lease.failed
                {
                    task.makes.pop();
                    if lease.revoked.is_none() {
                        let before = key.failures.take();
                        of.failing -= usize::from(before.is_some());
                        key.failures =
                            Failures::after(before, of.remembered_since, reading, &terms, place);
                        of.failing += usize::from(key.failures.is_some());
                        if of.failing.saturating_mul(terms.shards) > terms.capacity {
                            of.remembered_since = place;
                        }
                    }
                }
                key.forget_the_past();
            }
            Event::Inserted(version) => {
                let content = task.putting.take().unwrap_or(0);
                if version <= key.newest {
                    let what = format!("version {version} comes after version {}", key.newest);
                    broken.push((Invariant::VersionsNeverRegress, what));
                }
                key.newest = key.newest.max(version);
                key.newest_begun = place;
                let entry = Entry::new(&terms, version, content, reading);
                // A clearing may have come to this shard or not.
                key.set(if clearing { Held::Unsure } else { Held::Known(Some(entry)) }, place);
                key.put.push((content, place, entry.expires_at));
                of.failing -= usize::from(key.failures.take().is_some());
                key.begin_window(place);
                (key.last_write, key.last_published) = (place, None);
                key.forget_the_past();
            }
            Event::Invalidated => {
                key.set(Held::Known(None), place);
                of.failing -= usize::from(key.failures.take().is_some());
                key.begin_window(place);
                (key.last_write, key.last_published) = (place, None);
                key.forget_the_past();
            }
            Event::Evicted(version) | Event::Swept(version) => {
                let is_it = |entry: &Entry| entry.version == version;
                if matches!(&key.held, Held::Known(Some(entry)) if is_it(entry)) {
                    key.set(Held::Known(None), place);
                }
                if matches!(event, Event::Evicted(_)) {
                    key.begin_window(place);
                    key.last_published = None;
                }
                key.forget_the_past();
            }
            // A sweep writes it down when it has been through all shards. The key may have failed again since.
            Event::Forgotten => match &mut key.failures {
                Some(failures) if now.clock < failures.until.0.saturating_add(terms.idle) => {
                    failures.unsure = true;
                }
                failures => of.failing -= usize::from(failures.take().is_some()),
            },
            _ => {}
        }
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
        let began = of.clearing.unwrap_or(place);
        of.clearings = of.clearings.saturating_sub(1);
        if of.clearings == 0 {
            of.clearing = None;
        }
        of.failing = 0;
        for key in of.keys.values_mut() {
            let newer = key.last_published.or(Some(key.last_write)).is_some_and(|at| at >= began);
            let held = if newer { Held::Unsure } else { Held::Known(None) };
            key.set(held, place);
            key.begin_window(place);
            key.failures = key.failures.filter(|failures| failures.since >= began);
            if let Some(failures) = &mut key.failures {
                failures.unsure = true;
                of.failing += 1;
            }
            key.last_write = key.last_write.max(began);
            key.last_published = None;
        }
    }

    /// Leases that are held now, over all caches.
    pub fn leases(&self) -> impl Iterator<Item = (usize, LeaseId)> + '_ {
        let keys = self.generations.iter().flat_map(|of| of.keys.values());
        keys.flat_map(|key| &key.leases).map(|lease| (lease.task, lease.id))
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
        let of = &self.generations[generation];
        (of.leased, of.released)
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
