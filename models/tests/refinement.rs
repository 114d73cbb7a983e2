//! Executions of the twins, held against the transition table of the shipped protocol.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use xfetch_models::catalogue::{Protocol, Scenario};
use xfetch_models::history::History;
use xfetch_spec::table::{INVARIANT, System, TABLE};
use xfetch_spec::traces::{self, Game};

/// Why each of these twins has no execution that the table lacks.
const UNSEEN: &[(Protocol, &str)] = &[
    (Protocol::ServeAsLooked, "what a stale request returns after its refresh is not in the table"),
    (Protocol::NoRecursionCheck, "its executions that go wrong do not end"),
    (Protocol::RetireByRefcount, "the table has no slots"),
    (Protocol::ReleaseWithoutNotify, "its executions that go wrong do not end"),
    (Protocol::SweepNothing, "the table has no slots, and a sweep may come at any time"),
    (Protocol::EvictNothing, "the table has no capacity"),
    (Protocol::WaitForQueued, "its executions that go wrong do not end"),
    (Protocol::DropUnderLease, "its executions that go wrong do not end"),
];

/// The event of the first execution of this cell that is not in the table.
fn leaves_the_table(scenario: Scenario, protocol: Protocol, callers: usize) -> Option<String> {
    let body = move || xfetch_on_sections::run(scenario, protocol, callers);
    let visit = |missing: &mut Option<String>, execution: sections::Execution<History>| {
        let sections::Outcome::Returned(history) = &execution.outcome else {
            return ControlFlow::Continue(());
        };
        let Some(why) = xfetch_on_sections::not_in_the_table(history) else {
            return ControlFlow::Continue(());
        };
        let event = why.lines().next().and_then(|line| line.split("has no step ").nth(1));
        // The numbers of an event are of this execution.
        let event = event.and_then(|it| it.split('(').next()).unwrap_or_default();
        *missing = Some(event.to_owned());
        ControlFlow::Break(())
    };
    let search = sections::Search { executions: 5_000, workers: 1, ..sections::Search::default() };
    let (_, found) = search.run(body, visit).expect("the scenario is deterministic");
    found.into_iter().find_map(|missing| missing)
}

/// If the table allowed everything, it would allow the twins too. docs/MODELS.md has the list, as this test finds it.
#[test]
fn each_twin_has_an_execution_that_the_table_lacks_but_for_those_that_it_does_not_speak_about() {
    let mut seen: BTreeMap<Protocol, Option<String>> = BTreeMap::new();
    for protocol in Protocol::ALL.iter().copied().filter(|it| !it.keeps_all()) {
        for (scenario, _) in protocol.breaks().iter().copied() {
            let row = seen.entry(protocol).or_default();
            let at = |callers: usize| {
                let event = leaves_the_table(scenario, protocol, callers)?;
                Some(format!("{scenario}, {callers} callers | {event}"))
            };
            *row = row.take().or_else(|| [2, 3].into_iter().find_map(at));
        }
    }
    let unseen: Vec<_> = seen.iter().filter(|(_, row)| row.is_none()).map(|(it, _)| *it).collect();
    assert_eq!(unseen, UNSEEN.iter().map(|(it, _)| *it).collect::<Vec<_>>());
    let row = |(twin, row): (&Protocol, &Option<String>)| {
        let why = UNSEEN.iter().find(|(it, _)| it == twin).map_or("", |(_, why)| *why);
        format!("| {twin} | {} |", row.clone().unwrap_or_else(|| format!("none | {why}")))
    };
    let rows: Vec<String> = seen.iter().map(row).collect();
    let page = include_str!("../../docs/MODELS.md");
    assert!(page.contains(&rows.join("\n")), "docs/MODELS.md lacks:\n{}", rows.join("\n"));
}

/// A look reads the index. A table in which it reads the map under its lock orders it after a value that is discarded, too.
#[test]
fn a_table_in_which_a_look_reads_the_map_has_other_executions() {
    let wrong = TABLE.replace("| index read", "| map read");
    let wrong = System::of(&wrong, INVARIANT).expect("the mistake is no mistake of grammar");
    let game = Game { entry: "stale", first: Some("invalidate"), fails: false, overlaps: true };
    let right = System::shipped().expect("the table is right");
    let of = |table| traces::count(table, &game, 2, 1_000);
    assert_ne!(of(&wrong), of(&right));
}

/// The shipped code and the table have as many executions, one of each trace. Where the lease table and the map are
/// touched, and in which order, is then the same in both.
#[test]
fn the_table_has_as_many_executions_as_sections_counts_of_the_code() {
    let table = System::shipped().expect("the table is right");
    let game = |entry, first, fails| Game { entry, first, fails, overlaps: false };
    let overlaps = |game| Game { overlaps: true, ..game };
    for (scenario, game, callers) in [
        (Scenario::Field, game("stale", None, false), 2..=5),
        (Scenario::Miss, game("absent", None, false), 2..=4),
        (Scenario::Fail, game("stale", None, true), 2..=4),
        (Scenario::Overlap, overlaps(game("stale", None, false)), 2..=4),
        (Scenario::MissOverlap, overlaps(game("absent", None, false)), 2..=4),
        (Scenario::Invalidate, overlaps(game("stale", Some("invalidate"), false)), 2..=3),
        (Scenario::InvalidateAbsent, overlaps(game("absent", Some("invalidate"), false)), 2..=3),
        (Scenario::Insert, overlaps(game("stale", Some("insert"), false)), 2..=3),
    ] {
        for callers in callers {
            let search = sections::Search::default();
            let protocol = Protocol::DoubleRecheck;
            let found = xfetch_on_sections::search(&search, scenario, protocol, callers, None);
            let (coverage, _) = found.expect("the scenario is deterministic");
            let of_table = traces::count(&table, &game, callers, 10_000_000);
            println!("{scenario}, {callers} callers: {of_table:?}, and {}", coverage.complete);
            assert!(coverage.exhausted);
            assert_eq!(of_table, Some(coverage.complete), "{scenario}, {callers} callers");
        }
    }
}
