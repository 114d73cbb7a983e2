//! An execution as lanes: a column for each task, a step under the other, and an arrow where one step had to come before
//! another.

use crate::code::Code;
use crate::history::History;
use crate::timeline::Section;
use crate::timeline::known::Known;
use crate::timeline::names::{Objects, TaskNames};
use crate::timeline::why::does;
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};

/// The width of a lane, and of the column with the numbers of the sections.
const LANE: usize = 250;
const NUMBERS: usize = 46;
/// The height of a line of text, and the space around the lines of a step.
const LINE: usize = 15;
const SPACE: usize = 24;
const HEAD: usize = 26;
/// The most characters of a line.
const CHARACTERS: usize = 34;

/// What a step is to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// The violation happens here.
    Violates,
    /// The task waits for ever from here.
    Waits,
    /// The violation is certain from here.
    Certain,
    /// The first step that the other execution does not have.
    Differs,
    /// A step that both have.
    Same,
    /// A step.
    None,
}

impl Mark {
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Violates | Self::Waits => "violates",
            Self::Certain => "certain",
            Self::Differs => "differs",
            Self::Same => "same",
            Self::None => "",
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Violates => "violated here",
            Self::Waits => "waits for ever from here",
            Self::Certain => "certain from here",
            Self::Differs => "differs from here",
            Self::Same | Self::None => "",
        }
    }
}

/// A row of the lanes.
pub(super) struct Row {
    pub(super) number: usize,
    pub(super) task: usize,
    pub(super) preempts: bool,
    pub(super) does: String,
    pub(super) entry: String,
    pub(super) lease: String,
    pub(super) computes: String,
    pub(super) code: String,
    /// The steps that the twin takes in its own way there, and the text of the line if it is the twin's.
    pub(super) own: Option<String>,
    pub(super) mark: Mark,
    /// Further words of the mark.
    pub(super) also: &'static str,
}

impl Row {
    pub(super) fn mark_in_words(&self) -> Option<String> {
        let also = if self.also.is_empty() { String::new() } else { format!(", {}", self.also) };
        Some(self.mark.words()).filter(|it| !it.is_empty()).map(|it| format!("{it}{also}"))
    }
}

