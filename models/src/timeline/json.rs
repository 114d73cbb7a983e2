//! One execution as data, for programs: what the timeline shows. `docs/REPORT.md` is the schema.

use super::Section;
use super::day::with_sections;
use super::names::{Objects, TaskNames};
use super::why::{same, what};
use super::words::say;
use crate::checkers::Violation;
use crate::code::code;
use crate::explain::{Explained, Passing, Share, passing};
use crate::history::{Event, History};
use crate::replay::Replayed;
use crate::token::Token;
use sections::{Outcome, Step};
use serde_json::{Value, json};
use std::panic::Location;
use xfetch_simulate::case::DayToken;
use xfetch_simulate::world::Run;

/// The version of the schema.
const SCHEMA: u32 = 1;

/// An execution of a scenario, with what is known of the reason.
pub fn json(replayed: &Replayed, explained: Option<&Explained>) -> Value {
    let Replayed { token, execution, history, verdict, violations, not_in_the_table } = replayed;
    let tasks = TaskNames::of(token);
    let objects = Objects::of(&execution.made_at);
    let sections = Section::all(&execution.steps, &history.records, violations, say);
    let shares = explained.map_or(&[][..], |it| &it.shares);
    let other = explained.and_then(|it| it.passing.as_ref());
    let matters = explained.map(|it| &it.matters);
    let mut all = listed(&sections, &tasks, &objects);
    for ((one, section), code) in all.iter_mut().zip(&sections).zip(code(replayed)) {
        one["code"] = code.map(|it| it.to_string()).into();
        one["matters"] = matters.map(|it| it.sections.contains(&section.number)).into();
    }
    json!({
        "schema": SCHEMA,
        "token": token.to_string(),
        "scenario": token.scenario.slug(),
        "protocol": token.protocol.slug(),
        "callers": token.callers,
        "preemptions": execution.preemptions,
        "outcome": outcome(&execution.outcome),
        "violated": verdict.violated.iter().map(|it| it.slug()).collect::<Vec<_>>(),
        "not_in_the_table": not_in_the_table.as_deref().map(str::trim_end),
        "invariant": explained.map(|it| it.invariant.slug()),
        "what": explained.map(|it| what(replayed, it, &tasks, &objects)),
        "certain": explained.and_then(|it| it.certain),
        "always": explained.is_some_and(|it| it.always),
        "shares": shares.iter().map(share).collect::<Vec<_>>(),
        "races": matters.map_or(&[][..], |it| &it.races),
        "sections": all,
        "rest": rest(history, violations),
        "passing": other.and_then(|it| beside(replayed, it, &tasks)),
    })
}

/// A run of a simulated service: the same fields. It has no scenario, and nothing is searched beside it.
pub fn day_json(token: &DayToken, run: &Run) -> Value {
    let violations: Vec<_> = run.judge.violations().values().collect();
    let all =
        with_sections(token, run, |sections, _, tasks, objects| listed(sections, tasks, objects));
    let preempts = |(_, step): &&(_, Step)| step.preempts;
    json!({
        "schema": SCHEMA,
        "token": token.to_string(),
        "scenario": null,
        "protocol": token.case.protocol.slug(),
        "callers": token.case.callers,
        "preemptions": run.steps.iter().filter(preempts).count(),
        "outcome": "returned",
        "violated": violations.iter().map(|it| it.invariant.slug()).collect::<Vec<_>>(),
        "not_in_the_table": null,
        "invariant": violations.first().map(|it| it.invariant.slug()),
        "what": violations.first().map(|it| it.what.as_str()),
        "certain": null,
        "always": false,
        "shares": [],
        "races": [],
        "sections": all,
        "rest": null,
        "passing": null,
    })
}

fn outcome<T>(outcome: &Outcome<T>) -> &'static str {
    match outcome {
        Outcome::Returned(_) => "returned",
        Outcome::Deadlock(_) => "deadlock",
        Outcome::Panicked(_) => "panicked",
    }
}

fn share(share: &Share) -> Value {
    let Share { section, all, violating, complete } = share;
    json!({ "section": section, "all": all, "violating": violating, "complete": complete })
}

/// Every section, also those that the timeline folds.
fn listed(sections: &[Section], tasks: &TaskNames, objects: &Objects) -> Vec<Value> {
    let one = |section: &Section| {
        let step = section.step;
        let marks = section.marks.iter().map(|it| it.trim_start_matches("<- violates "));
        json!({
            "number": section.number,
            "at_seconds": section.time.map(|it| it.as_secs_f64()),
            "task": tasks.name(step.task),
            "phrase": objects.phrase(step, &section.notes, tasks),
            "place": step.place.map(place),
            "code": null,
            "preempts": step.preempts,
            "matters": null,
            "notes": section.notes,
            "violates": marks.collect::<Vec<_>>(),
        })
    };
    sections.iter().map(one).collect()
}

/// `file:line`. The shadow packages compile the core's source by a path that goes up and down again.
fn place(place: &Location) -> String {
    let mut folders: Vec<&str> = Vec::new();
    for folder in place.file().split(['/', '\\']) {
        match (folder, folders.last()) {
            ("..", Some(last)) if *last != ".." => drop(folders.pop()),
            _ => folders.push(folder),
        }
    }
    format!("{}:{}", folders.join("/"), place.line())
}

/// What main saw after all tasks had ended.
fn rest(history: &History, violations: &[Violation]) -> Option<Value> {
    let from = history.records.iter().position(|record| record.event == Event::Rest)?;
    let after = violations.iter().filter(|(_, at)| *at >= from);
    Some(json!({
        "notes": history.records[from..].iter().filter_map(say).collect::<Vec<_>>(),
        "violates": after.map(|(invariant, _)| invariant.slug()).collect::<Vec<_>>(),
    }))
}

/// The nearest execution that violates nothing.
fn beside(replayed: &Replayed, other: &Passing, tasks: &TaskNames) -> Option<Value> {
    let execution = passing(replayed, other)?;
    let Outcome::Returned(history) = &execution.outcome else { return None };
    let objects = Objects::of(&execution.made_at);
    let sections = Section::all(&execution.steps, &history.records, &[], say);
    let checksum = execution.checksum & 0xff_ffff;
    let token = Token { schedule: execution.schedule.clone(), checksum, ..replayed.token };
    Some(json!({
        "token": token.to_string(),
        "different": other.different,
        "from": same(replayed, &execution) + 1,
        "preemptions": execution.preemptions,
        "sections": listed(&sections, tasks, &objects),
        "rest": rest(history, &[]),
    }))
}
