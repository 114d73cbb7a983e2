//! Replays one execution by its token, and finds the smallest token of a violation.

use crate::catalogue::{Invariant, PAYLOAD, Protocol, Scenario, Setup};
use crate::checkers::{self, Violation};
use crate::engine::{Cell, Example, Exploration};
use crate::history::{Event, History, Record};
use crate::stop;
use crate::token::Token;
use crate::verdict::Verdict;
use sections::{Error, Execution, Failing, Operation, Outcome, Schedule, Search, shrink};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;
use xfetch_on_sections::check_unfinished;

/// The result of a replay.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// Its token.
    pub token: Token,
    /// The execution.
    pub execution: Execution<History>,
    /// What was recorded, whether or not the execution ended.
    pub history: History,
    /// The verdict.
    pub verdict: Verdict,
    /// The records that violate an invariant, and which one.
    pub violations: Vec<Violation>,
    /// The step that the transition table lacks for this execution of the shipped protocol, if it lacks one.
    pub not_in_the_table: Option<String>,
}

/// The scenario, or the core under it, has changed since the token was made.
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
/// [`Outdated`] if at some decision the callers are about to do something else than when the token was
/// made.
pub fn replay(token: &Token) -> Result<Replayed, Outdated> {
    let program = Program::of(token);
    let (execution, records) =
        program.replay(&token.schedule).map_err(|error| Outdated(error.to_string()))?;
    let now = program.token(&execution);
    if now.checksum != token.checksum {
        let Token { checksum, .. } = token;
        let message = format!("checksum {checksum:06x} then, {:06x} now", now.checksum);
        return Err(Outdated(message));
    }
    let history = match &execution.outcome {
        Outcome::Returned(history) => history.clone(),
        Outcome::Deadlock(waiting) => {
            unfinished(token, without_giving_up(&execution, waiting, records))
        }
        Outcome::Panicked(_) => unfinished(token, records),
    };
    let violations = checkers::violated(&history);
    let verdict = match &execution.outcome {
        Outcome::Returned(history) => Verdict::with(history, &violations),
        unfinished => check_unfinished(unfinished, &history.records),
    };
    let is_held = token.protocol.is_shipped() && matches!(execution.outcome, Outcome::Returned(_));
    let not_in_the_table =
        if is_held { xfetch_on_sections::not_in_the_table(&history) } else { None };
    Ok(Replayed { token: now, execution, history, verdict, violations, not_in_the_table })
}

/// The records without those of tasks that were given up: a compute under which a task waits for ever has not ended.
fn without_giving_up(
    execution: &Execution<History>,
    waiting: &[(usize, Operation)],
    mut records: Vec<Record>,
) -> Vec<Record> {
    for (task, _) in waiting {
        let last = execution.steps.iter().rposition(|it| it.task == *task).map(|it| it + 1);
        let is_given_up = |it: &Record| {
            // What it records then has the number of the last decision, which was another task's.
            let step = it.step.checked_sub(1).and_then(|step| execution.steps.get(step));
            let of_another = step.is_some_and(|step| step.task != *task);
            let ends = Some(it.step) == last && matches!(it.event, Event::ComputeFinished(..));
            it.task == *task && (of_another || ends)
        };
        records.retain(|it| !is_given_up(it));
    }
    records
}

/// The history of an execution that did not come to its end.
fn unfinished(token: &Token, records: Vec<Record>) -> History {
    let setup = Setup::played(token.scenario, token.protocol);
    let nanos = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    let (payload, storage) = (nanos(PAYLOAD), nanos(setup.storage));
    History { records, payload, storage, ..History::default() }
}

/// What is replayed: a scenario, a protocol and a number of callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// The scenario.
    pub scenario: Scenario,
    /// The protocol.
    pub protocol: Protocol,
    /// The number of callers.
    pub callers: usize,
}

impl Program {
    pub(crate) fn of(token: &Token) -> Self {
        let Token { scenario, protocol, callers, .. } = *token;
        Self { scenario, protocol, callers }
    }

