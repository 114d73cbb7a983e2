//! The engine `loom`: the C11 memory model, two to four callers. The search is in `xfetch-on-loom`.

use super::{Budget, Cell, Coverage, Exploration, Progress};
use crate::catalogue::{Protocol, Scenario};
use crate::stop;
use sections::Schedule;
use std::sync::Once;
use xfetch_on_loom::{Limits, MAX_THREADS, search, threads};

/// The most callers for which loom has threads, and why there are no more. loom aborts the process if it has too
/// few.
pub(super) fn most_callers(scenario: Scenario, protocol: Protocol) -> (usize, String) {
    let others = threads(scenario, protocol, 0);
    let why = format!(
        "{scenario} on {protocol} needs {others} of loom's {MAX_THREADS} threads beside its callers"
    );
    (MAX_THREADS - others, why)
}

/// Shuttle's panic hook prints every panic of the process. loom ends its threads with panics, and has a hook that
/// hides them if it is set after Shuttle's.
fn hide_the_panics_of_loom() {
    static SHUTTLE_FIRST: Once = Once::new();
    SHUTTLE_FIRST.call_once(|| drop(sections::replay(&Schedule::default(), || ())));
}

pub(super) fn explore(cell: Cell, budget: &Budget, progress: Progress) -> Exploration {
    hide_the_panics_of_loom();
    let Cell { scenario, protocol, callers, .. } = cell;
    let Budget { executions, time, preemptions, .. } = *budget;
    let limits = Limits { executions, time, preemptions };
    let stop = Some(stop::flag());
    let searched = search(scenario, protocol, callers, limits, progress.cloned(), stop);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Engine, Invariant};
    use crate::engine::{explore, refuse_callers};

    fn cell(scenario: Scenario, protocol: Protocol, callers: usize) -> Cell {
        Cell { scenario, protocol, callers, engine: Engine::Loom }
    }

    fn pairs() -> impl Iterator<Item = (Scenario, Protocol)> {
        let protocols = Protocol::ALL.iter().copied();
        protocols.flat_map(|with| Scenario::ALL.iter().map(move |scenario| (*scenario, with)))
    }

    #[test]
    fn loom_is_asked_for_no_more_threads_than_it_has() {
        for (scenario, protocol) in pairs() {
            let is_taken =
                |callers: &usize| refuse_callers(cell(scenario, protocol, *callers)).is_ok();
            let most = (1..20).filter(is_taken).max().expect("it takes one caller");
            assert_eq!(threads(scenario, protocol, most), MAX_THREADS, "{scenario} on {protocol}");
            let refused =
                refuse_callers(cell(scenario, protocol, most + 1)).expect_err("one too many");
            let limits = format!("callers {}: loom takes 1 to {most} (", most + 1);
            assert!(refused.0.starts_with(&limits), "{refused}");
        }
    }

    /// loom would abort this process if the count of threads were too low.
    #[test]
    fn loom_runs_every_scenario_with_the_most_callers_that_it_takes() {
        for (scenario, protocol) in pairs().filter(|(_, protocol)| protocol.keeps_all()) {
            let (most, _) = most_callers(scenario, protocol);
            let budget = Budget { executions: 1, ..Budget::default() };
            let found = explore(cell(scenario, protocol, most), &budget, None);
            let found = found.expect("it takes so many callers");
            assert!(found.executions > 0, "{scenario} on {protocol}");
            assert!(!found.violates(Invariant::NoPanic), "{scenario} on {protocol}");
        }
    }
}
