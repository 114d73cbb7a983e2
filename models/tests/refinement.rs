//! Executions of the twins, held against the transition table of the shipped protocol.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use xfetch_models::catalogue::{Protocol, Scenario};
use xfetch_models::history::History;

/// Why each of these twins has no execution that the table lacks.
const UNSEEN: &[(Protocol, &str)] = &[
    (Protocol::ServeAsLooked, "what a stale request returns after its refresh is not in the table"),
    (Protocol::NoRecursionCheck, "its executions that go wrong do not end"),
    (Protocol::NeverRetire, "the table has no slots"),
    (Protocol::RetireByRefcount, "the table has no slots"),
    (Protocol::ReleaseWithoutNotify, "its executions that go wrong do not end"),
    (Protocol::SweepNothing, "the table has no slots, and a sweep may come at any time"),
    (Protocol::EvictNothing, "the table has no capacity"),
    (Protocol::WaitForQueued, "its executions that go wrong do not end"),
    (Protocol::DropUnderLease, "its executions that go wrong do not end"),
];

/// Whether some execution of this cell is not in the table. A search ends at the first one.
fn leaves_the_table(scenario: Scenario, protocol: Protocol, callers: usize) -> bool {
    let body = move || xfetch_on_sections::run(scenario, protocol, callers);
    let visit = |missing: &mut bool, execution: sections::Execution<History>| {
        let sections::Outcome::Returned(history) = &execution.outcome else {
            return ControlFlow::Continue(());
        };
        *missing |= xfetch_on_sections::not_in_the_table(history).is_some();
        if *missing { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let search = sections::Search { executions: 5_000, ..sections::Search::default() };
    let (_, found) = search.run(body, visit).expect("the scenario is deterministic");
    found.into_iter().any(|missing| missing)
}

/// If the table allowed everything, it would allow the twins too.
#[test]
fn each_twin_has_an_execution_that_the_table_lacks_but_for_those_that_it_does_not_speak_about() {
    let mut seen: BTreeMap<Protocol, bool> = BTreeMap::new();
    for protocol in Protocol::ALL.iter().copied().filter(|it| !it.keeps_all()) {
        for (scenario, _) in protocol.breaks().iter().copied() {
            let leaves = seen.entry(protocol).or_default();
            *leaves =
                *leaves || [2, 3].into_iter().any(|it| leaves_the_table(scenario, protocol, it));
        }
    }
    let unseen: Vec<_> = seen.iter().filter(|(_, leaves)| !**leaves).map(|(it, _)| *it).collect();
    println!("{} of {} twins leave the table", seen.len() - unseen.len(), seen.len());
    assert_eq!(unseen, UNSEEN.iter().map(|(it, _)| *it).collect::<Vec<_>>());
}
