//! The main job: the field scenario, every protocol, every engine.

use super::table::{self, SECTIONS_CALLERS};
use super::{cores, explore, print, refuse};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
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

/// The cells, those with the most to do first. What is to keep everything is sampled longer than a
/// broken twin.
fn cells(quick: bool) -> Vec<(Cell, Budget)> {
    let mut cells = Vec::new();
    let time = Duration::from_secs(80);
    for protocol in Protocol::ALL.iter().copied() {
        let keeps = protocol.breaks().is_empty();
        let mut cell = |engine, callers, executions| {
            let budget = Budget { executions, time, ..Budget::default() };
            cells.push((Cell { scenario: Scenario::Field, protocol, callers, engine }, budget));
        };
        let sampled = |executions: u64| if quick { executions / 50 } else { executions };
        for callers in SECTIONS_CALLERS {
            cell(Engine::Sections, callers, EVERYTHING);
        }
        cell(Engine::Loom, LOOM_CALLERS, EVERYTHING);
        cell(Engine::Random, CALLERS, sampled(if keeps { 5_000 } else { 300 }));
        cell(Engine::Pct, CALLERS, sampled(if keeps { 2_000 } else { 200 }));
        cell(Engine::Threads, CALLERS, sampled(100));
    }
    let size = |cell: &Cell, budget: &Budget| match cell.engine {
        Engine::Sections => 10_u64.pow(cell.callers as u32),
        Engine::Loom => 10_000,
        _ => budget.executions * 5,
    };
    cells.sort_by_key(|(cell, budget)| u64::MAX - size(cell, budget));
    cells
}

pub(super) fn run(output: &Path, quick: bool) -> ExitCode {
    let cells = cells(quick);
    let findings = match all(&cells) {
        Ok(findings) => findings,
        Err(refused) => return refuse(refused),
    };
    let report = json!({
        "schema": 1,
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
    let bar = bar(cells.len(), &executions);
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
    findings.sort_by_key(|found| (found.cell.protocol, found.cell.engine, found.cell.callers));
    Ok(findings)
}

/// Moves while a cell is being explored too: it shows executions, not only cells.
fn bar(cells: usize, executions: &Arc<AtomicU64>) -> ProgressBar {
    let bar = ProgressBar::new(cells as u64);
    let template = "{bar:30} {pos}/{len} cells  {executions} executions  {elapsed}";
    let style = ProgressStyle::with_template(template);
    let ran = Arc::clone(executions);
    let show = move |_: &ProgressState, to: &mut dyn std::fmt::Write| {
        let _ = write!(to, "{}", ran.load(Ordering::Relaxed));
    };
    bar.set_style(
        style.unwrap_or_else(|_| ProgressStyle::default_bar()).with_key("executions", show),
    );
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
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
    for found in findings.iter().filter(|found| found.cell.protocol.ships()) {
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
