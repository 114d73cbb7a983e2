//! Engines: each runs one cell (a scenario, a protocol, a number of callers) many times.

mod loom;
mod random;
mod sections;
mod threads;

use crate::catalogue::{Engine, Invariant, Protocol, Scenario, Witness};
use crate::history::History;
use crate::verdict::Verdict;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
pub use xfetch_on_sections::{Example, Seen};

/// What is explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// What happens.
    pub scenario: Scenario,
    /// To which protocol.
    pub protocol: Protocol,
    /// With how many callers.
    pub callers: usize,
    /// Who chooses the interleavings.
    pub engine: Engine,
}

/// How far it is explored.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Executions, at most. For `threads` rounds.
    pub executions: u64,
    /// Time, at most.
    pub time: Duration,
    /// Preemptions of an execution, at most; `None` for all. For `loom` and `sections`.
    pub preemptions: Option<usize>,
    /// Where random choices start.
    pub seed: u64,
    /// OS threads that search, for `sections`; the others use one.
    pub workers: usize,
    /// Where a search may stop: at the first execution that violates this. `loom` and `threads` go on.
    pub until: Option<Invariant>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            executions: 1_000_000,
            time: Duration::from_secs(60),
            preemptions: None,
            seed: 1,
            workers: 1,
            until: None,
        }
    }
}

/// How much of a cell was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coverage {
    /// Every interleaving that the engine can tell apart.
    Complete,
    /// Every one with at most this many preemptions.
    Preemptions(usize),
    /// As many as were asked for, chosen by chance.
    Sampled,
    /// The search was cut off.
    Incomplete,
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete => f.pad("complete"),
            Self::Preemptions(bound) => f.pad(&format!("preemptions <= {bound}")),
            Self::Sampled => f.pad("sampled"),
            Self::Incomplete => f.pad("incomplete"),
        }
    }
}

/// The conclusion on a cell. `Holds` is for complete searches only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Conclusion {
    /// No execution violates anything, and all were seen.
    Holds,
    /// None of those that were seen violates anything.
    Bounded,
    /// An execution violates something.
    Broken,
    /// The budget ran out before the search was over, and nothing was violated until then.
    Incomplete,
}

impl fmt::Display for Conclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Holds => "holds",
            Self::Bounded => "bounded",
            Self::Broken => "broken",
            Self::Incomplete => "incomplete",
        })
    }
}

/// What an engine found out about a cell.
#[derive(Clone, Debug)]
pub struct Exploration {
    /// What was explored.
    pub cell: Cell,
    /// How far.
    pub budget: Budget,
    /// The outcomes, and how often each was reached.
    pub outcomes: BTreeMap<Verdict, u64>,
    /// How some of them come back: of `sections`, `random` and `pct`, whose schedules are data.
    pub examples: BTreeMap<Verdict, Example>,
    /// Executions that came to their end and count.
    pub executions: u64,
    /// What was reached, of what a model has to reach.
    pub reached: BTreeSet<Witness>,
    /// Executions of `sections` that only repeated others, and do not count.
    pub redundant: u64,
    /// A hash over every event of every execution, in order: equal for equal executions. Of
    /// `random` and `pct` only.
    pub fingerprint: u64,
    /// How much was seen.
    pub coverage: Coverage,
}

impl Exploration {
    pub(crate) fn new(cell: Cell, budget: &Budget) -> Self {
        Self {
            cell,
            budget: *budget,
            outcomes: BTreeMap::new(),
            examples: BTreeMap::new(),
            executions: 0,
            reached: BTreeSet::new(),
            redundant: 0,
            fingerprint: 0,
            coverage: Coverage::Incomplete,
        }
    }

    fn merge(&mut self, seen: Seen) {
        self.reached.extend(seen.reached);
        for (verdict, (count, example)) in seen.outcomes {
            let smallest = self.examples.entry(verdict.clone()).or_insert_with(|| example.clone());
            if example < *smallest {
                *smallest = example;
            }
            self.add(verdict, count);
        }
    }

    fn add(&mut self, verdict: Verdict, count: u64) {
        self.executions += count;
        *self.outcomes.entry(verdict).or_default() += count;
    }

    /// The most computes of one execution.
    pub fn worst(&self) -> u32 {
        self.outcomes.keys().map(|verdict| verdict.computes).max().unwrap_or(0)
    }

