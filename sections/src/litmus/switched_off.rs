//! Each rule is taken away, and the test named here has to notice.

use super::announced::text;
use super::judges::{Outcomes, by_sections};
use crate::rules::{Rule, without};
use crate::sync::Mutex;
use crate::sync::atomic::AtomicI64;
use crate::thread::spawn;
use crate::{Error, Search};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is wrong without a rule.
enum Symptom {
    /// This litmus has other outcomes than those that were derived, or is no longer explored.
    Outcomes(&'static str),
    /// An error is not reported.
    Silence(fn() -> Option<Error>, fn(&Error) -> bool),
    /// An execution is counted twice.
    Count,
}

fn symptom(rule: Rule) -> Symptom {
    match rule {
        Rule::FootprintHasReleases => Symptom::Outcomes("try_against_a_holder"),
        Rule::SleepersAreFiltered => Symptom::Outcomes("store_buffering"),
        Rule::OwnersAreTracked => Symptom::Outcomes("nested_locks"),
        Rule::WokenWaitersAreChosen => Symptom::Outcomes("a_thief_of_a_broadcast"),
        Rule::TriedLocksAnnounceReleases => Symptom::Outcomes("try_beside_a_store"),
        Rule::TimeoutsAreEnabled => Symptom::Outcomes("a_timeout_alone"),
        Rule::MainOnlySpawnsAndJoins => {
            Symptom::Silence(main_takes_part, |error| matches!(error, Error::MainTakesPart { .. }))
        }
        Rule::NewTasksRunFirst => Symptom::Outcomes("child_against_sibling"),
        Rule::LedgersAreSections => Symptom::Outcomes("two_computes_in_flight"),
        Rule::UpdatesAreNotAdditions => Symptom::Outcomes("fetch_adds"),
        Rule::RedundantIsNotCounted => Symptom::Count,
        Rule::ReplaysAreCompared => Symptom::Silence(nondeterministic, |error| {
            matches!(error, Error::Nondeterministic { .. })
        }),
    }
}

impl Symptom {
    fn shows(&self) -> bool {
        match self {
            Self::Outcomes(name) => !is_right(name),
            Self::Silence(run, expected) => !run().is_some_and(|error| expected(&error)),
            Self::Count => complete_executions_of_nested_reads() != TRACES_OF_NESTED_READS,
        }
    }
}

fn is_right(name: &str) -> bool {
    let all = text::litmuses().chain(text::TIMEOUTS.iter().copied());
    let litmus = all.into_iter().find(|litmus| litmus.name == name).expect("the table names one");
    let expected: Outcomes = litmus.outcomes.iter().map(|outcome| (*outcome).to_owned()).collect();
    [false, true]
        .into_iter()
        .all(|reduce| by_sections(litmus.body, reduce, 1).is_ok_and(|(found, _)| found == expected))
}

/// Main locks while a task lives: without the rule it is never interrupted, and the outcome in which
/// the task comes first is lost.
fn main_takes_part() -> Option<Error> {
    let body = || {
        let shared = Arc::new(Mutex::new(0));
        let its = Arc::clone(&shared);
        let task = spawn(move || *its.lock() += 1);
        let seen = *shared.lock();
        task.join().unwrap();
        seen
    };
    let search = Search { workers: 1, ..Search::default() };
    search.run(body, |(): &mut (), _| ControlFlow::Continue(())).err()
}

/// Every other execution loads where the others store.
fn nondeterministic() -> Option<Error> {
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
    let search = Search { workers: 1, reduce: false, ..Search::default() };
    search.run(body, |(): &mut (), _| ControlFlow::Continue(())).err()
}

/// Two readers of two numbers and two writers of one each, as [`text`] has them.
///
/// A trace is an order of each write against both reads of its object: 3 places among the two reads
/// if they are ordered, but readers commute, so 4 sides for each write. Of these 16 combinations one
/// is cyclic, in which the readers see the writes in opposite orders.
const TRACES_OF_NESTED_READS: u64 = 15;

fn complete_executions_of_nested_reads() -> u64 {
    let litmus = text::litmuses().find(|litmus| litmus.name == "independent_reads");
    let litmus = litmus.expect("there is one");
    by_sections(litmus.body, true, 1).unwrap().1.complete
}

#[test]
fn every_rule_is_missed_by_its_litmus() {
    for rule in Rule::ALL {
        let symptom = symptom(*rule);
        assert!(!symptom.shows(), "{rule:?} is on, and the answer is wrong");
        assert!(without(Some(*rule), || symptom.shows()), "{rule:?} is off, and nobody notices");
    }
}

#[test]
fn matrix() {
    for l in text::litmuses().chain(text::TIMEOUTS.iter().copied()) {
        eprintln!(
            "XX {} {:?} {:?}",
            l.name,
            by_sections(l.body, false, 1).unwrap().1.complete,
            by_sections(l.body, true, 1).unwrap().1
        );
    }
}