    pub(crate) fn body(self) -> impl Fn() -> History + Clone + Send + Sync + 'static {
        let Self { scenario, protocol, callers } = self;
        move || xfetch_on_sections::run(scenario, protocol, callers)
    }

    /// The execution, and what was recorded if it did not come to its end. The record is a thread-local.
    pub(crate) fn replay(
        self,
        schedule: &Schedule,
    ) -> Result<(Execution<History>, Vec<Record>), Error> {
        sections::replay_and(schedule, self.body(), records_of_unfinished)
    }

    fn token(self, execution: &Execution<History>) -> Token {
        let Self { scenario, protocol, callers } = self;
        let (schedule, checksum) = (execution.schedule.clone(), execution.checksum & 0xff_ffff);
        Token { scenario, protocol, callers, schedule, checksum }
    }

    /// Whether the execution in which the tasks go on in this order violates the invariant. Nothing, if they cannot go on
    /// so for the first `begins` steps, or if it does not come to an end that can be judged.
    pub(crate) fn violates_in_order(
        self,
        knows: &Schedule,
        order: &[usize],
        begins: usize,
        invariant: Invariant,
    ) -> Option<bool> {
        let followed = sections::follow(knows, order, self.body(), records_of_unfinished);
        let (execution, records) = followed.ok()?;
        let tasks = execution.steps.iter().map(|it| it.task);
        let went_so = tasks.take(begins).eq(order.iter().take(begins).copied());
        went_so.then(|| verdict(&execution, &records).violated.contains(&invariant))
    }

    /// The execution of this schedule, if it still violates the invariant. Nothing is tried once the search has to
    /// stop, so the smallest schedule so far is the last.
    fn fails(self, schedule: &Schedule, invariant: Invariant) -> Option<Failing> {
        if stop::is_set() {
            return None;
        }
        let (execution, records) = self.replay(schedule).ok()?;
        let violates = verdict(&execution, &records).violated.contains(&invariant);
        let Execution { schedule, preemptions, .. } = execution;
        violates.then_some(Failing { schedule, preemptions })
    }

    /// Shrinks an example by replays alone. The number of callers stays.
    pub fn shrink(self, example: &Example, invariant: Invariant) -> Shrunk {
        let Example { schedule, preemptions } = example.clone();
        let start = Failing { schedule, preemptions };
        let Failing { schedule, preemptions } =
            shrink(start, |schedule| self.fails(schedule, invariant));
        let execution = self.replay(&schedule).map(|(execution, _)| execution);
        let checksum = execution.map_or(0, |execution| execution.checksum & 0xff_ffff);
        let Self { scenario, protocol, callers } = self;
        let token = Token { scenario, protocol, callers, schedule, checksum };
        Shrunk { token, preemptions, searched: Vec::new() }
    }

    /// Searches the schedules with at most `bound` preemptions until one violates the invariant.
    fn search(self, bound: u32, invariant: Invariant) -> (Searched, Option<Example>) {
        let executions =
            if self.callers > 2 { BOUNDED_EXECUTIONS_OF_MANY } else { BOUNDED_EXECUTIONS };
        let search = Search {
            reduce: false,
            preemptions: Some(bound),
            executions,
            workers: 1,
            stop: Some(stop::flag()),
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

/// What was recorded of an execution that did not come to its end. It is on the OS thread of the execution.
fn records_of_unfinished(execution: &Execution<History>) -> Vec<Record> {
    match execution.outcome {
        Outcome::Returned(_) => Vec::new(),
        _ => xfetch_on_sections::unfinished(),
    }
}

fn verdict(execution: &Execution<History>, records: &[Record]) -> Verdict {
    match &execution.outcome {
        Outcome::Returned(history) => Verdict::of(history),
        unfinished => check_unfinished(unfinished, records),
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

/// The token of an execution that is not in the transition table, and the step that the table lacks. It is not shrunk.
pub fn not_in_the_table(exploration: &Exploration) -> Option<(Token, &str)> {
    let (missing, example) = exploration.refined.mismatch.as_ref()?;
    let Cell { scenario, protocol, callers, .. } = exploration.cell;
    let program = Program { scenario, protocol, callers };
    let (execution, _) = program.replay(&example.schedule).ok()?;
    Some((program.token(&execution), missing))
}

/// The most executions of one search for a smaller schedule.
const BOUNDED_EXECUTIONS: u64 = 20_000;
/// The same with more callers than two: a schedule of so many is rarely the smaller one, and a search of theirs is long.
const BOUNDED_EXECUTIONS_OF_MANY: u64 = 5_000;
/// The most callers of such a search.
const FEW_CALLERS: usize = 4;

/// One search for a smaller schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Searched {
    /// Its most preemptions.
    pub bound: u32,
    /// Its callers.
    pub callers: usize,
    /// The executions that it ran.
    pub executions: u64,
    /// Whether it was complete within its bound.
    pub all: bool,
}

/// The smallest schedule that was found for a violation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The token.
    pub token: Token,
    /// The preemptions of its schedule.
    pub preemptions: u32,
    /// The searches with fewer preemptions or callers that found no violation.
    pub searched: Vec<Searched>,
}

impl Shrunk {
    /// Whether every schedule of this many callers with fewer preemptions was searched.
    pub fn fewest_preemptions(&self) -> bool {
        let callers = self.token.callers;
        (0..self.preemptions).all(|bound| {
            let of = |searched: &&Searched| searched.bound == bound && searched.callers == callers;
            self.searched.iter().find(of).is_some_and(|searched| searched.all)
        })
    }
}

/// Finds a small schedule for a violation: few preemptions first, then few callers, then few choices.
///
/// It first searches schedules with at most 0, 1 and 2 preemptions and few callers. If these searches
/// find nothing, it shrinks the example by replays.
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
