//! A hundred real threads on the shipped locks.

use xfetch_models::catalogue::{Engine, Protocol, Scenario};
use xfetch_models::engine::{Budget, Cell, Conclusion, explore};

fn worst(protocol: Protocol) -> (Conclusion, u32) {
    let cell = Cell { scenario: Scenario::Field, protocol, callers: 100, engine: Engine::Threads };
    let budget = Budget { executions: 50, ..Budget::default() };
    let exploration = explore(cell, &budget, None).expect("the engine takes a hundred callers");
    (exploration.conclusion(), exploration.worst())
}

#[test]
fn a_hundred_threads_compute_once() {
    assert_eq!(worst(Protocol::DoubleRecheck), (Conclusion::Bounded, 1));
}

/// The witness: without a lock the same hundred threads do overlap.
#[test]
fn a_hundred_threads_without_a_lock_stampede() {
    let (conclusion, worst) = worst(Protocol::NoLock);
    assert_eq!(conclusion, Conclusion::Broken);
    assert!(worst > 1);
}
