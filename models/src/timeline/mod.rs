//! One execution as a timeline: a line for each section, a column for each of two tasks, and the state of the cache after it.

mod day;
mod json;
pub(crate) mod known;
pub(crate) mod names;
pub(crate) mod why;
pub(crate) mod words;

use crate::checkers::Violation;
use crate::explain::Explained;
use crate::history::{Event, History, Record};
use crate::replay::Replayed;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use known::Known;
use names::{Objects, TaskNames};
use sections::{Kind, Outcome, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use words::{say, violated};

pub use day::day;
pub use json::{day_json, json};
pub use words::counted;

/// Whether a timeline shows every section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The sections that matter for a violation that is explained. Otherwise consecutive sections in which nothing of
    /// interest happens share one line.
    Folded,
    /// Every section has a line.
    All,
}

/// The most tasks that have a lane each. With more, each line names its task.
const MOST_LANES: usize = 2;
/// The most columns of a timeline, if its names let it.
const WIDTH: u16 = 100;

/// The timeline, with a sentence for each violated invariant. First comes what is known of the reason.
pub fn timeline(replayed: &Replayed, explained: Option<&Explained>, detail: Detail) -> String {
    let Replayed { token, execution, history, verdict, violations, not_in_the_table } = replayed;
    let tasks = TaskNames::of(token);
    let objects = Objects::of(&execution.made_at);
    let mut sections = Section::all(&execution.steps, &history.records, violations, say);
    let mut out = String::new();
    if let Some(explained) = explained {
        out.push_str(&why::why(replayed, explained, &sections, &tasks, &objects));
        why::mark(&mut sections, replayed, explained);
    }
    out.push_str(&heading(replayed, explained, detail));
    let before = history.records.iter().filter(|record| record.step == 0);
    let rows = match explained.filter(|_| detail == Detail::Folded) {
        Some(explained) => Rows::Those(&explained.matters.sections),
        None => Rows::of(detail),
    };
    let _ = writeln!(out, "{}\n", table(&sections, rows, &tasks, &objects, before));
    if let Some(rest) = rest(history, violations) {
        let _ = writeln!(out, "after all tasks have ended, one more request: {rest}\n");
    }
    match &execution.outcome {
        Outcome::Returned(_) => {}
        Outcome::Deadlock(waiting) => {
            for (task, operation) in waiting {
                let operation = objects.operation(*operation, &tasks);
                let _ = writeln!(out, "{} waits for ever to {operation}", tasks.name(*task));
            }
        }
        Outcome::Panicked(message) => {
            let _ = writeln!(out, "panicked: {message}");
        }
    }
    if let Some(explained) = explained {
        out.push_str(&why::beside(replayed, explained, &tasks));
    }
    for invariant in &verdict.violated {
        let place = violations.iter().find(|(it, _)| it == invariant);
        let section = place.and_then(|(_, at)| history.records.get(*at)).map(|it| it.step);
        let section = section.filter(|it| (1..=execution.steps.len()).contains(it));
        let section = section.map_or_else(String::new, |it| format!(" in section {it}"));
        let _ = writeln!(out, "violated{section}: {invariant}. {}", invariant.about());
    }
    if let Some(missing) = not_in_the_table {
        let _ = writeln!(out, "not in the table of docs/PROOF.md: {}", missing.trim_end());
    } else if verdict.violated.is_empty() {
        out.push_str("nothing is violated\n");
    }
    out
}

/// Whether the task slept on a condition variable before this step. One that a broadcast woke takes its lock again.
fn slept(step: &Step) -> bool {
    let wakes = matches!(step.operation.kind, Kind::Woken | Kind::WokenOrTimeout);
    wakes || step.place.is_some_and(|place| place.file().ends_with("src/sync/sections.rs"))
}

/// What is executed, and how much of it is shown.
fn heading(replayed: &Replayed, explained: Option<&Explained>, detail: Detail) -> String {
    let Replayed { token, execution, .. } = replayed;
    let mut out = format!(
        "{} on {}: {}, {}, {}",
        token.scenario,
        token.protocol,
        counted(token.callers, "caller"),
        counted(execution.preemptions as usize, "preemption"),
        counted(execution.steps.len(), "section"),
    );
    let shown = explained.map_or(0, |it| it.matters.sections.len());
    if shown > 0 && shown < execution.steps.len() && detail == Detail::Folded {
        let known = explained.is_some_and(|it| it.matters.is_complete);
        let known = if known { "" } else { ", as far as was looked at in the time" };
        let _ = write!(out, "; shown are the {shown} that matter{known} (--all shows every one)");
    }
    out.push('\n');
    if execution.preemptions > 0 {
        out.push_str("! marks a preemption: the task that ran before could have gone on\n");
    }
    out
}

/// A step with what was recorded in it.
pub(crate) struct Section<'a> {
    pub(crate) number: usize,
    pub(crate) step: &'a Step,
    pub(crate) records: Vec<&'a Record>,
    pub(crate) notes: Vec<String>,
    pub(crate) marks: Vec<String>,
    /// The line of the protocol from which it was reached.
    pub(crate) code: Option<String>,
    /// Virtual time, in a day.
    time: Option<std::time::Duration>,
}

/// The sections that have a row.
#[derive(Clone, Copy)]
enum Rows<'a> {
    All,
    /// Consecutive dull ones share one.
    Folded,
    Those(&'a BTreeSet<usize>),
}

impl Rows<'_> {
    fn of(detail: Detail) -> Self {
        match detail {
            Detail::All => Self::All,
            Detail::Folded => Self::Folded,
        }
    }

    fn has(self, section: &Section) -> bool {
        match self {
            Self::Those(those) => those.contains(&section.number),
            Self::All | Self::Folded => true,
        }
    }
}

