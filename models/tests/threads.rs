//! Real threads on the locks that ship.

use xfetch_models::catalogue::{Engine, Protocol, Scenario};
use xfetch_models::engine::{Budget, Cell, Judgement, explore};

fn worst(protocol: Protocol) -> (Judgement, u32) {
    let cell = Cell { scenario: Scenario::Field, protocol, callers: 100, engine: Engine::Threads };
    let budget = Budget { executions: 50, ..Budget::default() };
    let findings = explore(cell, &budget, None).expect("a hundred callers are few");
    (findings.judgement(), findings.worst())
}

#[test]
fn a_hundred_threads_compute_once() {
    assert_eq!(worst(Protocol::DoubleRecheck), (Judgement::Bounded, 1));
}

/// The witness: the same hundred threads do meet when nothing holds them apart.
#[test]
fn a_hundred_threads_without_a_lock_stampede() {
    let (judgement, worst) = worst(Protocol::NoLock);
    assert_eq!(judgement, Judgement::Broken);
    assert!(worst > 1);
}
