//! The register of invariants at the quick budget, as three machines would share it. The shipped protocol keeps every
//! invariant in every scenario, under every engine. For each invariant a twin violates it.
//!
//! - complete at two callers under `sections` and loom, with every witness reached;
//! - a hundred callers by chance and on real threads;
//! - no invariant is without a twin, and no twin keeps the invariant that it was written to violate.
//!
//! `cargo run --release` also runs three and more callers, the scenarios that loom runs up to a bound, and the default
//! configuration.

use xfetch_models::catalogue::{Engine, Invariant};
use xfetch_models::engine::{Budget, Cell};
use xfetch_models::plan::{Extent, Plan, PlanShard, cut_off, deviations, promises};

#[test]
fn the_quick_budget_in_three_shards_is_as_the_catalogue_says() {
    let plan = Plan::of(Extent::Quick);
    // At the same time, as on three machines: the longest cell of a shard leaves no processor idle.
    let explored: Vec<(Cell, Budget)> = std::thread::scope(|scope| {
        let shards = (1..=3).filter_map(|number| PlanShard::new(number, 3));
        let plan = &plan;
        let running: Vec<_> = shards.map(|shard| scope.spawn(move || check(plan, shard))).collect();
        running.into_iter().flat_map(|it| it.join().expect("the shard is as promised")).collect()
    });
    assert_eq!(explored.len(), plan.0.len());
}

/// Explores a shard, and compares it with the catalogue. Returns its cells.
fn check(plan: &Plan, shard: PlanShard) -> Vec<(Cell, Budget)> {
    let exploration =
        plan.shard(shard).explore(1, None, |_| ()).expect("every cell can be explored");
    let deviations: Vec<_> = deviations(&exploration).into_iter().map(|it| it.what).collect();
    assert_eq!(deviations, [""; 0], "shard {shard}");
    let cut_off: Vec<_> = cut_off(&exploration).map(|found| found.cell).collect();
    assert_eq!(cut_off, [], "shard {shard}");
    for found in &exploration {
        let is_sample = !matches!(found.cell.engine, Engine::Sections | Engine::Loom);
        assert!(!is_sample || found.executions >= found.budget.executions, "{:?}", found.cell);
    }
    exploration.iter().map(|found| (found.cell, found.budget)).collect()
}

/// `no-panic` has none: the suite reports it if the core panics.
#[test]
fn every_invariant_has_a_twin_that_violates_it() {
    for invariant in Invariant::ALL.iter().filter(|invariant| **invariant != Invariant::NoPanic) {
        let is_broken = promises().any(|(_, _, broken)| broken == *invariant);
        assert!(is_broken, "no twin violates {invariant}");
    }
}
