//! What each broken twin violates in every scenario, as a snapshot.
//!
//! A twin is written for one mistake. Its entry in the catalogue lists what that breaks where it shows best; the
//! mistake may break more, in other scenarios too. The snapshot has all of it, so that a change of a twin that
//! makes it wrong in a second way is seen.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use xfetch_models::catalogue::{Engine, Invariant, Protocol, Scenario};
use xfetch_models::engine::{Budget, Cell, Coverage, explore};

/// Executions of a cell, at most. One OS thread searches each cell, so that a search that is cut off is cut off at
/// the same execution every time.
const EXECUTIONS: u64 = 500;

/// A line for each scenario in which the twin violates something: `sweep: one-in-flight`. A question mark follows
/// if the search was cut off.
fn violations(protocol: Protocol) -> String {
    let mut lines = format!("{protocol}\n");
    for scenario in Scenario::ALL.iter().copied() {
        let cell = Cell { scenario, protocol, callers: 2, engine: Engine::Sections };
        let budget = Budget { executions: EXECUTIONS, ..Budget::default() };
        let found = explore(cell, &budget, None).expect("every cell can be explored");
        let violated: BTreeSet<Invariant> =
            found.violated().flat_map(|(verdict, _)| verdict.violated.iter().copied()).collect();
        let slugs: Vec<_> = violated.iter().map(|invariant| invariant.slug()).collect();
        let cut_off = if found.coverage == Coverage::Incomplete { " ?" } else { "" };
        if !slugs.is_empty() {
            let _ = writeln!(lines, "  {scenario}: {}{cut_off}", slugs.join(", "));
        }
    }
    lines
}

#[test]
fn no_twin_violates_anything_but_what_its_snapshot_lists() {
    let twins: Vec<_> =
        Protocol::ALL.iter().copied().filter(|protocol| !protocol.keeps_all()).collect();
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut own = Vec::new();
        while let Some(twin) = twins.get(next.fetch_add(1, Ordering::Relaxed)) {
            own.push((*twin, violations(*twin)));
        }
        own
    };
    let mut all: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no panic")).collect()
    });
    all.sort_by_key(|(twin, _)| twins.iter().position(|other| other == twin));
    let all: String = all.into_iter().map(|(_, lines)| lines).collect();
    insta::assert_snapshot!(all);
}
