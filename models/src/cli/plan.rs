//! The main command: explores the cells of a plan on all cores.

use super::table;
use super::{Main, cores, explore, print, progress, refuse};
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use xfetch_models::engine::Refused;
use xfetch_models::plan::{Explored, Plan, PlanShard, cut_off, deviations};

pub(super) fn run(options: &Main) -> ExitCode {
    let Main { output, budget, shard } = options;
    let whole = Plan::of(*budget);
    let plan = whole.shard(*shard);
    if plan.0.is_empty() {
        let cells = whole.0.len();
        return refuse(format!("shard {shard} is empty: the {budget} budget has {cells} cells"));
    }
    let explorations = match all(&plan) {
        Ok(explorations) => explorations,
        Err(refused) => return refuse(refused),
    };
    let report = json!({
        "schema": 4,
        "budget": budget.slug(),
        "shard": shard.to_string(),
        "rows": table::rows(&explorations),
        "cells": explorations.iter().map(explore::json).collect::<Vec<_>>(),
    });
    print(&if *shard == PlanShard::WHOLE {
        table::table(&explorations)
    } else {
        table::list(&explorations)
    });
    if let Err(error) = write(output, &format!("{report:#}\n")) {
        return refuse(format!("cannot write {}: {error}", output.display()));
    }
    print(&format!("\nreport: {}", output.display()));
    exit(&explorations)
}

fn all(plan: &Plan) -> Result<Vec<Explored>, Refused> {
    let (cells, executions) = (plan.0.len(), Arc::default());
    let bar = progress::of_cells(cells, &executions);
    let show = |done: usize| {
        bar.inc(1);
        if bar.is_hidden() && (done.is_multiple_of(8) || done == cells) {
            eprintln!("{done}/{cells} cells, {} executions", executions.load(Ordering::Relaxed));
        }
    };
    let explorations = plan.explore_with_tokens(cores(), Some(&executions), show);
    bar.finish_and_clear();
    explorations
}

fn write(output: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = output.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(output, text)
}

/// 0: every protocol is as the catalogue says; 1: one is not; 3: a budget ran out.
fn exit(explorations: &[Explored]) -> ExitCode {
    let deviations = deviations(explorations);
    for (what, found) in &deviations {
        match found {
            Some(found) => eprintln!("{what}: {}", explore::command(found)),
            None => eprintln!("{what}"),
        }
    }
    if !deviations.is_empty() {
        return ExitCode::FAILURE;
    }
    let cut_off: Vec<_> = cut_off(explorations).collect();
    for found in &cut_off {
        eprintln!("incomplete: {}", explore::command(found));
    }
    ExitCode::from(if cut_off.is_empty() { 0 } else { 3 })
}
