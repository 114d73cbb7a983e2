//! Small services, drawn to bring the shipped code into every state that the transition table can reach.
//!
//! A step of the table reads its caller and the shared state, and nothing else. So the pairs of both are all that a step
//! can depend on. [`xfetch_spec::counters`] says which pairs any number of callers can reach. A case of this module is a
//! run of the shipped code: a few callers, one key and another one that can only evict it, and every fault that the table
//! speaks about. Its events are held against the table, and the pairs from which it took its steps are collected.

use crate::case::{Case, DayToken, PLAIN};
use crate::chooser::{Choice, Chooser, Deviation};
use crate::plan::Fault;
use crate::workload::{Act, Arrival, Ask, Origin, Sent};
use crate::world::{self, Run, Watch};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use sections::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use xfetch_on_sections::Options;
use xfetch_spec::refine::{self, Taken};
use xfetch_spec::table::{Pair, System};
use xfetch_vocabulary::catalogue::Protocol;
use xfetch_vocabulary::history::{Event, History, Record};

const MILLI: u64 = 1_000_000;
/// Every span is a few of these, so that deadlines meet.
const UNIT: u64 = 500 * MILLI;

/// The case of a seed, without its choices.
fn drawn(random: &mut StdRng, seed: u64, protocol: Protocol) -> Case {
    let units = |number: u64| Duration::from_nanos(UNIT * number);
    let mut one = |of: &[u64]| of.choose(random).copied().unwrap_or_default();
    let forever_or = |number: u64| if number == 0 { Duration::MAX } else { units(number) };
    let payload = 2;
    let storage = one(&[2, 3, 6]);
    let back_off = units(one(&[1, 4]));
    let options = Options {
        payload: units(payload),
        storage: units(storage),
        capacity: if one(&[0, 0, 1]) == 1 { 1 } else { usize::MAX },
        idle: units(2),
        wait_timeout: forever_or(one(&[0, 0, 1, 4])),
        compute_timeout: forever_or(one(&[0, 0, 1, 3])),
        beta: one(&[0, 0, 1, 20]) as f64,
        back_off: (back_off, back_off),
        ..PLAIN
    };
    let pool = match one(&[0, 1, 1, 2]) {
        0 => None,
        workers => Some((workers as usize, 2)),
    };
    let callers = one(&[2, 3, 3, 4]) as usize;
    let mut arrivals = Vec::new();
    let mut at = 0;
    for _ in 0..one(&[4, 6, 8, 12]) {
        at += UNIT * one(&[0, 0, 0, 0, 1, 1, 2, 3]);
        let act = match one(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 4, 5]) {
            0 => Act::Ask(Ask {
                key: 0,
                inner: None,
                takes: UNIT * one(&[0, 1, 1, 2, 3, 6]),
                origin: match one(&[0, 0, 0, 0, 1, 1, 2]) {
                    0 => Origin::Returns,
                    1 => Origin::Fails,
                    _ => Origin::Panics,
                },
                executor: match one(&[0, 0, 0, 0, 0, 1, 2]) {
                    0 => Sent::Runs,
                    1 => Sent::Refused,
                    _ => Sent::Dies(UNIT * one(&[0, 1, 3])),
                },
            }),
            1 => Act::Insert(0),
            2 => Act::Invalidate(0),
            3 => Act::Sweep,
            4 => Act::InvalidateAll,
            _ => Act::Insert(1),
        };
        arrivals.push(Arrival { at, act });
    }
    let length = Duration::from_nanos(at + UNIT * 8);
    Case { protocol, options, seed, pool, callers, length, arrivals, deviations: Vec::new() }
}

