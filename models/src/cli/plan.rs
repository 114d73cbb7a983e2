//! The main job: the field scenario on every phase of the report, every scenario on what ships, every
//! broken twin where it is broken.

use super::table::{self, SECTIONS_CALLERS};
use super::{cores, explore, print, progress, refuse};
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use xfetch_models::catalogue::{Engine, Protocol, Scenario};
use xfetch_models::engine::{self, Budget, Cell, Coverage, Findings};

/// The callers of the field report.
const CALLERS: usize = 100;
/// As many as loom finishes.
const LOOM_CALLERS: usize = 2;
/// More executions than a complete search of any cell has.
const EVERYTHING: u64 = 10_000_000;

/// The cells, those with the most to do first.
fn cells(quick: bool) -> Vec<(Cell, Budget)> {
    let mut cells = field(quick);
    cells.extend(register(quick));
    cells.extend(twins());
    cells.sort_by_key(|(cell, _)| (cell.scenario, cell.protocol, cell.callers, cell.engine));
    cells.dedup_by_key(|(cell, _)| *cell);
    cells.sort_by_key(|(cell, budget)| u64::MAX - size(cell, budget));
    cells
}

/// How long a cell takes, more or less.
fn size(cell: &Cell, budget: &Budget) -> u64 {
    match cell.engine {
        Engine::Sections => 10_u64.pow(cell.callers as u32),
        Engine::Loom if cell.scenario == Scenario::Cycle => 100_000,
        Engine::Loom => 5_000,
        _ => budget.executions * 5,
    }
}

fn cell(scenario: Scenario, protocol: Protocol, engine: Engine, callers: usize) -> Cell {
    Cell { scenario, protocol, callers, engine }
}

/// So many executions, or all.
fn budget(executions: Option<u64>) -> Budget {
    let time = Duration::from_secs(80);
    Budget { executions: executions.unwrap_or(EVERYTHING), time, ..Budget::default() }
}

fn loom(scenario: Scenario, protocol: Protocol) -> (Cell, Budget) {
    let budget = Budget { preemptions: scenario.loom_preemptions(), ..budget(None) };
    (cell(scenario, protocol, Engine::Loom, LOOM_CALLERS), budget)
}

/// The field report's scenario on its phases: every engine. What is to keep everything is sampled
/// longer than a broken twin.
fn field(quick: bool) -> Vec<(Cell, Budget)> {
    let mut cells = Vec::new();
    let sampled = |executions: u64| Some(if quick { executions / 50 } else { executions });
    for protocol in Protocol::PHASES {
        let keeps = protocol.breaks_in(Scenario::Field).is_none();
        let of = |engine, callers| cell(Scenario::Field, protocol, engine, callers);
        for callers in SECTIONS_CALLERS {
            cells.push((of(Engine::Sections, callers), budget(None)));
        }
        cells.push(loom(Scenario::Field, protocol));
        let random = if keeps { 5_000 } else { 300 };
        cells.push((of(Engine::Random, CALLERS), budget(sampled(random))));
        let pct = if keeps { 2_000 } else { 200 };
        for engine in [Engine::Pct, Engine::Urw] {
            cells.push((of(engine, CALLERS), budget(sampled(pct))));
        }
        cells.push((of(Engine::Threads, CALLERS), budget(sampled(100))));
    }
    cells
}

/// Every scenario on what ships, and once more on the executor and the shards that it has by default.
fn register(quick: bool) -> Vec<(Cell, Budget)> {
    let mut cells = Vec::new();
    let sampled = Some(if quick { 20 } else { 200 });
    for scenario in Scenario::ALL.iter().copied() {
        let of = |engine, callers| cell(scenario, Protocol::DoubleRecheck, engine, callers);
        for callers in [2, 3] {
            cells.push((of(Engine::Sections, callers), budget(None)));
        }
        cells.push((cell(scenario, Protocol::AsBuilt, Engine::Sections, 2), budget(None)));
        if scenario.on_loom() {
            cells.push(loom(scenario, Protocol::DoubleRecheck));
        }
        for engine in [Engine::Random, Engine::Pct, Engine::Urw] {
            cells.push((of(engine, CALLERS), budget(sampled)));
        }
        cells.push((of(Engine::Threads, CALLERS), budget(Some(if quick { 2 } else { 20 }))));
    }
    cells
}

