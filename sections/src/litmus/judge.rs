//! The search by races against the search that it replaces: sleep sets alone explore every order that
//! is not known to repeat another. Both show one execution of each trace, so their counts are equal.

use super::against_the_oracle::programs;
use super::mixes::mixes;
use super::program::Program;
use super::random::from_environment;
use super::{announced, log};
use crate::{Coverage, Search};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Programs of each mix; the environment can set another number.
const PROGRAMS: usize = 200;
/// A program that has more executions under the judge is shortened.
const EXECUTIONS: u64 = 20_000;

pub fn coverage(program: &Arc<Program>, sources: bool, workers: usize) -> Coverage {
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
    complete: u64,
    redundant_by_races: u64,
    redundant_by_sleep_sets: u64,
}

impl Tally {
    fn check(&mut self, mut program: Program, workers: usize) {
        let (shared, judge) = loop {
            let shared = Arc::new(program.clone());
            let judge = coverage(&shared, false, 1);
            if judge.complete + judge.redundant < EXECUTIONS {
                break (shared, judge);
            }
            program = program.shorter();
        };
        let by_races = coverage(&shared, true, workers);
        assert_eq!(by_races.exhausted, judge.exhausted, "{shared:?}");
        // If two tasks spawn, their children's numbers depend on the order of spawning, and objects
        // with equal numbers are taken for the same. So a trace may be shown twice.
        if shared.spawning_tasks() < 2 {
            assert_eq!(by_races.complete, judge.complete, "{shared:?}");
        }
        self.complete += judge.complete;
        self.redundant_by_races += by_races.redundant;
        self.redundant_by_sleep_sets += judge.redundant;
    }
}

#[test]
fn the_search_by_races_shows_as_many_executions_as_sleep_sets_alone() {
    let number = from_environment("SECTIONS_PROGRAMS", PROGRAMS);
    let mut all = Tally::default();
    for mix in mixes() {
        let mut tally = Tally::default();
        let taken = programs(&mix).take(number).enumerate();
        taken.for_each(|(place, program)| tally.check(program, 1 + place % 2));
        eprintln!("{}: {tally:?}", mix.name);
        all.complete += tally.complete;
        all.redundant_by_races += tally.redundant_by_races;
        all.redundant_by_sleep_sets += tally.redundant_by_sleep_sets;
    }
    eprintln!("all: {all:?}");
    assert!(all.redundant_by_races * 20 < all.complete, "more than 5 % are redundant: {all:?}");
    assert!(all.redundant_by_sleep_sets > all.complete, "the judge reduces as much: {all:?}");
}
