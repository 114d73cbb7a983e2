//! One failing execution: what happened, when it became certain, and the execution beside it that passes.

use super::lanes::{Mark, Row, rows, svg};
use crate::code::{Code, code};
use crate::explain::{Explained, Share, passing};
use crate::history::History;
use crate::replay::Replayed;
use crate::timeline::Section;
use crate::timeline::names::{Objects, TaskNames};
use crate::timeline::why::{same, told, why};
use crate::timeline::words::say;
use maud::{Markup, html};
use sections::{Execution, Outcome};
use std::collections::BTreeSet;

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
    let mut sections = Section::all(steps, &replayed.history.records, &replayed.violations, say);
    let why = why(replayed, explained, &sections, &tasks, &objects);
    let code = code(replayed);
    for (section, code) in sections.iter_mut().zip(&code) {
        section.code = code.as_ref().map(Code::short);
    }
    let matters = &explained.matters;
    let failing = rows(&sections, &matters.sections, &replayed.history, &tasks, &objects, |it| {
        let violates = !it.marks.is_empty();
        match (violates, explained.certain == Some(it.number)) {
            (true, true) => (Mark::Violates, "certain from here"),
            (true, false) => (Mark::Violates, ""),
            (false, true) => (Mark::Certain, ""),
            (false, false) => (Mark::None, ""),
        }
    });
    let command = format!("{REPLAY} {}", replayed.token);
    let (shown, all) = (failing.len(), steps.len());
    html! {
        p { (replayed.token.protocol.about()) }
        @for line in why.lines().filter(|line| !line.is_empty()) { p.why { (line) } }
        p { strong { (explained.invariant) } ". " (explained.invariant.about()) }
        p.command {
            code { (command) } " "
            button type="button" data-copy=(command) { "Copy" span.sr { " the command for " (name) } }
            @if let Some(explorer) = explorer { " " a href=(explorer) { "See it among all interleavings" } }
        }
        div.pair {
            section {
                h4 { "It fails" }
                p.note { (shown) " of " (all) " sections: those that matter. The state after each stands below it." }
                (svg(name, &format!("{name}: the failing execution"), &failing, &matters.edges, &matters.races, &tasks))
                (table(name, "the failing execution", &failing, &tasks))
            }
            section {
                h4 { "The nearest one passes" }
                (beside(name, replayed, explained, &tasks))
            }
        }
        (curve(name, &explained.shares))
        (lines(&code, &failing))
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
    let passing = rows(&sections, &shown, history, tasks, &objects, |it| {
        let mark = match it.number {
            number if number <= same => Mark::Same,
            number if number == same + 1 => Mark::Differs,
            _ => Mark::None,
        };
        (mark, "")
    });
    html! {
        p.note { "The same up to section " (same) ". From there, the first sections with an event." }
        (svg(&format!("{name}-passes"), &format!("{name}: the execution that passes"), &passing, &[], &[], tasks))
        (table(name, "the execution that passes", &passing, tasks))
    }
}

/// The lanes as a table.
fn table(name: &str, which: &str, rows: &[Row], tasks: &TaskNames) -> Markup {
    html! {
        details {
            summary { "As a table" span.sr { ": " (which) " of " (name) } }
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
                                td { code { (row.code) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The lines of the sources at the sections that are shown.
fn lines(code: &[Option<Code>], rows: &[Row]) -> Markup {
    let of =
        |row: &Row| code.get(row.number - 1)?.as_ref().map(|code| (row.number, code, code.text()));
    let all: Vec<_> = rows.iter().filter_map(of).collect();
    html! {
        details {
            summary { "The code of these sections" }
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
                 class, that violate it."
            }
        }
    }
}
