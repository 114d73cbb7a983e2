//! Shuttle's own depth-first search on Shuttle's own primitives. The results of `sections` are compared
//! with it.

use shuttle::scheduler::DfsScheduler;
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use xfetch_vocabulary::catalogue::{Protocol, Scenario};
use xfetch_vocabulary::verdict::Verdict;

/// The result of a search.
#[derive(Clone, Debug, Default)]
pub struct Searched {
    /// The outcomes, each with its number of executions.
    pub outcomes: BTreeMap<Verdict, u64>,
    /// Whether the search was complete.
    pub exhausted: bool,
}

/// Searches for at most this long. The time is checked between two executions.
///
/// # Panics
///
/// If an execution deadlocks or panics: Shuttle ends the search there. The shipped protocol does neither.
pub fn search(scenario: Scenario, protocol: Protocol, callers: usize, time: Duration) -> Searched {
    assert_eq!(crate::backend_name(), "plain shuttle");
    let mut config = Config::new();
    config.failure_persistence = FailurePersistence::None;
    config.max_steps = MaxSteps::None;
    config.max_time = Some(time);
    let seen: Arc<Mutex<BTreeMap<Verdict, u64>>> = Arc::default();
    let (collect, began) = (Arc::clone(&seen), Instant::now());
    // Shuttle also counts executions that it gives up. This counts executions that ended.
    Runner::new(DfsScheduler::new(None, false), config).run(move || {
        let verdict = Verdict::of(&crate::run(scenario, protocol, callers));
        *collect.lock().unwrap_or_else(PoisonError::into_inner).entry(verdict).or_default() += 1;
    });
    let exhausted = began.elapsed() <= time;
    let outcomes = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
    Searched { outcomes, exhausted }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sections::{Outcome, Schedule};
    use xfetch_vocabulary::catalogue::Invariant;

    /// One caller leaves no choice. Two callers have 371,496 executions with two outcomes, the same as
    /// in `sections`, which is too slow for a test. The command `performance` compares them.
    #[test]
    fn one_caller_has_one_execution_and_the_same_outcome_as_in_sections() {
        for protocol in [Protocol::DoubleRecheck, Protocol::AlwaysSkip] {
            let (scenario, callers) = (Scenario::Field, 1);
            let searched = search(scenario, protocol, callers, Duration::MAX);
            let body = move || xfetch_on_sections::run(scenario, protocol, callers);
            let execution = sections::replay(&Schedule::default(), body).expect("task 1 can run");
            let Outcome::Returned(history) = execution.outcome else {
                panic!("the scenario returns")
            };
            assert!(searched.exhausted);
            assert_eq!(searched.outcomes.values().sum::<u64>(), 1);
            assert!(searched.outcomes.keys().eq([&Verdict::of(&history)]));
        }
    }

    #[test]
    fn a_broken_twin_violates_its_invariant_here_too() {
        let searched = search(Scenario::Field, Protocol::AlwaysSkip, 1, Duration::MAX);
        let progress = Invariant::RefreshMakesProgress;
        assert!(searched.outcomes.keys().all(|verdict| verdict.violated.contains(&progress)));
    }
}
