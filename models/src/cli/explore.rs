//! The command `explore`: one cell in full.

use super::resume::File;
use super::{Explore, Format, exit, heed_ctrl_c, note, print, print_json, progress, refuse};
use sections::Estimate;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use xfetch_models::catalogue::{Engine, Invariant};
use xfetch_models::engine::{Cell, Conclusion, CutOff, Exploration, resume};
use xfetch_models::plan::Explored;
use xfetch_models::replay::{Shrunk, not_in_the_table};
use xfetch_models::timeline::counted;
use xfetch_models::verdict::Verdict;

/// The most outcomes that are listed one by one.
const MANY: usize = 24;

/// The version of the report's schema, and of its cells.
pub(super) const SCHEMA: u32 = 7;

/// The command that replays a token.
pub(super) const REPLAY: &str = "cargo run --release -- replay";

pub(super) fn run(options: &Explore) -> ExitCode {
    heed_ctrl_c();
    let (file, from) = match File::open(options) {
        Ok(opened) => opened.unzip(),
        Err(cannot) => return refuse(cannot),
    };
    let from = from.flatten();
    let before = from.as_ref().map_or(0, CutOff::executions);
    let (executions, estimate) = (Arc::new(AtomicU64::new(before)), Arc::new(Estimate::default()));
    let (ran, read) = (Arc::clone(&executions), Arc::clone(&estimate));
    let shown = progress::of_run(move |elapsed| {
        progress::of_exploration(before, ran.load(Ordering::Relaxed), read.read(), elapsed)
    });
    let (cell, budget) = (options.cell(), options.budget());
    let explored = resume(cell, &budget, from, Some(&executions), Some(&estimate));
    shown.finish();
    let (exploration, rest) = match explored {
        Ok(explored) => explored,
        Err(refused) => return refuse(refused),
    };
    // At once: a second Ctrl-C ends the process while the tokens are made.
    let kept = file.as_ref().map_or(Ok(()), |file| file.keep(rest.as_ref()));
    let explored = Explored::from(exploration);
    match options.format {
        Format::Json => {
            let mut cell = json(&explored);
            cell["schema"] = SCHEMA.into();
            print_json(&cell);
        }
        Format::Text => print(&text(&explored)),
    }
    match (kept, file) {
        (Err(cannot), _) => return refuse(cannot),
        (Ok(()), Some(file)) if rest.is_some() => note(file.again(&explored.exploration)),
        _ => {}
    }
    end(&explored.exploration)
}

/// The exit code. A search that was vacuous says so.
fn end(exploration: &Exploration) -> ExitCode {
    let missed: Vec<_> = exploration.vacuous_for().iter().map(|witness| witness.slug()).collect();
    if !missed.is_empty() && exploration.conclusion() != Conclusion::Broken {
        note(format_args!("vacuous: {} not reached", missed.join(", ")));
        return ExitCode::FAILURE;
    }
    exit(exploration.conclusion())
}

fn text(explored: &Explored) -> String {
    let Explored { exploration, tokens } = explored;
    let cell = exploration.cell;
    let redundant = match cell.engine {
        Engine::Sections => format!(" ({} redundant)", exploration.redundant),
        _ => String::new(),
    };
    let mut out = format!(
        "{} on {}, {} callers, {}: {} executions{}, {}\n\n",
        cell.scenario,
        cell.protocol,
        cell.callers,
        cell.engine,
        exploration.executions,
        redundant,
        exploration.coverage,
    );
    if exploration.outcomes.len() <= MANY {
        for (verdict, count) in &exploration.outcomes {
            let _ = writeln!(out, "{count:>10} x {}", outcome(verdict));
        }
    } else {
        for ((computes, violated), count) in without_answers(exploration) {
            let _ = writeln!(out, "{count:>10} x {computes} computes{}", violates(violated));
        }
    }
    let computes = exploration.mean().map_or_else(
        || "no execution came to its end".into(),
        |mean| format!("computes: {mean:.2} on average, {} at most", exploration.worst()),
    );
    let _ = writeln!(out, "\n{}; {computes}", exploration.conclusion());
    if let Some(share) = exploration.explored {
        let share = progress::share(share);
        let _ = writeln!(out, "explored share: {share} (an estimate, and no bound)");
    }
    let kept: Vec<_> = exploration.kept().iter().map(|invariant| invariant.slug()).collect();
    if !kept.is_empty() {
        let Cell { scenario, protocol, .. } = cell;
        let kept = kept.join(", ");
        let _ =
            writeln!(out, "{protocol} is written to violate {kept} in {scenario}: not violated");
    }
    let refined = &exploration.refined;
    if refined.executions + refined.left_out > 0 {
        let left_out = match refined.left_out {
            0 => String::new(),
            some => format!(", {some} left out"),
        };
        let _ = writeln!(
            out,
            "in the table of docs/PROOF.md: {}, {} of its steps{left_out}",
            counted(refined.executions as usize, "execution"),
            refined.steps.len(),
        );
    }
    if exploration.conclusion() == Conclusion::Broken {
        let _ = writeln!(out, "again: {}", command(exploration));
        if let Some((token, missing)) = not_in_the_table(exploration) {
            let _ = writeln!(out, "\nnot in the table: {REPLAY} {token}\n{}", missing.trim_end());
        }
        for (invariant, shrunk) in tokens {
            let _ = writeln!(out, "\n{invariant}: {REPLAY} {}\n{}", shrunk.token, why(shrunk));
        }
    }
    out
}

