//! The proofs hold for the shipped table, and each of them can fail.

use std::collections::BTreeSet;
use xfetch_spec::exact::{self, Alone, World};
use xfetch_spec::lang::Expr;
use xfetch_spec::mutate::{self, Mutation};
use xfetch_spec::prove::{self, Options};
use xfetch_spec::smt::{self, Solver};
use xfetch_spec::table::System;
use xfetch_spec::{counters, induction, tla};

fn shipped() -> System {
    System::shipped().unwrap_or_else(|error| panic!("the shipped table: {error}"))
}

fn mutated(mutation: &Mutation) -> System {
    mutation.system().unwrap_or_else(|error| panic!("{}: {error}", mutation.name))
}

fn named(name: &str) -> System {
    let found = mutate::ALL.iter().find(|it| it.name == name);
    mutated(found.unwrap_or_else(|| panic!("no mutation is called {name}")))
}

/// A user may have no solvers. CI says that it has them: then one that is missing fails the tests.
fn has_solvers() -> bool {
    let has = Solver::ALL.iter().all(|it| it.version().is_ok());
    let needs = std::env::var_os("XFETCH_SOLVERS").is_some();
    assert!(has || !needs, "XFETCH_SOLVERS is set, and z3 or cvc5 is missing");
    if !has {
        eprintln!("NOT CHECKED: z3 or cvc5 is missing, so no solver is asked");
    }
    has
}

#[test]
fn every_property_is_proved_in_every_way_that_needs_no_solver() {
    let options =
        Options { still: 5, progress: (2, 5), without_solvers: true, ..Options::default() };
    let report = prove::run(&shipped(), options);
    assert!(report.holds(), "{report}");
    assert_eq!(report.ways.iter().filter(|it| it.any).count(), 2);
}

/// What is there for the properties alone must not decide what the protocol does.
#[test]
fn no_guard_of_the_shipped_table_reads_a_ghost() {
    let table = &shipped().table;
    assert!(table.shared.iter().any(|it| it.ghost));
    let reads_a_ghost = |of: &Expr| {
        let mut vars = Vec::new();
        of.reads(&mut vars);
        vars.iter().any(|it| table.domain_of(it.scope, it.index).ghost)
    };
    for step in &table.steps {
        assert!(!reads_a_ghost(&step.when), "{}", step.name);
    }
}

#[test]
fn both_solvers_prove_every_step_and_every_property() {
    let (script, questions) = smt::script(&shipped());
    for solver in Solver::ALL {
        match solver.ask(&script, &questions) {
            Ok(judged) => assert!(judged.refuted.is_empty(), "{solver:?}: {:?}", judged.refuted),
            Err(error) => assert!(!has_solvers() && error.contains("Debian"), "{error}"),
        }
    }
}

/// docs/MODELS.md has the list, as this test finds it.
#[test]
fn each_mutation_breaks_its_property_at_three_callers_and_the_search_by_counters_sees_it() {
    let mut rows = Vec::new();
    for mutation in mutate::ALL {
        let system = mutated(mutation);
        let found = counters::search(&system, 400_000);
        let Some(property) = mutation.breaks else {
            assert!(found.unheld.is_some(), "{}: the lease has a holder", mutation.name);
            rows.push(format!("| {} | {} | a lease has no holder |", mutation.name, mutation.what));
            continue;
        };
        assert!(
            found.violated.contains_key(property),
            "{}: {:?}",
            mutation.name,
            found.violated.keys()
        );
        let exactly =
            |callers| exact::search(&system, &Alone::nobody(), World::Whole, callers, 1_000_000);
        let paths = (1..=3).find_map(|callers| exactly(callers).violated.remove(property));
        let path = paths.unwrap_or_else(|| panic!("{} breaks no {property}", mutation.name));
        let (name, what) = (mutation.name, mutation.what);
        rows.push(format!("| {name} | {what} | {property}, after {} steps |", path.len()));
    }
    let page = include_str!("../../../docs/MODELS.md");
    assert!(page.contains(&rows.join("\n")), "docs/MODELS.md lacks:\n{}", rows.join("\n"));
}

#[test]
fn each_mutation_that_breaks_a_property_breaks_the_induction_and_both_solvers_agree() {
    for mutation in mutate::ALL.iter().filter(|it| it.breaks.is_some()) {
        let system = mutated(mutation);
        let broken = induction::check(&system, None).broken;
        assert!(!broken.is_empty(), "{}", mutation.name);
        let by_induction: BTreeSet<String> = broken.into_keys().map(|it| it.step).collect();
        let (script, questions) = smt::script(&system);
        for solver in Solver::ALL.into_iter().filter(|_| has_solvers()) {
            let judged = solver.ask(&script, &questions);
            let judged = judged.unwrap_or_else(|error| panic!("{}: {error}", mutation.name));
            let refuted: BTreeSet<String> = judged.refuted.into_keys().collect();
            assert_eq!(refuted, by_induction, "{} by {solver:?}", mutation.name);
        }
    }
}

