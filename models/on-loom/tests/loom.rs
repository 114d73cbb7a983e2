//! loom, two callers, every interleaving of the C11 model that loom knows.
//!
//! - the set of outcomes that each protocol reaches is asserted, not only that nothing is violated;
//! - every search is complete; how many executions it took is printed;
//! - a search that was cut off is never complete.

use std::time::Duration;
use xfetch_on_loom::{Limits, Searched, search};
use xfetch_vocabulary::catalogue::{Protocol, Scenario};

const ALL: Limits =
    Limits { executions: 10_000_000, time: Duration::from_secs(600), preemptions: None };

fn of_field(protocol: Protocol, callers: usize, limits: Limits) -> Searched {
    let searched = search(Scenario::Field, protocol, callers, limits, None);
    println!("loom, {protocol}, {callers} callers: {} executions", searched.executions());
    searched
}

/// The computes that two callers can make, over all interleavings.
fn computes(protocol: Protocol) -> Vec<u32> {
    let searched = of_field(protocol, 2, ALL);
    assert!(searched.exhausted);
    let breaks = protocol.breaks_in(Scenario::Field);
    let violated = || searched.verdicts.keys().flat_map(|verdict| &verdict.violated);
    assert_eq!(violated().next().is_some(), breaks.is_some());
    if let Some(invariant) = breaks {
        assert!(violated().any(|it| *it == invariant), "{protocol} is to violate {invariant}");
    }
    let mut computes: Vec<_> = searched.verdicts.keys().map(|verdict| verdict.computes).collect();
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
    let searched = of_field(Protocol::DoubleRecheck, 2, Limits { executions: 100, ..ALL });
    assert!(searched.executions() < 200);
    assert!(!searched.exhausted);
}

/// More than the other runs have time for: asked for by `RUSTFLAGS="--cfg loom"`.
#[cfg(loom)]
#[test]
fn three_callers_with_at_most_two_preemptions_compute_once() {
    let limits = Limits { preemptions: Some(2), ..ALL };
    let searched = of_field(Protocol::DoubleRecheck, 3, limits);
    assert!(searched.exhausted);
    assert!(searched.verdicts.keys().all(|it| it.violated.is_empty() && it.computes == 1));
}
