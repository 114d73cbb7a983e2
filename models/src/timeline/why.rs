//! The reason of a failure in words, and the execution beside it that passes.

use super::known::Known;
use super::names::{Objects, TaskNames};
use super::words::{counted, say, violated};
use super::{Rows, Section, table};
use crate::code::{code, own_steps};
use crate::explain::{Explained, Passing, Share, passing};
use crate::history::{Event, History, Record, Usage};
use crate::replay::Replayed;
use sections::{Execution, Outcome};
use std::collections::BTreeSet;
use std::fmt::Write;

/// One sentence that says what happened, and one that says when it became certain.
pub(crate) fn why(
    replayed: &Replayed,
    explained: &Explained,
    sections: &[Section],
    tasks: &TaskNames,
    objects: &Objects,
) -> String {
    let invariant = explained.invariant;
    let mut out =
        format!("{}: {invariant} is violated.\n", what(replayed, explained, tasks, objects));
    match (explained.certain, &explained.passing) {
        (Some(certain), Some(other)) => {
            let instead = instead(replayed, other, tasks).unwrap_or_default();
            let went_on = sections.get(certain - 1).map(|it| tasks.name(it.step.task));
            let share = explained.shares.iter().find(|it| it.section == certain);
            let _ = writeln!(
                out,
                "It was certain from section {certain} on, where {} went on.{instead}{}",
                went_on.unwrap_or_default(),
                share.map_or_else(String::new, before)
            );
        }
        _ if explained.always => {
            out.push_str("It was certain from the start: every schedule of this scenario violates it.\n");
        }
        _ => out.push_str("When it became certain is not known: the search for schedules that pass was cut off.\n"),
    }
    if let Some(orders) = orders(explained, sections, tasks, objects) {
        let _ = writeln!(out, "{orders}");
    }
    out.push('\n');
    out
}

/// The races whose other order passes, in words.
fn orders(
    explained: &Explained,
    sections: &[Section],
    tasks: &TaskNames,
    objects: &Objects,
) -> Option<String> {
    let one = |number: usize| {
        let section = sections.get(number - 1)?;
        let did = does(section, tasks, objects).replace("COMPUTES", "computes");
        Some(format!("{}: {did} ({number})", tasks.name(section.step.task)))
    };
    let both = |(first, second): &(usize, usize)| {
        Some(format!("{} before {}", one(*first)?, one(*second)?))
    };
    let races = told_races(explained, sections);
    let all: Option<Vec<String>> = races.iter().map(both).collect();
    let all = all.filter(|it| !it.is_empty())?.join("; ");
    let passes = if races.len() == 1 {
        "In the other order it is not violated"
    } else {
        "With any of these in the other order it is not violated"
    };
    Some(format!("The order that matters: {all}. {passes}."))
}

/// The most races of a sentence.
const RACES: usize = 2;

/// The last races before the violation. Only where there is none, those that end after it.
fn told_races(explained: &Explained, sections: &[Section]) -> Vec<(usize, usize)> {
    let mark = violated(explained.invariant);
    let end = sections.iter().find(|it| it.marks.contains(&mark)).map(|it| it.number);
    let races = &explained.matters.races;
    let before = races.iter().filter(|(_, second)| end.is_none_or(|end| *second <= end));
    let mut told: Vec<_> = before.copied().collect();
    if told.is_empty() {
        told.clone_from(races);
    }
    told.sort_by_key(|(first, second)| (*second, *first));
    told.split_off(told.len().saturating_sub(RACES))
}

/// What a section does: its events, or else the operation that it begins with.
pub(crate) fn does(section: &Section, tasks: &TaskNames, objects: &Objects) -> String {
    match section.notes.as_slice() {
        [] => objects.operation(section.step.operation, tasks),
        notes => notes.join(", "),
    }
}

/// Marks the section that made the violation certain, and says of each one where its code is.
pub(super) fn mark(sections: &mut [Section], replayed: &Replayed, explained: &Explained) {
    for (section, code) in sections.iter_mut().zip(code(replayed)) {
        section.code = code.map(|it| it.short());
        // The sentence above has the name, and a narrow column is enough for this.
        let explained = violated(explained.invariant);
        section.marks.retain(|it| *it == explained);
        section.marks.iter_mut().for_each(|it| *it = "<- violated".into());
    }
    if let Outcome::Deadlock(waiting) = &replayed.execution.outcome {
        for (task, _) in waiting {
            let last = sections.iter_mut().rfind(|it| it.step.task == *task);
            last.into_iter().for_each(|it| it.marks.push("<- waits for ever".into()));
        }
    }
    let certain = explained.certain.and_then(|it| sections.get_mut(it - 1));
    certain.into_iter().for_each(|it| it.marks.push("<- certain".into()));
    for (section, steps) in own_steps(replayed) {
        let steps = steps.into_iter().collect::<Vec<_>>().join(", ");
        let section = sections.get_mut(section - 1);
        section.into_iter().for_each(|it| it.marks.push(format!("twin's {steps}")));
    }
}

