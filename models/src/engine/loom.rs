//! The engine `loom`: the C11 memory model, two to four callers. The search is in `xfetch-on-loom`.

use super::{Budget, Cell, Coverage, Exploration, Progress};
use xfetch_on_loom::{Limits, search};

pub(super) fn explore(cell: Cell, budget: &Budget, progress: Progress) -> Exploration {
    let Cell { scenario, protocol, callers, .. } = cell;
    let Budget { executions, time, preemptions, .. } = *budget;
    let limits = Limits { executions, time, preemptions };
    let searched = search(scenario, protocol, callers, limits, progress.cloned());
    let mut exploration = Exploration::new(cell, budget);
    exploration.reached = searched.reached;
    for (verdict, count) in searched.verdicts {
        exploration.add(verdict, count);
    }
    if searched.exhausted {
        exploration.coverage = preemptions.map_or(Coverage::Complete, Coverage::Preemptions);
    }
    exploration
}
