//! The main job: the field scenario, every protocol, every engine.

use super::{explore, print, refuse, table};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use xfetch_models::catalogue::{Engine, Protocol, Scenario};
use xfetch_models::engine::{self, Budget, Cell, Coverage, Findings};

/// The callers of the field report.
const CALLERS: usize = 100;
/// As many as loom finishes.
const LOOM_CALLERS: usize = 2;

/// The cells, the longest first. What is to keep everything is sampled longer than a broken twin.
fn cells(quick: bool) -> Vec<(Cell, Budget)> {
    let mut cells = Vec::new();
    for engine in Engine::ALL.iter().copied() {
        for protocol in Protocol::ALL.iter().copied() {
            let keeps = protocol.breaks().is_none();
            let (callers, executions) = match engine {
                Engine::Loom => (LOOM_CALLERS, 10_000_000),
                Engine::Random => (CALLERS, if keeps { 5_000 } else { 300 }),
                Engine::Pct => (CALLERS, if keeps { 2_000 } else { 200 }),
                Engine::Threads => (CALLERS, 100),
            };
            let executions =
                if quick && engine != Engine::Loom { executions / 50 } else { executions };
            let time = Duration::from_secs(80);
            let budget = Budget { executions, time, ..Budget::default() };
            cells.push((Cell { scenario: Scenario::Field, protocol, callers, engine }, budget));
        }
    }
    cells.sort_by_key(|(cell, budget)| (cell.engine == Engine::Loom, u64::MAX - budget.executions));
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
    let bar = ProgressBar::new(cells.len() as u64);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} cells  {msg}  {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some((cell, budget)) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
            let found = engine::explore(*cell, budget, &|_| {});
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.push(found);
            let executions: u64 = done.iter().flatten().map(|found| found.executions).sum();
            let rate = executions as f64 / bar.elapsed().as_secs_f64().max(0.001);
            let line = format!("{executions} executions, {rate:.0}/s");
            if bar.is_hidden() {
                eprintln!("{}/{} cells, {line}", done.len(), cells.len());
            }
            bar.set_message(line);
            bar.inc(1);
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    bar.finish_and_clear();
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut findings = done.into_iter().collect::<Result<Vec<_>, _>>()?;
    findings.sort_by_key(|found| (found.cell.protocol, found.cell.engine));
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
    for protocol in Protocol::ALL.iter().copied() {
        let of = || findings.iter().filter(|found| found.cell.protocol == protocol);
        let as_said = match protocol.breaks() {
            None => of().all(|found| found.violated().next().is_none()),
            Some(invariant) => of().any(|found| found.violates(invariant)),
        };
        if !as_said {
            eprintln!("{protocol} is not as the catalogue says");
            return ExitCode::FAILURE;
        }
    }
    let cut_off = findings.iter().any(|found| found.coverage == Coverage::Incomplete);
    ExitCode::from(if cut_off { 3 } else { 0 })
}
