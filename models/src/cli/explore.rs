//! One cell, in full.

use super::{Explore, Format, exit, print, refuse};
use serde_json::{Value, json};
use std::fmt::Write;
use std::process::ExitCode;
use xfetch_models::engine::{Findings, Judgement, explore};
use xfetch_models::verdict::Verdict;

pub(super) fn run(options: &Explore) -> ExitCode {
    match explore(options.cell(), &options.budget(), &|_| {}) {
        Err(refused) => refuse(refused),
        Ok(findings) => {
            match options.format {
                Format::Json => print(&format!("{:#}", json(&findings))),
                Format::Text => print(&text(&findings)),
            }
            exit(findings.judgement())
        }
    }
}

fn text(findings: &Findings) -> String {
    let cell = findings.cell;
    let mut out = format!(
        "{} on {}, {} callers, {}: {} executions, {}\n\n",
        cell.scenario,
        cell.protocol,
        cell.callers,
        cell.engine,
        findings.executions,
        findings.coverage,
    );
    for (verdict, count) in &findings.outcomes {
        let _ = writeln!(out, "{count:>10} x {}", outcome(verdict));
    }
    let _ = writeln!(out, "\n{}", findings.judgement());
    if findings.judgement() == Judgement::Broken {
        let _ = writeln!(out, "seed {}; again: {}", findings.budget.seed, command(findings));
    }
    out
}

fn outcome(verdict: &Verdict) -> String {
    let answers: Vec<_> =
        verdict.answers.iter().map(|(answer, count)| format!("{count} {answer:?}")).collect();
    let violated: Vec<_> = verdict.violated.iter().map(|invariant| invariant.slug()).collect();
    let violated = if violated.is_empty() {
        String::new()
    } else {
        format!("; violates {}", violated.join(", "))
    };
    format!("{} computes, answers {}{violated}", verdict.computes, answers.join(" ").to_lowercase())
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
    json!({
        "scenario": cell.scenario.slug(),
        "protocol": cell.protocol.slug(),
        "callers": cell.callers,
        "engine": cell.engine.slug(),
        "executions": findings.executions,
        "fingerprint": format!("{:016x}", findings.fingerprint),
        "coverage": findings.coverage.to_string(),
        "judgement": findings.judgement().to_string(),
        "worst": findings.worst(),
        "reproduce": command(findings),
        "outcomes": outcomes,
    })
}
