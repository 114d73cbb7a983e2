//! `sections` on the shipped core and on its twins.
//!
//! - the worst case of two to five callers is exact: every interleaving was covered;
//! - the counts of executions are those of the abstract protocol, counted by another program;
//! - nothing is lost by the reduction: the same outcomes as without it;
//! - a caller takes at most six sections.

mod abstract_protocol;

use abstract_protocol::Abstract;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;
use xfetch_models::catalogue::{Engine, Protocol, Scenario};
use xfetch_models::engine::{Budget, Cell, Coverage, Exploration, explore, verdict_of};
use xfetch_models::history::History;
use xfetch_models::verdict::Verdict;

fn complete(protocol: Protocol, callers: usize) -> Exploration {
    let cell = Cell { scenario: Scenario::Field, protocol, callers, engine: Engine::Sections };
    let time = Duration::from_secs(600);
    let budget = Budget { executions: 10_000_000, time, workers: 2, ..Budget::default() };
    let exploration = explore(cell, &budget, None).expect("sections takes so many callers");
    assert_eq!(exploration.coverage, Coverage::Complete, "{protocol}, {callers} callers");
    exploration
}

/// The computes that are the most that so many callers can make, and the fewest.
fn extremes(protocol: Protocol, callers: usize) -> (u32, u32) {
    let exploration = complete(protocol, callers);
    let fewest = exploration.outcomes.keys().map(|verdict| verdict.computes).min();
    println!(
        "{protocol}, {callers} callers: {} complete, {} redundant",
        exploration.executions, exploration.redundant
    );
    (fewest.expect("there are outcomes"), exploration.worst())
}

/// A caller computes at most once a request, so that as many computes as callers are the worst that
/// can be. One is the least while a stale value is refreshed at all.
#[test]
fn the_worst_case_of_two_to_five_callers_is_exact() {
    for callers in 2..=5_u32 {
        let extremes = |protocol| extremes(protocol, callers as usize);
        assert_eq!(extremes(Protocol::DoubleRecheck), (1, 1));
        assert_eq!(extremes(Protocol::InsideOnly), (1, 1));
        assert_eq!(extremes(Protocol::NoLock), (1, callers));
        assert_eq!(extremes(Protocol::LockOnly), (1, callers));
        assert_eq!(extremes(Protocol::BeforeOnly), (1, callers));
        assert_eq!(extremes(Protocol::AlwaysSkip), (0, 0));
        if callers < 5 {
            assert_eq!(extremes(Protocol::ReleaseBeforePublish), (1, callers));
        }
    }
}

/// The number of complete executions is the number of Mazurkiewicz traces of the abstract protocol,
/// and without reduction the number of its paths, as another program counts them.
#[test]
fn the_counts_are_those_of_the_abstract_protocol() {
    for protocol in Protocol::PHASES {
        for callers in 1..=4 {
            let traces = Abstract::of(protocol, callers).traces();
            assert_eq!(complete(protocol, callers).executions, traces, "{protocol}, {callers}");
        }
        let paths = Abstract::of(protocol, 2).paths();
        assert_eq!(outcomes(protocol, 2, false).1, paths, "{protocol}");
    }
    // The figures of the design, for six sections a caller.
    let double = |callers| Abstract::of(Protocol::DoubleRecheck, callers);
    assert_eq!([2, 3].map(|callers| double(callers).paths()), [134, 39_678]);
    assert_eq!([2, 3, 4, 5].map(|callers| double(callers).traces()), [8, 60, 512, 5_200]);
    assert_eq!(complete(Protocol::DoubleRecheck, 5).executions, 5_200);
}

/// The verdicts of a scenario, and what was covered.
fn verdicts(
    (scenario, protocol): (Scenario, Protocol),
    callers: usize,
    search: sections::Search,
) -> (BTreeSet<Verdict>, sections::Coverage) {
    let body = move || xfetch_on_sections::run(scenario, protocol, callers);
    let visit = |seen: &mut BTreeSet<Verdict>, execution: sections::Execution<History>| {
        seen.insert(verdict_of(&execution.outcome));
        ControlFlow::Continue(())
    };
    let (coverage, seen) = search.run(body, visit).expect("the scenario is deterministic");
    (seen.into_iter().flatten().collect(), coverage)
}

/// The verdicts of the field scenario, and how many executions that took.
fn outcomes(protocol: Protocol, callers: usize, reduce: bool) -> (BTreeSet<Verdict>, u64) {
    let search = sections::Search { reduce, executions: 100_000, ..sections::Search::default() };
    let (verdicts, coverage) = verdicts((Scenario::Field, protocol), callers, search);
    assert!(coverage.exhausted, "there are few");
    (verdicts, coverage.complete)
}

/// What a judge says may depend on the order of dependent sections alone. If it depended on more,
/// one execution of a class would be judged otherwise than another, and be lost.
///
/// Every order is compared where there are at most 100,000 of two callers: wherever the clock stands still and there
/// is no pool. Elsewhere those with at most three preemptions are, of which the first 20,000.
#[test]
fn the_reduction_loses_no_verdict() {
    let (mut all, mut some) = (0, 0);
    for protocol in Protocol::ALL.iter().copied() {
        for scenario in Scenario::ALL.iter().copied() {
            if !protocol.is_shipped() && protocol.breaks_in(scenario).is_none() {
                continue;
            }
            let of = |search| verdicts((scenario, protocol), 2, search);
            let moves = scenario.loom_preemptions().is_some();
            let (executions, preemptions) = if moves { (20_000, Some(3)) } else { (100_000, None) };
            let every = sections::Search {
                reduce: false,
                executions,
                preemptions,
                ..sections::Search::default()
            };
            let (every, coverage) = of(every);
            assert!(moves || coverage.exhausted, "{scenario} on {protocol}");
            let (reduced, coverage) = of(sections::Search::default());
            assert!(coverage.exhausted, "{scenario} on {protocol}");
            let lost: Vec<_> = every.difference(&reduced).collect();
            assert!(lost.is_empty(), "{scenario} on {protocol}: {lost:?}");
            assert!(moves || every == reduced, "{scenario} on {protocol}");
            *(if moves { &mut some } else { &mut all }) += 1;
        }
    }
    println!("{all} compared in full, {some} up to three preemptions");
    assert!(all > 40 && some > 20);
    for protocol in Protocol::PHASES {
        if Abstract::of(protocol, 3).paths() <= 100_000 {
            let (all, _) = outcomes(protocol, 3, false);
            assert_eq!(all, outcomes(protocol, 3, true).0, "{protocol}, 3 callers");
        }
    }
}

/// Look, re-check, acquire, re-check, publish, release.
#[test]
fn a_caller_takes_at_most_six_sections() {
    let most = |protocol| {
        let search = sections::Search { record: true, ..sections::Search::default() };
        let body = move || xfetch_on_sections::run(Scenario::Field, protocol, 3);
        let visit = |most: &mut usize, execution: sections::Execution<History>| {
            let of = |caller| execution.steps.iter().filter(|step| step.task == caller).count();
            *most = (1..=3).map(of).fold(*most, usize::max);
            ControlFlow::Continue(())
        };
        let (_, most) = search.run(body, visit).expect("the scenario is deterministic");
        most.into_iter().max().expect("a worker counted")
    };
    assert_eq!(most(Protocol::DoubleRecheck), 6);
    assert_eq!(most(Protocol::InsideOnly), 5);
    assert_eq!(most(Protocol::LockOnly), 4);
}
