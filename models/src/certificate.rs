//! The detection certificate: how soon each engine sees each broken twin, and how sure that is.

use crate::catalogue::{Engine, Invariant, Protocol, Scenario};
use crate::checkers::is_checked_on_threads;
use crate::engine::{Budget, Cell, Conclusion, Coverage, Exploration, Refused, explore};
use statrs::distribution::{Beta, ContinuousCDF};
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;
use xfetch_simulate::chooser::Chooser;
use xfetch_simulate::plan::{Plan, Wishes};
use xfetch_simulate::workload::Traffic;
use xfetch_simulate::world::{self, Watch};

/// Callers of the exhaustive engines, in this order. A search stops at the first count that shows the
/// violation.
const FEW: [usize; 2] = [2, 3];
/// Callers of the engines that sample.
pub const CALLERS: usize = 20;
/// Executions of one sample.
pub const EXECUTIONS: u64 = 200;
/// The confidence of a bound.
pub const CONFIDENCE: f64 = 0.95;

/// Rounds of real threads for each question.
pub const ROUNDS: u64 = 50;

/// Simulated services of each question: the seeds from 1 on.
pub const DAYS: u64 = 200;
/// Requests of a simulated service.
pub const REQUESTS: u64 = 2_000;

/// The engines of a certificate, in the order of its columns. Real threads have a table of their own.
/// Nothing is compared with that table, because its content differs from run to run.
pub const ENGINES: [Engine; 5] =
    [Engine::Sections, Engine::Loom, Engine::Random, Engine::Pct, Engine::Urw];

/// A question of the certificate: does an engine see that this protocol violates this invariant in this
/// scenario?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// A twin, or the shipped protocol.
    pub protocol: Protocol,
    /// The scenario that is explored.
    pub scenario: Scenario,
    /// The invariant that the twin is written to violate; `None` for a protocol that keeps all.
    pub invariant: Option<Invariant>,
}

impl Question {
    /// Every twin in each scenario that it is written for. A protocol that keeps every invariant is
    /// asked about in `field`.
    pub fn all() -> Vec<Self> {
        let of = |protocol: Protocol| -> Vec<Self> {
            let broken = protocol.breaks().iter().map(move |(scenario, invariant)| Self {
                protocol,
                scenario: *scenario,
                invariant: Some(*invariant),
            });
            let kept = Self { protocol, scenario: Scenario::Field, invariant: None };
            if protocol.keeps_all() { vec![kept] } else { broken.collect() }
        };
        Protocol::ALL.iter().copied().flat_map(of).collect()
    }

    /// loom panics on a deadlock. If a destructor takes a lock then, that is a second panic.
    fn deadlocks(self) -> bool {
        let ends = [Invariant::NoDeadlock, Invariant::NoWaiterLeftBehind];
        self.invariant.is_some_and(|invariant| ends.contains(&invariant))
    }

    /// loom has five threads, which leaves room for one worker. A lease that is released before its
    /// refresh begins harms only a second worker.
    fn takes_two_workers(self) -> bool {
        self.protocol == Protocol::ReleaseOnQueue
    }

    fn cell(self, engine: Engine, callers: usize) -> Cell {
        Cell { scenario: self.scenario, protocol: self.protocol, callers, engine }
    }
}

/// What an engine sees of a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Detection {
    /// The engine sees the violation. The median counts the executions until it is seen. A search that
    /// misses it counts as longer than any other.
    Broken {
        /// `None` if at least half of the searches miss it.
        median: Option<u64>,
        /// Searches that miss it.
        missed: u64,
        /// All searches.
        of: u64,
    },
    /// The engine sees the violation. Its whole search has this many executions.
    Within(u64),
    /// A simulated service with this seed violates the invariant, and none with a lower one does.
    Simulated(u64),
    /// Every interleaving keeps the invariant.
    Holds,
    /// The executions that ran keep the invariant. The text says how many they are.
    Bounded(String),
    /// Rounds of real threads in which it was violated.
    Seen {
        /// Rounds with a violation.
        rounds: u64,
        /// All rounds.
        of: u64,
    },
    /// Other invariants are violated, and this one is not.
    Instead(Vec<Invariant>),
    /// The engine cannot see the violation, for this reason.
    Blind(&'static str),
}