/// Who goes on in the execution that passes, and does what.
fn instead(replayed: &Replayed, other: &Passing, tasks: &TaskNames) -> Option<String> {
    let execution = passing(replayed, other)?;
    let Outcome::Returned(history) = &execution.outcome else { return None };
    let objects = Objects::of(&execution.made_at);
    let sections = Section::all(&execution.steps, &history.records, &[], say);
    let section = sections.get(same(replayed, &execution))?;
    let task = tasks.name(section.step.task);
    let rest = sections.iter().skip(section.number);
    let mut later = rest.filter(|it| it.step.task == section.step.task && !it.notes.is_empty());
    let phrase = match later.next().filter(|_| section.notes.is_empty()) {
        Some(next) => format!("and so come to: {}", next.notes.join(", ")),
        None => format!("its step: {}", does(section, tasks, &objects)),
    };
    Some(format!(" Had {task} gone on there ({phrase}), nothing would have been violated."))
}

/// How many sections two executions have in common at their beginning.
pub(crate) fn same(replayed: &Replayed, other: &Execution<History>) -> usize {
    let steps = other.steps.iter().zip(&replayed.execution.steps);
    steps.take_while(|(one, other)| one.task == other.task).count()
}

/// How many continuations there were before the choice.
fn before(share: &Share) -> String {
    let Share { all, violating, complete, .. } = share;
    let at_least = if *complete { "" } else { "at least " };
    let all = counted(*all as usize, "continuation");
    format!(" Before that choice, {violating} of {at_least}{all} violate it; after it, all do.")
}

/// What is violated by no event: what the cache has when all tasks have ended, and after everything has expired and was
/// swept.
fn left(history: &History) -> String {
    let usage = |it: Usage| {
        let (keys, slots) = (counted(it.keys, "key"), counted(it.slots, "slot"));
        format!("{keys}, {} and {slots} of the lease table", counted(it.leases, "lease"))
    };
    let (rest, last) = (usage(history.at_rest), usage(history.at_last));
    format!(
        "after all tasks have ended, the cache holds {rest}; after all has expired and was swept, {last}"
    )
}

/// Who did what where, as the record says that shows the violation.
pub(super) fn what(
    replayed: &Replayed,
    explained: &Explained,
    tasks: &TaskNames,
    objects: &Objects,
) -> String {
    let records = &replayed.history.records;
    let place = replayed.violations.iter().find(|(it, _)| *it == explained.invariant);
    let record: Option<(usize, &Record)> =
        place.and_then(|(_, at)| records.get(*at).map(|it| (*at, it)));
    let rests = records.iter().position(|it| it.event == Event::Rest);
    match (record, &replayed.execution.outcome) {
        (_, Outcome::Deadlock(waiting)) if !waiting.is_empty() => {
            let waits = waiting.iter().map(|(task, operation)| {
                format!(
                    "{} waits for ever to {}",
                    tasks.name(*task),
                    objects.operation(*operation, tasks)
                )
            });
            let mut known = Known::default();
            records.iter().for_each(|it| known.learn(it));
            let held = match known.holders(tasks) {
                none if none.is_empty() => String::new(),
                held => format!(", while leases are held ({held})"),
            };
            format!("{}{held}", waits.collect::<Vec<_>>().join(", "))
        }
        (_, Outcome::Panicked(message)) => format!("a task panics: {message}"),
        (Some((at, record)), _) => {
            let said = say(record).map(|it| it.replace("COMPUTES", "computes"));
            match said {
                Some(said) if rests.is_some_and(|rest| at >= rest) => {
                    format!("after all tasks have ended, one more request {said}")
                }
                Some(said) => {
                    format!("{} {said} in section {}", tasks.name(record.task), record.step)
                }
                None => left(&replayed.history),
            }
        }
        (None, _) => left(&replayed.history),
    }
}

/// The most rows of an execution that passes.
const ROWS: usize = 8;

/// The sections of an execution that passes that have a row: the first one that differs, and those with an event, until
/// there are enough.
pub(crate) fn told(sections: &[Section], same: usize) -> BTreeSet<usize> {
    let later = sections.iter().skip(same + 1).filter(|it| !it.notes.is_empty());
    [same + 1].into_iter().chain(later.map(|it| it.number)).take(ROWS).collect()
}

/// The execution that passes, from where it differs, and the share of continuations before each choice.
pub(super) fn beside(replayed: &Replayed, explained: &Explained, tasks: &TaskNames) -> String {
    let mut out = String::new();
    if let Some(other) = &explained.passing
        && let Some(execution) = passing(replayed, other)
        && let Outcome::Returned(history) = &execution.outcome
    {
        let same = same(replayed, &execution);
        let objects = Objects::of(&execution.made_at);
        let sections = Section::all(&execution.steps, &history.records, &[], say);
        let before = history.records.iter().filter(|it| it.step <= same);
        let rows = told(&sections, same);
        let choices = counted(other.different, "choice");
        let _ = writeln!(
            out,
            "The nearest schedule that violates nothing is {choices} away. From section {}, its first sections with an event:\n{}\n",
            same + 1,
            table(&sections[same..], Rows::Those(&rows), tasks, &objects, before)
        );
    }
    if explained.shares.len() > 1 {
        let share = |it: &Share| {
            let cut = if it.complete { "" } else { "+" };
            format!("{}: {}/{}{cut}", it.section, it.violating, it.all)
        };
        let shares: Vec<String> = explained.shares.iter().map(share).collect();
        let _ = writeln!(
            out,
            "Continuations that violate {}, before the choice in section: {}\n",
            explained.invariant,
            shares.join(", ")
        );
    }
    out
}
