//! A simulated day as a timeline: the same columns, with the virtual time of each section.

use super::names::{Objects, TaskNames};
use super::words::{counted, say, violated};
use super::{Detail, Rows, Section, table};
use crate::checkers::Violation;
use crate::history::{Event, Record};
use statrs::distribution::{Beta, ContinuousCDF};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use xfetch_on_sections::hash_of;
use xfetch_simulate::case::DayToken;
use xfetch_simulate::explain::explain;
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

/// What happened, what is needed for it, and how likely it was before each unusual choice. Nothing, if nothing happened.
fn why(
    token: &DayToken,
    run: &Run,
    sections: &[Section],
    tasks: &TaskNames,
    objects: &Objects,
) -> String {
    let case = &token.case;
    let violations = run.judge.violations().values();
    let Some(first) = violations.min_by_key(|violation| violation.place) else {
        return String::new();
    };
    let invariant = first.invariant;
    let mark = violated(invariant);
    let one = |section: &Section| {
        let phrase = objects.phrase(section.step, &section.notes, tasks);
        format!("{} in section {} ({phrase})", tasks.name(section.step.task), section.number)
    };
    let place = sections.iter().find(|it| it.marks.contains(&mark)).map(one);
    let place = place.map_or_else(String::new, |it| format!(", by {it}"));
    let mut out = format!("{}: {invariant} is violated{place}.\n", first.what);
    let explained = explain(case, run, invariant);
    let of = case.arrivals.len();
    let _ = match explained.needed_arrivals {
        None => writeln!(out, "Which of its arrivals are needed is not known: there are too many."),
        Some(needed) if needed == of => writeln!(
            out,
            "Without any one of its {} nothing of this is violated.",
            counted(of, "arrival")
        ),
        Some(needed) => writeln!(out, "{needed} of its {} are needed.", counted(of, "arrival")),
    };
    for unusual in &explained.unusual {
        let Some(section) = sections.get(unusual.section - 1) else { continue };
        let needed = if unusual.is_needed {
            "without it nothing of this is violated"
        } else {
            "it is violated without it, too"
        };
        let before = unusual.before.map_or_else(String::new, |(violating, all)| {
            let (least, most) = interval(violating, all);
            format!(
                "; before it {violating} of {all} continuations, drawn at random, violate it ({:.1} to {:.1} %, at 95 %)",
                least * 100.0,
                most * 100.0
            )
        });
        let _ = writeln!(out, "Unusual choice: {}; {needed}{before}.", one(section));
    }
    out.push('\n');
    out
}

/// The interval of Clopper and Pearson (1934) at 95 %: `found` of `all` were so.
fn interval(found: u64, all: u64) -> (f64, f64) {
    let (found, missed) = (found as f64, (all - found) as f64);
    let at =
        |one: f64, other: f64, share: f64| Beta::new(one, other).map(|it| it.inverse_cdf(share));
    let least = if found > 0.0 { at(found, missed + 1.0, 0.025).unwrap_or(0.0) } else { 0.0 };
    let most = if missed > 0.0 { at(found + 1.0, missed, 0.975).unwrap_or(1.0) } else { 1.0 };
    (least, most)
}

/// The timeline of a token's run, with a sentence for each violated invariant.
pub fn day(token: &DayToken, run: &Run, detail: Detail) -> String {
    let case = &token.case;
    let (mut out, table) = with_sections(token, run, |sections, records, tasks, objects| {
        let before = records.iter().filter(|record| record.step == 0);
        let table = table(sections, Rows::of(detail), tasks, objects, before);
        (why(token, run, sections, tasks, objects), table)
    });
    let _ = writeln!(
        out,
        "a simulated service on {}: {}, {}, {}, {}",
        case.protocol,
        counted(case.callers, "caller"),
        counted(case.arrivals.len(), "arrival"),
        counted(case.deviations.len(), "unusual choice"),
        counted(run.steps.len(), "section"),
    );
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

#[cfg(test)]
mod tests {
    use super::interval;

    /// The values of the rule of three, and of the table of Clopper and Pearson for 5 of 10.
    #[test]
    fn the_interval_of_a_share_has_the_known_ends() {
        let (least, most) = interval(0, 100);
        assert_eq!(least, 0.0);
        assert!((most - 0.0362).abs() < 1e-4, "{most}");
        let (least, most) = interval(5, 10);
        assert!((least - 0.1871).abs() < 1e-4 && (most - 0.8129).abs() < 1e-4, "{least} {most}");
        assert_eq!(interval(7, 7).1, 1.0);
    }
}
