//! The speed of every engine on the scenario of the field report, with the shipped protocol, on one OS thread.

use crate::catalogue::{Engine, Protocol, Scenario};
use crate::engine::{Budget, Cell, Coverage, Exploration, Refused, explore};
use crate::verdict::Verdict;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Callers of the searches that are to come to their end.
pub const FEW: [usize; 4] = [2, 3, 4, 5];
/// Callers of those whose rate is measured.
pub const MANY: [usize; 4] = [2, 4, 10, 100];
/// For how long a search is repeated that does not take as long.
pub const A_WHILE: Duration = Duration::from_secs(1);
/// For how long a rate is measured.
pub const RATED_FOR: Duration = Duration::from_secs(3);
/// Executions of a sample between two looks at the clock.
const ROUND: u64 = 64;

/// Who executes the scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// One of the suite's engines.
    Of(Engine),
    /// `sections`, every interleaving.
    Unreduced,
    /// Shuttle's own depth-first search on its own primitives.
    Dfs,
}

/// Who can be exhaustive, in the order of the columns. `sections` first: the others are compared with it.
pub const SEARCHES: [Way; 4] =
    [Way::Of(Engine::Sections), Way::Unreduced, Way::Of(Engine::Loom), Way::Dfs];

/// Whose rate is measured, in the order of the rows.
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
    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Of(engine) => engine.slug(),
            Self::Unreduced => "sections, every interleaving",
            Self::Dfs => "Shuttle's DFS",
        }
    }

    /// Why it does not take so many callers, if it does not.
    pub fn refuses(self, callers: usize) -> Option<String> {
        let (_, most, why) = match self {
            Self::Of(engine) => engine.callers(),
            Self::Unreduced => Engine::Sections.callers(),
            Self::Dfs => return None,
        };
        (callers > most).then(|| format!("at most {most} callers: {why}"))
    }

    /// Executes the scenario for so long, or until there is nothing more; a sample only a round.
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
                // A bound is searched without reduction; nothing passes this one.
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

    /// Searches until there is nothing more, at most for so long. A short search is repeated for
    /// [`A_WHILE`], and its time is the mean: the fastest would be less disturbed than a long one can be.
    ///
    /// # Errors
    ///
    /// As [`explore`].
    pub fn search(self, callers: usize, time: Duration) -> Result<Run, Refused> {
        let (began, first) = (Instant::now(), self.run(callers, time, 1)?);
        let mut runs = 1;
        while first.complete && began.elapsed() < A_WHILE {
            self.run(callers, time, 1)?;
            runs += 1;
        }
        Ok(Run { time: began.elapsed() / runs, ..first })
    }

    /// Executions a second, redundant ones included, measured for [`RATED_FOR`]. A search that comes to its end
    /// begins anew.
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

/// What was executed.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Executions that came to their end and count.
    pub executions: u64,
    /// Those of `sections` that only repeated others from some step on.
    pub redundant: u64,
    /// How long it took.
    pub time: Duration,
    /// Whether there are no other executions.
    pub complete: bool,
    /// Every outcome, as the judges see it.
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

    /// Every execution, redundant ones included.
    pub fn all(&self) -> u64 {
        self.executions + self.redundant
    }

    /// The most computes of one execution.
    pub fn worst(&self) -> u32 {
        self.outcomes.iter().map(|verdict| verdict.computes).max().unwrap_or(0)
    }

    /// Whether it has the outcomes of a search that is complete; some of them, if it was cut off.
    pub fn agrees_with(&self, complete: &Self) -> bool {
        self.outcomes.is_subset(&complete.outcomes)
            && (!self.complete || self.outcomes == complete.outcomes)
    }
}