/// Another case that is like this one. Up to some place it has the same choices.
fn mutated(random: &mut StdRng, of: &Case, seed: u64) -> (Case, u64) {
    let mut case = Case { seed: of.seed, ..of.clone() };
    let other = drawn(random, seed, of.protocol);
    let last = of.deviations.last().map_or(0, |it| it.place);
    let mut keeps = random.random_range(0..=last + 10);
    for _ in 0..random.random_range(0..3) {
        let place = random.random_range(0..case.arrivals.len().max(1));
        let Some(new) = other.arrivals.choose(random).copied() else { continue };
        match random.random_range(0..8) {
            0 => case.arrivals = other.arrivals.clone(),
            1 => case.options = other.options,
            2 => case.pool = other.pool,
            3 => case.callers = random.random_range(2..=4),
            4 if case.arrivals.len() > 1 => drop(case.arrivals.remove(place)),
            5 | 6 => {
                let at = case.arrivals.get(place).map_or(0, |it| it.at);
                case.arrivals.insert(place, Arrival { at, ..new });
            }
            _ => {
                if let Some(it) = case.arrivals.get_mut(place) {
                    it.act = new.act;
                }
            }
        }
        keeps = random.random_range(0..=keeps);
    }
    // A task that stands still for a while, and all else as it was.
    if random.random_bool(0.5) {
        keeps = last + 10;
        for _ in 0..random.random_range(1..=2) {
            let place = random.random_range(0..=last);
            let span = UNIT * random.random_range(1..=6);
            let task = random.random_range(0..3);
            let at = case.deviations.partition_point(|it| it.place < place);
            if case.deviations.get(at).is_some_and(|it| it.place == place) {
                case.deviations.remove(at);
            }
            let choice = Choice::Stall(task, span);
            case.deviations.insert(at, Deviation { place, choice });
        }
    }
    case.arrivals.truncate(24);
    case.length = Duration::from_nanos(case.arrivals.last().map_or(0, |it| it.at) + UNIT * 8);
    (case, keeps)
}

/// Runs a case: with its own choices up to a place, and drawn ones from there.
fn run_from(random: &mut StdRng, mut case: Case, keeps: u64) -> (Case, Run) {
    let mut plan = case.plan();
    plan.seed ^= random.random::<u64>();
    plan.is_steady = false;
    plan.switches = [0.1, 0.4, 0.8].choose(random).copied().unwrap_or_default();
    plan.passes = [0.0, 0.05, 0.2].choose(random).copied().unwrap_or_default();
    if random.random_bool(0.5) {
        plan.faults.insert(Fault::Stragglers, 0.02);
    }
    let chooser = Chooser::seeded(&plan, 0, true).after(&case.deviations, keeps);
    // The draws of the cache are those of the case.
    plan.seed = case.seed;
    let watch = Watch { record: true, ..Watch::default() };
    let (run, chooser) = world::run(&plan, case.arrivals.clone().into_iter(), chooser, watch);
    case.deviations = chooser.noted.unwrap_or_default();
    (case, run)
}

/// The events of a run, for those who judge a whole history.
pub fn history(case: &Case, run: &Run) -> History {
    let nanos = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    let Options { payload, storage, back_off, capacity, compute_timeout, .. } = case.options;
    History {
        records: with_silent_sections(run),
        payload: nanos(payload),
        storage: nanos(storage),
        // A back-off is at least half of what the options say.
        back_off: nanos(back_off.0) / 2,
        capacity,
        says_silent: true,
        asks_again: compute_timeout != Duration::MAX,
        ..History::default()
    }
}

/// The only operations of this file that are not called by another line of the core are those of a sleeper that goes on.
const SLEEPS: &str = "src/sync/sections.rs";
/// Whoever shares a lock in this file reads the map.
const READS: &str = "src/tables/store.rs";
/// Whoever loads an atomic in this file reads the clock.
const CLOCK: &str = "src/day_clock.rs";

/// The events, and the sections that have none: in which a request begins to wait, goes on, reads the map,
/// or reads the clock. It begins to wait in the section in which it found the lease taken, which is the last one before it goes on.
fn with_silent_sections(run: &Run) -> Vec<Record> {
    let mut silent: Vec<(usize, usize, u64, Event)> = Vec::new();
    let mut before: BTreeMap<usize, (usize, u64)> = BTreeMap::new();
    for (index, (now, step)) in run.steps.iter().enumerate() {
        let (kind, now) = (step.operation.kind, now.as_nanos() as u64);
        let is_in = |file: &str| step.place.is_some_and(|it| it.file().ends_with(file));
        let wakes = matches!(kind, Kind::Lock | Kind::Woken | Kind::WokenOrTimeout);
        let sleeps = wakes && is_in(SLEEPS);
        if let (true, Some((section, now))) = (sleeps, before.get(&step.task).copied()) {
            silent.push((section, step.task, now, Event::Waits));
        }
        if sleeps && kind == Kind::Lock {
            silent.push((index + 1, step.task, now, Event::WakesUp));
        }
        if kind == Kind::ReadLock && is_in(READS) {
            silent.push((index + 1, step.task, now, Event::Reads(None)));
        }
        if kind == Kind::Load && is_in(CLOCK) {
            silent.push((index + 1, step.task, now, Event::ReadsTheClock));
        }
        if sleeps && kind != Kind::Lock {
            before.remove(&step.task);
        } else {
            before.insert(step.task, (index + 1, now));
        }
    }
    silent.sort_by_key(|it| it.0);
    merged(run, silent)
}

