//! `sections` on the shipped core and on its twins.
//!
//! - The worst case of two to five callers is exact: the searches are complete.
//! - The counts of executions are those of the abstract protocol, which another program counts.
//! - The reduction loses no outcome, and both reductions count the same.
//! - A caller takes at most six sections.

mod abstract_protocol;

use abstract_protocol::Abstract;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::time::Duration;
use xfetch_models::catalogue::{Engine, On, Protocol, Scenario, Setup};
use xfetch_models::engine::{Budget, Cell, Coverage, Exploration, explore, verdict_of};
use xfetch_models::history::History;
use xfetch_models::verdict::Verdict;

fn complete(protocol: Protocol, callers: usize) -> Exploration {
    let cell = Cell { scenario: Scenario::Field, protocol, callers, engine: Engine::Sections };
    let time = Duration::from_secs(600);
    let budget = Budget { executions: 10_000_000, time, workers: 2, ..Budget::default() };
    let exploration = explore(cell, &budget, None).expect("sections takes this many callers");
    assert_eq!(exploration.coverage, Coverage::Complete, "{protocol}, {callers} callers");
    exploration
}

/// The fewest and the most computes of this many callers.
fn extremes(protocol: Protocol, callers: usize) -> (u32, u32) {
    let exploration = complete(protocol, callers);
    let fewest = exploration.outcomes.keys().map(|verdict| verdict.computes).min();
    println!(
        "{protocol}, {callers} callers: {} complete, {} redundant",
        exploration.executions, exploration.redundant
    );
    (fewest.expect("there are outcomes"), exploration.worst())
}

/// A request computes at most once, so the worst case is one compute for each caller. One compute is
/// the least if stale values are refreshed at all.
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

/// With reduction the number of executions is the number of Mazurkiewicz traces of the abstract
/// protocol. Without reduction it is the number of its paths.
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
    // The documented numbers, for six sections of each caller.
    let double = |callers| Abstract::of(Protocol::DoubleRecheck, callers);
    assert_eq!([2, 3].map(|callers| double(callers).paths()), [134, 39_678]);
    assert_eq!([2, 3, 4, 5].map(|callers| double(callers).traces()), [8, 60, 512, 5_200]);
    assert_eq!(complete(Protocol::DoubleRecheck, 5).executions, 5_200);
}

/// The verdicts of a search, and its coverage.
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

/// The verdicts of `field`, and the number of executions.
fn outcomes(protocol: Protocol, callers: usize, reduce: bool) -> (BTreeSet<Verdict>, u64) {
    let search = sections::Search { reduce, executions: 100_000, ..sections::Search::default() };
    let (verdicts, coverage) = verdicts((Scenario::Field, protocol), callers, search);
    assert!(coverage.exhausted, "there are few");
    (verdicts, coverage.complete)
}

/// With three callers a write can come while two computes are in flight. The reduction is switched off, so that every order
/// of independent sections comes, up to two preemptions, and at most 10,000 of a scenario.
///
/// A checker that counted the revocations of both computes was found by chance at 100 callers: the complete search had the
/// orders in which it was right.
#[test]
fn no_order_of_independent_sections_makes_a_checker_blame_the_shipped_code() {
    for scenario in Scenario::ALL.iter().copied() {
        let search = sections::Search {
            reduce: false,
            executions: 10_000,
            preemptions: Some(2),
            ..sections::Search::default()
        };
        let (seen, coverage) = verdicts((scenario, Protocol::DoubleRecheck), 3, search);
        println!("{scenario}: {} executions", coverage.complete);
        let blamed: Vec<_> = seen.iter().filter(|verdict| !verdict.violated.is_empty()).collect();
        assert!(blamed.is_empty(), "{scenario}: {blamed:?}");
    }
}

