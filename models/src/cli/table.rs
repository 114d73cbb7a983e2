//! The tables of the main command.

use super::explore::REPLAY;
use serde_json::Value;
use xfetch_models::catalogue::{Engine, Invariant, Protocol, Scenario};
use xfetch_models::claims::PHASE_COLUMNS;
use xfetch_models::engine::{Cell, Conclusion, Coverage, Exploration};
use xfetch_models::page::{Grid, markdown};
use xfetch_models::plan::Explored;

/// The numbers of callers that `sections` explores.
const SECTIONS_CALLERS: [usize; 4] = [2, 3, 4, 5];

/// The columns of the first table, after those that docs/FINDINGS.md has too.
const FURTHER_COLUMNS: [&str; 3] = ["of 2 (loom)", "of 100 (sampled)", "verdict"];

fn header() -> Vec<&'static str> {
    PHASE_COLUMNS.into_iter().chain(FURTHER_COLUMNS).collect()
}

const EXECUTIONS_HEADER: [&str; 5] =
    ["complete (redundant)", "2 callers", "3 callers", "4 callers", "5 callers"];

const SCENARIO_HEADER: [&str; 10] = [
    "scenario (shipped)",
    "sections, 2",
    "sections, 3",
    "sections, 4",
    "sections, 2, default",
    "loom, 2",
    "random, 100",
    "pct, 100",
    "urw, 100",
    "threads, 100",
];

const TWIN_HEADER: [&str; 4] = ["invariant", "scenario", "violated by", "token"];

pub(super) fn table(explored: &[Explored]) -> String {
    let one = |grid: &Grid| format!("{}:\n{}", grid.title, grid.markdown());
    grids(explored).iter().map(one).collect::<Vec<_>>().join("\n\n")
}

/// The tables of a whole plan.
pub(super) fn grids(explored: &[Explored]) -> Vec<Grid> {
    let explorations = &all(explored);
    let of_phases = |row: &dyn Fn(Protocol) -> Vec<String>| -> Vec<Vec<String>> {
        Protocol::PHASES.iter().map(|protocol| row(*protocol)).collect()
    };
    vec![
        Grid::new(
            "The scenario of the field report: the most computes of one execution, and the verdict",
            &header(),
            of_phases(&|protocol| row(protocol, explorations).to_vec()),
        ),
        Grid::new(
            "Executions of sections: one for each class of equivalent interleavings, and the redundant ones",
            &EXECUTIONS_HEADER,
            of_phases(&|protocol| executions(protocol, explorations)),
        ),
        Grid::new(
            "Every scenario on the shipped protocol: the verdict and the executions",
            &SCENARIO_HEADER,
            scenarios(explorations),
        ),
        Grid::new(
            &format!("Every invariant, and the twins that violate it ({REPLAY} TOKEN)"),
            &TWIN_HEADER,
            twins(explored),
        ),
    ]
}

fn all(explored: &[Explored]) -> Vec<&Exploration> {
    explored.iter().map(|explored| &explored.exploration).collect()
}

/// One row for each cell: the result of one shard of a plan.
pub(super) fn list(explored: &[Explored], not_run: &[Cell]) -> String {
    let row = |cell: &Cell, result: String| {
        let Cell { scenario, protocol, callers, engine } = cell;
        vec![
            scenario.slug().into(),
            protocol.slug().into(),
            engine.slug().into(),
            callers.to_string(),
            result,
        ]
    };
    let ran = all(explored).into_iter().map(|found| row(&found.cell, summary(found)));
    let rows = ran.chain(not_run.iter().map(|cell| row(cell, "not run".into()))).collect();
    markdown(&["scenario", "protocol", "engine", "callers", "executions"], rows)
}

fn scenarios(explorations: &[&Exploration]) -> Vec<Vec<String>> {
    let row = |scenario: &Scenario| {
        let on = |shipped, engine, callers| {
            let is = |found: &&Exploration| {
                let Cell { scenario: of, protocol, .. } = found.cell;
                of == *scenario && protocol == shipped && is(found, engine, callers)
            };
            let is_blind = engine == Engine::Loom && !scenario.on_loom();
            let nothing = if is_blind { "blind" } else { "not run" };
            explorations.iter().copied().find(is).map_or_else(|| nothing.into(), summary)
        };
        let of = |engine, callers| on(Protocol::DoubleRecheck, engine, callers);
        vec![
            scenario.slug().to_owned(),
            of(Engine::Sections, 2),
            of(Engine::Sections, 3),
            of(Engine::Sections, 4),
            on(Protocol::DefaultConfig, Engine::Sections, 2),
            of(Engine::Loom, 2),
            of(Engine::Random, 100),
            of(Engine::Pct, 100),
            of(Engine::Urw, 100),
            of(Engine::Threads, 100),
        ]
    };
    Scenario::ALL.iter().map(row).collect()
}