/// A section reads before its events, and a request begins to wait at the end of one.
fn comes_before((step, .., event): &(usize, usize, u64, Event), record: &Record) -> bool {
    *step < record.step || *step == record.step && *event != Event::Waits
}

/// The silent sections among the events, each with the key that its task is at. A task that has no request refreshes for
/// another one: the next event names its lease.
fn merged(run: &Run, silent: Vec<(usize, usize, u64, Event)>) -> Vec<Record> {
    let log = || run.judge.log.iter().flatten();
    let next_of = |step: usize, task: usize| log().find(|it| it.task == task && it.step >= step);
    let mut silent = silent.into_iter().peekable();
    let mut keys: BTreeMap<usize, u64> = BTreeMap::new();
    let mut records = Vec::new();
    for record in log() {
        while let Some((step, task, now, event)) = silent.next_if(|it| comes_before(it, record)) {
            let lease = next_of(step, task).and_then(|it| match it.event {
                Event::ComputeStarted(lease, _)
                | Event::SkippedInside(lease, _)
                | Event::TakenOver(lease) => Some((it.key, lease)),
                _ => None,
            });
            let key = lease.map(|it| it.0).or_else(|| keys.get(&task).copied());
            let event = match event {
                Event::Reads(_) => Event::Reads(lease.map(|it| it.1)),
                event => event,
            };
            records.extend(key.map(|key| Record { task, step, now, key, event }));
        }
        match record.event {
            Event::Asked => drop(keys.insert(record.task, record.key)),
            Event::Answered(_) | Event::Refused => drop(keys.remove(&record.task)),
            _ => {}
        }
        records.push(*record);
    }
    records
}

/// A run that violates an invariant, or that is none of the table's.
#[derive(Debug)]
pub struct Wrong {
    /// The case as a token.
    pub token: String,
    /// The invariant, or the event that has no step.
    pub what: String,
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, token } = self;
        write!(f, "{}\nits timeline: cargo run --release -- replay {token}", what.trim_end())
    }
}

impl std::error::Error for Wrong {}

/// Holds the run of a case against the table.
///
/// # Errors
///
/// The first violated invariant, or the first event that the table has no step for.
pub fn check(system: &System, case: &Case, run: &Run) -> Result<Taken, Wrong> {
    let violated = run.judge.violations().values().next();
    let what = match violated {
        Some(violation) => format!("{}: {}", violation.invariant, violation.what),
        None => match refine::check(system, &history(case, run)) {
            Ok(taken) => return Ok(taken),
            Err(missing) => missing.to_string(),
        },
    };
    Err(Wrong { token: case.clone().token(run).to_string(), what })
}

/// The runs that are kept with the source, one token a line.
pub const KEPT: &str = include_str!("closure.txt");

/// A collection of runs that together take the steps of the shipped code from as many states as were found.
#[derive(Default)]
pub struct Corpus {
    /// The runs.
    pub cases: Vec<Case>,
    /// From where they take which steps, how often that was seen, and which run was the first.
    pub pairs: BTreeMap<Pair, (u64, usize)>,
}

/// What the code was seen to do, beside what the table can do with any number of callers.
#[derive(Debug)]
pub struct Compared {
    /// The runs.
    pub runs: usize,
    /// For each step its name, from how many states it was seen, and from how many it can be taken.
    pub steps: Vec<(String, usize, usize)>,
    /// From where no run took the step, in words.
    pub missing: Vec<String>,
    /// What was seen, and cannot be. There is none, unless the search by counters is wrong.
    pub outside: Vec<String>,
}

impl Compared {
    /// From how many states some step was seen, and from how many one can be taken.
    pub fn total(&self) -> (usize, usize) {
        let sum = |of: fn(&(String, usize, usize)) -> usize| self.steps.iter().map(of).sum();
        (sum(|it| it.1), sum(|it| it.2))
    }
}

