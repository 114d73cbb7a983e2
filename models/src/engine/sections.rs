//! The engine `sections`: every interleaving of synchronising operations, one of each equivalence
//! class.

use super::{Budget, Cell, Coverage, CutOff, Exploration, Fault, Progress};
use crate::stop;
use sections::{Checkpoint, Estimate, Search};
use std::sync::Arc;

/// Explores, and goes on with a search that was cut off, if there is one. Returns what is left, too.
pub(super) fn explore(
    cell: Cell,
    budget: &Budget,
    from: Option<CutOff>,
    progress: Progress,
    estimate: Option<&Arc<Estimate>>,
) -> Result<(Exploration, Option<Checkpoint>), Fault> {
    let search = Search {
        reduce: budget.preemptions.is_none(),
        preemptions: budget.preemptions.map(|bound| u32::try_from(bound).unwrap_or(u32::MAX)),
        symmetry: budget.symmetry,
        executions: budget.executions,
        time: budget.time,
        workers: budget.workers,
        progress: progress.cloned(),
        estimate: estimate.cloned(),
        stop: Some(stop::flag()),
        ..Search::default()
    };
    let Cell { scenario, protocol, callers, .. } = cell;
    let (before, rest) = from.map(CutOff::parts).unzip();
    let until = budget.until;
    let found = xfetch_on_sections::resume(&search, rest, scenario, protocol, callers, until)?;
    let mut exploration = Exploration::new(cell, budget);
    let before = before.filter(|_| !found.begins_again);
    before.into_iter().chain(found.accumulators).for_each(|seen| exploration.merge(seen));
    exploration.redundant = found.coverage.redundant;
    exploration.explored = found.explored.filter(|_| found.rest.is_some());
    if found.coverage.exhausted {
        let complete =
            if budget.symmetry { Coverage::CompleteBySymmetry } else { Coverage::Complete };
        exploration.coverage = budget.preemptions.map_or(complete, Coverage::Preemptions);
    }
    Ok((exploration, found.rest))
}
