//! The short run with which `.ci/mutants models` tests a mutation of the core: a few seconds for each
//! scenario.
//!
//! It fails for a violation, and for a witness that two callers no longer reach. It never fails for a
//! search that takes too long, because that depends on the machine.

use std::time::Duration;
use xfetch_models::catalogue::{Engine, Protocol, Scenario};
use xfetch_models::engine::{Budget, Cell, Conclusion, Exploration, explore};

fn explored(scenario: Scenario, protocol: Protocol, callers: usize) -> Exploration {
    let time = Duration::from_secs(if callers == 2 { 5 } else { 1 });
    let budget = Budget { executions: 10_000_000, time, ..Budget::default() };
    let cell = Cell { scenario, protocol, callers, engine: Engine::Sections };
    explore(cell, &budget, None).expect("the cell can be explored")
}

#[test]
#[ignore = "`.ci/mutants models` runs it; on an unchanged core the register checks more"]
fn two_and_three_callers_violate_nothing() {
    for scenario in Scenario::ALL.iter().copied() {
        for (protocol, callers) in [
            (Protocol::DoubleRecheck, 2),
            (Protocol::DefaultConfig, 2),
            (Protocol::DoubleRecheck, 3),
        ] {
            let exploration = explored(scenario, protocol, callers);
            let violated: Vec<_> = exploration.violated().collect();
            assert!(violated.is_empty(), "{scenario}, {protocol}, {callers}: {violated:?}");
            if exploration.conclusion() != Conclusion::Incomplete {
                assert_eq!(
                    exploration.not_reached(),
                    [],
                    "{scenario}, {protocol}, {callers} callers"
                );
            }
        }
    }
}