impl Corpus {
    /// Compares what these runs have shown with what is reachable.
    pub fn compared(&self, system: &System, reachable: &BTreeSet<Pair>) -> Compared {
        let seen: BTreeSet<Pair> =
            self.pairs.keys().copied().filter(|it| !system.passes_time(it.step)).collect();
        let mut steps = Vec::new();
        for (index, step) in system.table.steps.iter().enumerate() {
            let of = |all: &BTreeSet<Pair>| all.iter().filter(|it| it.step == index).count();
            let (can, has) = (of(reachable), reachable.intersection(&seen));
            if can > 0 {
                let has = has.filter(|it| it.step == index).count();
                steps.push((step.name.clone(), has, can));
            }
        }
        let show = |one: &BTreeSet<Pair>, other: &BTreeSet<Pair>| {
            one.difference(other).map(|it| system.show_pair(it)).collect()
        };
        let (missing, outside) = (show(reachable, &seen), show(&seen, reachable));
        Compared { runs: self.cases.len(), steps, missing, outside }
    }

    /// Runs the cases of these lines.
    ///
    /// # Errors
    ///
    /// A line that is no token; and as [`check`].
    pub fn of(system: &System, lines: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let mut corpus = Self::default();
        for line in lines.lines().filter(|line| !line.is_empty()) {
            let DayToken { case, .. } = line.parse()?;
            let run = case.run(Watch { record: true, ..Watch::default() });
            corpus.add(check(system, &case, &run)?, case);
        }
        Ok(corpus)
    }

    fn add(&mut self, taken: Taken, case: Case) -> bool {
        let (place, known) = (self.cases.len(), self.pairs.len());
        for pair in taken.pairs {
            self.pairs.entry(pair).or_insert((0, place)).0 += 1;
        }
        let found = self.pairs.len() > known;
        if found {
            self.cases.push(case);
        }
        found
    }

    /// The cases as lines: few of them, which together reach all that was found.
    ///
    /// # Errors
    ///
    /// As [`check`].
    pub fn lines(&self, system: &System) -> Result<String, Wrong> {
        let mut left: BTreeSet<Pair> = self.pairs.keys().copied().collect();
        let mut all = Vec::new();
        for case in &self.cases {
            let run = case.run(Watch { record: true, ..Watch::default() });
            let taken = check(system, case, &run)?;
            all.push((taken.pairs, case.clone().token(&run).to_string()));
        }
        let mut lines = String::new();
        while !left.is_empty() {
            let gain = |it: &&(BTreeSet<Pair>, String)| it.0.intersection(&left).count();
            let Some((pairs, token)) = all.iter().max_by_key(gain).filter(|it| gain(it) > 0) else {
                break;
            };
            lines.push_str(token);
            lines.push('\n');
            left.retain(|pair| !pairs.contains(pair));
        }
        Ok(lines)
    }

    /// A case that another one is made of: the first one that reached a pair which few runs reach.
    fn parent(&self, random: &mut StdRng) -> Option<&Case> {
        if self.pairs.is_empty() || random.random_bool(0.05) {
            return None;
        }
        let draw = |random: &mut StdRng| {
            self.pairs.iter().nth(random.random_range(0..self.pairs.len())).map(|(_, it)| *it)
        };
        let rarest = (0..6).filter_map(|_| draw(random)).min()?;
        self.cases.get(rarest.1)
    }

    /// Runs other cases for so long, each like one of those that have found something, and keeps those that find more.
    /// Returns how many ran.
    ///
    /// # Errors
    ///
    /// As [`check`].
    pub fn grow(&mut self, system: &System, seed: u64, time: Duration) -> Result<u64, Wrong> {
        let mut random = StdRng::seed_from_u64(seed);
        let (began, mut runs) = (Instant::now(), 0);
        while began.elapsed() < time {
            runs += 1;
            let new = random.random();
            let (case, keeps) = match self.parent(&mut random) {
                None => (drawn(&mut random, new, Protocol::DoubleRecheck), 0),
                Some(parent) => mutated(&mut random, parent, new),
            };
            let (case, run) = run_from(&mut random, case, keeps);
            let taken = check(system, &case, &run)?;
            self.add(taken, case);
        }
        Ok(runs)
    }
}
