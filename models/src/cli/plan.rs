//! The main command: explores the cells of a plan on all cores.

use super::{
    Main, can_write, cores, explore, heed_ctrl_c, name, note, print, progress, refuse, write,
};
use super::{junit, table};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use xfetch_models::engine::{Cell, Refined, Refused, refinement_took};
use xfetch_models::plan::{Deviation, Explored, Move, Plan, PlanShard, cut_off, deviations};
use xfetch_models::report::Checked;
use xfetch_models::stop;
use xfetch_simulate::text::grouped;
use xfetch_spec::counters;
use xfetch_spec::prove::coverage;
use xfetch_spec::table::System;

pub(super) fn run(options: &Main) -> ExitCode {
    let Main { output, junit, budget, shard } = options;
    let whole = Plan::of(*budget);
    let plan = whole.shard(*shard);
    if plan.0.is_empty() {
        let cells = whole.0.len();
        return refuse(format!("shard {shard} is empty: the {budget} budget has {cells} cells"));
    }
    if let Err(cannot) = files(output, junit.as_deref()) {
        return refuse(cannot);
    }
    heed_ctrl_c();
    let explorations = match all(&plan) {
        Ok(explorations) => explorations,
        Err(refused) => return refuse(refused),
    };
    let not_run = plan.not_run(&explorations);
    let (all, ran) = (plan.0.len(), explorations.len());
    let cut_off = cut_off(&explorations).count();
    let mut lines = Vec::new();
    if stop::is_set() && (ran < all || cut_off > 0) {
        lines.push(format!(
            "incomplete: Ctrl-C ended the run; {ran} of {all} cells ran, {cut_off} of them were cut off"
        ));
        print(&format!("{}\n", lines[0]));
    }
    print(&if *shard == PlanShard::WHOLE {
        table::table(&explorations)
    } else {
        table::list(&explorations, &not_run)
    });
    let refined = refined(&explorations);
    print(&format!("\n{refined}"));
    let mut deviations = deviations(&explorations);
    // What no cell shows, one that was stopped or not run could.
    deviations.retain(|it| it.shown_by.is_some() || !stop::is_set());
    if let Err(cannot) = write(output, &report(options, &explorations, &not_run)) {
        return refuse(cannot);
    }
    print(&format!("\nreport: {}", name(output)));
    if let Some(path) = junit {
        let written = junit::xml(&explorations, &not_run, &deviations);
        if let Err(cannot) = written.and_then(|xml| write(path, &xml)) {
            return refuse(cannot);
        }
        print(&format!("JUnit XML: {}", name(path)));
    }
    if *shard == PlanShard::WHOLE {
        lines.insert(0, format!("{ran} of {all} cells of the {budget} budget ran."));
        lines.push(refined);
        let checked = Checked { lines, grids: table::grids(&explorations) };
        match super::report::put(&page_of(output), Some(&checked)) {
            Err(cannot) => return refuse(cannot),
            Ok(has_every_twin) if !has_every_twin && !stop::is_set() => return ExitCode::FAILURE,
            Ok(_) => {}
        }
    }
    exit(&explorations, &not_run, &deviations)
}

/// Whether the files are different ones that can be written.
fn files(output: &Path, junit: Option<&Path>) -> Result<(), String> {
    let page = page_of(output);
    let all = [Some(output), Some(page.as_path()), junit];
    let all: Vec<&Path> = all.into_iter().flatten().collect();
    if junit == Some(output) {
        return Err(format!("--junit and --output are one file: {}", name(output)));
    }
    if output == page || junit == Some(&page) {
        return Err(format!("{} is the page beside the report: take another name", name(&page)));
    }
    all.into_iter().try_for_each(can_write)
}

/// The file of the page, beside that of the report.
fn page_of(output: &Path) -> PathBuf {
    output.with_extension("html")
}