#[test]
fn a_leaked_lease_is_seen_as_a_state_in_which_callers_are_stuck() {
    let progress = exact::progress(
        &named("lease-leaks-on-failure"),
        &Alone::nobody(),
        World::Whole,
        2,
        1_000_000,
    );
    assert!(progress.stuck.is_some());
    assert!(
        exact::progress(&shipped(), &Alone::nobody(), World::Whole, 2, 1_000_000).stuck.is_none()
    );
}

#[test]
fn a_release_before_the_publication_lets_two_computes_into_one_window() {
    let system = named("release-before-publish");
    let found = exact::search(&system, &Alone::nobody(), World::Whole, 2, 1_000_000);
    let path = found.violated.get("one-compute-per-window").cloned().unwrap_or_default();
    let computes = path.iter().filter(|it| *it == "inside").count();
    assert!(computes == 2 && !path.contains(&"publish".to_string()), "{path:?}");
}

#[test]
fn each_clause_of_the_invariant_is_needed() {
    let system = shipped();
    for clause in system.claims.iter().filter(|it| !it.is_property) {
        let checked = induction::check(&system, Some(&clause.name));
        assert!(
            !checked.broken.is_empty() || checked.stuck.is_some(),
            "{} is not needed",
            clause.name
        );
    }
}

#[test]
fn every_step_of_the_table_is_taken_by_three_callers() {
    let system = shipped();
    let found = exact::search(&system, &Alone::nobody(), World::Whole, 3, 2_000_000);
    let reachable = counters::search(&system, 2_000_000).taken;
    let taken = found.taken.iter().enumerate().filter(|(_, it)| **it).map(|(it, _)| it).collect();
    let (count, all, missing) = prove::coverage(&system, &reachable, &taken);
    assert!(missing.is_empty() && count == all && all == system.table.steps.len(), "{missing:?}");
}

#[test]
fn the_reduction_finds_the_violations_and_the_steps_of_the_whole_search() {
    let system = shipped();
    let alone = Alone::find(&system);
    assert!(alone.count() > 0);
    for callers in 1..=3 {
        let reduced = exact::search(&system, &alone, World::Whole, callers, 2_000_000);
        let whole = exact::search(&system, &Alone::nobody(), World::Whole, callers, 2_000_000);
        assert!(reduced.states < whole.states || callers == 1);
        assert_eq!(reduced.taken, whole.taken, "{callers}");
        assert_eq!(reduced.violated, whole.violated);
    }
}

#[test]
fn a_state_of_three_callers_is_covered_by_one_of_the_search_by_counters() {
    let system = shipped();
    let exactly = exact::search(&system, &Alone::nobody(), World::Whole, 3, 2_000_000);
    let any = counters::search(&system, 2_000_000);
    let missing: Vec<&str> = system
        .table
        .steps
        .iter()
        .enumerate()
        .filter(|(it, _)| exactly.taken[*it] && !any.taken[*it])
        .map(|(_, step)| step.name.as_str())
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_report_holds_only_if_both_solvers_were_there_and_names_the_package_of_a_missing_one() {
    let few = Options { whole: 1, still: 1, progress: (1, 1), ..Options::default() };
    let report = prove::run(&shipped(), few);
    assert_eq!(report.errors.is_empty(), has_solvers());
    assert!(report.errors.iter().all(|it| it.contains("Debian's package")));
    assert_eq!(report.holds(), has_solvers(), "{report}");
}

#[test]
fn the_page_in_tla_has_every_step_once() {
    let system = shipped();
    let module = tla::module(&system);
    for step in &system.table.steps {
        let name = step.name.replace('-', "_");
        let head = if step.world { format!("\n{name} ==") } else { format!("\n{name}(c) ==") };
        assert_eq!(module.matches(&head).count(), 1, "{name}");
    }
}

#[test]
fn a_mistake_in_a_text_is_an_error_with_its_line() {
    let error = |text: &str| System::of(text, "").err().map(|it| it.line);
    assert_eq!(
        error("shared a: x y\nlocal at: p q\nplace p\nplace q\nstep s | - | m r\n  when b=x"),
        Some(6)
    );
    assert_eq!(error("shared a: x y\nlocal at: p\nplace r"), Some(3));
    assert_eq!(error("nonsense"), Some(1));
    assert!(error("").is_some());
    assert!(error("shared a: x\nlocal at: p q\nplace p").is_some());
}
