//! The engines. Each explores one cell: a scenario, a protocol and a number of callers.

mod cut_off;
mod loom;
mod random;
mod sections;
mod threads;

use crate::catalogue::{Engine, Invariant, Protocol, Scenario, Witness, shown};
use crate::history::History;
use crate::verdict::Verdict;
use ::sections::Estimate;
pub use cut_off::{Build, CutOff};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
pub use xfetch_on_sections::{Example, Refined, Seen, refinement_took};

/// One thing to explore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The scenario.
    pub scenario: Scenario,
    /// The protocol.
    pub protocol: Protocol,
    /// The number of callers.
    pub callers: usize,
    /// The engine that chooses the interleavings.
    pub engine: Engine,
}

/// The limits of an exploration.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// The most executions; for `threads`, rounds.
    pub executions: u64,
    /// The longest time.
    pub time: Duration,
    /// The most preemptions of an execution (`loom`, `sections`). `None`: no bound.
    pub preemptions: Option<usize>,
    /// Of executions that differ in which of several callers of one role does what, `sections` explores one.
    pub symmetry: bool,
    /// The seed of random choices.
    pub seed: u64,
    /// OS threads of a search by `sections`. The other engines use one.
    pub workers: usize,
    /// The search stops at the first execution that violates this invariant. `loom` and `threads` do
    /// not stop.
    pub until: Option<Invariant>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            executions: 1_000_000,
            time: Duration::from_secs(60),
            preemptions: None,
            symmetry: false,
            seed: 1,
            workers: 1,
            until: None,
        }
    }
}

/// How much of a cell was explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coverage {
    /// Every interleaving that the engine can distinguish.
    Complete,
    /// The same, but for which of several callers of one role does what.
    CompleteBySymmetry,
    /// Every interleaving with at most this many preemptions.
    Preemptions(usize),
    /// As many random interleavings as the budget has.
    Sampled,
    /// A part: the budget ended before the search.
    Incomplete,
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete => f.pad("complete"),
            Self::CompleteBySymmetry => f.pad("complete up to symmetry"),
            Self::Preemptions(bound) => f.pad(&format!("preemptions <= {bound}")),
            Self::Sampled => f.pad("sampled"),
            Self::Incomplete => f.pad("incomplete"),
        }
    }
}

