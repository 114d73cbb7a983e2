//! The speed of every engine on the scenario of the field report, with the shipped protocol, on one OS thread.

use crate::catalogue::{Engine, Protocol, Scenario};
use crate::engine::{Budget, Cell, Coverage, Exploration, Refused, explore};
use crate::verdict::Verdict;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Callers of the searches that are run to their end.
pub const FEW: [usize; 4] = [2, 3, 4, 5];
/// Callers of the runs whose rate is measured.
pub const MANY: [usize; 4] = [2, 4, 10, 100];
/// A shorter search is repeated for this long.
pub const REPEATED_FOR: Duration = Duration::from_secs(1);
/// The length of a measurement of a rate.
pub const RATED_FOR: Duration = Duration::from_secs(3);
/// Executions of a sample between two looks at the clock.
const ROUND: u64 = 64;

/// A way to execute the scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// One of the suite's engines.
    Of(Engine),
    /// `sections` without reduction: every interleaving.
    Unreduced,
    /// Shuttle's own depth-first search on its own primitives.
    Dfs,
}

/// The exhaustive ways, in the order of the columns. The others are compared with the first.
pub const SEARCHES: [Way; 4] =
    [Way::Of(Engine::Sections), Way::Unreduced, Way::Of(Engine::Loom), Way::Dfs];

/// The ways whose rate is measured, in the order of the rows.
pub const WAYS: [Way; 7] = [
    Way::Of(Engine::Sections),
    Way::Of(Engine::Loom),
    Way::Of(Engine::Random),
    Way::Of(Engine::Pct),
    Way::Of(Engine::Urw),
    Way::Of(Engine::Threads),
    Way::Dfs,
];

impl Way {
    /// The name in the tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Of(engine) => engine.slug(),
            Self::Unreduced => "sections, every interleaving",
            Self::Dfs => "Shuttle's DFS",
        }
    }

    /// The reason why this number of callers is refused, if it is.
    pub fn refuses(self, callers: usize) -> Option<String> {
        let (_, most, why) = match self {
            Self::Of(engine) => engine.callers(),
            Self::Unreduced => Engine::Sections.callers(),
            Self::Dfs => return None,
        };
        (callers > most).then(|| format!("at most {most} callers: {why}"))
    }

    /// Executes the scenario until the search is complete or the time is over. A sample is one round.
    ///
    /// # Errors
    ///
    /// As [`explore`].
    pub fn run(self, callers: usize, time: Duration, seed: u64) -> Result<Run, Refused> {
        let (scenario, protocol) = (Scenario::Field, Protocol::DoubleRecheck);
        let began = Instant::now();
        let mut run = match self {
            Self::Of(engine) => {
                let exhaustive = matches!(engine, Engine::Sections | Engine::Loom);
                let executions = if exhaustive { u64::MAX } else { ROUND };
                let budget = Budget { executions, time, seed, ..Budget::default() };
                Run::of(&explore(Cell { scenario, protocol, callers, engine }, &budget, None)?)
            }
            Self::Unreduced => {
                // A bound needs a search without reduction. No execution reaches this bound.
                let preemptions = Some(usize::MAX);
                let budget =
                    Budget { executions: u64::MAX, time, preemptions, ..Budget::default() };
                let engine = Engine::Sections;
                Run::of(&explore(Cell { scenario, protocol, callers, engine }, &budget, None)?)
            }
            Self::Dfs => Run::of_dfs(xfetch_on_plain::search(scenario, protocol, callers, time)),
        };
        run.time = began.elapsed();
        Ok(run)
    }

    /// Searches until the search is complete or the time is over. A short search is repeated for
    /// [`REPEATED_FOR`], and its time is the mean of the repetitions.
    ///
    /// # Errors
    ///
    /// As [`explore`].
    pub fn search(self, callers: usize, time: Duration) -> Result<Run, Refused> {
        let (began, first) = (Instant::now(), self.run(callers, time, 1)?);
        let mut runs = 1;
        while first.complete && began.elapsed() < REPEATED_FOR {
            self.run(callers, time, 1)?;
            runs += 1;
        }
        Ok(Run { time: began.elapsed() / runs, ..first })
    }

    /// Executions per second, redundant ones included, measured for [`RATED_FOR`]. A search that ends
    /// begins again.
    ///
    /// # Errors
    ///
    /// As [`explore`].
    pub fn rate(self, callers: usize) -> Result<f64, Refused> {
        let (began, mut executions) = (Instant::now(), 0);
        for seed in 1.. {
            let left = RATED_FOR.saturating_sub(began.elapsed());
            if left.is_zero() {
                break;
            }
            let run = self.run(callers, left, seed)?;
            executions += run.all();
        }
        Ok(executions as f64 / began.elapsed().as_secs_f64())
    }
}

/// The result of one run.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Executions that ended and count.
    pub executions: u64,
    /// Executions of `sections` that repeat others from some section on.
    pub redundant: u64,
    /// The time of the run.
    pub time: Duration,
    /// Whether the search was complete.
    pub complete: bool,
    /// Every outcome, as the checkers see it.
    pub outcomes: BTreeSet<Verdict>,
}

impl Run {
    fn of(exploration: &Exploration) -> Self {
        Self {
            executions: exploration.executions,
            redundant: exploration.redundant,
            complete: matches!(exploration.coverage, Coverage::Complete | Coverage::Preemptions(_)),
            outcomes: exploration.outcomes.keys().cloned().collect(),
            time: Duration::ZERO,
        }
    }

    fn of_dfs(searched: xfetch_on_plain::Searched) -> Self {
        Self {
            executions: searched.outcomes.values().sum(),
            complete: searched.exhausted,
            outcomes: searched.outcomes.into_keys().collect(),
            ..Self::default()
        }
    }

    /// All executions, redundant ones included.
    pub fn all(&self) -> u64 {
        self.executions + self.redundant
    }

    /// The most computes of one execution.
    pub fn worst(&self) -> u32 {
        self.outcomes.iter().map(|verdict| verdict.computes).max().unwrap_or(0)
    }

    /// Whether the outcomes equal those of a complete search. A search that was cut off may have only
    /// some of them.
    pub fn agrees_with(&self, complete: &Self) -> bool {
        self.outcomes.is_subset(&complete.outcomes)
            && (!self.complete || self.outcomes == complete.outcomes)
    }
}
