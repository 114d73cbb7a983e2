//! Every litmus before every judge.

use super::judges::{Main, Outcomes, by_sections, by_shuttle};
use super::{Litmus, announced, native};

/// More than Shuttle's search needs for any litmus.
const EXECUTIONS: usize = 400_000;

fn expected(litmus: Litmus) -> Outcomes {
    litmus.outcomes.iter().map(|outcome| (*outcome).to_owned()).collect()
}

fn judge(litmus: Litmus) {
    for reduce in [false, true] {
        for workers in [1, 2] {
            let (found, coverage) = by_sections(litmus.body, reduce, workers).unwrap();
            let name = litmus.name;
            assert_eq!(found, expected(litmus), "{name}, reduce: {reduce}, workers: {workers}");
            assert!(coverage.exhausted, "{name}");
        }
    }
}

#[test]
fn every_litmus_has_the_outcomes_that_were_derived() {
    announced::text::litmuses().for_each(judge);
    announced::text::TIMEOUTS.iter().copied().for_each(judge);
}

#[test]
fn every_litmus_has_the_outcomes_that_shuttle_finds() {
    for litmus in native::text::litmuses() {
        let found = by_shuttle(litmus.body, Main::StaysAside, EXECUTIONS);
        eprintln!("XX {}: {} executions", litmus.name, found.executions);
        assert_eq!(found.outcomes, expected(litmus), "{}", litmus.name);
        assert!(found.exhausted, "{}", litmus.name);
    }
}

#[test]
fn pure() {
    for litmus in native::text::litmuses() {
        let found = by_shuttle(litmus.body, Main::TakesPart, 200_000);
        eprintln!(
            "XX {}: {} executions {} {}",
            litmus.name,
            found.executions,
            found.exhausted,
            found.outcomes == expected(litmus)
        );
    }
}
