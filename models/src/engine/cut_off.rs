//! A search that was cut off, as text: what is left of it, and what was seen. Another process goes on with it.

use super::{Budget, Cell, Example, Exploration, Refined, Seen};
use crate::catalogue::shown;
use crate::history::AnswerKind;
use crate::verdict::Verdict;
use sections::Checkpoint;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::str::FromStr;

/// The format of the text.
const FORMAT: u64 = 2;

/// The program that searches: its version, and a checksum of its file. A search is good only for the code that began
/// it. If a checker were changed meanwhile, the sections would be the same, and what was seen would be of two checkers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build(String);

impl Build {
    /// This program.
    ///
    /// # Errors
    ///
    /// If its file cannot be read.
    pub fn of_this_program() -> io::Result<Self> {
        let program = std::fs::read(std::env::current_exe()?)?;
        let checksum = crc32fast::hash(&program);
        Ok(Self(format!("{}+{checksum:08x}", env!("CARGO_PKG_VERSION"))))
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A search by `sections` that was cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutOff {
    cell: Cell,
    preemptions: Option<usize>,
    symmetry: bool,
    seen: Seen,
    rest: Checkpoint,
}

impl CutOff {
    pub(super) fn new(exploration: &Exploration, rest: Checkpoint) -> Self {
        let Exploration { cell, budget, outcomes, examples, reached, refined, .. } = exploration;
        let with_example = |(verdict, count): (&Verdict, &u64)| {
            Some((verdict.clone(), (*count, examples.get(verdict)?.clone())))
        };
        let outcomes = outcomes.iter().filter_map(with_example).collect();
        let seen = Seen { outcomes, reached: reached.clone(), refined: refined.clone() };
        let Budget { preemptions, symmetry, .. } = *budget;
        Self { cell: *cell, preemptions, symmetry, seen, rest }
    }

    /// What was seen, and what is left.
    pub(super) fn parts(self) -> (Seen, Checkpoint) {
        (self.seen, self.rest)
    }

    /// The executions so far that count.
    pub fn executions(&self) -> u64 {
        self.seen.outcomes.values().map(|(count, _)| count).sum()
    }

    pub(super) fn refuse_another(&self, cell: Cell, budget: &Budget) -> Result<(), String> {
        let here = names(cell, budget.preemptions, budget.symmetry);
        match differences(&names(self.cell, self.preemptions, self.symmetry), &here) {
            None => Ok(()),
            Some(differences) => Err(format!("another search: {differences}")),
        }
    }

    /// The text that [`read`](Self::read) reads.
    pub fn text(&self, build: &Build) -> String {
        let outcomes: Vec<_> = self.seen.outcomes.iter().map(outcome).collect();
        let reached: Vec<_> = self.seen.reached.iter().map(|witness| witness.slug()).collect();
        let rest: Value = serde_json::from_str(&self.rest.to_string()).unwrap_or_default();
        let mut search = names(self.cell, self.preemptions, self.symmetry);
        search.insert("version".into(), json!(build.0));
        search.insert("outcomes".into(), json!(outcomes));
        search.insert("reached".into(), json!(reached));
        search.insert("refined".into(), refined(&self.seen.refined));
        search.insert("rest".into(), rest);
        let search = Value::Object(search);
        json!({ "format": FORMAT, "checksum": checksum(&search), "search": search }).to_string()
    }

    /// Reads the search of this cell and bound that this program has written.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the text, or what of the search is another.
    pub fn read(
        text: &str,
        cell: Cell,
        preemptions: Option<usize>,
        symmetry: bool,
        build: &Build,
    ) -> Result<Self, String> {
        let damaged = |why: &str| format!("not a search that was cut off, or damaged: {why}");
        let file: Value =
            serde_json::from_str(text).map_err(|error| damaged(&error.to_string()))?;
        let format = file["format"].as_u64().ok_or_else(|| damaged("it has no format"))?;
        if format != FORMAT {
            return Err(format!("another search: format {format} there, {FORMAT} here"));
        }
        let search = file["search"].as_object().ok_or_else(|| damaged("it has no search"))?;
        if file["checksum"] != checksum(&file["search"]) {
            return Err(damaged("its checksum does not fit"));
        }
        let mut here = names(cell, preemptions, symmetry);
        here.insert("version".into(), json!(build.0));
        if let Some(differences) = differences(search, &here) {
            return Err(format!("another search: {differences}"));
        }
        let read = || -> Result<Self, String> {
            let outcomes = list(&search["outcomes"]).map(read_outcome);
            let outcomes = outcomes.collect::<Result<BTreeMap<_, _>, _>>()?;
            let reached = list(&search["reached"]).map(slug).collect::<Result<_, _>>()?;
            let rest = Checkpoint::from_str(&search["rest"].to_string());
            let rest = rest.map_err(|error| error.to_string())?;
            let seen = Seen { outcomes, reached, refined: read_refined(&search["refined"])? };
            Ok(Self { cell, preemptions, symmetry, seen, rest })
        };
        let cut_off = read().map_err(|why| damaged(&why))?;
        if cut_off.executions() != cut_off.rest.complete() {
            return Err(damaged("its counts do not belong together"));
        }
        Ok(cut_off)
    }
}

/// What tells one search from another.
fn names(cell: Cell, preemptions: Option<usize>, symmetry: bool) -> Map<String, Value> {
    let Cell { scenario, protocol, callers, engine } = cell;
    let fields = [
        ("engine", json!(engine.slug())),
        ("scenario", json!(scenario.slug())),
        ("protocol", json!(protocol.slug())),
        ("callers", json!(callers)),
        ("preemptions", json!(preemptions)),
        ("symmetry", json!(symmetry)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What the file's search and the one of this command do not have in common.
fn differences(there: &Map<String, Value>, here: &Map<String, Value>) -> Option<String> {
    let word = |value: Option<&Value>| match value {
        None | Some(Value::Null) => "none".to_owned(),
        Some(Value::String(text)) => shown(text),
        Some(other) => shown(&other.to_string()),
    };
    let is_another = |(name, value): &(&String, &Value)| there.get(*name) != Some(*value);
    let all: Vec<_> = here
        .iter()
        .filter(is_another)
        .map(|(name, value)| {
            format!("{name} {} there, {} here", word(there.get(name)), word(Some(value)))
        })
        .collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// Of the text of what was read: the same fields in the same order.
fn checksum(search: &Value) -> String {
    format!("{:08x}", crc32fast::hash(search.to_string().as_bytes()))
}

const ANSWERS: [(AnswerKind, &str); 3] =
    [(AnswerKind::Stale, "stale"), (AnswerKind::Fresh, "fresh"), (AnswerKind::Error, "error")];

fn outcome((verdict, (count, example)): (&Verdict, &(u64, Example))) -> Value {
    let Verdict { computes, answers, violated } = verdict;
    let violated: Vec<_> = violated.iter().map(|invariant| invariant.slug()).collect();
    let of = |(kind, name): &(AnswerKind, &str)| Some((name.to_string(), *answers.get(kind)?));
    let answers: BTreeMap<_, _> = ANSWERS.iter().filter_map(of).collect();
    let Example { preemptions, schedule } = example;
    json!({
        "computes": computes,
        "answers": answers,
        "violated": violated,
        "count": count,
        "preemptions": preemptions,
        "schedule": schedule.to_string(),
    })
}

fn refined(refined: &Refined) -> Value {
    let Refined { executions, left_out, steps, mismatch } = refined;
    let mismatch = mismatch.as_ref().map(|(missing, Example { preemptions, schedule })| {
        let schedule = schedule.to_string();
        json!({ "missing": missing, "preemptions": preemptions, "schedule": schedule })
    });
    json!({
        "executions": executions,
        "left_out": left_out,
        "steps": steps,
        "mismatch": mismatch,
    })
}

fn read_refined(refined: &Value) -> Result<Refined, String> {
    let steps = list(&refined["steps"]).map(|step| {
        let step = step.as_u64().and_then(|step| usize::try_from(step).ok());
        step.ok_or_else(|| "a step is no number".to_owned())
    });
    let mismatch = Some(&refined["mismatch"]).filter(|mismatch| !mismatch.is_null());
    let mismatch = mismatch.map(|mismatch| {
        let missing = mismatch["missing"].as_str().unwrap_or_default().to_owned();
        Ok::<_, String>((missing, read_example(mismatch)?))
    });
    Ok(Refined {
        executions: number(refined, "executions")?,
        left_out: number(refined, "left_out")?,
        steps: steps.collect::<Result<_, _>>()?,
        mismatch: mismatch.transpose()?,
    })
}

fn number(value: &Value, name: &str) -> Result<u64, String> {
    value[name].as_u64().ok_or_else(|| format!("{name} is no number"))
}

fn small(value: &Value, name: &str) -> Result<u32, String> {
    u32::try_from(number(value, name)?).map_err(|_| format!("{name} is too large"))
}

fn read_example(value: &Value) -> Result<Example, String> {
    let schedule = value["schedule"].as_str().ok_or("there is no schedule")?.parse();
    let schedule = schedule.map_err(|error: sections::NotASchedule| error.to_string())?;
    Ok(Example { preemptions: small(value, "preemptions")?, schedule })
}

fn read_outcome(outcome: &Value) -> Result<(Verdict, (u64, Example)), String> {
    let answers = &outcome["answers"];
    let given = ANSWERS.iter().filter(|(_, name)| answers.get(*name).is_some());
    let answers = given.map(|(kind, name)| Ok::<_, String>((*kind, small(answers, name)?)));
    let verdict = Verdict {
        computes: small(outcome, "computes")?,
        answers: answers.collect::<Result<_, _>>()?,
        violated: list(&outcome["violated"]).map(slug).collect::<Result<_, _>>()?,
    };
    Ok((verdict, (number(outcome, "count")?, read_example(outcome)?)))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn slug<T: FromStr<Err: fmt::Display>>(value: &Value) -> Result<T, String> {
    value.as_str().unwrap_or_default().parse().map_err(|error: T::Err| error.to_string())
}