impl Detection {
    /// Whether the engine sees the violation.
    pub fn is_broken(&self) -> bool {
        match self {
            Self::Broken { .. } | Self::Within(_) | Self::Simulated(_) => true,
            Self::Seen { rounds, .. } => *rounds > 0,
            Self::Holds | Self::Bounded(_) | Self::Instead(_) | Self::Blind(_) => false,
        }
    }

    /// The one-sided upper bound on the chance that one search misses the violation (Clopper and
    /// Pearson 1934).
    pub fn most_likely_missed(missed: u64, of: u64) -> f64 {
        if missed >= of {
            return 1.0;
        }
        let beta = Beta::new(missed as f64 + 1.0, (of - missed) as f64);
        beta.map_or(1.0, |beta| beta.inverse_cdf(CONFIDENCE))
    }
}

impl fmt::Display for Detection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Within(all) => write!(f, "broken: within {all}"),
            Self::Simulated(seed) => write!(f, "broken: seed {seed}"),
            Self::Broken { median: Some(at), of: 1, .. } => write!(f, "broken: execution {at}"),
            Self::Broken { median, missed, of } => {
                let median = median.map_or_else(|| "none".into(), |median| median.to_string());
                let bound = 100.0 * Self::most_likely_missed(*missed, *of);
                write!(f, "broken: median {median}, missed <= {bound:.1} %")
            }
            Self::Seen { rounds: 0, of } => write!(f, "not seen in {of} rounds"),
            Self::Seen { rounds, of } => write!(f, "seen in {rounds} of {of} rounds"),
            Self::Holds => f.write_str("holds"),
            Self::Bounded(bound) => write!(f, "bounded: {bound}"),
            Self::Instead(others) => {
                let others: Vec<_> = others.iter().map(|invariant| invariant.slug()).collect();
                write!(f, "instead: {}", others.join(", "))
            }
            Self::Blind(why) => write!(f, "blind: {why}"),
        }
    }
}

/// Asks an engine a question. The engines that sample use `seeds` seeds.
///
/// # Errors
///
/// As [`explore`]. An error too if a budget runs out, because a certificate has no incomplete cell.
pub fn ask(question: Question, engine: Engine, seeds: u64) -> Result<Detection, Refused> {
    match engine {
        // The shipped protocol is explored with more callers by the main command.
        Engine::Sections if question.invariant.is_some() => exhaustive(question, engine, &FEW),
        Engine::Sections => exhaustive(question, engine, &FEW[..1]),
        Engine::Loom if !question.scenario.on_loom() => Ok(Detection::Blind("its waits never end")),
        Engine::Loom if question.deadlocks() => {
            Ok(Detection::Blind("a deadlock may abort the process"))
        }
        Engine::Loom if question.takes_two_workers() => Ok(Detection::Blind("it has one worker")),
        Engine::Loom => exhaustive(question, engine, &FEW[..1]),
        Engine::Threads => real_threads(question),
        _ => sampled(question, engine, seeds),
    }
}

/// Asks simulated services: the scenario is theirs, the invariant that of the question. A run goes on after another
/// violation.
pub fn simulated(question: Question) -> Result<Detection, Refused> {
    for seed in 1..=DAYS {
        let wishes = Wishes { protocol: question.protocol, ..Wishes::fleet(seed, REQUESTS) };
        let plan = Plan::new(&wishes);
        let watch = Watch { goes_on: true, ..Watch::default() };
        let chooser = Chooser::seeded(&plan, 0, false);
        let (run, _) = world::run(&plan, Traffic::new(&plan), chooser, watch);
        let violations = run.judge.violations();
        match question.invariant {
            Some(invariant) if violations.contains_key(&invariant) => {
                return Ok(Detection::Simulated(seed));
            }
            None if !violations.is_empty() => {
                let (protocol, all) = (question.protocol, violations.keys());
                let all: Vec<_> = all.map(|invariant| invariant.slug()).collect();
                let what = format!("seed {seed}: {protocol} violates {}", all.join(", "));
                return Err(Refused(what));
            }
            _ => {}
        }
    }
    Ok(Detection::Bounded(format!("{DAYS} seeds")))
}

