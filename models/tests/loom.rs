//! loom, two callers, every interleaving of the C11 model that loom knows.
//!
//! - the set of outcomes that each protocol reaches is asserted, not only that nothing is violated;
//! - every search is complete; how many executions it took is printed;
//! - a search that was cut off is never complete.

use std::time::Duration;
use xfetch_models::catalogue::{Engine, Protocol, Scenario};
use xfetch_models::engine::{Budget, Cell, Coverage, Findings, Judgement, explore};

fn search(protocol: Protocol, callers: usize, budget: Budget) -> Findings {
    let cell = Cell { scenario: Scenario::Field, protocol, callers, engine: Engine::Loom };
    let findings = explore(cell, &budget, None).expect("loom takes so many callers");
    println!("loom, {protocol}, {callers} callers: {} executions", findings.executions);
    findings
}

fn all() -> Budget {
    Budget { executions: 10_000_000, time: Duration::from_secs(600), ..Budget::default() }
}

/// The computes that two callers can make, over all interleavings.
fn computes(protocol: Protocol) -> Vec<u32> {
    let findings = search(protocol, 2, all());
    assert_eq!(findings.coverage, Coverage::Complete);
    let breaks = protocol.breaks_in(Scenario::Field);
    assert_eq!(findings.violated().next().is_some(), breaks.is_some());
    if let Some(invariant) = breaks {
        assert!(findings.violates(invariant), "{protocol} is to violate {invariant}");
    }
    let mut computes: Vec<_> = findings.outcomes.keys().map(|verdict| verdict.computes).collect();
    computes.dedup();
    computes
}

#[test]
fn two_callers_reach_exactly_these_counts_of_computes() {
    // With both re-checks the second compute is gone. Without them both outcomes are reached: the
    // second caller finds the lease taken (1), or takes it after the first has finished (2).
    assert_eq!(computes(Protocol::DoubleRecheck), [1]);
    assert_eq!(computes(Protocol::InsideOnly), [1]);
    assert_eq!(computes(Protocol::NoLock), [1, 2]);
    assert_eq!(computes(Protocol::LockOnly), [1, 2]);
    assert_eq!(computes(Protocol::BeforeOnly), [1, 2]);
    assert_eq!(computes(Protocol::ReleaseBeforePublish), [1, 2]);
    assert_eq!(computes(Protocol::AlwaysSkip), [0]);
}

#[test]
fn a_search_that_is_cut_off_is_never_complete() {
    let budget = Budget { executions: 100, ..all() };
    let findings = search(Protocol::DoubleRecheck, 2, budget);
    assert!(findings.executions < 200);
    assert_eq!(findings.judgement(), Judgement::Incomplete);
}

/// More than the other runs have time for: asked for by `RUSTFLAGS="--cfg loom"`.
#[cfg(loom)]
#[test]
fn three_callers_with_at_most_two_preemptions_compute_once() {
    let findings = search(Protocol::DoubleRecheck, 3, Budget { preemptions: Some(2), ..all() });
    assert_eq!(findings.coverage, Coverage::Preemptions(2));
    assert_eq!((findings.judgement(), findings.worst()), (Judgement::Bounded, 1));
}
