//! A simulated day as a timeline: the same columns, with the virtual time of each section.

use super::names::{Objects, TaskNames};
use super::words::{counted, say};
use super::{Detail, Rows, Section, table};
use crate::checkers::Violation;
use crate::history::{Event, Record};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use xfetch_on_sections::hash_of;
use xfetch_simulate::case::DayToken;
use xfetch_simulate::world::Run;

/// What is made of the sections of a token's run, and of all that was recorded.
pub(super) fn with_sections<T>(
    token: &DayToken,
    run: &Run,
    then: impl FnOnce(&[Section], &[Record], &TaskNames, &Objects) -> T,
) -> T {
    let case = &token.case;
    let (times, steps): (Vec<_>, Vec<_>) = run.steps.iter().cloned().unzip();
    let tasks = TaskNames::of_day(&run.names, &steps);
    let objects = Objects::of(&run.made_at);
    let keys: BTreeSet<u64> = case.arrivals.iter().flat_map(|arrival| arrival.act.keys()).collect();
    let names: BTreeMap<u64, u64> = keys.iter().map(|key| (hash_of(*key), *key)).collect();
    let all = run.judge.log.as_deref().unwrap_or_default();
    let mut contents = BTreeMap::new();
    let mut renamed = |content: u64| {
        let next = contents.len() as u64 + 1;
        *contents.entry(content).or_insert(next)
    };
    // A content is a long number that names its key and its beginning: they count from 1 here.
    let records: Vec<Record> = all
        .iter()
        .map(|record| {
            let event = match record.event {
                Event::Makes(content) => Event::Makes(renamed(content)),
                Event::Put(content) => Event::Put(renamed(content)),
                Event::Answered(content) => Event::Answered(renamed(content)),
                other => other,
            };
            Record { event, ..*record }
        })
        .collect();
    let says = |record: &Record| {
        let said = say(record)?;
        // With one key it is clear which one is meant.
        match names.get(&record.key).filter(|_| names.len() > 1) {
            Some(key) => Some(format!("{said} (key {key})")),
            None => Some(said),
        }
    };
    // The event with the place p is record p - 2: the judge counts from 1, and a place is that after the event.
    let violations: Vec<Violation> = run
        .judge
        .violations()
        .values()
        .filter_map(|it| Some((it.invariant, usize::try_from(it.place).ok()?.checked_sub(2)?)))
        .collect();
    let mut sections = Section::all(&steps, &records, &violations, says);
    for (section, time) in sections.iter_mut().zip(&times) {
        section.time = Some(*time);
    }
    then(&sections, &records, &tasks, &objects)
}

/// The timeline of a token's run, with a sentence for each violated invariant.
pub fn day(token: &DayToken, run: &Run, detail: Detail) -> String {
    let case = &token.case;
    let mut out = format!(
        "a simulated service on {}: {}, {}, {}, {}\n",
        case.protocol,
        counted(case.callers, "caller"),
        counted(case.arrivals.len(), "arrival"),
        counted(case.deviations.len(), "unusual choice"),
        counted(run.steps.len(), "section"),
    );
    let table = with_sections(token, run, |sections, records, tasks, objects| {
        let before = records.iter().filter(|record| record.step == 0);
        table(sections, Rows::of(detail), tasks, objects, before)
    });
    let _ = writeln!(out, "{table}\n");
    for violation in run.judge.violations().values() {
        let invariant = violation.invariant;
        let _ =
            writeln!(out, "violated: {invariant}. {} Here: {}.", invariant.about(), violation.what);
    }
    if run.judge.violations().is_empty() {
        out.push_str("nothing is violated\n");
    }
    out
}
