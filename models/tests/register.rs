//! The register of invariants, run: what ships keeps every one in every scenario, under every engine;
//! each is broken by a twin that was written for it.
//!
//! - complete at two and three callers under `sections`, with every witness reached, and at two on the
//!   executor and the shards that a cache has by default;
//! - complete at two callers under loom, or up to the bound that the scenario states;
//! - a hundred callers by chance;
//! - no invariant without a twin, no twin that keeps what it was written to break.

use xfetch_models::catalogue::{Engine, Invariant, Protocol, Scenario};
use xfetch_models::engine::{Budget, Cell, Coverage, Findings, Judgement, explore};

fn run(scenario: Scenario, protocol: Protocol, engine: Engine, callers: usize) -> Findings {
    let executions = match engine {
        Engine::Sections | Engine::Loom => 10_000_000,
        Engine::Random | Engine::Pct | Engine::Urw => 100,
        Engine::Threads => 10,
    };
    let preemptions = scenario.loom_preemptions().filter(|_| engine == Engine::Loom);
    let budget = Budget { executions, preemptions, workers: 2, ..Budget::default() };
    let cell = Cell { scenario, protocol, callers, engine };
    explore(cell, &budget, None).expect("the cell can be explored")
}

fn ships(scenario: Scenario, engine: Engine, callers: usize) -> Findings {
    keeps_all(scenario, Protocol::DoubleRecheck, engine, callers)
}

fn keeps_all(scenario: Scenario, protocol: Protocol, engine: Engine, callers: usize) -> Findings {
    let findings = run(scenario, protocol, engine, callers);
    let violated: Vec<_> = findings.violated().collect();
    assert!(violated.is_empty(), "{scenario}, {engine}, {callers} callers: {violated:?}");
    findings
}

#[test]
fn every_scenario_holds_at_two_and_three_callers() {
    for scenario in Scenario::ALL.iter().copied() {
        for callers in [2, 3] {
            let findings = ships(scenario, Engine::Sections, callers);
            assert_eq!(findings.judgement(), Judgement::Holds, "{scenario}, {callers} callers");
            assert_eq!(findings.not_reached(), [], "{scenario}, {callers} callers");
        }
    }
}

/// On a pool, with sixteen shards. What is to be reached is the same, or the scenario would not be one.
#[test]
fn every_scenario_holds_as_it_is_built_by_default() {
    for scenario in Scenario::ALL.iter().copied() {
        let findings = keeps_all(scenario, Protocol::AsBuilt, Engine::Sections, 2);
        assert_eq!(findings.judgement(), Judgement::Holds, "{scenario}");
        assert_eq!(findings.not_reached(), [], "{scenario}");
    }
}

#[test]
fn every_scenario_holds_on_loom_or_up_to_its_bound() {
    for scenario in Scenario::ALL.iter().copied().filter(|scenario| scenario.on_loom()) {
        let findings = ships(scenario, Engine::Loom, 2);
        let expected =
            scenario.loom_preemptions().map_or(Coverage::Complete, Coverage::Preemptions);
        assert_eq!(findings.coverage, expected, "{scenario}");
        assert_eq!(findings.not_reached(), [], "{scenario}");
    }
}

#[test]
fn a_hundred_callers_by_chance_and_on_real_threads_violate_nothing() {
    for scenario in Scenario::ALL.iter().copied() {
        for engine in [Engine::Random, Engine::Pct, Engine::Urw, Engine::Threads] {
            assert!(ships(scenario, engine, 100).executions >= 10);
        }
    }
}

#[test]
fn every_twin_violates_what_it_was_written_for() {
    for protocol in Protocol::ALL.iter().copied() {
        for (scenario, invariant) in protocol.breaks().iter().copied() {
            let breaks =
                |callers| run(scenario, protocol, Engine::Sections, callers).violates(invariant);
            assert!([2, 3].into_iter().any(breaks), "{protocol} keeps {invariant} in {scenario}");
        }
    }
}

/// `no-panic` has none: it is what a panic of the core's own would be called.
#[test]
fn every_invariant_has_a_twin_that_breaks_it() {
    for invariant in Invariant::ALL.iter().filter(|invariant| **invariant != Invariant::NoPanic) {
        let breaks =
            |protocol: &&Protocol| protocol.breaks().iter().any(|(_, broken)| broken == invariant);
        assert!(
            Protocol::ALL.iter().any(|protocol| breaks(&protocol)),
            "nobody breaks {invariant}"
        );
    }
}