fn report(options: &Main, explorations: &[Explored], not_run: &[Cell]) -> String {
    let report = json!({
        "schema": explore::SCHEMA,
        "budget": options.budget.slug(),
        "shard": options.shard.to_string(),
        "rows": table::rows(explorations),
        "cells": explorations.iter().map(explore::json).collect::<Vec<_>>(),
        "not_run": not_run.iter().map(explore::cell).collect::<Vec<_>>(),
    });
    format!("{report:#}\n")
}

/// How many executions were held against the transition table, and which of its steps none took.
fn refined(explorations: &[Explored]) -> String {
    let mut all = Refined::default();
    explorations.iter().for_each(|found| all.merge(found.exploration.refined.clone()));
    let Ok(table) = System::shipped() else { return "the transition table cannot be read".into() };
    let reachable = counters::search(&table, usize::MAX).taken;
    let (taken, of, missing) = coverage(&table, &reachable, &all.steps);
    let Refined { executions, left_out, .. } = all;
    let not =
        if missing.is_empty() { String::new() } else { format!(", not {}", missing.join(", ")) };
    format!(
        "{executions} executions are in the table of docs/PROOF.md, {left_out} were left out; they took {taken} of {of} \
         steps{not}; that took {:.1} s of a core",
        refinement_took().as_secs_f64()
    )
}

fn all(plan: &Plan) -> Result<Vec<Explored>, Refused> {
    let under_way = Arc::new(Mutex::new(UnderWay::default()));
    let executions = Arc::new(AtomicU64::new(0));
    let (cells, watched, counter) = (plan.0.len(), Arc::clone(&under_way), Arc::clone(&executions));
    let line =
        move |elapsed| locked(&watched).line(cells, counter.load(Ordering::Relaxed), elapsed);
    let shown = progress::of_run(line);
    let moves = |it: Move| locked(&under_way).note(it);
    let explorations = plan.explore_with_tokens(cores(), Some(&executions), moves);
    shown.finish();
    explorations
}

fn locked(under_way: &Mutex<UnderWay>) -> MutexGuard<'_, UnderWay> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The cells that are explored now, and how many have been.
#[derive(Default)]
struct UnderWay {
    cells: Vec<Cell>,
    ended: usize,
}

impl UnderWay {
    fn note(&mut self, it: Move) {
        match it {
            Move::Begins(cell) => self.cells.push(*cell),
            Move::Ends(cell) => {
                self.cells.retain(|other| other != cell);
                self.ended += 1;
            }
        }
    }

    fn line(&self, of: usize, executions: u64, elapsed: Duration) -> String {
        let cell = |Cell { scenario, protocol, callers, engine }: &Cell| {
            format!("{scenario} {protocol} {callers} {engine}")
        };
        let under_way: Vec<_> = self.cells.iter().map(cell).collect();
        let speed = progress::speed(executions, elapsed);
        let (ended, under_way) = (self.ended, under_way.join(", "));
        format!("{ended}/{of} cells, {} executions, {speed}: {under_way}", grouped(executions))
    }
}

/// 0: every protocol is as the catalogue says; 1: one is not; 3: a budget ran out, or cells were not run.
fn exit(explorations: &[Explored], not_run: &[Cell], deviations: &[Deviation]) -> ExitCode {
    for Deviation { what, shown_by, .. } in deviations {
        match shown_by {
            Some(found) => note(format_args!("{what}: {}", explore::command(found))),
            None => note(what),
        }
    }
    if !deviations.is_empty() {
        return ExitCode::FAILURE;
    }
    let cut_off: Vec<_> = cut_off(explorations).collect();
    for found in &cut_off {
        note(format_args!("incomplete: {}", explore::command(found)));
    }
    if !not_run.is_empty() {
        note(format_args!("not run: {} cells, `not_run` of the report", not_run.len()));
    }
    ExitCode::from(if cut_off.is_empty() && not_run.is_empty() { 0 } else { 3 })
}
