//! loom with two callers: every interleaving of the C11 model that loom distinguishes.
//!
//! - Each protocol reaches exactly the expected counts of computes.
//! - Every search is complete, and prints its number of executions.
//! - A search that was cut off is never complete.

use std::time::Duration;
use xfetch_on_loom::{Limits, Searched, search};
use xfetch_vocabulary::catalogue::{Protocol, Scenario};

const ALL: Limits =
    Limits { executions: 10_000_000, time: Duration::from_secs(600), preemptions: None };

fn of_field(protocol: Protocol, callers: usize, limits: Limits) -> Searched {
    let searched = search(Scenario::Field, protocol, callers, limits, None, None);
    println!("loom, {protocol}, {callers} callers: {} executions", searched.executions());
    searched
}

/// The counts of computes that two callers reach, over all interleavings.
fn computes(protocol: Protocol) -> Vec<u32> {
    let searched = of_field(protocol, 2, ALL);
    assert!(searched.exhausted);
    let breaks = protocol.breaks_in(Scenario::Field);
    let violated = || searched.verdicts.keys().flat_map(|verdict| &verdict.violated);
    assert_eq!(violated().next().is_some(), breaks.is_some());
    if let Some(invariant) = breaks {
        assert!(violated().any(|it| *it == invariant), "{protocol} keeps {invariant}");
    }
    let mut computes: Vec<_> = searched.verdicts.keys().map(|verdict| verdict.computes).collect();
    computes.dedup();
    computes
}

#[test]
fn two_callers_reach_exactly_these_counts_of_computes() {
    // With both re-checks nobody computes a second time. Without them both counts are reached: the
    // second caller finds the lease held (1), or takes it after the first has released it (2).
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

/// This takes longer than the other tests. `RUSTFLAGS="--cfg loom"` asks for it.
#[cfg(loom)]
#[test]
fn three_callers_with_at_most_two_preemptions_compute_once() {
    let limits = Limits { preemptions: Some(2), ..ALL };
    let searched = of_field(Protocol::DoubleRecheck, 3, limits);
    assert!(searched.exhausted);
    assert!(searched.verdicts.keys().all(|it| it.violated.is_empty() && it.computes == 1));
}
