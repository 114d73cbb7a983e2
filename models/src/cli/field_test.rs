//! The command `field-test`: what the field report measured, and what is measured here.

use super::{FieldTest, Format, note, print, print_json, refuse};
use serde_json::{Value, json};
use std::process::ExitCode;
use xfetch_models::field_test::{Criterion, Kind, RACERS, Results, Setting, run as run_once};
use xfetch_models::page::markdown;
use xfetch_models::timeline::counted;

const BY_DESIGN: &str = "Criterion 4 is missed by design: a stale request tries the lease. If the lease is taken, it \
returns at once with the stale value and is counted. With the try, nobody can keep that \
count at 0 while a compute is in flight. A caller that waits for the lease keeps it at 0, and pays with the \
P99: the report's 0 rejections beside 492 ms look like that.\n\n";

/// Exit code 0: the field test passed; 1: it did not.
pub(super) fn run(options: &FieldTest) -> ExitCode {
    let mut runs = Vec::new();
    for setting in [Setting::REPORT, Setting::SCALED] {
        let payload = setting.payload;
        note(format_args!("{setting}: waiting {payload:?} of real time until the key is stale"));
        match run_once(setting, options.threads.into()) {
            Ok(results) => runs.push(results),
            Err(refused) => return refuse(refused),
        }
    }
    let passed = runs.iter().all(Results::passed);
    match options.format {
        Format::Json => print_json(&json(&runs, passed)),
        Format::Text => print(&text(&runs, passed)),
    }
    ExitCode::from(u8::from(!passed))
}

fn text(runs: &[Results], passed: bool) -> String {
    let not_met = |run: &Results| run.criteria().iter().any(|it| is_by_design(it) && !it.passed);
    let why = if runs.iter().any(not_met) { BY_DESIGN } else { "" };
    let threads = counted(runs.first().map_or(0, |run| run.threads), "thread");
    let settings = || runs.iter().map(|run| run.setting.to_string());
    let header = |first: &[&str]| -> Vec<String> {
        first.iter().map(|name| (*name).to_owned()).chain(settings()).collect()
    };
    format!(
        "{threads} ask at once for one stale key. Above each column: payload TTL and storage TTL.\n\
         {}\n\n{why}What the report could not measure. Here {RACERS} more threads asked repeatedly \
         while the value was published:\n{}\n\n{}",
        markdown(&header(&["", "criterion", "target", "report"]), criteria(runs)),
        markdown(&header(&["counted", "target"]), beyond(runs)),
        if passed { "the field test passed" } else { "the field test did not pass" },
    )
}

/// One row for each criterion, one column for each run.
fn criteria(runs: &[Results]) -> Vec<Vec<String>> {
    let all: Vec<_> = runs.iter().map(Results::criteria).collect();
    let Some(first) = all.first() else { return Vec::new() };
    let row = |(index, criterion): (usize, &Criterion)| {
        let Criterion { name, target, reported, .. } = criterion;
        let about = [(index + 1).to_string(), (*name).into(), target.clone(), (*reported).into()];
        about.into_iter().chain(all.iter().map(|of| outcome(&of[index]))).collect()
    };
    first.iter().enumerate().map(row).collect()
}

fn is_by_design(criterion: &Criterion) -> bool {
    criterion.kind == Kind::ByDesign
}

fn outcome(criterion: &Criterion) -> String {
    let verdict = match criterion {
        Criterion { passed: true, .. } => "passed",
        it if is_by_design(it) => "not met, by design",
        Criterion { .. } => "NOT PASSED",
    };
    format!("{}: {verdict}", criterion.value)
}

fn beyond(runs: &[Results]) -> Vec<Vec<String>> {
    let row = |name: &str, target: &str, of: &dyn Fn(&Results) -> String| -> Vec<String> {
        let about = [name.to_owned(), target.to_owned()];
        about.into_iter().chain(runs.iter().map(of)).collect()
    };
    let all = runs.first().map_or(0, |run| run.threads).to_string();
    vec![
        row("responses while the compute was held", &all, &|run| run.while_held.to_string()),
        row("the next request gets the new value", "yes", &|run| yes(run.next_is_new)),
        row("computes after the refresh", "0", &|run| run.wasted.to_string()),
        row("computes at once", "1", &|run| run.most_in_flight.to_string()),
        row("skips before the lease", "", &|run| run.total.skipped_before.to_string()),
        row("skips under the lease", "", &|run| run.total.skipped_inside.to_string()),
        row("lease found held, both waves", "", &|run| run.total.contended.to_string()),
        row("refreshes refused by the pool", "", &|run| run.total.rejected.to_string()),
        row("failed computes", "", &|run| run.total.failed.to_string()),
    ]
}

fn yes(it_is: bool) -> String {
    if it_is { "yes" } else { "no" }.into()
}

/// The results of all runs. `docs/REPORT.md` is the schema.
fn json(runs: &[Results], passed: bool) -> Value {
    json!({ "schema": 1, "passed": passed, "runs": runs.iter().map(of_run).collect::<Vec<_>>() })
}

fn of_run(run: &Results) -> Value {
    let criterion = |it: &Criterion| {
        json!({
            "name": it.name,
            "target": it.target,
            "report": it.reported,
            "value": it.value,
            "passed": it.passed,
            "by_design": is_by_design(it),
        })
    };
    json!({
        "payload_ms": run.setting.payload.as_millis() as u64,
        "storage_ms": run.setting.storage.as_millis() as u64,
        "threads": run.threads,
        "criteria": run.criteria().iter().map(criterion).collect::<Vec<_>>(),
        "responses_while_held": run.while_held,
        "next_is_new": run.next_is_new,
        "wasted": run.wasted,
        "most_in_flight": run.most_in_flight,
        "skipped_before": run.total.skipped_before,
        "skipped_inside": run.total.skipped_inside,
        "contended": run.total.contended,
        "rejected": run.total.rejected,
        "failed": run.total.failed,
        "passed": run.passed(),
    })
}
