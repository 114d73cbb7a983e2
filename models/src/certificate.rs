//! Would this suite notice? For each broken twin and each engine: how soon it is seen, and how sure that is.

use crate::catalogue::{Engine, Invariant, Protocol, Scenario};
use crate::checkers::is_checked_on_threads;
use crate::engine::{Budget, Cell, Conclusion, Coverage, Exploration, Refused, explore};
use statrs::distribution::{Beta, ContinuousCDF};
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

/// Callers of the exhaustive engines: the fewest with which a twin is broken.
const FEW: [usize; 2] = [2, 3];
/// Callers of those that sample.
pub const CALLERS: usize = 20;
/// Executions that a sample has in CI.
pub const EXECUTIONS: u64 = 200;
/// How sure a bound is to hold.
pub const CONFIDENCE: f64 = 0.95;

/// Rounds of real threads.
pub const ROUNDS: u64 = 50;

/// The engines of a certificate, in the order of its columns. Real threads have a table of their own, which
/// nothing is compared with: what they meet differs from run to run.
pub const ENGINES: [Engine; 5] =
    [Engine::Sections, Engine::Loom, Engine::Random, Engine::Pct, Engine::Urw];

/// What is to be noticed: a protocol, where, and what it violates there; nothing for what keeps everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// A twin, or the shipped protocol.
    pub protocol: Protocol,
    /// Where it is looked at.
    pub scenario: Scenario,
    /// What it is to violate.
    pub invariant: Option<Invariant>,
}

impl Question {
    /// Every twin in each scenario that it is written for, and what keeps everything in the field report's.
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

    /// loom panics where nobody can go on; if a destructor takes a lock there, that is a second panic.
    fn deadlocks(self) -> bool {
        let ends = [Invariant::NoDeadlock, Invariant::NoWaiterLeftBehind];
        self.invariant.is_some_and(|invariant| ends.contains(&invariant))
    }

    /// loom's five threads leave room for one worker, and a lease that goes before its refresh has begun is of
    /// use to a second one only.
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
    /// It is violated. The median of the executions that it takes to see that, where those who do not see it
    /// count as more than any other.
    Broken {
        /// Nothing if half of the searches do not see it.
        median: Option<u64>,
        /// Searches that do not see it.
        missed: u64,
        /// Searches.
        of: u64,
    },
    /// It is violated within so many executions, which are all.
    Within(u64),
    /// Every interleaving keeps it.
    Holds,
    /// What was looked at keeps it: how much that is.
    Bounded(String),
    /// Violated in so many rounds of real threads.
    Seen {
        /// These.
        rounds: u64,
        /// All of them.
        of: u64,
    },
    /// Something else is violated, and this is not.
    Instead(Vec<Invariant>),
    /// The engine cannot see it, for this reason.
    Blind(&'static str),
}

impl Detection {
    /// Whether the engine sees it violated.
    pub fn is_broken(&self) -> bool {
        match self {
            Self::Broken { .. } | Self::Within(_) => true,
            Self::Seen { rounds, .. } => *rounds > 0,
            Self::Holds | Self::Bounded(_) | Self::Instead(_) | Self::Blind(_) => false,
        }
    }

    /// The upper bound on the chance that one search does not see it (Clopper and Pearson 1934), one-sided.
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

/// Asks an engine about a question; those that sample from `seeds` many seeds.
///
/// # Errors
///
/// As [`explore`]; and where a budget runs out, since a certificate has no incomplete cell.
pub fn ask(question: Question, engine: Engine, seeds: u64) -> Result<Detection, Refused> {
    match engine {
        // What keeps everything is asked at more callers elsewhere.
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

fn exhaustive(question: Question, engine: Engine, callers: &[usize]) -> Result<Detection, Refused> {
    let mut last = Detection::Blind("nobody asked");
    for callers in callers.iter().copied() {
        let of_loom = match question.protocol {
            // On a pool, as the scenarios that have one.
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

/// What a search says that is over.
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

/// How many rounds of real threads violate it.
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
                return Err(Refused(format!("{} violates something", question.protocol)));
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

    /// With none missed of n the bound is 1 - 0.05^(1/n); with all missed it is 1. In between, the bound is
    /// where so few misses are as unlikely as 5 %: for 1 of 2 that is p with (1-p)^2 + 2p(1-p) = 0.05.
    #[test]
    fn the_bound_is_that_of_clopper_and_pearson() {
        let near = |bound: f64, expected: f64| assert!((bound - expected).abs() < 1e-6, "{bound}");
        near(Detection::most_likely_missed(0, 100), 1.0 - 0.05_f64.powf(0.01));
        near(Detection::most_likely_missed(1, 2), 0.95_f64.sqrt());
        near(Detection::most_likely_missed(7, 7), 1.0);
    }
}
