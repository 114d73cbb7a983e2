//! The report as one HTML file that needs nothing else: no script of others, no network.
//!
//! It has what was checked and how far, every broken twin with its failing execution beside the nearest one that passes, and
//! all interleavings of a few scenarios to step through. `maud` escapes every text.

mod documents;
mod failure;
mod lanes;
mod tree;

use crate::catalogue::{Protocol, Scenario};
use crate::explain::{Explained, explain, first_failure};
use crate::page::Grid;
use crate::replay::{Replayed, replay};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use tree::{CALLERS, MOST, Texts, Tree, tree};
use xfetch_simulate::plan::{Plan, Shape, Wishes};
use xfetch_simulate::report::Report as Day;
use xfetch_simulate::world::Watch;
use xfetch_simulate::{plot, text};

const STYLE: &str = include_str!("style.css");
/// Copies the command of the button that was pressed.
const SCRIPT: &str = include_str!("page.js");
/// Steps through all interleavings of a scenario.
const EXPLORER: &str = include_str!("explorer.js");

/// The scenarios whose interleavings are in the page.
const EXPLORED: [Scenario; 4] = [Scenario::Field, Scenario::Miss, Scenario::Fail, Scenario::Insert];
/// Requests of the simulated day.
const REQUESTS: u64 = 100_000;

/// What the main command has found.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// What ran, and how far it came.
    pub lines: Vec<String>,
    /// Its tables.
    pub grids: Vec<Grid>,
}

/// The failures of all twins, in the order of the catalogue, on as many OS threads as there are cores.
pub fn failures() -> Vec<(Replayed, Explained)> {
    let twins: Vec<_> = Protocol::ALL.iter().copied().filter(|it| !it.keeps_all()).collect();
    let one = |protocol: Protocol| {
        let replayed = replay(&first_failure(protocol)?.token).ok()?;
        let explained = explain(&replayed)?;
        Some((replayed, explained))
    };
    in_parallel(&twins, one).into_iter().flatten().collect()
}

/// What this gives for each of them, in their order.
fn in_parallel<T: Copy + Sync, R: Send>(of: &[T], give: impl Fn(T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let given = Mutex::new(Vec::new());
    let work = || loop {
        let place = next.fetch_add(1, Ordering::Relaxed);
        let Some(one) = of.get(place) else { break };
        let gives = give(*one);
        given.lock().unwrap_or_else(PoisonError::into_inner).push((place, gives));
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    let mut given = given.into_inner().unwrap_or_else(PoisonError::into_inner);
    given.sort_by_key(|(place, _)| *place);
    given.into_iter().map(|(_, gives)| gives).collect()
}

/// The shipped protocol in each explored scenario, and the twins that violate something there.
fn trees(texts: &mut Texts) -> Vec<Tree> {
    let mut all = Vec::new();
    // The shipped one first.
    let (shipped, twins): (Vec<_>, Vec<_>) = Protocol::ALL.iter().partition(|it| it.is_shipped());
    for scenario in EXPLORED {
        for protocol in shipped.iter().chain(&twins).copied() {
            let found = tree(scenario, protocol, texts);
            all.extend(found.filter(|it| protocol.is_shipped() || it.violating > 0));
        }
    }
    all
}

/// The page.
pub fn page(checked: Option<&Checked>, failures: &[(Replayed, Explained)]) -> String {
    let mut texts = Texts::default();
    let trees = trees(&mut texts);
    let day = checked.map(|_| day());
    let documents = if checked.is_some() { documents::documents() } else { Vec::new() };
    let name = |it: &Replayed| format!("{} in {}", it.token.protocol, it.token.scenario);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // The browser would ask for an icon otherwise.
                link rel="icon" href="data:,";
                title { "xfetch-core: what was checked, and why each broken twin fails" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "To the content" }
                (heading(checked, failures, &documents, day.is_some(), name))
                main #main {
                    @if let Some(checked) = checked { (what_was_checked(checked)) }
                    section #twins aria-labelledby="twins-heading" {
                        h2 #twins-heading { "Why each broken twin fails" }
                        p {
                            "A twin is the protocol with one decision taken out. Each article shows one execution of a twin \
                             from its smallest token, beside the nearest execution of the same twin that passes. A lane is a \
                             task, and time goes down. An arrow leads from a section to one that has to come after it; a red \
                             one is a race whose other order does not violate the invariant. \"!\" marks a preemption. Amber \
                             marks the choice that made the violation certain: it is the moment, and not the mistake. The \
                             mistake is the twin's decision: blue names the steps that the twin takes in its own way, where it \
                             takes them."
                        }
                        (words())
                        p.cue { "Scroll a picture sideways to see all of its lanes." }
                        @for (place, (replayed, explained)) in failures.iter().enumerate() {
                            article id=(format!("e{place}")) {
                                h3 { (name(replayed)) }
                                (failure::article(&name(replayed), replayed, explained, in_explorer(replayed, explained, &trees)))
                            }
                        }
                    }
                    (explorer(&trees))
                    @if let Some(day) = day { (day) }
                    @for (place, (title, html)) in documents.iter().enumerate() {
                        section id=(format!("d{place}")) aria-label=(title) {
                            h2 { (title) }
                            details { summary { "The page of docs/" span.sr { ": " (title) } } div.document { (html) } }
                        }
                    }
                }
                script type="application/json" id="trees" { (PreEscaped(data(&trees, &texts, failures))) }
                script { (PreEscaped(SCRIPT)) (PreEscaped(EXPLORER)) }
            }
        }
    };
    page.into_string()
}

