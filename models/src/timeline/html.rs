//! The failing executions as one HTML file that needs nothing else: no script of others, no network.
//!
//! For each one: what happened, when it became certain, the share of continuations that violate the invariant as a curve,
//! and the execution in lanes beside the nearest one that passes. `maud` escapes every text.

use super::Section;
use super::known::Known;
use super::names::{Objects, TaskNames};
use super::why::{same, why};
use super::words::say;
use crate::explain::{Explained, Share, passing};
use crate::history::History;
use crate::replay::Replayed;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sections::{Execution, Outcome};

const STYLE: &str = include_str!("page.css");
/// Copies the command of the button that was pressed.
const SCRIPT: &str = include_str!("page.js");

/// The page of these failures.
pub fn page(failures: &[(Replayed, Explained)]) -> String {
    let name = |it: &Replayed| format!("{} in {}", it.token.protocol, it.token.scenario);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Why each broken twin fails" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "To the executions" }
                header {
                    h1 { "Why each broken twin fails" }
                    p {
                        "Each section shows one execution of a broken twin of the cache, from its smallest token, beside the \
                         nearest execution that passes. A lane is a task, and time goes down."
                    }
                }
                nav aria-label="Twins" {
                    ul {
                        @for (place, (replayed, _)) in failures.iter().enumerate() {
                            li { a href=(format!("#e{place}")) { (name(replayed)) } }
                        }
                    }
                }
                main #main {
                    @for (place, (replayed, explained)) in failures.iter().enumerate() {
                        article id=(format!("e{place}")) {
                            h2 { (name(replayed)) }
                            (failure(replayed, explained))
                        }
                    }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

fn failure(replayed: &Replayed, explained: &Explained) -> Markup {
    let tasks = TaskNames::of(&replayed.token);
    let objects = Objects::of(&replayed.execution.made_at);
    let steps = &replayed.execution.steps;
    let sections = Section::all(steps, &replayed.history.records, &replayed.violations, say);
    let why = why(replayed, explained, &sections, &tasks, &objects);
    let command = format!("cargo run --release -- replay {}", replayed.token);
    let beside = explained.passing.as_ref().and_then(|it| passing(replayed, it));
    html! {
        p { (replayed.token.protocol.about()) }
        @for line in why.lines().filter(|line| !line.is_empty()) { p.why { (line) } }
        p { strong { (explained.invariant) } ". " (explained.invariant.about()) }
        p.command {
            code { (command) } " "
            button type="button" data-copy=(command) { "Copy" }
        }
        (curve(&explained.shares))
        div.pair {
            section {
                h3 { "It fails" }
                (lanes(&sections, &replayed.history, &tasks, &objects, explained.certain, 0))
            }
            @if let Some(execution) = &beside {
                section {
                    h3 { "The nearest one passes" }
                    (other(replayed, execution, &tasks))
                }
            }
        }
    }
}

fn other(replayed: &Replayed, execution: &Execution<History>, tasks: &TaskNames) -> Markup {
    let Outcome::Returned(history) = &execution.outcome else { return html! {} };
    let objects = Objects::of(&execution.made_at);
    let sections = Section::all(&execution.steps, &history.records, &[], say);
    lanes(&sections, history, tasks, &objects, None, same(replayed, execution))
}

/// A row for each section with something of interest in it. Those before `same` are those of the other execution.
fn lanes(
    sections: &[Section],
    history: &History,
    tasks: &TaskNames,
    objects: &Objects,
    certain: Option<usize>,
    same: usize,
) -> Markup {
    let mut known = Known::default();
    history.records.iter().filter(|it| it.step == 0).for_each(|it| known.learn(it));
    let mut rows = Vec::new();
    for section in sections {
        section.records.iter().for_each(|it| known.learn(it));
        let is_certain = certain == Some(section.number);
        if section.is_dull() && !is_certain {
            continue;
        }
        let class = match (section.marks.is_empty(), is_certain) {
            (false, _) => "violates",
            (true, true) => "certain",
            _ if section.number <= same => "same",
            _ => "",
        };
        let mark = match (section.marks.first(), is_certain) {
            (Some(mark), false) => mark.trim_start_matches("<- ").to_owned(),
            (Some(mark), true) => format!("{}; certain from here", mark.trim_start_matches("<- ")),
            (None, true) => "certain from here".into(),
            (None, false) => String::new(),
        };
        let phrase = objects.phrase(section.step, &section.notes, tasks);
        let state = format!("{} {}", known.version(), known.holders(tasks));
        rows.push((section, class, phrase, state, mark));
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label="Execution" {
            table {
                thead { tr {
                    th scope="col" { "section" }
                    @for task in tasks.all() { th scope="col" { (tasks.name(task)) } }
                    th scope="col" { "version, lease" }
                } }
                tbody {
                    @for (section, class, phrase, state, mark) in &rows {
                        tr class=(class) {
                            th scope="row" { (section.number) @if section.step.preempts { " !" } }
                            @for task in tasks.all() {
                                td { @if task == section.step.task {
                                    span.step { (phrase) }
                                    @if !mark.is_empty() { " " strong { (mark) } }
                                } }
                            }
                            td { (state) }
                        }
                    }
                }
            }
        }
    }
}

/// The share of continuations that violate the invariant, a bar for each choice.
fn curve(shares: &[Share]) -> Markup {
    if shares.len() < 2 {
        return html! {};
    }
    let (bar, height) = (14, 60);
    let width = shares.len() * bar;
    let words: Vec<String> = shares
        .iter()
        .map(|it| format!("section {}: {} of {}", it.section, it.violating, it.all))
        .collect();
    html! {
        figure {
            svg role="img" aria-label=(format!("Continuations that violate it. {}", words.join("; ")))
                viewBox=(format!("0 0 {width} {height}")) width=(width) height=(height) {
                @for (place, share) in shares.iter().enumerate() {
                    @let part = share.violating as f64 / share.all.max(1) as f64;
                    @let tall = (part * f64::from(height)).max(1.0);
                    rect class=(if share.is_certain() { "all" } else { "some" })
                        x=(place * bar) y=(f64::from(height) - tall) width=(bar - 2) height=(tall) {
                        title { (words[place]) }
                    }
                }
            }
            figcaption { "Share of continuations that violate it, before each choice." }
        }
    }
}