/// The rows of these sections, each with the state after it.
pub(super) fn rows(
    sections: &[Section],
    shown: &BTreeSet<usize>,
    history: &History,
    tasks: &TaskNames,
    objects: &Objects,
    (code, own): (&[Option<Code>], &BTreeMap<usize, BTreeSet<String>>),
    mark: impl Fn(&Section) -> (Mark, &'static str),
) -> Vec<Row> {
    let mut known = Known::default();
    history.records.iter().filter(|it| it.step == 0).for_each(|it| known.learn(it));
    let mut rows = Vec::new();
    for section in sections {
        section.records.iter().for_each(|it| known.learn(it));
        if !shown.contains(&section.number) {
            continue;
        }
        let (begun, under_way) = known.computes();
        let holders = known.holders(tasks);
        let (mark, also) = mark(section);
        let code = code.get(section.number - 1).and_then(Option::as_ref);
        rows.push(Row {
            number: section.number,
            task: section.step.task,
            preempts: section.step.preempts,
            does: does(section, tasks, objects),
            entry: known.entry(history),
            lease: if holders.is_empty() { "none".into() } else { holders },
            computes: format!("{begun} begun, {under_way} under way"),
            code: code.map(Code::short).unwrap_or_default(),
            own: own_step(code, own.get(&section.number)),
            mark,
            also,
        });
    }
    rows
}

/// What of a section is the twin's own.
fn own_step(code: Option<&Code>, own: Option<&BTreeSet<String>>) -> Option<String> {
    let text = code.filter(|it| it.is_of_a_twin()).and_then(Code::text);
    let steps = own.map(|own| own.iter().map(String::as_str).collect::<Vec<_>>().join(", "));
    match (steps, text) {
        (None, None) => None,
        (Some(steps), None) => Some(format!("the twin's own {steps}")),
        (None, Some(text)) => Some(format!("the twin's own line: {text}")),
        (Some(steps), Some(text)) => Some(format!("the twin's own {steps}: {text}")),
    }
}

/// Lines of at most so many characters, broken between words.
fn wrapped(text: &str, characters: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= characters => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Where a row is.
struct Place {
    x: usize,
    y: usize,
    height: usize,
    lines: Vec<String>,
    mark: Vec<String>,
    own: Vec<String>,
    states: Vec<String>,
}

/// The picture. `name` is unique on the page, and `about` says what it shows to one who does not see it.
pub(super) fn svg(
    name: &str,
    about: &str,
    rows: &[Row],
    edges: &[(usize, usize)],
    races: &[(usize, usize)],
    tasks: &TaskNames,
) -> Markup {
    let name = &name.replace(' ', "-");
    let lanes: BTreeMap<usize, usize> = tasks.all().zip(0..).collect();
    // Few lanes may be wide.
    let (lane, characters) = if lanes.len() > 2 { (196, 27) } else { (LANE, CHARACTERS) };
    let mut y = HEAD;
    let mut places: BTreeMap<usize, Place> = BTreeMap::new();
    for row in rows {
        let lines = wrapped(&row.does, characters);
        let mut states = wrapped(&format!("entry {}; lease {}", row.entry, row.lease), characters);
        if !row.code.is_empty() {
            states.push(row.code.clone());
        }
        let own: Vec<String> = row.own.iter().flat_map(|it| wrapped(it, characters)).collect();
        let mark = row.mark_in_words().map_or_else(Vec::new, |it| wrapped(&it, characters));
        let height = (lines.len() + mark.len() + own.len() + states.len()) * LINE + SPACE;
        let x = NUMBERS + lanes.get(&row.task).copied().unwrap_or(0) * lane;
        places.insert(row.number, Place { x, y, height, lines, mark, own, states });
        y += height;
    }
    let width = NUMBERS + lanes.len() * lane;
    html! {
        div.scroll tabindex="0" role="region" aria-label=(format!("{about}, as lanes")) {
            svg.lanes role="img" aria-label=(about) viewBox=(format!("0 0 {width} {y}")) width=(width) height=(y) {
                defs {
                    @for class in ["edge", "race"] {
                        marker.(class) id=(format!("{name}-{class}")) viewBox="0 0 8 8" refX="7" refY="4"
                            markerWidth="7" markerHeight="7" orient="auto-start-reverse" {
                            path d="M0 0 L8 4 L0 8 z" {}
                        }
                    }
                }
                @for (task, place) in &lanes {
                    @let x = NUMBERS + place * lane;
                    text.task x=(x + 4) y="16" { (tasks.name(*task)) }
                    line.lane x1=(x + 8) x2=(x + 8) y1=(HEAD) y2=(y) {}
                }
                @for row in rows { (step(row, &places, width)) }
                @for (class, of) in [("edge", edges), ("race", races)] {
                    @for pair in of {
                        @if class == "race" || !races.contains(pair) {
                            (arrow(name, class, *pair, &places))
                        }
                    }
                }
            }
        }
    }
}

fn step(row: &Row, places: &BTreeMap<usize, Place>, width: usize) -> Markup {
    let Some(Place { x, y, height, lines, mark, own, states }) = places.get(&row.number) else {
        return html! {};
    };
    let (top, above) = (y + LINE, lines.len() + mark.len() + own.len());
    html! {
        g class=(row.mark.class()) {
            rect.back x="0" y=(y) width=(width) height=(height - 12) {}
            text.number x="4" y=(top) { (row.number) @if row.preempts { " !" } }
            circle cx=(x + 8) cy=(top - 4) r="5" {}
            @for (place, line) in lines.iter().enumerate() {
                text x=(x + 22) y=(top + place * LINE) { (line) }
            }
            @for (place, line) in own.iter().enumerate() {
                text.own x=(x + 22) y=(top + (lines.len() + mark.len() + place) * LINE) { (line) }
            }
            @for (place, line) in states.iter().enumerate() {
                text.state x=(x + 22) y=(top + (above + place) * LINE) { (line) }
            }
            @for (place, line) in mark.iter().enumerate() {
                text.mark x=(x + 22) y=(top + (lines.len() + place) * LINE) { (line) }
            }
        }
    }
}

/// An arrow from one step to another.
fn arrow(
    name: &str,
    class: &str,
    (from, to): (usize, usize),
    places: &BTreeMap<usize, Place>,
) -> Markup {
    let (Some(from), Some(to)) = (places.get(&from), places.get(&to)) else { return html! {} };
    // Down the lane of the first step, and across above the second one: no text is there.
    let (x1, y1) = (from.x + 8, from.y + LINE + 1);
    let (x2, y2) = (to.x + 8, to.y + LINE - 10);
    let path = format!("M{x1} {y1} V{} H{x2} V{y2}", to.y - 6);
    html! {
        path class=(class) d=(path) marker-end=(format!("url(#{name}-{class})")) {}
    }
}

#[cfg(test)]
mod tests {
    use super::{CHARACTERS, wrapped};

    #[test]
    fn no_line_of_a_step_is_longer_than_a_lane_unless_a_word_is() {
        let text = "map: COMPUTES to replace v1, makes content 1, ends the compute";
        let lines = wrapped(text, CHARACTERS);
        assert!(lines.iter().all(|it| it.len() <= CHARACTERS), "{lines:?}");
        assert_eq!(lines.join(" "), text);
    }
}