/// What is known about the size of the smallest schedule.
fn why(shrunk: &Shrunk) -> String {
    let smaller = if shrunk.preemptions == 0 {
        "no schedule has fewer"
    } else if shrunk.fewest_preemptions() {
        "the fewest: every schedule with fewer was searched"
    } else {
        "perhaps not the fewest: shrinking by replays found no smaller schedule"
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

/// The outcomes without the answers. A hundred callers have too many combinations of answers to list.
fn without_answers(exploration: &Exploration) -> BTreeMap<(u32, &BTreeSet<Invariant>), u64> {
    let mut grouped = BTreeMap::new();
    for (verdict, count) in &exploration.outcomes {
        *grouped.entry((verdict.computes, &verdict.violated)).or_default() += count;
    }
    grouped
}

/// The command that repeats a cell.
pub(super) fn command(exploration: &Exploration) -> String {
    let (cell, budget) = (exploration.cell, exploration.budget);
    let mut line = format!(
        "cargo run --release -- explore --engine {} --scenario {} --protocol {} --callers {} \
         --budget {} --seed {}",
        cell.engine, cell.scenario, cell.protocol, cell.callers, budget.executions, budget.seed,
    );
    if budget.symmetry {
        line.push_str(" --symmetry");
    }
    if let Some(bound) = budget.preemptions {
        let _ = write!(line, " --preemptions {bound}");
    }
    line
}

/// One cell of the report. `docs/REPORT.md` is the schema.
pub(super) fn json(explored: &Explored) -> Value {
    let Explored { exploration, tokens } = explored;
    let cell = exploration.cell;
    let outcomes: Vec<_> = exploration
        .outcomes
        .iter()
        .map(|(verdict, count)| {
            let violated: Vec<_> =
                verdict.violated.iter().map(|invariant| invariant.slug()).collect();
            json!({ "computes": verdict.computes, "violated": violated, "count": count })
        })
        .collect();
    let tokens: BTreeMap<_, _> = tokens
        .iter()
        .map(|(invariant, shrunk)| (invariant.slug(), shrunk.token.to_string()))
        .collect();
    let mut object = self::cell(&cell);
    for (name, value) in [
        ("executions", json!(exploration.executions)),
        ("redundant", json!(exploration.redundant)),
        ("fingerprint", json!(format!("{:016x}", exploration.fingerprint))),
        ("coverage", json!(exploration.coverage.to_string())),
        ("explored", json!(exploration.explored)),
        ("conclusion", json!(exploration.conclusion().to_string())),
        ("worst", json!(exploration.worst())),
        ("reproduce", json!(command(exploration))),
        ("tokens", json!(tokens)),
        ("outcomes", json!(outcomes)),
        ("refined", refined(exploration)),
    ] {
        object[name] = value;
    }
    object
}

/// What holding the executions against the transition table has shown. Nothing, if none was held.
fn refined(exploration: &Exploration) -> Value {
    let refined = &exploration.refined;
    let token = not_in_the_table(exploration).map(|(token, _)| token.to_string());
    if refined.executions + refined.left_out == 0 && token.is_none() {
        return Value::Null;
    }
    json!({
        "executions": refined.executions,
        "left_out": refined.left_out,
        "steps": refined.steps.len(),
        "token": token,
    })
}

/// What names a cell in the report.
pub(super) fn cell(cell: &Cell) -> Value {
    let Cell { scenario, protocol, callers, engine } = cell;
    json!({
        "scenario": scenario.slug(),
        "protocol": protocol.slug(),
        "callers": callers,
        "engine": engine.slug(),
    })
}
