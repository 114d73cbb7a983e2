//! The command `prove`: the transition table of the protocol, its properties, and how far each is proved.

use super::{Prove, keep, note, print, refuse};
use std::process::ExitCode;
use xfetch_models::page::markdown;
use xfetch_spec::mutate::ALL;
use xfetch_spec::prove::{Options, Report, Way, run as prove};
use xfetch_spec::table::System;
use xfetch_spec::{diagram, smt, tla};

/// The name of the command, and its page.
const PAGE: (&str, &str) = ("prove", "docs/PROOF.md");
/// The page, with the places for what is computed.
const TEXT: &str = include_str!("proof.md");

/// Exit code 0: all is proved, and the page is as it should be; 1: it is not.
pub(super) fn run(options: &Prove) -> ExitCode {
    let system = match System::shipped() {
        Ok(system) => system,
        Err(error) => return refuse(format!("the table: {error}")),
    };
    if options.smt {
        print(&smt::script(&system).0);
        return ExitCode::SUCCESS;
    }
    if options.tla {
        print(&tla::module(&system));
        return ExitCode::SUCCESS;
    }
    if let Err(cannot) = options.page.is_usable(PAGE.1) {
        return refuse(cannot);
    }
    let without_solvers = options.without_solvers;
    let report = prove(&system, Options { without_solvers, ..Options::default() });
    print(report.to_string().trim_end());
    if !report.errors.is_empty() {
        note("a solver is missing: install it, or leave both out with --without-solvers");
    }
    if !report.holds() {
        return ExitCode::FAILURE;
    }
    if without_solvers {
        note("without the solvers docs/PROOF.md is not compared");
        return ExitCode::SUCCESS;
    }
    keep(&options.page, PAGE, &page(&system, &report), None)
}

fn page(system: &System, report: &Report) -> String {
    let list = |lines: Vec<String>| {
        lines.iter().map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n")
    };
    let properties = report.properties.iter().map(|it| format!("[{it}](INVARIANTS.md#{it})"));
    let any = |way: &&Way| way.any;
    let (any, exact): (Vec<_>, Vec<_>) = report.ways.iter().partition(any);
    let clauses = system.claims.len() - system.claims.iter().filter(|it| it.is_property).count();
    [
        ("{STEPS}", system.table.steps.len().to_string()),
        ("{CLAUSES}", clauses.to_string()),
        ("{MUTATIONS}", ALL.len().to_string()),
        ("{PROPERTIES}", list(properties.collect())),
        ("{ANY}", ways(&any)),
        ("{EXACT}", ways(&exact)),
        ("{PROGRESS}", list(report.progress.iter().map(|it| format!("{it}.")).collect())),
        ("{DIAGRAM}", diagram::mermaid(system)),
    ]
    .into_iter()
    .fold(TEXT.to_owned(), |page, (place, text)| page.replace(place, &text))
}

/// What was looked at: without the times, and without the versions of the solvers.
fn ways(ways: &[&Way]) -> String {
    let row = |way: &&Way| {
        let proved = way.proved.iter().filter(|it| **it).count();
        let what = match way.what.split_once(" questions, ") {
            Some((questions, _)) => format!("{questions} questions"),
            None => way.what.clone(),
        };
        vec![way.name.clone(), format!("{proved} of {}", way.proved.len()), what]
    };
    markdown(&["way", "proved", "looked at"], ways.iter().map(row).collect())
}