fn exhaustive(question: Question, engine: Engine, callers: &[usize]) -> Result<Detection, Refused> {
    let mut last = Detection::Blind("not asked");
    for callers in callers.iter().copied() {
        let of_loom = match question.protocol {
            // The default configuration has a pool, so it needs the bound of the scenarios with a pool.
            Protocol::DefaultConfig => Some(2),
            _ => question.scenario.loom_preemptions(),
        };
        let preemptions = of_loom.filter(|_| engine == Engine::Loom);
        let budget = Budget {
            executions: 10_000_000,
            time: Duration::from_secs(600),
            preemptions,
            until: question.invariant,
            ..Budget::default()
        };
        let exploration = explore(question.cell(engine, callers), &budget, None)?;
        last = complete(question, &exploration)?;
        if last.is_broken() {
            return Ok(last);
        }
    }
    Ok(last)
}

/// What a finished search says.
fn complete(question: Question, exploration: &Exploration) -> Result<Detection, Refused> {
    if question.invariant.is_some_and(|invariant| exploration.violates(invariant)) {
        if exploration.cell.engine == Engine::Loom {
            return Ok(Detection::Within(exploration.executions));
        }
        let median = Some(exploration.executions);
        return Ok(Detection::Broken { median, missed: 0, of: 1 });
    }
    match (exploration.conclusion(), exploration.coverage) {
        (Conclusion::Broken, _) if question.invariant.is_some() => {
            let all = exploration.violated().flat_map(|(verdict, _)| &verdict.violated);
            let others: BTreeSet<Invariant> = all.copied().collect();
            Ok(Detection::Instead(others.into_iter().collect()))
        }
        (Conclusion::Holds, _) => Ok(Detection::Holds),
        (Conclusion::Bounded, Coverage::Preemptions(bound)) => {
            Ok(Detection::Bounded(format!("preemptions <= {bound}")))
        }
        (conclusion, _) => {
            let Cell { scenario, protocol, callers, engine } = exploration.cell;
            Err(Refused(format!(
                "{scenario} on {protocol}, {callers} callers, {engine}: {conclusion}"
            )))
        }
    }
}

/// The number of rounds of real threads with a violation.
fn real_threads(question: Question) -> Result<Detection, Refused> {
    if question.deadlocks() {
        return Ok(Detection::Blind("it would wait for ever"));
    }
    if question
        .invariant
        .is_some_and(|invariant| !is_checked_on_threads(invariant, question.scenario))
    {
        return Ok(Detection::Blind("it depends on the order of two threads' events"));
    }
    let budget = Budget { executions: ROUNDS, ..Budget::default() };
    let exploration = explore(question.cell(Engine::Threads, CALLERS), &budget, None)?;
    let violates = |violated: &BTreeSet<Invariant>| match question.invariant {
        Some(invariant) => violated.contains(&invariant),
        None => !violated.is_empty(),
    };
    let seen = exploration.outcomes.iter().filter(|(verdict, _)| violates(&verdict.violated));
    Ok(Detection::Seen { rounds: seen.map(|(_, count)| count).sum(), of: exploration.executions })
}

fn sampled(question: Question, engine: Engine, seeds: u64) -> Result<Detection, Refused> {
    let mut found = Vec::new();
    for seed in 1..=seeds {
        let until = question.invariant;
        let budget = Budget { executions: EXECUTIONS, seed, until, ..Budget::default() };
        let exploration = explore(question.cell(engine, CALLERS), &budget, None)?;
        match question.invariant {
            Some(invariant) if exploration.violates(invariant) => {
                found.push(exploration.executions)
            }
            None if exploration.violated().next().is_some() => {
                return Err(Refused(format!("{} violates an invariant", question.protocol)));
            }
            _ => {}
        }
    }
    found.sort_unstable();
    let missed = seeds - found.len() as u64;
    Ok(match found.get(seeds as usize / 2) {
        None if found.is_empty() => {
            Detection::Bounded(format!("{} executions", seeds * EXECUTIONS))
        }
        median => Detection::Broken { median: median.copied(), missed, of: seeds },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With none missed of n the bound is 1 - 0.05^(1/n). With all missed it is 1. In between it is the
    /// chance at which so few misses have a probability of 5 %. For 1 of 2 that is p with (1-p)^2 +
    /// 2p(1-p) = 0.05.
    #[test]
    fn the_bound_is_that_of_clopper_and_pearson() {
        let near = |bound: f64, expected: f64| assert!((bound - expected).abs() < 1e-6, "{bound}");
        near(Detection::most_likely_missed(0, 100), 1.0 - 0.05_f64.powf(0.01));
        near(Detection::most_likely_missed(1, 2), 0.95_f64.sqrt());
        near(Detection::most_likely_missed(7, 7), 1.0);
    }
}