/// A cell in a few words.
pub(super) fn summary(found: &Exploration) -> String {
    let bound = match found.coverage {
        Coverage::Preemptions(bound) => format!(", preemptions <= {bound}"),
        Coverage::CompleteBySymmetry => ", by symmetry".into(),
        _ => String::new(),
    };
    let conclusion = match found.conclusion() {
        Conclusion::Holds | Conclusion::Bounded if !found.vacuous_for().is_empty() => {
            "vacuous".into()
        }
        conclusion => conclusion.to_string(),
    };
    format!("{conclusion}: {}{bound}", found.executions)
}

/// For each invariant, the twins that are written to violate it, each with its smallest token.
fn twins(explored: &[Explored]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for invariant in Invariant::ALL.iter().copied() {
        for protocol in Protocol::ALL.iter().copied() {
            for (scenario, _) in protocol.breaks().iter().filter(|(_, own)| *own == invariant) {
                let own_cell = |explored: &&Explored| {
                    let Cell { scenario: of, protocol: on, engine, .. } = explored.exploration.cell;
                    (of, on, engine) == (*scenario, protocol, Engine::Sections)
                };
                let mut own = explored.iter().filter(own_cell).peekable();
                let nothing = if own.peek().is_some() { "not broken" } else { "not run" };
                let shrunk = own.find_map(|found| found.tokens.get(&invariant));
                let token = shrunk.map_or_else(|| nothing.into(), |it| it.token.to_string());
                let (scenario, protocol) = (scenario.slug().into(), protocol.slug().into());
                rows.push(vec![invariant.slug().into(), scenario, protocol, token]);
            }
        }
    }
    rows
}

/// The rows of the first table, for the report.
pub(super) fn rows(explored: &[Explored]) -> Vec<Value> {
    let explorations = &all(explored);
    let object = |protocol: &Protocol| -> Value {
        let names = header().into_iter().map(str::to_owned);
        names.zip(row(*protocol, explorations).map(Value::from)).collect()
    };
    Protocol::PHASES.iter().map(object).collect()
}

fn row(
    protocol: Protocol,
    explorations: &[&Exploration],
) -> [String; PHASE_COLUMNS.len() + FURTHER_COLUMNS.len()] {
    let of: Vec<_> =
        explorations.iter().copied().filter(|found| of_field(found, protocol)).collect();
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

fn of_field(found: &Exploration, protocol: Protocol) -> bool {
    found.cell.scenario == Scenario::Field && found.cell.protocol == protocol
}

fn is(found: &Exploration, engine: Engine, callers: usize) -> bool {
    found.cell.engine == engine && found.cell.callers == callers
}

fn exhaustive(found: &Exploration) -> bool {
    matches!(found.cell.engine, Engine::Sections | Engine::Loom)
}

/// The most computes of these cells. A question mark follows if one of them was cut off.
fn worst(of: &[&Exploration], which: impl Fn(&Exploration) -> bool) -> String {
    let cells = || of.iter().filter(|found| which(found));
    let cut_off = cells().any(|found| found.coverage == Coverage::Incomplete);
    match cells().map(|found| found.worst()).max() {
        Some(worst) => format!("{worst}{}", if cut_off { "?" } else { "" }),
        None => "not run".into(),
    }
}

fn executions(protocol: Protocol, explorations: &[&Exploration]) -> Vec<String> {
    let of = |callers| {
        let is = |found: &&Exploration| {
            of_field(found, protocol) && is(found, Engine::Sections, callers)
        };
        explorations.iter().copied().find(is).map_or_else(
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

/// Only a complete search can have `holds`.
fn verdict(of: &[&Exploration]) -> String {
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
        cells.map(|found| found.cell.callers).max()
    };
    let holds = most(Engine::Sections).map(|callers| format!("holds at {callers}"));
    let bounded = most(Engine::Random).map(|callers| format!("bounded at {callers}"));
    match holds.into_iter().chain(bounded).collect::<Vec<_>>() {
        none if none.is_empty() => "not run".into(),
        verdicts => verdicts.join(", "),
    }
}
