//! One execution again, by its token, and the smallest token of a violation.

use crate::catalogue::{Invariant, Protocol, Scenario};
use crate::checkers::{self, Violation};
use crate::engine::{Cell, Example, Exploration};
use crate::history::History;
use crate::token::Token;
use crate::verdict::Verdict;
use sections::{Error, Execution, Failing, Outcome, Schedule, Search, shrink};
use std::collections::BTreeMap;
use std::fmt;
use xfetch_on_sections::{check, check_unfinished};

/// An execution that came back.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// Its token.
    pub token: Token,
    /// What happened.
    pub execution: Execution<History>,
    /// What was written down of it, whether or not it came to its end.
    pub history: History,
    /// The verdict.
    pub verdict: Verdict,
    /// Which records of the history violate what.
    pub violations: Vec<Violation>,
}

/// The scenario, or the core under it, is not what it was when the token was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outdated(String);

impl fmt::Display for Outdated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scenario changed since the token was made: {}", self.0)
    }
}

impl std::error::Error for Outdated {}

/// Runs the token's execution again.
///
/// # Errors
///
/// [`Outdated`] if what the callers are about to do at some decision is not what it was.
pub fn replay(token: &Token) -> Result<Replayed, Outdated> {
    let program = Program::of(token);
    let execution = program.replay(&token.schedule).map_err(|error| Outdated(error.to_string()))?;
    let now = program.token(&execution);
    if now.checksum != token.checksum {
        let Token { checksum, .. } = token;
        let message = format!("checksum {checksum:06x} then, {:06x} now", now.checksum);
        return Err(Outdated(message));
    }
    let history = match &execution.outcome {
        Outcome::Returned(history) => history.clone(),
        _ => History { records: xfetch_on_sections::unfinished(), ..History::default() },
    };
    let violations = checkers::violated(&history);
    let verdict = match &execution.outcome {
        Outcome::Returned(history) => Verdict::with(history, &violations),
        unfinished => check_unfinished(unfinished, &history.records),
    };
    Ok(Replayed { token: now, execution, history, verdict, violations })
}

/// What is replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// What happens.
    pub scenario: Scenario,
    /// To which protocol.
    pub protocol: Protocol,
    /// With how many callers.
    pub callers: usize,
}

impl Program {
    fn of(token: &Token) -> Self {
        let Token { scenario, protocol, callers, .. } = *token;
        Self { scenario, protocol, callers }
    }

    fn body(self) -> impl Fn() -> History + Clone + Send + Sync + 'static {
        let Self { scenario, protocol, callers } = self;
        move || xfetch_on_sections::run(scenario, protocol, callers)
    }

    fn replay(self, schedule: &Schedule) -> Result<Execution<History>, Error> {
        sections::replay(schedule, self.body())
    }

    fn token(self, execution: &Execution<History>) -> Token {
        let Self { scenario, protocol, callers } = self;
        let (schedule, checksum) = (execution.schedule.clone(), execution.checksum & 0xff_ffff);
        Token { scenario, protocol, callers, schedule, checksum }
    }

    /// The schedule, if it still violates the invariant.
    fn fails(self, schedule: &Schedule, invariant: Invariant) -> Option<Failing> {
        let execution = self.replay(schedule).ok()?;
        let violates = check(&execution.outcome).violated.contains(&invariant);
        let Execution { schedule, preemptions, .. } = execution;
        violates.then_some(Failing { schedule, preemptions })
    }

    /// Makes an example small by replays alone, with as many callers as it has.
    pub fn shrink(self, example: &Example, invariant: Invariant) -> Shrunk {
        let Example { schedule, preemptions } = example.clone();
        let start = Failing { schedule, preemptions };
        let Failing { schedule, preemptions } =
            shrink(start, |schedule| self.fails(schedule, invariant));
        let execution = self.replay(&schedule);
        let checksum = execution.map_or(0, |execution| execution.checksum & 0xff_ffff);
        let Self { scenario, protocol, callers } = self;
        let token = Token { scenario, protocol, callers, schedule, checksum };
        Shrunk { token, preemptions, searched: Vec::new() }
    }

    /// Looks at every schedule with at most `bound` preemptions; the first that violates.
    fn search(self, bound: u32, invariant: Invariant) -> (Searched, Option<Example>) {
        let search = Search {
            reduce: false,
            preemptions: Some(bound),
            executions: BOUNDED_EXECUTIONS,
            workers: 1,
            ..Search::default()
        };
        let Self { scenario, protocol, callers } = self;
        let found =
            xfetch_on_sections::search(&search, scenario, protocol, callers, Some(invariant));
        let (coverage, seen) = found.unwrap_or_default();
        let outcomes = seen.into_iter().flat_map(|seen| seen.outcomes);
        let violating = outcomes.filter(|(verdict, _)| verdict.violated.contains(&invariant));
        let failing = violating.map(|(_, (_, example))| example).min();
        let executions = coverage.complete;
        (Searched { bound, callers: self.callers, executions, all: coverage.exhausted }, failing)
    }
}

/// The smallest token of each violation whose schedule is data.
pub fn tokens(exploration: &Exploration) -> BTreeMap<Invariant, Shrunk> {
    let Cell { scenario, protocol, callers, .. } = exploration.cell;
    let program = Program { scenario, protocol, callers };
    let mut smallest_examples: BTreeMap<Invariant, &Example> = BTreeMap::new();
    for (verdict, example) in &exploration.examples {
        for invariant in &verdict.violated {
            let smallest = smallest_examples.entry(*invariant).or_insert(example);
            *smallest = example.min(smallest);
        }
    }
    let shrink = |(invariant, example)| (invariant, smallest(program, example, invariant));
    smallest_examples.into_iter().map(shrink).collect()
}

/// A search below this bound looks at no more executions than this.
const BOUNDED_EXECUTIONS: u64 = 20_000;
/// The most callers with which a smaller execution is looked for.
const FEW_CALLERS: usize = 4;

/// A search that found nothing, or what the smallest token was found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Searched {
    /// Preemptions, at most.
    pub bound: u32,
    /// Callers.
    pub callers: usize,
    /// Executions.
    pub executions: u64,
    /// Whether there are no others.
    pub all: bool,
}

/// A violation made small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The token.
    pub token: Token,
    /// Its preemptions.
    pub preemptions: u32,
    /// The searches with fewer preemptions or callers, in which nothing violated the invariant.
    pub searched: Vec<Searched>,
}

impl Shrunk {
    /// Whether every schedule with fewer preemptions was looked at, with as many callers as the
    /// token has.
    pub fn fewest_preemptions(&self) -> bool {
        let callers = self.token.callers;
        (0..self.preemptions).all(|bound| {
            let of = |searched: &&Searched| searched.bound == bound && searched.callers == callers;
            self.searched.iter().find(of).is_some_and(|searched| searched.all)
        })
    }
}

/// Makes a violation small: the fewest preemptions, then the fewest callers, then the choices.
///
/// Schedules with few preemptions are searched through first, at increasing bounds, with few
/// callers; only if that finds nothing is the example itself shrunk, by replays.
pub fn smallest(program: Program, example: &Example, invariant: Invariant) -> Shrunk {
    let mut searched = Vec::new();
    for bound in 0..=example.preemptions.min(2) {
        for callers in 1..=program.callers.min(FEW_CALLERS) {
            let fewer = Program { callers, ..program };
            let (search, found) = fewer.search(bound, invariant);
            if let Some(found) = found {
                return Shrunk { searched, ..fewer.shrink(&found, invariant) };
            }
            searched.push(search);
        }
    }
    Shrunk { searched, ..program.shrink(example, invariant) }
}
