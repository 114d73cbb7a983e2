//! Why an execution fails: the section at which its violation became certain, and the nearest execution that passes.
//!
//! Before each choice of the failing schedule, all continuations are searched, one of each equivalence class, and those
//! that violate the invariant are counted. The search begins at the last choice, below which there are few, and goes
//! back. The last choice before which some continuation passes made the violation certain.

use crate::catalogue::{Engine, Invariant, Protocol};
use crate::engine::{Budget, Cell, explore};
use crate::history::History;
use crate::matter::{Matters, matters};
use crate::replay::{Program, Replayed, Shrunk, tokens};
use crate::stop;
use sections::{Execution, Outcome, Prefix, Schedule, Search};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};
use xfetch_on_sections::check;

/// The most executions of one search.
const EXECUTIONS: u64 = 4_000;
/// Once it is known what made the violation certain, no search begins after so long.
const TIME: Duration = Duration::from_secs(2);
/// Before that, none begins after so long.
const MOST_TIME: Duration = Duration::from_secs(30);

/// The continuations from one place of the failing schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The section that follows, counted from 1.
    pub section: usize,
    /// How many continuations there are, one of each equivalence class.
    pub all: u64,
    /// How many of them violate the invariant.
    pub violating: u64,
    /// Whether these are all. Otherwise the search was cut off.
    pub complete: bool,
}

impl Share {
    /// Whether every continuation violates it.
    pub fn is_certain(&self) -> bool {
        self.complete && self.violating == self.all
    }
}

/// An execution that violates nothing.
#[derive(Clone, Debug)]
pub struct Passing {
    /// Its schedule.
    pub schedule: Schedule,
    /// Its choices that are not those of the failing one.
    pub different: usize,
}

/// What is known of a failure.
#[derive(Clone, Debug)]
pub struct Explained {
    /// What is violated.
    pub invariant: Invariant,
    /// The share before each choice, from the first one that was searched to the last.
    pub shares: Vec<Share>,
    /// The section after which every continuation violates it; nothing, if that is so from the start, or not known.
    pub certain: Option<usize>,
    /// Every schedule of the scenario with so many callers violates it.
    pub always: bool,
    /// The nearest execution that violates nothing, among those that leave the failing one last.
    pub passing: Option<Passing>,
    /// The sections that matter.
    pub matters: Matters,
}

#[derive(Default)]
struct Below {
    all: u64,
    violating: u64,
    /// The nearest one that passes: its distance, its preemptions, its schedule.
    passing: Option<(usize, u32, Schedule)>,
}

/// In how many places two schedules differ.
fn distance(one: &Schedule, other: &Schedule) -> usize {
    let (one, other) = (one.choices(), other.choices());
    let at = |of: &[u32], place: usize| of.get(place).copied().unwrap_or(0);
    let places = one.len().max(other.len());
    (0..places).filter(|place| at(one, *place) != at(other, *place)).count()
}

/// Searches the continuations from before this choice.
fn below(replayed: &Replayed, invariant: Invariant, choices: usize) -> Option<(Below, bool)> {
    let schedule = replayed.execution.schedule.clone();
    let search = Search {
        below: Some(Prefix { schedule: schedule.clone(), choices }),
        executions: EXECUTIONS,
        workers: 1,
        stop: Some(stop::flag()),
        ..Search::default()
    };
    let visit = move |below: &mut Below, execution: Execution<History>| {
        let verdict = check(&execution.outcome);
        below.all += 1;
        below.violating += u64::from(verdict.violated.contains(&invariant));
        if verdict.violated.is_empty() {
            let other = execution.schedule;
            let found = (distance(&schedule, &other), execution.preemptions, other);
            below.passing = Some(below.passing.take().map_or(found.clone(), |it| it.min(found)));
        }
        ControlFlow::Continue(())
    };
    let (coverage, found) = search.run(Program::of(&replayed.token).body(), visit).ok()?;
    Some((found.into_iter().next()?, coverage.exhausted))
}

/// Explains the first invariant that is violated.
pub fn explain(replayed: &Replayed) -> Option<Explained> {
    let violated: &BTreeSet<Invariant> = &replayed.verdict.violated;
    // Of an execution that did not end, only some checkers are asked.
    let shown = replayed.violations.iter().map(|(invariant, _)| *invariant);
    let first = shown.into_iter().find(|it| violated.contains(it));
    let invariant = first.or_else(|| violated.first().copied())?;
    let began = Instant::now();
    let steps = (1..).zip(&replayed.execution.steps);
    let chosen: Vec<usize> = steps.filter(|(_, it)| it.enabled > 1).map(|(it, _)| it).collect();
    let mut explained = Explained {
        invariant,
        shares: Vec::new(),
        certain: None,
        always: false,
        passing: None,
        matters: Matters::default(),
    };
    let mut is_known = true;
    for (place, section) in chosen.iter().enumerate().rev() {
        let most = if explained.passing.is_some() { TIME } else { MOST_TIME };
        if began.elapsed() > most || stop::is_set() {
            is_known = false;
            break;
        }
        let Some((found, complete)) = below(replayed, invariant, place) else {
            is_known = false;
            break;
        };
        let Below { all, violating, passing } = found;
        let share = Share { section: *section, all, violating, complete };
        explained.shares.push(share);
        is_known &= complete || passing.is_some() || explained.passing.is_some();
        if let (None, Some((different, _, schedule))) = (&explained.passing, passing) {
            explained.certain = is_known.then_some(*section);
            explained.passing = Some(Passing { schedule, different });
        }
    }
    explained.shares.reverse();
    let is_first = explained.shares.first().is_none_or(|it| it.is_certain());
    explained.always = is_known && explained.passing.is_none() && is_first;
    explained.matters = matters(replayed, invariant, explained.certain);
    Some(explained)
}

/// The smallest schedule for what a twin is written to violate first.
pub fn first_failure(protocol: Protocol) -> Option<Shrunk> {
    let (scenario, invariant) = *protocol.breaks().first()?;
    [2, 3].into_iter().find_map(|callers| {
        let cell = Cell { scenario, protocol, callers, engine: Engine::Sections };
        let budget = Budget { executions: 20_000, ..Budget::default() };
        let found = explore(cell, &budget, None).ok()?;
        tokens(&found).remove(&invariant)
    })
}

/// The passing execution, replayed.
pub fn passing(replayed: &Replayed, passing: &Passing) -> Option<Execution<History>> {
    let program = Program::of(&replayed.token);
    let execution = sections::replay(&passing.schedule, program.body()).ok()?;
    matches!(execution.outcome, Outcome::Returned(_)).then_some(execution)
}
