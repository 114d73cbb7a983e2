//! The findings as tables: a row per protocol.

use super::explore::{REPLAY, tokens};
use comfy_table::{Table, presets};
use serde_json::Value;
use xfetch_models::catalogue::{Engine, Protocol};
use xfetch_models::engine::{Coverage, Findings};

/// The callers with which `sections` is asked.
pub(super) const SECTIONS_CALLERS: [usize; 4] = [2, 3, 4, 5];

const HEADER: [&str; 10] = [
    "phase",
    "protocol",
    "report's count",
    "worst of 2",
    "of 3",
    "of 4",
    "of 5 callers",
    "of 2 (loom)",
    "of 100 (sampled)",
    "verdict",
];

const EXECUTIONS_HEADER: [&str; 5] =
    ["complete (redundant)", "2 callers", "3 callers", "4 callers", "5 callers"];

pub(super) fn table(findings: &[Findings]) -> String {
    format!(
        "The most computes of one execution, and what is said of it:\n{}\n\n\
         Executions of sections, of every interleaving one per equivalence class, and those that \
         only repeated others:\n{}\n\nHow each broken one comes back:\n{}",
        markdown(&HEADER, |protocol| row(protocol, findings).to_vec()),
        markdown(&EXECUTIONS_HEADER, |protocol| executions(protocol, findings)),
        reproduce(findings)
    )
}

fn markdown(header: &[&str], row: impl Fn(Protocol) -> Vec<String>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN).set_header(header);
    table.add_rows(Protocol::ALL.iter().map(|protocol| row(*protocol)));
    table.to_string()
}

/// For each broken protocol the token of the invariant that it was written to violate.
fn reproduce(findings: &[Findings]) -> String {
    let of = |protocol: &Protocol| {
        let (_, invariant) = *protocol.breaks().first()?;
        let mut cells = findings.iter().filter(|found| found.cell.protocol == *protocol);
        let shrunk = cells.find_map(|found| tokens(found).remove(&invariant))?;
        Some(format!("{REPLAY} {}", shrunk.token))
    };
    let commands: Vec<_> = Protocol::ALL.iter().filter_map(of).collect();
    commands.join("\n")
}

/// The rows of the table, for the report.
pub(super) fn rows(findings: &[Findings]) -> Vec<Value> {
    let object = |protocol: &Protocol| -> Value {
        let names = HEADER.iter().map(|name| (*name).to_owned());
        names.zip(row(*protocol, findings).map(Value::from)).collect()
    };
    Protocol::ALL.iter().map(object).collect()
}

fn row(protocol: Protocol, findings: &[Findings]) -> [String; HEADER.len()] {
    let of: Vec<_> = findings.iter().filter(|found| found.cell.protocol == protocol).collect();
    let sections = |callers| worst(&of, |found| is(found, Engine::Sections, callers));
    let [two, three, four, five] = SECTIONS_CALLERS.map(sections);
    [
        protocol.phase().into(),
        protocol.slug().into(),
        protocol.reported().into(),
        two,
        three,
        four,
        five,
        worst(&of, |found| found.cell.engine == Engine::Loom),
        worst(&of, |found| !exhaustive(found)),
        verdict(&of),
    ]
}

fn is(found: &Findings, engine: Engine, callers: usize) -> bool {
    found.cell.engine == engine && found.cell.callers == callers
}

fn exhaustive(found: &Findings) -> bool {
    matches!(found.cell.engine, Engine::Sections | Engine::Loom)
}

/// The worst of some cells; a question mark behind it if one of them was cut off.
fn worst(of: &[&Findings], which: impl Fn(&Findings) -> bool) -> String {
    let cells = || of.iter().filter(|found| which(found));
    let cut_off = cells().any(|found| found.coverage == Coverage::Incomplete);
    match cells().map(|found| found.worst()).max() {
        Some(worst) => format!("{worst}{}", if cut_off { "?" } else { "" }),
        None => "not run".into(),
    }
}

fn executions(protocol: Protocol, findings: &[Findings]) -> Vec<String> {
    let of = |callers| {
        let is = |found: &&Findings| {
            found.cell.protocol == protocol && is(found, Engine::Sections, callers)
        };
        findings.iter().find(is).map_or_else(
            || "not run".into(),
            |found| {
                let cut_off = found.coverage == Coverage::Incomplete;
                let mark = if cut_off { " incomplete" } else { "" };
                format!("{} ({}){mark}", found.executions, found.redundant)
            },
        )
    };
    let counts = SECTIONS_CALLERS.into_iter().map(of);
    std::iter::once(protocol.slug().to_owned()).chain(counts).collect()
}

/// `holds` is said of complete searches alone.
fn verdict(of: &[&Findings]) -> String {
    let mut violated: Vec<_> =
        of.iter().flat_map(|found| found.violated()).flat_map(|(v, _)| &v.violated).collect();
    violated.sort();
    violated.dedup();
    if !violated.is_empty() {
        let slugs: Vec<_> = violated.iter().map(|invariant| invariant.slug()).collect();
        return format!("broken: {}", slugs.join(", "));
    }
    if of.iter().any(|found| found.coverage == Coverage::Incomplete) {
        return "incomplete".into();
    }
    let most = |engine| {
        let cells = of.iter().filter(|found| found.cell.engine == engine);
        cells.map(|found| found.cell.callers).max().unwrap_or(0)
    };
    format!("holds at {}, bounded at {}", most(Engine::Sections), most(Engine::Random))
}