/// Every broken twin where it is broken.
fn twins() -> Vec<(Cell, Budget)> {
    let mut cells = Vec::new();
    for protocol in Protocol::ALL.iter().copied() {
        for (scenario, _) in protocol.breaks().iter().copied() {
            // A pool's broken twin has millions of interleavings of three callers, and is broken at two.
            for callers in if scenario.workers(protocol) > 0 { 2..=2 } else { 2..=3 } {
                cells.push((cell(scenario, protocol, Engine::Sections, callers), budget(None)));
            }
        }
    }
    cells
}

pub(super) fn run(output: &Path, quick: bool) -> ExitCode {
    let cells = cells(quick);
    let findings = match all(&cells) {
        Ok(findings) => findings,
        Err(refused) => return refuse(refused),
    };
    let report = json!({
        "schema": 2,
        "rows": table::rows(&findings),
        "cells": findings.iter().map(explore::json).collect::<Vec<_>>(),
    });
    print(&table::table(&findings));
    if let Err(error) = write(output, &format!("{report:#}\n")) {
        return refuse(format!("{}: {error}", output.display()));
    }
    print(&format!("\nreport: {}", output.display()));
    exit(&findings)
}

/// Runs the cells on all cores; the results come in a fixed order.
fn all(cells: &[(Cell, Budget)]) -> Result<Vec<Findings>, engine::Refused> {
    let executions: Arc<AtomicU64> = Arc::default();
    let bar = progress::of_cells(cells.len(), &executions);
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some((cell, budget)) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
            let found = engine::explore(*cell, budget, Some(&executions));
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.push(found);
            bar.inc(1);
            if bar.is_hidden() && (done.len() % 8 == 0 || done.len() == cells.len()) {
                let ran = executions.load(Ordering::Relaxed);
                eprintln!("{}/{} cells, {ran} executions", done.len(), cells.len());
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..cores() {
            scope.spawn(work);
        }
    });
    bar.finish_and_clear();
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut findings = done.into_iter().collect::<Result<Vec<_>, _>>()?;
    findings.sort_by_key(|Findings { cell, .. }| {
        (cell.scenario, cell.protocol, cell.engine, cell.callers)
    });
    Ok(findings)
}

fn write(output: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = output.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(output, text)
}

/// 0 if every protocol is as the catalogue says, 1 if one is not, 3 if a budget ran out.
fn exit(findings: &[Findings]) -> ExitCode {
    let mut as_said = true;
    for found in findings.iter().filter(|found| found.cell.protocol.keeps_all()) {
        if found.violated().next().is_some() {
            eprintln!("{} is violated: {}", found.cell.scenario, explore::command(found));
            as_said = false;
        }
        if found.coverage == Coverage::Complete && !found.not_reached().is_empty() {
            let witnesses: Vec<_> = found.not_reached().iter().map(|w| w.slug()).collect();
            let missed = witnesses.join(", ");
            eprintln!("vacuous, {missed} not reached: {}", explore::command(found));
            as_said = false;
        }
    }
    for protocol in Protocol::ALL.iter().copied() {
        for (scenario, invariant) in protocol.breaks().iter().copied() {
            let home = |found: &&Findings| {
                found.cell.protocol == protocol && found.cell.scenario == scenario
            };
            if !findings.iter().filter(home).any(|found| found.violates(invariant)) {
                eprintln!("{protocol} does not violate {invariant} in {scenario}");
                as_said = false;
            }
        }
    }
    if !as_said {
        return ExitCode::FAILURE;
    }
    let cut_off = findings.iter().any(|found| found.coverage == Coverage::Incomplete);
    ExitCode::from(if cut_off { 3 } else { 0 })
}
