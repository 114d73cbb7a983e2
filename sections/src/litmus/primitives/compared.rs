//! The search against the oracle, and against its judge: sleep sets alone show as many executions.

use super::Program;
use super::mixes::{Mix, mixes};
use super::oracle::explore;
use super::run::run;
use crate::litmus::checkers::{Outcomes, outcome_of};
use crate::litmus::log;
use crate::litmus::random::{from_environment, notes};
use crate::{Coverage, Execution, Search};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngSeed, TestRunner};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Programs of each mix; the environment can set another number.
const PROGRAMS: usize = 50;
/// A program with more states than this, or with more executions, is shortened, never skipped.
const STATES: usize = 10_000;
const EXECUTIONS: u64 = 2_000;

fn programs(mix: &Mix) -> impl Iterator<Item = Program> {
    let seed = RngSeed::Fixed(from_environment("SECTIONS_SEED", 1));
    let mut runner = TestRunner::new(Config { rng_seed: seed, ..Config::default() });
    let programs = mix.programs.clone();
    std::iter::repeat_with(move || programs.new_tree(&mut runner).unwrap().current())
}

/// The outcomes by a search, unless there are more executions than it may have.
fn search(program: &Arc<Program>, search: &Search) -> Option<(Outcomes, Coverage)> {
    let search = Search { workers: 1, executions: EXECUTIONS, ..search.clone() };
    let its = Arc::clone(program);
    let body = move || {
        log::clear();
        run(&its);
    };
    let visit = |outcomes: &mut Outcomes, execution: Execution<()>| {
        outcomes.insert(outcome_of(&execution));
        ControlFlow::Continue(())
    };
    let (coverage, found) =
        search.run(body, visit).unwrap_or_else(|error| panic!("{error} {program:?}"));
    coverage.exhausted.then(|| (found.into_iter().flatten().collect(), coverage))
}

#[derive(Debug, Default)]
struct Tally {
    programs: usize,
    shortened: usize,
    outcomes: usize,
    complete: u64,
    redundant: u64,
    judged: usize,
    unreduced: usize,
    with_choice: usize,
    with_deadlock: usize,
    notes: BTreeMap<i64, usize>,
}

impl Tally {
    fn see(&mut self, outcomes: &Outcomes, coverage: Coverage) {
        self.programs += 1;
        self.outcomes += outcomes.len();
        self.complete += coverage.complete;
        self.redundant += coverage.redundant;
        self.with_choice += usize::from(outcomes.len() > 1);
        let deadlocks = outcomes.iter().any(|outcome| outcome.ends_with("deadlock"));
        self.with_deadlock += usize::from(deadlocks);
        for value in -11..0 {
            let noted = outcomes.iter().any(|outcome| notes(outcome, value));
            *self.notes.entry(value).or_default() += usize::from(noted);
        }
    }

    /// Compares a program, which it shortens until it is small enough.
    fn check(&mut self, mut program: Program) {
        loop {
            let shared = Arc::new(program.clone());
            let expected = explore(&shared, STATES);
            let found = expected.and_then(|expected| {
                search(&shared, &Search::default()).map(|found| (expected, found))
            });
            if let Some((expected, (found, coverage))) = found {
                equal(&shared, &expected, &found);
                self.others(&shared, &expected, coverage);
                self.see(&expected, coverage);
                return;
            }
            self.shortened += 1;
            program = program.shorter();
        }
    }

    /// The judge for every fourth program, and the search without reduction for every eighth.
    fn others(&mut self, program: &Arc<Program>, expected: &Outcomes, coverage: Coverage) {
        let judge = Search { sources: false, ..Search::default() };
        if self.programs.is_multiple_of(4)
            && let Some((outcomes, judged)) = search(program, &judge)
        {
            equal(program, expected, &outcomes);
            // See the judge of the other mixes: then a trace may be shown twice.
            if program.spawning_tasks() < 2 {
                assert_eq!(coverage.complete, judged.complete, "executions of {program:?}");
                self.judged += 1;
            }
        }
        let unreduced = Search { reduce: false, ..Search::default() };
        if self.programs.is_multiple_of(8)
            && let Some((outcomes, _)) = search(program, &unreduced)
        {
            equal(program, expected, &outcomes);
            self.unreduced += 1;
        }
    }
}

fn equal(program: &Program, expected: &Outcomes, found: &Outcomes) {
    let lost: Vec<_> = expected.difference(found).collect();
    let invented: Vec<_> = found.difference(expected).collect();
    assert!(found == expected, "{program:?}: lost {lost:?}, invented {invented:?}");
}

#[test]
fn random_programs_on_the_primitives_of_std_have_the_outcomes_that_std_documents() {
    let number = from_environment("SECTIONS_PROGRAMS", PROGRAMS);
    // The name of one mix, to look at it alone.
    let only: String = from_environment("SECTIONS_MIX", String::new());
    for mix in mixes().into_iter().filter(|mix| only.is_empty() || only == mix.name) {
        let mut tally = Tally::default();
        programs(&mix).take(number).for_each(|program| tally.check(program));
        eprintln!("{}: {tally:?}", mix.name);
        for value in mix.sees {
            assert!(tally.notes[value] > 0, "{}: none notes {value}: {tally:?}", mix.name);
        }
        let deadlocks = !mix.deadlocks || tally.with_deadlock * 20 >= number;
        assert!(deadlocks, "{}: too few deadlocks: {tally:?}", mix.name);
        assert!(tally.with_choice * 5 >= number, "{}: too few choices: {tally:?}", mix.name);
        // A program that is much too large is shortened several times.
        assert!(tally.shortened <= 3 * number, "{}: too many are shortened: {tally:?}", mix.name);
        assert!(tally.judged * 10 >= number, "{}: too few are judged: {tally:?}", mix.name);
    }
}
