//! Each rule is switched off, and the test that is named here has to fail.

use super::announced::text;
use super::checkers::{Outcomes, by_sections};
use super::judge::coverage;
use super::program::{Op, Program};
use crate::rules::{Rule, without};
use crate::sync::Mutex;
use crate::sync::atomic::AtomicI64;
use crate::thread::spawn;
use crate::{Error, Execution, Outcome, Search};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What goes wrong without a rule.
enum Symptom {
    /// This litmus has other outcomes than the derived ones, or cannot be explored.
    Outcomes(&'static str),
    /// The body returns other values than these.
    Values(fn() -> i32, &'static [i32]),
    /// An error is not reported.
    Silence(fn(usize) -> Option<Error>, fn(&Error) -> bool),
    /// An execution is counted twice.
    Count,
    /// With symmetry an outcome is lost.
    LostBySymmetry,
    /// The search by races shows fewer executions of this program than sleep sets alone.
    Lost(fn() -> Program),
}

fn symptom(rule: Rule) -> Symptom {
    match rule {
        Rule::FootprintHasReleases => Symptom::Outcomes("try_against_a_holder"),
        Rule::SleepersAreFiltered => Symptom::Outcomes("store_buffering"),
        Rule::OwnersAreTracked => Symptom::Outcomes("nested_locks"),
        Rule::WokenWaitersAreChosen => Symptom::Outcomes("a_thief_of_a_broadcast"),
        Rule::TriedLocksAnnounceReleases => Symptom::Outcomes("try_beside_a_store"),
        Rule::TimeoutsAreEnabled => Symptom::Outcomes("a_timeout_alone"),
        Rule::MainOnlySpawnsAndJoins => Symptom::Values(main_takes_part, &[0, 1]),
        Rule::NewTasksRunFirst => Symptom::Outcomes("child_against_sibling"),
        Rule::LedgersAreSections => Symptom::Outcomes("two_computes_in_flight"),
        Rule::UpdatesAreNotAdditions => Symptom::Outcomes("fetch_adds"),
        Rule::RacesAsk => Symptom::Outcomes("lost_update"),
        Rule::HoldersAreAsked => Symptom::Lost(a_reader_that_locks_and_a_writer),
        Rule::MissedWakeUpsAsk => Symptom::Lost(one_notification_and_two_waiters),
        Rule::ReleasesBeforeWaitsAsk => Symptom::Lost(a_broadcast_and_a_time_out),
        Rule::SecondStepsCommute => Symptom::Lost(a_store_before_a_held_lock),
        Rule::SwapsAreChecked => Symptom::LostBySymmetry,
        Rule::RedundantIsNotCounted => Symptom::Count,
        Rule::ReplaysAreCompared => Symptom::Silence(nondeterministic, |error| {
            matches!(error, Error::Nondeterministic { .. })
        }),
    }
}

impl Symptom {
    fn shows(&self, workers: usize) -> bool {
        match self {
            Self::Outcomes(name) => !is_right(name, workers),
            Self::Values(body, expected) => values(*body, workers) != *expected,
            Self::Silence(run, expected) => !run(workers).is_some_and(|error| expected(&error)),
            Self::Lost(program) => {
                let program = Arc::new(program());
                let complete = |sources| coverage(&program, sources, workers).complete;
                complete(true) < complete(false)
            }
            Self::LostBySymmetry => super::symmetric::loses(workers),
            Self::Count => executions_of_independent_reads(workers) != TRACES_OF_INDEPENDENT_READS,
        }
    }
}

fn is_right(name: &str, workers: usize) -> bool {
    let all = text::litmuses().chain(text::TIMEOUTS.iter().copied());
    let litmus =
        all.into_iter().find(|litmus| litmus.name == name).expect("a litmus has this name");
    let expected: Outcomes = litmus.outcomes.iter().map(|outcome| (*outcome).to_owned()).collect();
    [false, true].into_iter().all(|reduce| {
        by_sections(litmus.body, reduce, workers).is_ok_and(|(found, _)| found == expected)
    })
}

/// The reader holds its lock over two steps. The writer comes before them or after them.
fn a_reader_that_locks_and_a_writer() -> Program {
    Program(vec![vec![Op::Read(vec![Op::Lock(0, vec![])])], vec![Op::Write(vec![])]])
}

/// Either waiter can have the notification.
fn one_notification_and_two_waiters() -> Program {
    let waits = || vec![Op::Wait { checks: false, timed: false }];
    Program(vec![waits(), waits(), vec![Op::Notify { all: false, flag: false }]])
}

/// The flag's mutex is tried, so its release before the wait is a step. The broadcast comes before or after it, and after
/// it the time-out may come before the broadcast.
fn a_broadcast_and_a_time_out() -> Program {
    let waits = |timed| Op::Wait { checks: true, timed };
    let tries = Op::TryLock(2, vec![Op::Notify { all: false, flag: false }, Op::Load(0)]);
    Program(vec![
        vec![waits(true), Op::Notify { all: false, flag: true }],
        vec![tries, Op::Notify { all: true, flag: false }, waits(false)],
    ])
}

/// The load comes before the store, whose writer comes before the reader that holds the lock over two steps. So the
/// writer's step is not on the way to that order: the load is.
fn a_store_before_a_held_lock() -> Program {
    let loads = Op::Lock(0, vec![Op::Spawn(vec![Op::Load(1)])]);
    let reads = Op::Read(vec![Op::Notify { all: false, flag: true }]);
    Program(vec![
        vec![Op::Lock(0, vec![]), loads],
        vec![Op::Write(vec![Op::Store(1, 1)])],
        vec![Op::Lock(0, vec![]), reads],
    ])
}

/// Main locks while a task lives. Without the rule main is never interrupted, and the outcome in which
/// the task comes first is lost.
pub fn main_takes_part() -> i32 {
    let shared = Arc::new(Mutex::new(0));
    let its = Arc::clone(&shared);
    let task = spawn(move || *its.lock() += 1);
    let seen = *shared.lock();
    task.join().unwrap();
    seen
}

fn values(body: fn() -> i32, workers: usize) -> Vec<i32> {
    let judge = |values: &mut Vec<i32>, execution: Execution<i32>| {
        if let Outcome::Returned(value) = execution.outcome {
            values.push(value);
        }
        ControlFlow::Continue(())
    };
    let search = Search { workers, ..Search::default() };
    let mut values = search.run(body, judge).map_or_else(|_| Vec::new(), |found| found.1.concat());
    values.sort_unstable();
    values
}

/// Every second execution loads where the others store.
fn nondeterministic(workers: usize) -> Option<Error> {
    static EXECUTIONS: AtomicUsize = AtomicUsize::new(0);
    let body = || {
        let loads = EXECUTIONS.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        let shared = Arc::new(AtomicI64::new(0));
        let tasks = [0, 1].map(|_| {
            let shared = Arc::clone(&shared);
            spawn(move || {
                if loads {
                    shared.load(Ordering::SeqCst);
                } else {
                    shared.store(1, Ordering::SeqCst);
                }
            })
        });
        tasks.into_iter().for_each(|task| task.join().unwrap());
    };
    let search = Search { workers, reduce: false, ..Search::default() };
    search.run(body, |(): &mut (), _| ControlFlow::Continue(())).err()
}

/// A trace is an order of each of the four pairs of a store and a load of one object. Of the 16
/// combinations one is cyclic: that in which the readers see the stores in opposite orders.
const TRACES_OF_INDEPENDENT_READS: u64 = 15;

/// By sleep sets alone: the search by races has no redundant execution here.
fn executions_of_independent_reads(workers: usize) -> u64 {
    let litmus = text::litmuses().find(|litmus| litmus.name == "independent_reads");
    let litmus = litmus.expect("a litmus has this name");
    let search = Search { sources: false, workers, ..Search::default() };
    let visit = |(): &mut (), _| ControlFlow::Continue(());
    search.run(litmus.body, visit).unwrap().0.complete
}

#[test]
fn a_test_fails_for_each_rule_that_is_switched_off() {
    for (rule, workers) in Rule::ALL.iter().flat_map(|rule| [(*rule, 1), (*rule, 2)]) {
        let symptom = symptom(rule);
        assert!(!symptom.shows(workers), "{rule:?} is on, and its test fails");
        let shows = without(Some(rule), || symptom.shows(workers));
        assert!(shows, "{rule:?} is off, {workers} workers, and its test passes");
    }
}
