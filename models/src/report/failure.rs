//! One failing execution: what happened, when it became certain, and the execution beside it that passes.

use super::lanes::{Mark, Row, rows, svg};
use crate::catalogue::{Protocol, Scenario};
use crate::code::{Code, code, differences, own_steps};
use crate::explain::{Explained, Share, passing};
use crate::history::History;
use crate::replay::Replayed;
use crate::timeline::Section;
use crate::timeline::names::{Objects, TaskNames};
use crate::timeline::why::{same, told, why};
use crate::timeline::words::say;
use maud::{Markup, html};
use sections::{Execution, Outcome};
use std::collections::{BTreeMap, BTreeSet};

/// The command that replays a token.
const REPLAY: &str = "cargo run --release -- replay";

/// The article of a failure. `explorer` leads to it among all interleavings, if they are in the page.
pub(super) fn article(
    name: &str,
    replayed: &Replayed,
    explained: &Explained,
    explorer: Option<String>,
) -> Markup {
    let tasks = TaskNames::of(&replayed.token);
    let objects = Objects::of(&replayed.execution.made_at);
    let steps = &replayed.execution.steps;
    let sections = Section::all(steps, &replayed.history.records, &replayed.violations, say);
    let why = why(replayed, explained, &sections, &tasks, &objects);
    let code = code(replayed);
    let own = own_steps(replayed);
    let matters = &explained.matters;
    let shown = &matters.sections;
    let mark = |it: &Section| {
        let is_certain = explained.certain == Some(it.number);
        if waits_for_ever(replayed, it) {
            return (Mark::Waits, if is_certain { "certain from here" } else { "" });
        }
        match (!it.marks.is_empty(), is_certain) {
            (true, true) => (Mark::Violates, "certain from here"),
            (true, false) => (Mark::Violates, ""),
            (false, true) => (Mark::Certain, ""),
            (false, false) => (Mark::None, ""),
        }
    };
    let history = &replayed.history;
    let failing = rows(&sections, shown, history, &tasks, &objects, (&code, &own), mark);
    let every: BTreeSet<usize> = (1..=steps.len()).collect();
    let whole = rows(&sections, &every, history, &tasks, &objects, (&code, &own), mark);
    let command = format!("{REPLAY} {}", replayed.token);
    let (few, all) = (failing.len(), steps.len());
    let picture = svg(
        name,
        &format!("{name}: the failing execution"),
        &failing,
        &matters.edges,
        &matters.races,
        &tasks,
    );
    html! {
        p { strong { "The twin. " } (replayed.token.protocol.about()) }
        p { strong { "The scenario. " } (about(replayed.token.scenario)) }
        @for line in why.lines().filter(|line| !line.is_empty()) { p.why { (line) } }
        p { strong { "The invariant. " } (explained.invariant) ": " (explained.invariant.about()) }
        (decisions(replayed.token.protocol, own.is_empty()))
        p.command {
            code { (command) } " "
            button type="button" data-copy=(command) { "Copy" span.sr { " the command for " (name) } }
            @if let Some(explorer) = explorer { " " a href=(explorer) { "See it among all interleavings" } }
        }
        div class=(if tasks.all().count() > 2 { "pair wide" } else { "pair" }) {
            section {
                h4 { "It fails" }
                p.note { (few) " of " (all) " sections: those that matter. The state after each stands below it." }
                (picture)
                (table(name, "the failing execution", &whole, &tasks))
            }
            section {
                h4 { "The nearest one passes" }
                (beside(name, replayed, explained, &tasks))
            }
        }
        (curve(name, &explained.shares))
        (lines(name, &code, &failing))
    }
}

/// What a scenario is, with that of the scenario that it is like.
pub(super) fn about(scenario: Scenario) -> Markup {
    let text = scenario.about();
    let like = text.strip_prefix("As `").and_then(|it| it.split_once('`'));
    let like = like.and_then(|(name, _)| name.parse::<Scenario>().ok());
    html! {
        @for (place, part) in text.split('`').enumerate() {
            @if place % 2 == 0 { (part) } @else { code { (part) } }
        }
        @if let Some(like) = like { " (" code { (like) } ": " (about(like)) ")" }
    }
}

/// Whether the task waits for ever after this section.
fn waits_for_ever(replayed: &Replayed, section: &Section) -> bool {
    let Outcome::Deadlock(waiting) = &replayed.execution.outcome else { return false };
    let task = section.step.task;
    let is_last = replayed.execution.steps.iter().rposition(|it| it.task == task);
    waiting.iter().any(|(it, _)| *it == task) && is_last == Some(section.number - 1)
}

/// The twin's steps beside the shipped ones.
fn decisions(twin: Protocol, is_early: bool) -> Markup {
    let all = differences(twin);
    html! {
        details open {
            summary { "The decision: the twin's code beside the shipped code" span.sr { " of " (twin) } }
            @for it in &all {
                p.note { "The step " code { (it.step) } }
                div.pair {
                    div { p.note { "The twin, " (it.at) } pre.code { (it.twin) } }
                    div { p.note { "The shipped protocol, " (it.shipped_at) } pre.code { (it.shipped) } }
                }
            }
            @if all.is_empty() { p.note { "The sources are not here." } }
            @if is_early {
                p.note { "This is asked for when the cache is made: no section has it." }
            }
        }
    }
}