fn heading(
    checked: Option<&Checked>,
    failures: &[(Replayed, Explained)],
    documents: &[(&'static str, Markup)],
    has_day: bool,
    name: impl Fn(&Replayed) -> String,
) -> Markup {
    html! {
        header {
            h1 { "xfetch-core" }
            p {
                "What was checked, how far, and why each broken twin of the cache fails. Every failing execution comes back \
                 from its token, on any machine with the same sources."
            }
        }
        nav aria-label="Contents" {
            ul {
                @if checked.is_some() { li { a href="#checked" { "What was checked" } } }
                li { a href="#twins" { "Why each broken twin fails" } }
                li { a href="#explorer" { "All interleavings, step by step" } }
                @if has_day { li { a href="#day" { "A simulated day" } } }
                @for (place, (title, _)) in documents.iter().enumerate() {
                    li { a href=(format!("#d{place}")) { (title) } }
                }
            }
            details {
                summary { "The " (failures.len()) " twins" }
                ul.twins {
                    @for (place, (replayed, _)) in failures.iter().enumerate() {
                        li {
                            a href=(format!("#e{place}")) { (name(replayed)) }
                            ": " (replayed.token.protocol.about())
                        }
                    }
                }
            }
        }
    }
}

/// The words of the page that a reader of caches may not know. docs/GLOSSARY.md has them all.
const WORDS: [(&str, &str); 13] = [
    (
        "section",
        "What a task does between two choices of the scheduler: one synchronising operation, with all that follows it.",
    ),
    (
        "lease",
        "The right to compute the value of a key. One request holds it. The lease table has a slot for it, which goes with the release.",
    ),
    (
        "stale",
        "A value whose payload time is over, and that may still be returned while it is refreshed. After its storage time it is expired, and may not.",
    ),
    (
        "staleness window",
        "The time from the moment at which a version is stale, or its key absent, to the next version.",
    ),
    (
        "version",
        "The number of an entry in the map: v1, v2. Each publication and each insert makes a new one.",
    ),
    (
        "content",
        "The number of a value. 0 is there at the start; each compute and each insert makes the next one.",
    ),
    (
        "re-check",
        "A request looks again whether a refresh is needed: once before it takes the lease, and once under it.",
    ),
    (
        "to nominate",
        "A request may take a fresh version for stale a little early, by chance, so that it is refreshed in time (X-Fetch).",
    ),
    (
        "to revoke",
        "A write makes the lease of a compute under way void: what that compute publishes is discarded.",
    ),
    (
        "to take over",
        "A miss may take the lease of a refresh that is queued and has not begun to compute: the miss has a thread.",
    ),
    ("continuation", "One way to go on from a section to the end of the execution."),
    (
        "equivalence class",
        "Executions that differ only in the order of operations that do not touch the same object.",
    ),
    (
        "worker, last",
        "Where the scenario has a pool: a thread of it, and the task that shuts it down.",
    ),
];

fn words() -> Markup {
    html! {
        details {
            summary { "Words of this page" }
            dl.words { @for (word, meaning) in WORDS { dt { (word) } dd { (meaning) } } }
        }
    }
}

fn what_was_checked(checked: &Checked) -> Markup {
    html! {
        section #checked aria-labelledby="checked-heading" {
            h2 #checked-heading { "What was checked" }
            @for line in &checked.lines { p { (line) } }
            @for grid in &checked.grids {
                h3 { (grid.title) }
                div.scroll tabindex="0" role="region" aria-label=(grid.title) {
                    table {
                        thead { tr { @for head in &grid.header { th scope="col" { (head) } } } }
                        tbody {
                            @for row in &grid.rows { tr { @for cell in row { td class=(verdict(cell)) { (cell) } } } }
                        }
                    }
                }
            }
        }
    }
}

/// The class of a cell, by its first word.
fn verdict(cell: &str) -> &'static str {
    match cell.split([':', ' ']).next() {
        Some("holds") => "holds",
        Some("broken") => "broken",
        Some("incomplete" | "vacuous") => "warns",
        _ => "",
    }
}

