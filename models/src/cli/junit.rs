//! The result of the main command as JUnit XML, which CI services show: a suite for each scenario, a case for each
//! cell.

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

#[cfg(test)]
mod tests {
    use super::xml;
    use quick_junit::{NonSuccessKind, Report, TestCaseStatus};
    use xfetch_models::catalogue::{Engine, Protocol, Scenario};
    use xfetch_models::engine::{Budget, Cell, explore};
    use xfetch_models::plan::{Explored, deviations};

    fn explored(protocol: Protocol, executions: u64) -> Explored {
        let (scenario, engine) = (Scenario::Field, Engine::Sections);
        let cell = Cell { scenario, protocol, callers: 2, engine };
        let budget = Budget { executions, ..Budget::default() };
        Explored::from(explore(cell, &budget, None).expect("sections takes two callers"))
    }

    /// The status of each case, after the XML was read back: its element, its type and its message.
    fn statuses(explored: &[Explored], not_run: &[Cell]) -> Vec<(&'static str, String, String)> {
        let xml = xml(explored, not_run, &deviations(explored)).expect("it is written");
        let report = Report::deserialize_from_str(&xml).expect("XML");
        assert_eq!((report.tests, report.test_suites.len()), (explored.len() + not_run.len(), 1));
        let text = |it: Option<quick_junit::XmlString>| it.map(|it| it.to_string());
        let status = |status: TestCaseStatus| match status {
            TestCaseStatus::Success { .. } => ("success", None, None),
            TestCaseStatus::NonSuccess { kind, message, ty, .. } => {
                let is_failure = kind == NonSuccessKind::Failure;
                (if is_failure { "failure" } else { "error" }, text(ty), text(message))
            }
            TestCaseStatus::Skipped { message, .. } => ("skipped", None, text(message)),
        };
        let cases = report.test_suites.into_iter().flat_map(|it| it.test_cases);
        let statuses = cases.map(|it| status(it.status));
        statuses.map(|(it, ty, of)| (it, ty.unwrap_or_default(), of.unwrap_or_default())).collect()
    }

    #[test]
    fn a_cell_that_is_not_as_the_catalogue_says_is_a_failure() {
        let twin = explored(Protocol::ReleaseBeforePublish, 1_000);
        let expected = ("success", String::new(), String::new());
        assert_eq!(statuses(std::slice::from_ref(&twin), &[]), [expected]);
        // The same outcomes, as if they were the shipped protocol's.
        let mut shipped = twin;
        shipped.exploration.cell.protocol = Protocol::DoubleRecheck;
        let [(element, ty, message)] = &statuses(&[shipped], &[])[..] else { panic!("one case") };
        assert_eq!((*element, ty.as_str()), ("failure", "deviation"));
        assert!(message.contains("field is violated"), "{message}");
        let mut harmless = explored(Protocol::DoubleRecheck, 1_000);
        harmless.exploration.cell.protocol = Protocol::LockOnly;
        let (element, _, message) = statuses(&[harmless], &[]).remove(0);
        assert_eq!(element, "failure");
        assert_eq!(message, "lock-only does not violate no-wasted-compute in field");
    }

    #[test]
    fn a_cell_that_was_cut_off_is_an_error_and_one_that_was_not_run_is_skipped() {
        let cut_off = explored(Protocol::DoubleRecheck, 1);
        let not_run = Cell { callers: 3, ..cut_off.exploration.cell };
        let of = |element, ty: &str, message: &str| (element, ty.to_owned(), message.to_owned());
        assert_eq!(
            statuses(&[cut_off], &[not_run]),
            [
                of("error", "incomplete", "cut off after 1 executions"),
                of("skipped", "", "not run: Ctrl-C ended the run"),
            ]
        );
    }
}
