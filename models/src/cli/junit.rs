//! The result of the main command as JUnit XML, which CI services show: a suite for each scenario, a case for each cell.

use super::{explore, table};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::collections::BTreeMap;
use std::fmt::Write;
use xfetch_models::catalogue::Scenario;
use xfetch_models::engine::{Cell, Conclusion};
use xfetch_models::plan::{Deviation, Explored};

/// A failure is a cell that is not as the catalogue says, an error one whose search was cut off. A cell that was not
/// begun is skipped. There are no times: they would differ from run to run, and nobody keeps them.
pub(super) fn xml(
    explored: &[Explored],
    not_run: &[Cell],
    deviations: &[Deviation],
) -> Result<String, String> {
    let mut suites: BTreeMap<Scenario, TestSuite> = BTreeMap::new();
    let ran = explored.iter().map(|found| {
        let status = status(found, deviations);
        (&found.exploration.cell, status, Some(said(found)))
    });
    let not_run = not_run.iter().map(|cell| {
        let mut status = TestCaseStatus::skipped();
        status.set_message("not run: Ctrl-C ended the run");
        (cell, status, None)
    });
    for (cell, status, said) in ran.chain(not_run) {
        let Cell { scenario, protocol, callers, engine } = cell;
        let mut case = TestCase::new(format!("{protocol}, {callers} callers, {engine}"), status);
        case.set_classname(scenario.slug());
        if let Some(said) = said {
            case.set_system_out(said);
        }
        let suite = suites.entry(*scenario).or_insert_with(|| TestSuite::new(scenario.slug()));
        suite.add_test_case(case);
    }
    let mut report = Report::new("xfetch");
    report.add_test_suites(suites.into_values());
    report.to_string().map_err(|error| format!("cannot write JUnit XML: {error}"))
}

/// As the exit code: what is not as it should be comes before what was cut off.
fn status(found: &Explored, deviations: &[Deviation]) -> TestCaseStatus {
    let exploration = &found.exploration;
    let own = deviations.iter().filter(|it| it.is_of(&exploration.cell));
    let own: Vec<&str> = own.map(|it| it.what.as_str()).collect();
    let (kind, name, message) = match exploration.conclusion() {
        _ if !own.is_empty() => (NonSuccessKind::Failure, "deviation", own.join("; ")),
        Conclusion::Incomplete => {
            let message = format!("cut off after {} executions", exploration.executions);
            (NonSuccessKind::Error, "incomplete", message)
        }
        _ => return TestCaseStatus::success(),
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(name).set_message(message).set_description(explore::command(exploration));
    status
}

/// What was found, the command that repeats it, and a token for each violation.
fn said(found: &Explored) -> String {
    let exploration = &found.exploration;
    let mut out = format!("{}\n{}", table::summary(exploration), explore::command(exploration));
    for (invariant, shrunk) in &found.tokens {
        let _ = write!(out, "\n{invariant}: {} {}", explore::REPLAY, shrunk.token);
    }
    out
}
