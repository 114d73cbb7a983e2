//! One cell, in full.

use super::{Explore, Format, exit, print, progress, refuse};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::process::ExitCode;
use std::sync::Arc;
use xfetch_models::catalogue::{Engine, Invariant};
use xfetch_models::engine::{Findings, Judgement, explore};
use xfetch_models::lanes::counted;
use xfetch_models::replay::{Shrunk, tokens};
use xfetch_models::verdict::Verdict;

/// More outcomes than these are not listed one by one.
const MANY: usize = 24;

/// What brings a token's execution back.
pub(super) const REPLAY: &str = "cargo run --release -- replay";

pub(super) fn run(options: &Explore) -> ExitCode {
    let executions = Arc::default();
    let bar = progress::of_one(&executions);
    let explored = explore(options.cell(), &options.budget(), Some(&executions));
    bar.finish_and_clear();
    match explored {
        Err(refused) => refuse(refused),
        Ok(findings) => {
            match options.format {
                Format::Json => print(&format!("{:#}", json(&findings))),
                Format::Text => print(&text(&findings)),
            }
            let missed: Vec<_> =
                findings.vacuous_for().iter().map(|witness| witness.slug()).collect();
            if !missed.is_empty() && findings.judgement() != Judgement::Broken {
                eprintln!("vacuous: {} not reached", missed.join(", "));
                return ExitCode::FAILURE;
            }
            exit(findings.judgement())
        }
    }
}

fn text(findings: &Findings) -> String {
    let cell = findings.cell;
    let redundant = match cell.engine {
        Engine::Sections => format!(" ({} redundant)", findings.redundant),
        _ => String::new(),
    };
    let mut out = format!(
        "{} on {}, {} callers, {}: {} executions{}, {}\n\n",
        cell.scenario,
        cell.protocol,
        cell.callers,
        cell.engine,
        findings.executions,
        redundant,
        findings.coverage,
    );
    if findings.outcomes.len() <= MANY {
        for (verdict, count) in &findings.outcomes {
            let _ = writeln!(out, "{count:>10} x {}", outcome(verdict));
        }
    } else {
        for ((computes, violated), count) in without_answers(findings) {
            let _ = writeln!(out, "{count:>10} x {computes} computes{}", violates(violated));
        }
    }
    let _ = writeln!(
        out,
        "\n{}; {:.2} computes in the mean, {} at most",
        findings.judgement(),
        findings.mean(),
        findings.worst(),
    );
    if findings.judgement() == Judgement::Broken {
        let _ = writeln!(out, "again: {}", command(findings));
        for (invariant, shrunk) in tokens(findings) {
            let _ = writeln!(out, "\n{invariant}: {REPLAY} {}\n{}", shrunk.token, why(&shrunk));
        }
    }
    out
}

/// What is known of a token being the smallest.
fn why(shrunk: &Shrunk) -> String {
    let smaller = if shrunk.preemptions == 0 {
        "and there cannot be fewer"
    } else if shrunk.fewest_preemptions() {
        "the fewest: every schedule with fewer was tried"
    } else {
        "as few as shrinking by replays found"
    };
    format!("  {}, {smaller}", counted(shrunk.preemptions as usize, "preemption"))
}

fn outcome(verdict: &Verdict) -> String {
    let answers: Vec<_> =
        verdict.answers.iter().map(|(answer, count)| format!("{count} {answer:?}")).collect();
    let violated = violates(&verdict.violated);
    format!("{} computes, answers {}{violated}", verdict.computes, answers.join(" ").to_lowercase())
}

fn violates(violated: &BTreeSet<Invariant>) -> String {
    if violated.is_empty() {
        return String::new();
    }
    let violated: Vec<_> = violated.iter().map(|invariant| invariant.slug()).collect();
    format!("; violates {}", violated.join(", "))
}

/// The outcomes by what matters most. A hundred callers go home in too many ways to list.
fn without_answers(findings: &Findings) -> BTreeMap<(u32, &BTreeSet<Invariant>), u64> {
    let mut grouped = BTreeMap::new();
    for (verdict, count) in &findings.outcomes {
        *grouped.entry((verdict.computes, &verdict.violated)).or_default() += count;
    }
    grouped
}

/// What repeats a cell.
pub(super) fn command(findings: &Findings) -> String {
    let (cell, budget) = (findings.cell, findings.budget);
    let mut line = format!(
        "cargo run --release -- explore --engine {} --scenario {} --protocol {} --callers {} \
         --budget {} --seed {}",
        cell.engine, cell.scenario, cell.protocol, cell.callers, budget.executions, budget.seed,
    );
    if let Some(bound) = budget.preemptions {
        let _ = write!(line, " --preemptions {bound}");
    }
    line
}

/// A cell of the report; `docs/REPORT.md` is its schema.
pub(super) fn json(findings: &Findings) -> Value {
    let cell = findings.cell;
    let outcomes: Vec<_> = findings
        .outcomes
        .iter()
        .map(|(verdict, count)| {
            let violated: Vec<_> =
                verdict.violated.iter().map(|invariant| invariant.slug()).collect();
            json!({ "computes": verdict.computes, "violated": violated, "count": count })
        })
        .collect();
    let tokens: BTreeMap<_, _> = tokens(findings)
        .into_iter()
        .map(|(invariant, shrunk)| (invariant.slug(), shrunk.token.to_string()))
        .collect();
    json!({
        "scenario": cell.scenario.slug(),
        "protocol": cell.protocol.slug(),
        "callers": cell.callers,
        "engine": cell.engine.slug(),
        "executions": findings.executions,
        "redundant": findings.redundant,
        "fingerprint": format!("{:016x}", findings.fingerprint),
        "coverage": findings.coverage.to_string(),
        "judgement": findings.judgement().to_string(),
        "worst": findings.worst(),
        "reproduce": command(findings),
        "tokens": tokens,
        "outcomes": outcomes,
    })
}
