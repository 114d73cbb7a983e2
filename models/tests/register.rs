//! The register of invariants at the quick budget, in three shards. The shipped protocol keeps every
//! invariant in every scenario, under every engine. For each invariant a twin violates it.
//!
//! - `sections` and loom are complete at two callers, and reach every witness.
//! - A hundred callers run by chance and on real threads.
//! - No invariant is without a twin, and no twin keeps the invariant that it is written to violate.
//!
//! The main command, `cargo run --release`, adds three and more callers, the scenarios in which loom
//! needs a bound, and the default configuration.

use xfetch_models::catalogue::{Engine, Invariant};
use xfetch_models::engine::{Budget, Cell};
use xfetch_models::plan::{Extent, Plan, PlanShard, cut_off, deviations, promises};

#[test]
fn the_quick_budget_in_three_shards_is_as_the_catalogue_says() {
    let plan = Plan::of(Extent::Quick);
    let mut explored: Vec<(Cell, Budget)> = Vec::new();
    for shard in (1..=3).filter_map(|number| PlanShard::new(number, 3)) {
        let exploration =
            plan.shard(shard).explore(2, None, |_| ()).expect("every cell can be explored");
        let deviations: Vec<_> =
            deviations(&exploration).into_iter().map(|(what, _)| what).collect();
        assert_eq!(deviations, [""; 0], "shard {shard}");
        let cut_off: Vec<_> = cut_off(&exploration).map(|found| found.cell).collect();
        assert_eq!(cut_off, [], "shard {shard}");
        for found in &exploration {
            let is_sample = !matches!(found.cell.engine, Engine::Sections | Engine::Loom);
            assert!(!is_sample || found.executions >= found.budget.executions, "{:?}", found.cell);
        }
        explored.extend(exploration.iter().map(|found| (found.cell, found.budget)));
    }
    assert_eq!(explored.len(), plan.0.len());
}

/// `no-panic` has no twin, because any panic of the core violates it.
#[test]
fn every_invariant_has_a_twin_that_violates_it() {
    for invariant in Invariant::ALL.iter().filter(|invariant| **invariant != Invariant::NoPanic) {
        let is_broken = promises().any(|(_, _, broken)| broken == *invariant);
        assert!(is_broken, "no twin violates {invariant}");
    }
}
