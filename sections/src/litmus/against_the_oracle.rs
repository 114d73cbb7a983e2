//! Random programs against the oracle, and the oracle against derived outcomes, Shuttle and mistakes.

use super::checkers::{Choices, Outcomes, by_shuttle, outcome_of};
use super::mixes::{Compared, Mix, Sight, mixes};
use super::oracle::{Fault, explore};
use super::program::{FAILED, FLAG, Op, PANICKED, Program, TIMED_OUT, WOKEN};
use super::random::{from_environment, notes};
use super::{announced, log, native};
use crate::rules::{Rule, without};
use crate::{Execution, Search};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngSeed, TestRunner};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Programs of each mix; the environment can set another number.
const PROGRAMS: usize = 100;
/// A program with more states than this, or with more executions, is shortened, never skipped.
const STATES: usize = 20_000;
const EXECUTIONS: u64 = 5_000;

/// Programs of a mix. The seed is fixed, and the environment can set another one.
fn programs(mix: &Mix) -> impl Iterator<Item = Program> {
    let seed = RngSeed::Fixed(from_environment("SECTIONS_SEED", 1));
    let mut runner = TestRunner::new(Config { rng_seed: seed, ..Config::default() });
    let programs = mix.programs.clone();
    std::iter::repeat_with(move || programs.new_tree(&mut runner).unwrap().current())
}

/// The outcomes by this package's search and the number of executions, unless there are more than that.
fn search(program: &Arc<Program>, reduce: bool, at_most: u64) -> Option<(Outcomes, u64)> {
    let search = Search { reduce, workers: 1, executions: at_most, ..Search::default() };
    let its = Arc::clone(program);
    let body = move || {
        log::clear();
        announced::text::run(&its);
    };
    let visit = |outcomes: &mut Outcomes, execution: Execution<()>| {
        outcomes.insert(outcome_of(&execution));
        ControlFlow::Continue(())
    };
    let (coverage, found) =
        search.run(body, visit).unwrap_or_else(|error| panic!("{error} {program:?}"));
    let executions = coverage.complete + coverage.redundant;
    // A search is not exhausted either if a guard of a tried lock is dropped by a panic.
    (executions < at_most).then(|| (found.into_iter().flatten().collect(), executions))
}

#[derive(Debug, Default)]
struct Tally {
    programs: usize,
    shortened: usize,
    outcomes: usize,
    states: usize,
    executions: u64,
    unreduced: usize,
    smaller: usize,
    sights: BTreeMap<Sight, usize>,
    by_oracle: Duration,
    by_search: Duration,
}

impl Tally {
    fn see(&mut self, outcomes: &Outcomes) {
        let noted = |value| outcomes.iter().any(|outcome| notes(outcome, value));
        let sights = [
            (Sight::Choice, outcomes.len() > 1),
            (Sight::Deadlock, outcomes.iter().any(|outcome| outcome.ends_with("deadlock"))),
            (Sight::FailedTry, noted(FAILED)),
            (Sight::WakeUp, noted(WOKEN)),
            (Sight::TimeOut, noted(TIMED_OUT)),
            (Sight::Panic, noted(PANICKED)),
        ];
        for (sight, _) in sights.into_iter().filter(|(_, seen)| *seen) {
            *self.sights.entry(sight).or_default() += 1;
        }
        self.programs += 1;
        self.outcomes += outcomes.len();
    }

    /// Compares a program, which it shortens until it is small enough.
    fn check(&mut self, mut program: Program, compared: Compared) {
        loop {
            let shared = Arc::new(program.clone());
            if let Some((expected, found)) = self.both(&shared) {
                self.see(&expected);
                self.compare(&shared, compared, &expected, &found);
                return;
            }
            self.shortened += 1;
            program = program.shorter();
        }
    }

    fn both(&mut self, program: &Arc<Program>) -> Option<(Outcomes, Outcomes)> {
        let began = Instant::now();
        let explored = explore(program, STATES, None)?;
        self.by_oracle += began.elapsed();
        let began = Instant::now();
        let (found, executions) = search(program, true, EXECUTIONS)?;
        self.by_search += began.elapsed();
        self.states += explored.states;
        self.executions += executions;
        Some((explored.outcomes, found))
    }

    fn compare(
        &mut self,
        program: &Arc<Program>,
        compared: Compared,
        expected: &Outcomes,
        found: &Outcomes,
    ) {
        let right = |found: &Outcomes| match compared {
            Compared::Equal => found == expected,
            Compared::Subset => found.is_subset(expected),
        };
        assert!(right(found), "{program:?}: {}", differences(expected, found));
        self.smaller += usize::from(found != expected);
        if self.programs.is_multiple_of(4)
            && let Some((found, _)) = search(program, false, EXECUTIONS)
        {
            let differences = differences(expected, &found);
            assert!(right(&found), "without reduction {program:?}: {differences}");
            self.unreduced += 1;
        }
    }
}

fn differences(expected: &Outcomes, found: &Outcomes) -> String {
    let lost: Vec<_> = expected.difference(found).collect();
    let invented: Vec<_> = found.difference(expected).collect();
    format!("lost {lost:?}, invented {invented:?}")
}

#[test]
fn random_programs_have_the_outcomes_of_the_explicit_state_oracle() {
    let number = from_environment("SECTIONS_PROGRAMS", PROGRAMS);
    for mix in mixes() {
        let mut tally = Tally::default();
        programs(&mix).take(number).for_each(|program| tally.check(program, mix.compared));
        eprintln!("{}: {tally:?}", mix.name);
        for sight in mix.sees {
            let seen = tally.sights.get(sight).copied().unwrap_or_default();
            assert!(seen * 10 >= number, "{}: too few of {sight:?}: {tally:?}", mix.name);
        }
        assert!(tally.shortened * 4 <= number, "{}: too many are shortened: {tally:?}", mix.name);
        assert!(tally.unreduced * 10 >= number, "{}: too few searches: {tally:?}", mix.name);
    }
}

