//! Random programs. Shuttle's search and this package's, with and without reduction, find the same
//! outcomes. With reduction each trace runs once.

use super::checkers::{Choices, Outcomes, by_sections, by_shuttle, outcome_of};
use super::program::{FAILED, Program, WOKEN, program};
use super::traces::{Trace, trace};
use super::{announced, log, native};
use crate::{Execution, Search};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use proptest::{prop_assert, prop_assert_eq};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

/// The number of programs; the environment can set another one.
const PROGRAMS: u32 = 1_000;
/// The most executions of a program under Shuttle. A longer program is shortened, never skipped.
const EXECUTIONS: usize = 10_000;
/// A program with more interleavings than this, if no task blocked, is shortened before it is run.
const INTERLEAVINGS: f64 = 200_000.0;

#[derive(Debug, Default)]
struct Tally {
    programs: u64,
    shortened: u64,
    outcomes: usize,
    by_shuttle: usize,
    without_reduction: u64,
    with_reduction: u64,
    redundant: u64,
    with_exact_count: u64,
    with_choice: u64,
    with_deadlock: u64,
    with_failed_try: u64,
    with_wake_up: u64,
}

impl Tally {
    fn see(&mut self, outcomes: &Outcomes) {
        let any = |predicate: &dyn Fn(&str) -> bool| {
            u64::from(outcomes.iter().any(|outcome| predicate(outcome)))
        };
        self.programs += 1;
        self.outcomes += outcomes.len();
        self.with_choice += u64::from(outcomes.len() > 1);
        self.with_deadlock += any(&|outcome| outcome.ends_with("deadlock"));
        self.with_failed_try += any(&|outcome| notes(outcome, FAILED));
        self.with_wake_up += any(&|outcome| notes(outcome, WOKEN));
    }
}

pub fn notes(outcome: &str, value: i64) -> bool {
    let value = value.to_string();
    outcome.split([' ', ':', ',']).any(|word| word == value)
}

/// The program, shortened until Shuttle's search can finish it, and the outcomes of that search.
fn outcomes_by_shuttle(mut program: Program, tally: &RefCell<Tally>) -> (Arc<Program>, Outcomes) {
    loop {
        while program.interleavings() > INTERLEAVINGS {
            tally.borrow_mut().shortened += 1;
            program = program.shorter();
        }
        let shared = Arc::new(program.clone());
        let its = Arc::clone(&shared);
        let found = by_shuttle(move || native::text::run(&its), Choices::ThatMatter, EXECUTIONS);
        let mut tally = tally.borrow_mut();
        tally.by_shuttle += found.executions;
        if found.exhausted {
            return (shared, found.outcomes);
        }
        tally.shortened += 1;
        program = program.shorter();
    }
}

/// The outcomes, the traces and the number of executions of the search without reduction.
fn unreduced(program: &Arc<Program>) -> (Outcomes, BTreeSet<Trace>, u64) {
    let search = Search { reduce: false, workers: 1, record: true, ..Search::default() };
    let program = Arc::clone(program);
    let body = move || {
        log::clear();
        announced::text::run(&program);
    };
    let visit = |(outcomes, traces): &mut (Outcomes, BTreeSet<Trace>), execution: Execution<()>| {
        outcomes.insert(outcome_of(&execution));
        traces.insert(trace(&execution.steps, &log::names()));
        ControlFlow::Continue(())
    };
    let (coverage, mut found) = search.run(body, visit).unwrap();
    let (outcomes, traces) = found.pop().unwrap();
    (outcomes, traces, coverage.complete)
}

fn check(program: Program, tally: &RefCell<Tally>) -> Result<(), TestCaseError> {
    let (program, by_shuttle) = outcomes_by_shuttle(program, tally);
    let (outcomes, traces, executions) = unreduced(&program);
    prop_assert_eq!(&outcomes, &by_shuttle, "without reduction {:?}", program);
    let its = Arc::clone(&program);
    let workers = 1 + usize::from(tally.borrow().programs.is_multiple_of(8));
    let (outcomes, coverage) =
        by_sections(move || announced::text::run(&its), true, workers).unwrap();
    prop_assert_eq!(&outcomes, &by_shuttle, "with reduction {:?}", program);
    prop_assert!(coverage.complete >= traces.len() as u64, "traces of {:?}", program);
    // If two tasks spawn, their children's numbers depend on the order of spawning, and objects with
    // equal numbers are taken for the same. So such a program may run a trace twice.
    if program.spawns() < 2 {
        prop_assert_eq!(coverage.complete, traces.len() as u64, "traces of {:?}", program);
        tally.borrow_mut().with_exact_count += 1;
    }
    let mut tally = tally.borrow_mut();
    tally.see(&outcomes);
    tally.without_reduction += executions;
    tally.with_reduction += coverage.complete;
    tally.redundant += coverage.redundant;
    Ok(())
}

pub fn from_environment<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[test]
fn random_programs_have_equal_outcomes_and_an_execution_for_each_trace() {
    let began = Instant::now();
    let tally = RefCell::new(Tally::default());
    let config = Config {
        cases: from_environment("SECTIONS_PROGRAMS", PROGRAMS),
        rng_seed: RngSeed::Fixed(from_environment("SECTIONS_SEED", 1)),
        failure_persistence: None,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&program(), |program| check(program, &tally));
    result.unwrap_or_else(|error| panic!("{error}"));
    let tally = tally.into_inner();
    eprintln!("{tally:?} in {:?}", began.elapsed());
    assert!(tally.with_choice * 3 >= tally.programs, "too few programs have a choice: {tally:?}");
    for kind in [tally.with_deadlock, tally.with_failed_try, tally.with_wake_up] {
        assert!(kind * 20 >= tally.programs, "too few programs of a kind: {tally:?}");
    }
}