fn day() -> Markup {
    let wishes = Wishes { shape: Shape::Service, ..Wishes::fleet(1, REQUESTS) };
    let command = format!("cargo run --release -- simulate --seed 1 --requests {REQUESTS}");
    let day = Day::of(Plan::new(&wishes), Watch::default(), command);
    let picture = plot::svg(&day);
    html! {
        section #day aria-labelledby="day-heading" {
            h2 #day-heading { "A simulated day" }
            p { "The shipped code under virtual time, with traffic and faults from one seed. Every invariant is judged." }
            div.scroll.paper tabindex="0" role="region" aria-label="Requests, computes and efficiency over the day" {
                @match picture {
                    Ok(picture) => { (PreEscaped(picture)) }
                    Err(not_drawn) => { p { (not_drawn) } }
                }
            }
            details { summary { "Its report" } pre tabindex="0" { (text::report(&day)) } }
        }
    }
}

fn explorer(trees: &[Tree]) -> Markup {
    html! {
        section #explorer aria-labelledby="explorer-heading" {
            h2 #explorer-heading { "All interleavings, step by step" }
            p {
                "At each step choose which caller goes on. Every interleaving of " (CALLERS) " callers is here, for the shipped \
                 protocol and for each twin that violates something in the scenario and has at most " (MOST) " interleavings. \
                 The address has your choices: it can be shared."
            }
            dl.words {
                @for scenario in EXPLORED { dt { (scenario) } dd { (failure::about(scenario)) } }
            }
            div.choose {
                label for="scenario" { "Scenario" }
                select #scenario { @for scenario in EXPLORED { option value=(scenario.slug()) { (scenario) } } }
                label for="protocol" { "Protocol" }
                select #protocol {}
            }
            div #explored {}
            p #said aria-live="polite" {}
            noscript { p { "The explorer needs a browser with scripts. The rest of the page does not." } }
            p.note { (trees.len()) " graphs, " (trees.iter().map(|it| it.paths).sum::<u64>()) " interleavings." }
        }
    }
}

/// Where the failing execution is among all interleavings.
fn in_explorer(replayed: &Replayed, explained: &Explained, trees: &[Tree]) -> Option<String> {
    let token = &replayed.token;
    let is = |it: &&Tree| (it.scenario, it.protocol) == (token.scenario, token.protocol);
    trees.iter().find(is).filter(|_| token.callers == CALLERS)?;
    // Up to the violation.
    let place = replayed.violations.iter().find(|(it, _)| *it == explained.invariant);
    let section = place.and_then(|(_, at)| replayed.history.records.get(*at)).map(|it| it.step);
    let all = replayed.execution.steps.len();
    let steps = replayed.execution.steps.iter().take(section.map_or(all, |it| it.min(all)));
    let steps: Vec<_> = steps.map(|it| it.task.to_string()).collect();
    Some(format!("#x={},{},{}", token.scenario, token.protocol, steps.join(".")))
}

/// The graphs as JSON that cannot end its element.
fn data(trees: &[Tree], texts: &Texts, failures: &[(Replayed, Explained)]) -> String {
    let article = |tree: &Tree| {
        let place = failures.iter().position(|(it, _)| it.token.protocol == tree.protocol)?;
        Some(format!("#e{place}"))
    };
    let trees: Vec<_> = trees.iter().map(|tree| tree.json(article(tree))).collect();
    json!({ "texts": texts.json(), "trees": trees }).to_string().replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::in_parallel;

    #[test]
    fn what_is_given_is_in_the_order_of_what_was_asked() {
        let asked: Vec<u32> = (0..100).collect();
        assert_eq!(
            in_parallel(&asked, |it| it * 2),
            asked.iter().map(|it| it * 2).collect::<Vec<_>>()
        );
    }
}