impl<'a> Section<'a> {
    pub(crate) fn all(
        steps: &'a [Step],
        records: &'a [Record],
        violations: &[Violation],
        say: impl Fn(&Record) -> Option<String>,
    ) -> Vec<Self> {
        let mut by_step: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (index, record) in records.iter().enumerate() {
            by_step.entry((record.step, record.task)).or_default().push((index, record));
        }
        let mut section = |(number, step): (usize, &'a Step)| {
            let of_step = by_step.remove(&(number, step.task)).unwrap_or_default();
            let here =
                violations.iter().filter(|(_, at)| of_step.iter().any(|(index, _)| index == at));
            Self {
                number,
                step,
                notes: of_step.iter().filter_map(|(_, record)| say(record)).collect(),
                code: None,
                time: None,
                records: of_step.iter().map(|(_, record)| *record).collect(),
                marks: here.map(|(invariant, _)| violated(*invariant)).collect(),
            }
        };
        let mut all: Vec<Self> = (1..).zip(steps).map(&mut section).collect();
        Self::say_waits(&mut all);
        all
    }

    /// A section after which its task slept until it was woken says so. No event does.
    fn say_waits(all: &mut [Self]) {
        for place in 0..all.len() {
            let task = all[place].step.task;
            let next = all[place + 1..].iter().find(|it| it.step.task == task);
            if next.is_some_and(|next| slept(next.step)) && all[place].notes.is_empty() {
                all[place].notes.push("begins to wait".into());
            }
        }
    }

    /// Nothing of interest happens in it: no event, no violation, no preemption.
    pub(crate) fn is_dull(&self) -> bool {
        self.notes.is_empty() && self.marks.is_empty() && !self.step.preempts
    }
}

fn table<'a>(
    sections: &[Section],
    rows: Rows,
    tasks: &TaskNames,
    objects: &Objects,
    before: impl Iterator<Item = &'a Record>,
) -> Table {
    let mut table = Table::new();
    let times = sections.iter().any(|section| section.time.is_some());
    let first = ["section".to_owned()].into_iter().chain(times.then(|| "at".into()));
    let lanes: Vec<usize> = tasks.all().collect();
    // More lanes would be too narrow to read.
    let has_lanes = lanes.len() <= MOST_LANES;
    let of_tasks: Vec<String> = if has_lanes {
        lanes.iter().map(|it| tasks.name(*it)).collect()
    } else {
        vec!["task".into(), "step".into()]
    };
    let header = first.chain(of_tasks);
    let code = sections.iter().any(|section| section.code.is_some());
    let header = header.chain(["lease".into(), "version".into()]);
    let header = header.chain(code.then(|| "code".into())).chain([String::new()]);
    table.load_preset(presets::ASCII_MARKDOWN).set_header(header);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    if code {
        // A place that is broken in two cannot be copied.
        let whole = table.column_count() - 2;
        table.column_mut(whole).into_iter().for_each(|it| {
            it.set_constraint(ColumnConstraint::ContentWidth);
        });
    }
    let mut cache = Known::default();
    before.for_each(|it| cache.learn(it));
    let both_dull = |one: &Section, next: &Section| {
        matches!(rows, Rows::Folded) && one.is_dull() && next.is_dull()
    };
    for fold in sections.chunk_by(both_dull) {
        let records = fold.iter().flat_map(|section| &section.records);
        records.for_each(|record| cache.learn(record));
        if !fold.iter().any(|section| rows.has(section)) {
            continue;
        }
        let mut row = vec![numbers(fold)];
        row.extend(fold[0].time.map(|time| format!("{time:?}")));
        if has_lanes {
            row.extend(lanes.iter().map(|task| {
                let of_task = fold.iter().filter(|it| it.step.task == *task);
                phrase(&of_task.collect::<Vec<_>>(), fold.len(), tasks, objects)
            }));
        } else {
            let mut names: Vec<_> = fold.iter().map(|it| tasks.name(it.step.task)).collect();
            names.dedup();
            let all: Vec<_> = fold.iter().collect();
            row.extend([names.join(", "), phrase(&all, fold.len(), tasks, objects)]);
        }
        row.extend([cache.holders(tasks), cache.version()]);
        row.extend(code.then(|| fold[0].code.clone().unwrap_or_default()));
        row.push(
            fold.iter().flat_map(|section| section.marks.clone()).collect::<Vec<_>>().join(", "),
        );
        table.add_row(row);
    }
    table
}

/// What these sections did, of so many that share a line.
fn phrase(sections: &[&Section], of: usize, tasks: &TaskNames, objects: &Objects) -> String {
    match (sections, of) {
        ([], _) => String::new(),
        ([section], 1) => objects.phrase(section.step, &section.notes, tasks),
        (several, _) => objects.folded(several.iter().map(|section| section.step)),
    }
}

/// `7`, `7 !` or `7-9`.
fn numbers(fold: &[Section]) -> String {
    match fold {
        [] => String::new(),
        [one] => format!("{}{}", one.number, if one.step.preempts { " !" } else { "" }),
        [first, .., last] => format!("{}-{}", first.number, last.number),
    }
}

/// What main saw after all tasks had ended.
fn rest(history: &History, violations: &[Violation]) -> Option<String> {
    let from = history.records.iter().position(|record| record.event == Event::Rest)?;
    let said: Vec<_> = history.records[from..].iter().filter_map(say).collect();
    let after = violations.iter().filter(|(_, at)| *at >= from);
    let marks = after.map(|(invariant, _)| format!(" {}", violated(*invariant)));
    Some(format!("{}{}", said.join(", "), marks.collect::<String>()))
}
