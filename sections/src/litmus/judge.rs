//! The search by races against the search that it replaces: sleep sets alone explore every order that
//! is not known to repeat another. Both show one execution of each trace, so their counts are equal.

use super::program::{Program, program};
use super::random::from_environment;
use super::{announced, log};
use crate::{Coverage, Search};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use proptest::{prop_assert, prop_assert_eq};
use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::Arc;

/// The number of programs; the environment can set another one.
const PROGRAMS: u32 = 2_000;
/// A program that has more executions under the judge is left out.
const EXECUTIONS: u64 = 20_000;

fn coverage(program: &Arc<Program>, sources: bool, workers: usize) -> Coverage {
    let search = Search { sources, workers, executions: EXECUTIONS, ..Search::default() };
    let program = Arc::clone(program);
    let body = move || {
        log::clear();
        announced::text::run(&program);
    };
    search.run(body, |(): &mut (), _| ControlFlow::Continue(())).unwrap().0
}

#[derive(Debug, Default)]
struct Tally {
    programs: u64,
    too_large: u64,
    complete: u64,
    redundant_by_races: u64,
    redundant_by_sleep_sets: u64,
}

fn check(program: Program, tally: &RefCell<Tally>) -> Result<(), TestCaseError> {
    let program = Arc::new(program);
    let judge = coverage(&program, false, 1);
    let mut tally = tally.borrow_mut();
    tally.programs += 1;
    if !judge.exhausted {
        tally.too_large += 1;
        return Ok(());
    }
    let by_races = coverage(&program, true, 1);
    prop_assert!(by_races.exhausted);
    if program.spawning_tasks() < 2 {
        prop_assert_eq!(by_races.complete, judge.complete, "{:?}", program);
    }
    tally.complete += judge.complete;
    tally.redundant_by_races += by_races.redundant;
    tally.redundant_by_sleep_sets += judge.redundant;
    Ok(())
}

#[test]
fn the_search_by_races_shows_as_many_executions_as_sleep_sets_alone() {
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
    eprintln!("{tally:?}");
    assert!(tally.too_large * 10 < tally.programs, "too few programs are judged: {tally:?}");
}
