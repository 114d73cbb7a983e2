//! A hundred callers under Shuttle's three ways of random choice.
//!
//! - the shipped protocol computes once; each twin violates the invariant that it was written for;
//! - the same seed gives the same executions;
//! - executions are counted when they have ended, so that a search of nothing passes nothing;
//! - Shuttle's panic hook does not print the panics with which loom ends its threads.

use std::process::Command;
use xfetch_models::catalogue::{Engine, Protocol, Scenario};
use xfetch_models::engine::{Budget, Cell, Conclusion, Exploration, explore};

fn search(protocol: Protocol, engine: Engine, executions: u64) -> Exploration {
    let cell = Cell { scenario: Scenario::Field, protocol, callers: 100, engine };
    let budget = Budget { executions, ..Budget::default() };
    let exploration = explore(cell, &budget, None).expect("the engine takes a hundred callers");
    assert_eq!(exploration.executions, executions);
    exploration
}

#[test]
fn a_hundred_callers_compute_once() {
    for engine in [Engine::Random, Engine::Pct, Engine::Urw] {
        let exploration = search(Protocol::DoubleRecheck, engine, 400);
        assert_eq!((exploration.conclusion(), exploration.worst()), (Conclusion::Bounded, 1));
    }
}

#[test]
fn every_twin_violates_the_invariant_it_is_written_for() {
    for protocol in Protocol::PHASES {
        let engines = [(Engine::Random, 300), (Engine::Pct, 200), (Engine::Urw, 200)];
        let found = engines.map(|(engine, executions)| search(protocol, engine, executions));
        match protocol.breaks_in(Scenario::Field) {
            Some(invariant) => assert!(
                found.iter().any(|found| found.violates(invariant)),
                "{protocol} keeps {invariant}"
            ),
            None => {
                assert!(found.iter().all(|found| found.violated().next().is_none()), "{protocol}")
            }
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_executions() {
    for engine in [Engine::Random, Engine::Pct, Engine::Urw] {
        let run = || search(Protocol::NoLock, engine, 100);
        let (one, two) = (run(), run());
        assert_eq!((one.fingerprint, one.outcomes), (two.fingerprint, two.outcomes));
        assert_ne!(one.fingerprint, search(Protocol::LockOnly, engine, 100).fingerprint);
    }
}

/// In a process of its own, because a panic hook is one for the whole process.
#[test]
#[ignore = "the next test runs it"]
fn loom_before_and_after_shuttle() {
    for engine in [Engine::Loom, Engine::Sections, Engine::Loom] {
        let cell =
            Cell { scenario: Scenario::Field, protocol: Protocol::NoLock, callers: 2, engine };
        let exploration = explore(cell, &Budget::default(), None).expect("it takes two callers");
        assert_eq!(exploration.conclusion(), Conclusion::Broken);
    }
}

#[test]
fn shuttle_prints_no_panic_of_loom() {
    let this = std::env::current_exe().expect("this test is a program");
    let test = ["--ignored", "--exact", "--nocapture", "loom_before_and_after_shuttle"];
    let output = Command::new(this).args(test).output().expect("it runs");
    let lines = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && lines.is_empty(), "{lines}");
}