/// The conclusion on a cell. `Holds` is for complete searches only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Conclusion {
    /// All executions ran, and none violates an invariant.
    Holds,
    /// A part of the executions ran, and none of them violates an invariant.
    Bounded,
    /// An execution violates an invariant.
    Broken,
    /// The budget ended before the search, and no violation was seen.
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
    /// The budget.
    pub budget: Budget,
    /// The outcomes, and how often each was reached.
    pub outcomes: BTreeMap<Verdict, u64>,
    /// A schedule for each outcome. The schedules of `loom` and `threads` are not data.
    pub examples: BTreeMap<Verdict, Example>,
    /// Executions that ended and count.
    pub executions: u64,
    /// The witnesses that were reached.
    pub reached: BTreeSet<Witness>,
    /// Executions of `sections` that repeat others and do not count.
    pub redundant: u64,
    /// A hash over every event of every execution, in order. Equal executions have equal hashes. Only
    /// `random`, `pct` and `urw` have it.
    pub fingerprint: u64,
    /// How much was explored.
    pub coverage: Coverage,
    /// The explored share of a search by `sections` that was cut off: 0 to 1. An estimate; see
    /// `docs/RESUME.md`.
    pub explored: Option<f64>,
    /// What holding the executions against the transition table has shown (the shipped protocol, up to five callers, or with symmetry;
    /// not `loom`, not `threads`).
    pub refined: Refined,
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
            explored: None,
            refined: Refined::default(),
        }
    }

    fn merge(&mut self, seen: Seen) {
        self.reached.extend(seen.reached);
        self.refined.merge(seen.refined);
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

    /// The average number of computes of an execution, if there is one.
    pub fn mean(&self) -> Option<f64> {
        let of = |(verdict, count): (&Verdict, &u64)| f64::from(verdict.computes) * *count as f64;
        let all = self.outcomes.iter().map(of).sum::<f64>();
        (self.executions > 0).then(|| all / self.executions as f64)
    }

    /// The witnesses of the scenario that this cell has not reached. Only for protocols that keep every
    /// invariant, with two callers or more.
    pub fn not_reached(&self) -> Vec<Witness> {
        if !self.cell.protocol.keeps_all() || self.cell.callers < 2 {
            return Vec::new();
        }
        let witnesses = self.cell.scenario.witnesses().iter();
        witnesses.filter(|witness| !self.reached.contains(witness)).copied().collect()
    }

    /// The missing witnesses of a search that was meant to be complete. If there are any, the search is
    /// vacuous.
    pub fn vacuous_for(&self) -> Vec<Witness> {
        match self.coverage {
            Coverage::Complete | Coverage::CompleteBySymmetry | Coverage::Preemptions(_) => {
                self.not_reached()
            }
            Coverage::Sampled | Coverage::Incomplete => Vec::new(),
        }
    }

    /// The conclusion on the cell.
    pub fn conclusion(&self) -> Conclusion {
        if self.violated().next().is_some() || self.refined.mismatch.is_some() {
            return Conclusion::Broken;
        }
        match self.coverage {
            Coverage::Complete | Coverage::CompleteBySymmetry => Conclusion::Holds,
            Coverage::Preemptions(_) | Coverage::Sampled => Conclusion::Bounded,
            Coverage::Incomplete => Conclusion::Incomplete,
        }
    }

    /// The outcomes that violate an invariant, the worst first.
    pub fn violated(&self) -> impl Iterator<Item = (&Verdict, &u64)> {
        self.outcomes.iter().rev().filter(|(verdict, _)| !verdict.violated.is_empty())
    }

    /// The invariants that the protocol is written to violate in this scenario, and that no execution violated.
    pub fn kept(&self) -> Vec<Invariant> {
        let Cell { scenario, protocol, .. } = self.cell;
        let own = protocol.breaks().iter().filter(|(of, _)| *of == scenario);
        own.map(|(_, invariant)| *invariant).filter(|it| !self.violates(*it)).collect()
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

/// Why the result of an exploration is not valid.
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

/// A counter of executions that a progress bar reads.
pub type Progress<'a> = Option<&'a Arc<AtomicU64>>;

/// Explores a cell.
///
/// # Errors
///
/// [`Refused`] if the engine does not take that many callers, if the budget allows no execution, if an
/// environment variable would replace the seed, or if the result is not valid.
pub fn explore(cell: Cell, budget: &Budget, progress: Progress) -> Result<Exploration, Refused> {
    resume(cell, budget, None, progress, None).map(|(exploration, _)| exploration)
}

/// As [`explore`], and goes on with a search that was cut off, if there is one. Its exploration is that of both. With
/// it comes the search that is left, if this one was cut off too. Only `sections` can go on, and only it says by
/// `estimate` how far it is.
///
/// # Errors
///
/// As [`explore`]. [`Refused`] if the search that was cut off is of another cell, or of another bound.
pub fn resume(
    cell: Cell,
    budget: &Budget,
    from: Option<CutOff>,
    progress: Progress,
    estimate: Option<&Arc<Estimate>>,
) -> Result<(Exploration, Option<CutOff>), Refused> {
    refuse_callers(cell)?;
    if budget.executions == 0 {
        return Err(Refused("budget 0: a search needs at least 1 execution".into()));
    }
    if matches!(cell.engine, Engine::Random | Engine::Pct | Engine::Urw) {
        refuse_another_seed(budget.seed)?;
    }
    let bounds = matches!(cell.engine, Engine::Sections | Engine::Loom);
    if let Some(bound) = budget.preemptions.filter(|_| !bounds) {
        return Err(Refused(format!(
            "preemptions {bound}: {} has no such bound; only sections and loom do",
            cell.engine
        )));
    }
    if budget.symmetry && cell.engine != Engine::Sections {
        return Err(Refused(format!(
            "symmetry: {} has no such option; only sections does",
            cell.engine
        )));
    }
    if let Some(bound) = budget.preemptions.filter(|_| budget.symmetry) {
        return Err(Refused(format!(
            "symmetry with preemptions {bound}: symmetry needs a search without a bound"
        )));
    }
    if let Some(from) = &from {
        from.refuse_another(cell, budget).map_err(Refused)?;
    }
    let fault = |fault: Fault| Refused(format!("{} on {}: {fault}", cell.scenario, cell.protocol));
    let exploration = match cell.engine {
        Engine::Sections => {
            let (exploration, rest) =
                sections::explore(cell, budget, from, progress, estimate).map_err(fault)?;
            let rest = rest.map(|rest| CutOff::new(&exploration, rest));
            return Ok((exploration, rest));
        }
        Engine::Random | Engine::Pct | Engine::Urw => {
            random::explore(cell, budget, progress).map_err(fault)?
        }
        Engine::Loom => loom::explore(cell, budget, progress),
        Engine::Threads => threads::explore(cell, budget, progress),
    };
    Ok((exploration, None))
}

/// Refuses more or fewer callers than the engine takes.
///
/// # Errors
///
/// [`Refused`] names the limits.
pub fn refuse_callers(cell: Cell) -> Result<(), Refused> {
    let Cell { scenario, protocol, callers, engine } = cell;
    let (fewest, most, why) = engine.callers();
    let (most, why) = match loom::most_callers(scenario, protocol) {
        (of_loom, why) if engine == Engine::Loom && of_loom < most => (of_loom, why),
        _ => (most, why.to_owned()),
    };
    if (fewest..=most).contains(&callers) {
        return Ok(());
    }
    Err(Refused(format!("callers {callers}: {engine} takes {fewest} to {most} ({why})")))
}

/// Shuttle prefers this variable to the seed that it is given. Then the printed seed would not be the
/// one that was used.
fn refuse_another_seed(seed: u64) -> Result<(), Refused> {
    match std::env::var_os("SHUTTLE_RANDOM_SEED") {
        None => Ok(()),
        Some(other) => Err(Refused(format!(
            "SHUTTLE_RANDOM_SEED={} would replace the seed {seed}: unset the variable and use --seed",
            shown(&other.display().to_string())
        ))),
    }
}
