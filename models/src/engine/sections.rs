//! The engine `sections`: every interleaving of synchronising operations, one of each equivalence
//! class.

use super::{Budget, Cell, Coverage, Exploration, Fault, Progress};
use crate::stop;
use sections::Search;

pub(super) fn explore(
    cell: Cell,
    budget: &Budget,
    progress: Progress,
) -> Result<Exploration, Fault> {
    let search = Search {
        reduce: budget.preemptions.is_none(),
        preemptions: budget.preemptions.map(|bound| u32::try_from(bound).unwrap_or(u32::MAX)),
        executions: budget.executions,
        time: budget.time,
        workers: budget.workers,
        progress: progress.cloned(),
        stop: Some(stop::flag()),
        ..Search::default()
    };
    let Cell { scenario, protocol, callers, .. } = cell;
    let (covered, seen) =
        xfetch_on_sections::search(&search, scenario, protocol, callers, budget.until)?;
    let mut exploration = Exploration::new(cell, budget);
    seen.into_iter().for_each(|seen| exploration.merge(seen));
    exploration.redundant = covered.redundant;
    if covered.exhausted {
        exploration.coverage = budget.preemptions.map_or(Coverage::Complete, Coverage::Preemptions);
    }
    Ok(exploration)
}