/// A checker may depend only on the order of dependent sections. If one depended on more, the
/// executions of one class could have different verdicts, and the reduction could lose a verdict.
///
/// Where two callers have at most 100,000 executions, all of them are compared: the clock stands still
/// and there is no pool. Otherwise the first 20,000 executions with at most three preemptions are
/// compared.
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
    println!("{all} cells compared in full, {some} up to three preemptions");
    assert!(all > 40 && some > 20);
    for protocol in Protocol::PHASES {
        if Abstract::of(protocol, 3).paths() <= 100_000 {
            let (all, _) = outcomes(protocol, 3, false);
            assert_eq!(all, outcomes(protocol, 3, true).0, "{protocol}, 3 callers");
        }
    }
}

/// The outcomes of a search, each with the number of its executions.
fn counted(
    cell: (Scenario, Protocol),
    callers: usize,
    sources: bool,
) -> (BTreeMap<Verdict, u64>, u64, u64) {
    let (scenario, protocol) = cell;
    let search = sections::Search { sources, ..sections::Search::default() };
    let (coverage, seen) = xfetch_on_sections::search(&search, scenario, protocol, callers, None)
        .expect("the scenario is deterministic");
    assert!(coverage.exhausted, "{scenario} on {protocol}");
    let mut outcomes = BTreeMap::new();
    for (verdict, (count, _)) in seen.into_iter().flat_map(|seen| seen.outcomes) {
        *outcomes.entry(verdict).or_default() += count;
    }
    (outcomes, coverage.complete, coverage.redundant)
}

/// The search by races and the search by sleep sets alone show one execution of each class, and often another one. If a
/// checker depended on the order of independent sections, its verdicts would be counted differently.
///
/// `XFETCH_JUDGED_CALLERS` sets another number of callers: three take ten minutes.
#[test]
fn both_searches_count_the_same_executions_of_each_outcome() {
    let callers = std::env::var("XFETCH_JUDGED_CALLERS")
        .map_or(2, |callers| callers.parse().expect("a number"));
    let (mut complete, mut redundant, mut before) = (0, 0, 0);
    for protocol in Protocol::ALL.iter().copied() {
        for scenario in Scenario::ALL.iter().copied() {
            if !protocol.is_shipped() && protocol.breaks_in(scenario).is_none() {
                continue;
            }
            let by_races = counted((scenario, protocol), callers, true);
            let by_sleep_sets = counted((scenario, protocol), callers, false);
            println!(
                "{scenario} on {protocol}: {} complete, {} and {} redundant",
                by_races.1, by_races.2, by_sleep_sets.2
            );
            assert_eq!(by_races.0, by_sleep_sets.0, "{scenario} on {protocol}");
            complete += by_races.1;
            redundant += by_races.2;
            before += by_sleep_sets.2;
        }
    }
    println!("all: {complete} complete, {redundant} and {before} redundant");
    assert!(redundant * 20 < complete, "{redundant} of {complete} executions are redundant");
    assert!(before > complete, "the judge reduces as much");
}

/// The names of callers of one role are exchanged in each history. If a checker told them apart, a search with symmetry
/// could lose what the checker sees.
#[test]
fn no_checker_tells_callers_of_one_role_apart() {
    let mut exchanged = 0;
    for protocol in Protocol::ALL.iter().copied() {
        for scenario in Scenario::ALL.iter().copied() {
            if !protocol.is_shipped() && protocol.breaks_in(scenario).is_none() {
                continue;
            }
            let setup = Setup::played(scenario, protocol);
            let workers = match setup.runs_on {
                On::Pool { workers } => workers,
                _ => 0,
            };
            let swaps = [(0, 1), (1, 2), (0, 2)];
            let is_of_one_role = |(one, other): &(usize, usize)| {
                setup.roles.class(*one) == setup.roles.class(*other)
            };
            let swaps: Vec<_> = swaps.into_iter().filter(is_of_one_role).collect();
            let compared = check_swapped((scenario, protocol), workers, swaps);
            exchanged += compared;
        }
    }
    println!("{exchanged} histories with exchanged names");
    assert!(exchanged > 50_000, "callers have common roles in most scenarios");
}