    /// Computes of an execution, in the mean.
    pub fn mean(&self) -> f64 {
        let of = |(verdict, count): (&Verdict, &u64)| f64::from(verdict.computes) * *count as f64;
        self.outcomes.iter().map(of).sum::<f64>() / self.executions as f64
    }

    /// What the scenario has to reach and this cell has not. Of what keeps everything, with two callers or more.
    pub fn not_reached(&self) -> Vec<Witness> {
        if !self.cell.protocol.keeps_all() || self.cell.callers < 2 {
            return Vec::new();
        }
        let witnesses = self.cell.scenario.witnesses().iter();
        witnesses.filter(|witness| !self.reached.contains(witness)).copied().collect()
    }

    /// What a search says nothing about that was to see everything: it has looked, and not met what the
    /// scenario is about.
    pub fn vacuous_for(&self) -> Vec<Witness> {
        match self.coverage {
            Coverage::Complete | Coverage::Preemptions(_) => self.not_reached(),
            Coverage::Sampled | Coverage::Incomplete => Vec::new(),
        }
    }

    /// The conclusion on the cell.
    pub fn conclusion(&self) -> Conclusion {
        if self.violated().next().is_some() {
            return Conclusion::Broken;
        }
        match self.coverage {
            Coverage::Complete => Conclusion::Holds,
            Coverage::Preemptions(_) | Coverage::Sampled => Conclusion::Bounded,
            Coverage::Incomplete => Conclusion::Incomplete,
        }
    }

    /// The outcomes that violate something, the worst first.
    pub fn violated(&self) -> impl Iterator<Item = (&Verdict, &u64)> {
        self.outcomes.iter().rev().filter(|(verdict, _)| !verdict.violated.is_empty())
    }

    /// Whether some execution violates this invariant.
    pub fn violates(&self, invariant: Invariant) -> bool {
        self.violated().any(|(verdict, _)| verdict.violated.contains(&invariant))
    }
}

/// The verdict on an execution of `sections`, however it ended. It is to be asked on the OS thread on which it ran.
pub fn verdict_of(outcome: &::sections::Outcome<History>) -> Verdict {
    xfetch_on_sections::check(outcome)
}

/// Why an exploration means nothing.
type Fault = ::sections::Error;

/// Why a cell cannot be explored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// Counts executions while they are run, for people who wait.
pub type Progress<'a> = Option<&'a Arc<AtomicU64>>;

/// Explores a cell.
///
/// # Errors
///
/// [`Refused`] if the engine cannot take that many callers, the budget allows nothing, the
/// environment would replace the seed, or the exploration turned out to mean nothing.
pub fn explore(cell: Cell, budget: &Budget, progress: Progress) -> Result<Exploration, Refused> {
    let (fewest, most, why) = cell.engine.callers();
    if cell.callers < fewest || cell.callers > most {
        let Cell { callers, engine, .. } = cell;
        return Err(Refused(format!(
            "{callers} callers: {engine} takes {fewest} to {most} ({why})"
        )));
    }
    if budget.executions == 0 {
        return Err(Refused("0 executions: a search has at least 1".into()));
    }
    if matches!(cell.engine, Engine::Random | Engine::Pct | Engine::Urw) {
        refuse_another_seed(budget.seed)?;
    }
    let bounds = matches!(cell.engine, Engine::Sections | Engine::Loom);
    if let Some(bound) = budget.preemptions.filter(|_| !bounds) {
        return Err(Refused(format!(
            "at most {bound} preemptions: {} counts none, sections and loom do",
            cell.engine
        )));
    }
    let fault = |fault: Fault| Refused(format!("{} on {}: {fault}", cell.scenario, cell.protocol));
    match cell.engine {
        Engine::Sections => sections::explore(cell, budget, progress).map_err(fault),
        Engine::Random | Engine::Pct | Engine::Urw => {
            random::explore(cell, budget, progress).map_err(fault)
        }
        Engine::Loom => Ok(loom::explore(cell, budget, progress)),
        Engine::Threads => Ok(threads::explore(cell, budget, progress)),
    }
}

/// Shuttle takes this variable before any seed that it is given: the seed that we print would not
/// be the one that was used.
fn refuse_another_seed(seed: u64) -> Result<(), Refused> {
    match std::env::var_os("SHUTTLE_RANDOM_SEED") {
        None => Ok(()),
        Some(other) => Err(Refused(format!(
            "SHUTTLE_RANDOM_SEED={} would replace the seed {seed}: unset it and use --seed",
            other.display()
        ))),
    }
}