/// The execution that passes. Up to where it differs it has the rows of the failing one.
fn beside(name: &str, replayed: &Replayed, explained: &Explained, tasks: &TaskNames) -> Markup {
    let execution = explained.passing.as_ref().and_then(|it| passing(replayed, it));
    let Some(execution) = execution else {
        let why = if explained.always {
            "There is none: every schedule of this scenario violates it."
        } else {
            "None was found in the time."
        };
        return html! { p.note { (why) } };
    };
    let Outcome::Returned(history) = &execution.outcome else { return html! {} };
    other(name, replayed, explained, &execution, history, tasks)
}

fn other(
    name: &str,
    replayed: &Replayed,
    explained: &Explained,
    execution: &Execution<History>,
    history: &History,
    tasks: &TaskNames,
) -> Markup {
    let objects = Objects::of(&execution.made_at);
    let sections = Section::all(&execution.steps, &history.records, &[], say);
    let same = same(replayed, execution);
    let both = explained.matters.sections.iter().copied().filter(|it| *it <= same);
    let shown: BTreeSet<usize> = both.chain(told(&sections, same)).collect();
    let passing =
        rows(&sections, &shown, history, tasks, &objects, (&[], &BTreeMap::new()), |it| {
            let mark = match it.number {
                number if number <= same => Mark::Same,
                number if number == same + 1 => Mark::Differs,
                _ => Mark::None,
            };
            (mark, "")
        });
    html! {
        p.note { "The same twin, with the same mistake: only the order differs. The same up to section " (same) ". From \
                  there, the first sections with an event." }
        (svg(&format!("{name}-passes"), &format!("{name}: the execution that passes"), &passing, &[], &[], tasks))
        (table(name, "the execution that passes", &passing, tasks))
    }
}

/// The lanes as a table.
fn table(name: &str, which: &str, rows: &[Row], tasks: &TaskNames) -> Markup {
    html! {
        details {
            summary { "As a table, " (rows.len()) " sections" span.sr { ": " (which) " of " (name) } }
            div.scroll tabindex="0" role="region" aria-label=(format!("{name}: {which}, as a table")) {
                table {
                    thead { tr {
                        @for head in ["section", "task", "step", "entry", "lease", "computes", "code"] {
                            th scope="col" { (head) }
                        }
                    } }
                    tbody {
                        @for row in rows {
                            tr class=(row.mark.class()) {
                                th scope="row" { (row.number) @if row.preempts { " !" } }
                                td { (tasks.name(row.task)) }
                                td {
                                    (row.does)
                                    @if let Some(mark) = row.mark_in_words() { " " strong { (mark) } }
                                }
                                td { (row.entry) } td { (row.lease) } td { (row.computes) }
                                td {
                                    code { (row.code) }
                                    @if let Some(own) = &row.own { "; " (own) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The lines of the sources at the sections that are shown.
fn lines(name: &str, code: &[Option<Code>], rows: &[Row]) -> Markup {
    let of =
        |row: &Row| code.get(row.number - 1)?.as_ref().map(|code| (row.number, code, code.text()));
    let all: Vec<_> = rows.iter().filter_map(of).collect();
    html! {
        details {
            summary { "The code of these sections" span.sr { " of " (name) } }
            p.note { "The line of the protocol that a section begins with." }
            dl.code {
                @for (number, code, text) in &all {
                    dt { (number) ", " (code) }
                    dd { code { (text.as_deref().unwrap_or("the source is not here")) } }
                }
            }
        }
    }
}

/// The share of continuations that violate the invariant, a bar for each choice.
fn curve(name: &str, shares: &[Share]) -> Markup {
    if shares.len() < 2 {
        return html! {};
    }
    let (bar, height) = (16, 60);
    let width = shares.len() * bar;
    let words: Vec<String> = shares
        .iter()
        .map(|it| {
            let cut = if it.complete { "" } else { " or more" };
            format!("section {}: {} of {}{cut}", it.section, it.violating, it.all)
        })
        .collect();
    html! {
        figure {
            svg role="img" aria-label=(format!("{name}: continuations that violate it. {}", words.join("; ")))
                viewBox=(format!("0 0 {width} {}", height + 14)) width=(width) height=(height + 14) {
                @for (place, share) in shares.iter().enumerate() {
                    @let part = share.violating as f64 / share.all.max(1) as f64;
                    @let tall = (part * f64::from(height)).max(1.0);
                    rect class=(if share.is_certain() { "all" } else { "some" })
                        x=(place * bar) y=(f64::from(height) - tall) width=(bar - 3) height=(tall) {
                        title { (words[place]) }
                    }
                    text.tick x=(place * bar + 6) y=(height + 11) text-anchor="middle" { (share.section) }
                }
            }
            figcaption {
                "The moment: before the choice in each section, the share of all ways to go on, one of each equivalence \
                 class, that violate it. Red is all. A section without a choice has no bar."
            }
        }
    }
}