/// Compares the verdicts of up to 2,000 executions with three callers, with and without exchanged names.
fn check_swapped(
    (scenario, protocol): (Scenario, Protocol),
    workers: usize,
    swaps: Vec<(usize, usize)>,
) -> u64 {
    let body = move || xfetch_on_sections::run(scenario, protocol, 3);
    let visit = move |count: &mut u64, execution: sections::Execution<History>| {
        let sections::Outcome::Returned(history) = execution.outcome else {
            return ControlFlow::Continue(());
        };
        let verdict = Verdict::of(&history);
        for (one, other) in swaps.iter().copied() {
            let mut swapped = history.clone();
            swapped.answers.swap(one, other);
            let [one, other] = [one, other].map(|caller| 1 + workers + caller);
            for record in &mut swapped.records {
                record.task = match record.task {
                    task if task == one => other,
                    task if task == other => one,
                    task => task,
                };
            }
            assert_eq!(Verdict::of(&swapped), verdict, "{scenario} on {protocol}: {swapped:?}");
            *count += 1;
        }
        ControlFlow::Continue(())
    };
    let search = sections::Search { executions: 2_000, ..sections::Search::default() };
    let (_, counts) = search.run(body, visit).expect("the scenario is deterministic");
    counts.iter().sum()
}

/// Every cell at two callers, and at three if it is complete after 5,000 executions.
#[test]
fn symmetry_loses_no_verdict() {
    let (mut cells, mut all, mut with) = (0, 0, 0);
    let mut differ = Vec::new();
    for protocol in Protocol::ALL.iter().copied() {
        for scenario in Scenario::ALL.iter().copied() {
            if !protocol.is_shipped() && protocol.breaks_in(scenario).is_none() {
                continue;
            }
            for callers in [2, 3] {
                let of = |search| verdicts((scenario, protocol), callers, search);
                let every = sections::Search { executions: 5_000, ..sections::Search::default() };
                let (every, coverage) = of(every);
                if !coverage.exhausted {
                    continue;
                }
                let symmetry = true;
                let (seen, found) =
                    of(sections::Search { symmetry, ..sections::Search::default() });
                assert!(found.exhausted, "{scenario} on {protocol}");
                let lost: Vec<_> = every.difference(&seen).collect();
                let invented: Vec<_> = seen.difference(&every).collect();
                if !lost.is_empty() || !invented.is_empty() {
                    differ.push(format!(
                        "{scenario} on {protocol}, {callers} callers: {lost:?} and {invented:?}"
                    ));
                }
                cells += 1;
                all += coverage.complete;
                with += found.complete;
            }
        }
    }
    println!("{cells} cells: {all} executions, {with} with symmetry");
    assert!(differ.is_empty(), "{} cells differ:\n{}", differ.len(), differ.join("\n"));
    assert!(cells > 140 && with * 3 < all * 2);
}

/// One caller publishes. With symmetry an execution of `field` is given by what becomes of the n - 1 others: how many
/// look after the publication, how many re-check after it, and for the m that are left a word: in the order of their
/// attempts, each finds the lease taken or takes it. There are n - m ways to share n - 1 - m callers between the first
/// two, and 2^m words. The sum of (n - m) * 2^m over m from 0 to n - 1 is 2^(n+1) - n - 2.
#[test]
fn field_has_so_few_executions_with_symmetry_that_eight_callers_are_complete() {
    for callers in 2..=8_u32 {
        let symmetry = true;
        let search = sections::Search { symmetry, ..sections::Search::default() };
        let cell = (Scenario::Field, Protocol::DoubleRecheck);
        let (seen, coverage) = verdicts(cell, callers as usize, search);
        assert!(coverage.exhausted);
        assert_eq!(coverage.complete, (2 << callers) - u64::from(callers) - 2);
        assert!(seen.iter().all(|verdict| verdict.violated.is_empty() && verdict.computes == 1));
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
        most.into_iter().max().expect("the search had a worker")
    };
    assert_eq!(most(Protocol::DoubleRecheck), 6);
    assert_eq!(most(Protocol::InsideOnly), 5);
    assert_eq!(most(Protocol::LockOnly), 4);
}
