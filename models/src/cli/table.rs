//! The findings as a table: a row per protocol.

use super::explore;
use comfy_table::{Table, presets};
use serde_json::Value;
use xfetch_models::catalogue::{Engine, Protocol};
use xfetch_models::engine::{Coverage, Findings};

const HEADER: [&str; 8] = [
    "phase",
    "protocol",
    "report's count",
    "worst at 100",
    "worst at 2 (loom)",
    "executions",
    "coverage",
    "verdict",
];

pub(super) fn table(findings: &[Findings]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN).set_header(HEADER);
    for protocol in Protocol::ALL.iter().copied() {
        let of: Vec<_> = findings.iter().filter(|found| found.cell.protocol == protocol).collect();
        table.add_row(row(protocol, &of));
    }
    format!("{table}\n\nHow each broken one comes back:\n{}", reproduce(findings))
}

/// For each broken protocol the first engine that breaks it and can repeat itself: loom, random
/// and pct do, threads do not.
fn reproduce(findings: &[Findings]) -> String {
    let repeats = |found: &&Findings| {
        found.cell.engine != Engine::Threads && found.violated().next().is_some()
    };
    let of = |protocol| findings.iter().filter(repeats).find(move |f| f.cell.protocol == protocol);
    let commands: Vec<_> =
        Protocol::ALL.iter().filter_map(|protocol| of(*protocol)).map(explore::command).collect();
    commands.join("\n")
}

/// The rows of the table, for the report.
pub(super) fn rows(findings: &[Findings]) -> Vec<Value> {
    let of = |protocol: Protocol| -> Vec<_> {
        findings.iter().filter(|found| found.cell.protocol == protocol).collect()
    };
    let object = |protocol: Protocol| {
        HEADER
            .iter()
            .map(|name| (*name).to_owned())
            .zip(row(protocol, &of(protocol)).map(Value::from))
    };
    Protocol::ALL.iter().map(|protocol| object(*protocol).collect()).collect()
}

fn row(protocol: Protocol, of: &[&Findings]) -> [String; 8] {
    let loom = |found: &&&Findings| found.cell.engine == Engine::Loom;
    let worst = |sampled: bool| {
        of.iter().filter(|found| loom(found) != sampled).map(|found| found.worst()).max()
    };
    let executions: u64 = of.iter().map(|found| found.executions).sum();
    [
        protocol.phase().into(),
        protocol.slug().into(),
        protocol.reported().into(),
        worst(true).unwrap_or(0).to_string(),
        worst(false).unwrap_or(0).to_string(),
        executions.to_string(),
        coverage(of),
        verdict(of),
    ]
}

fn coverage(of: &[&Findings]) -> String {
    if of.iter().any(|found| found.coverage == Coverage::Incomplete) {
        return "incomplete".into();
    }
    "loom complete, others sampled".into()
}

/// `holds` is said of the complete search of two callers alone.
fn verdict(of: &[&Findings]) -> String {
    let mut violated: Vec<_> =
        of.iter().flat_map(|found| found.violated()).flat_map(|(v, _)| &v.violated).collect();
    violated.sort();
    violated.dedup();
    if !violated.is_empty() {
        let slugs: Vec<_> = violated.iter().map(|invariant| invariant.slug()).collect();
        return format!("broken: {}", slugs.join(", "));
    }
    if coverage(of) == "incomplete" {
        return "incomplete".into();
    }
    "holds at 2, bounded at 100".into()
}
