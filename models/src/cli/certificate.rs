//! The command `certificate`: which engine sees which broken twin, and how sure that is.

use super::{
    Certificate, Format, MEASURED_ONCE, cores, heed_ctrl_c, keep, note, print_json, progress,
    refuse,
};
use serde_json::{Map, Value, json};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use xfetch_models::catalogue::{Engine, Protocol};
use xfetch_models::certificate::{
    CALLERS, CONFIDENCE, DAYS, Detection, ENGINES, EXECUTIONS, Question, REQUESTS, ROUNDS, ask,
    simulated,
};
use xfetch_models::engine::Refused;
use xfetch_models::page::markdown;
use xfetch_models::stop;

/// The name of the command, and its page.
const PAGE: (&str, &str) = ("certificate", "docs/CERTIFICATE.md");

/// Exit code 0: the page is written, or unchanged; 1: it has changed, or a twin was missed; 3: Ctrl-C came first.
pub(super) fn run(options: &Certificate) -> ExitCode {
    if let Err(cannot) = options.page.is_usable(PAGE.1) {
        return refuse(cannot);
    }
    heed_ctrl_c();
    let questions = Question::all();
    let measured = all(&questions, options.seeds.into());
    if stop::is_set() {
        return incomplete();
    }
    let detections = match measured {
        Ok(detections) => detections,
        Err(refused) => return refuse(refused),
    };
    let missed: Vec<_> = questions
        .iter()
        .zip(&detections)
        .filter_map(|(question, detections)| missed(question, detections))
        .collect();
    let rows = json(&questions, &detections, &missed, options.seeds);
    if !missed.is_empty() {
        missed.iter().for_each(note);
        if options.page.format == Format::Json {
            print_json(&rows);
        }
        return ExitCode::FAILURE;
    }
    let page = page(&questions, &detections, options.seeds.into());
    // The table of real threads is not compared, so `--check` does not measure it.
    if options.page.check {
        return keep(&options.page, PAGE, &page, Some(""), rows);
    }
    match of_threads(&questions) {
        _ if stop::is_set() => incomplete(),
        Ok(table) => keep(&options.page, PAGE, &page, Some(&table), rows),
        Err(refused) => refuse(refused),
    }
}

/// A part of the page would claim what was not measured.
fn incomplete() -> ExitCode {
    note("incomplete: Ctrl-C ended the measurement, and the page is as it was");
    ExitCode::from(3)
}

/// The reason why a row is not as it must be, if there is one.
fn missed(question: &Question, detections: &[Detection]) -> Option<String> {
    let Question { protocol, scenario, invariant } = question;
    let at_once =
        |detection: &Detection| matches!(detection, Detection::Broken { median: Some(1), .. });
    if invariant.is_some() && !detections.iter().any(Detection::is_broken) {
        return Some(format!("no engine sees that {protocol} is broken in {scenario}"));
    }
    if detections.iter().any(|detection| matches!(detection, Detection::Instead(_))) {
        return Some(format!("an engine sees another violation of {protocol} in {scenario}"));
    }
    let sees_at_once = detections.iter().all(|detection| {
        at_once(detection) || matches!(detection, Detection::Within(_) | Detection::Simulated(_))
    });
    if *protocol == Protocol::AlwaysSkip && !sees_at_once {
        return Some(format!("{protocol} is not seen at once"));
    }
    None
}

/// The table of real threads. The rows are measured one after the other, so that each has the whole
/// machine.
fn of_threads(questions: &[Question]) -> Result<String, Refused> {
    let mut rows = Vec::new();
    for question in questions {
        let detection = ask(*question, Engine::Threads, 1)?;
        rows.push(about(question).into_iter().chain([detection.to_string()]).collect());
    }
    let table = markdown(&["twin", "violates", "in", "threads"], rows);
    Ok(format!(
        "{MEASURED_ONCE}\n\
         {ROUNDS} rounds of {CALLERS} threads on the shipped locks, on one machine, once. What they meet differs from machine\n\
         to machine and from run to run. So nothing is compared with this table, and \"not seen\" says nothing.\n\n{table}\n"
    ))
}

/// The first columns of a row.
fn about(question: &Question) -> Vec<String> {
    let violates = question.invariant.map_or("nothing", |invariant| invariant.slug());
    [question.protocol.slug(), violates, question.scenario.slug()].map(str::to_owned).to_vec()
}

/// One row for each question with one detection for each engine, on all cores.
fn all(questions: &[Question], seeds: u64) -> Result<Vec<Vec<Detection>>, Refused> {
    // The last column is that of the simulated services.
    let columns: Vec<_> = ENGINES.map(Some).into_iter().chain([None]).collect();
    let of = |question: &Question| {
        let question = *question;
        columns.iter().map(move |engine| (question, *engine))
    };
    let cells: Vec<(Question, Option<Engine>)> = questions.iter().flat_map(of).collect();
    let bar = progress::of_cells(cells.len(), &Default::default());
    let done = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    let work = || {
        while !stop::is_set() {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some((question, engine)) = cells.get(place) else { return };
            let detection = match engine {
                Some(engine) => ask(*question, *engine, seeds),
                None => simulated(*question),
            };
            done.lock().unwrap_or_else(PoisonError::into_inner).push((place, detection));
            bar.inc(1);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..cores() {
            scope.spawn(work);
        }
    });
    bar.finish_and_clear();
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(place, _)| *place);
    let detections: Result<Vec<_>, _> = done.into_iter().map(|(_, detection)| detection).collect();
    Ok(detections?.chunks(columns.len()).map(<[Detection]>::to_vec).collect())
}

fn page(questions: &[Question], detections: &[Vec<Detection>], seeds: u64) -> String {
    let mut header = vec!["twin", "violates", "in"];
    header.extend(ENGINES.map(Engine::slug));
    header.push("simulate");
    let row = |(question, detections): (&Question, &Vec<Detection>)| -> Vec<String> {
        about(question).into_iter().chain(detections.iter().map(Detection::to_string)).collect()
    };
    let rows = questions.iter().zip(detections).map(row).collect();
    format!(
        "# The certificate\n\n\
         Would this suite notice a mistake? Each [twin](GLOSSARY.md#twin) of the protocol makes one. A cell says what an\n\
         [engine](GLOSSARY.md#engine) sees of it. `cargo run --release -- certificate` writes this page. CI measures it\n\
         again and compares (`--check`), except for the last table.\n\n\
         - **broken**: the engine sees the violation of the [invariant](GLOSSARY.md#invariant) that the twin is written to\n  \
         violate.\n  \
         - `sections` searches at two callers, or at three where two cannot violate it. The number is the\n    \
         [execution](GLOSSARY.md#execution) in which it first sees the violation.\n  \
         - loom searches to its end at two callers, up to the bounds of [MODELS.md](MODELS.md). The number is how many\n    \
         executions it has in all.\n  \
         - The others sample: {seeds} seeds, {CALLERS} callers, at most {EXECUTIONS} executions for each seed. *Median* is\n    \
         the median number of executions until the violation is seen. *Missed* is the {:.0} % upper bound (Clopper and\n    \
         Pearson 1934) on the chance that such a sample misses it. The bound is for these samples, all of which CI\n    \
         runs. The main command samples twins in `field` only, with 100 callers.\n\
         - `simulate` runs services for virtual time, {REQUESTS} requests each ([simulate](SIMULATE.md)). The number is
             the first of {DAYS} seeds whose run violates the invariant, in whatever situation.
         - **holds**: the search was complete, and every interleaving keeps every invariant.\n\
         - **bounded**: the interleavings that were looked at keep every invariant.\n\
         - **blind**: the engine cannot see the violation; the cell says why.\n\n\
         `default-config` and `double-recheck` violate nothing, and have to survive everywhere. `always-skip` violates its\n\
         invariant in every execution, and has to be seen at once.\n\n{}\n",
        100.0 * CONFIDENCE,
        markdown(&header, rows),
    )
}

/// The rows of the first table. `docs/REPORT.md` is the schema.
fn json(
    questions: &[Question],
    detections: &[Vec<Detection>],
    missed: &[String],
    seeds: u32,
) -> Value {
    let names = || ENGINES.map(Engine::slug).into_iter().chain(["simulate"]);
    let row = |(question, detections): (&Question, &Vec<Detection>)| {
        let cells = names().zip(detections);
        json!({
            "protocol": question.protocol.slug(),
            "violates": question.invariant.map(|it| it.slug()),
            "scenario": question.scenario.slug(),
            "cells": cells.map(|(name, it)| (name.into(), cell(it))).collect::<Map<_, _>>(),
        })
    };
    json!({
        "schema": 1,
        "seeds": seeds,
        "rows": questions.iter().zip(detections).map(row).collect::<Vec<_>>(),
        "missed": missed,
        "page": null,
    })
}

/// What an engine sees: the words of the page, and the numbers in them.
fn cell(detection: &Detection) -> Value {
    let (mut median, mut bound, mut within, mut seed) = (None, None, None, None);
    match detection {
        Detection::Broken { median: at, missed, of } => {
            median = *at;
            // An exhaustive search is no sample.
            bound = (*of > 1).then(|| Detection::most_likely_missed(*missed, *of));
        }
        Detection::Within(executions) => within = Some(executions),
        Detection::Simulated(first) => seed = Some(first),
        _ => {}
    }
    json!({
        "says": detection.to_string(),
        "broken": detection.is_broken(),
        "median": median,
        "missed_at_most": bound,
        "within": within,
        "seed": seed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_has_the_numbers_of_its_words() {
        let sampled = cell(&Detection::Broken { median: Some(3), missed: 0, of: 100 });
        assert_eq!(sampled["says"], "broken: median 3, missed <= 3.0 %");
        let bound = sampled["missed_at_most"].as_f64().expect("a share");
        assert_eq!((&sampled["median"], format!("{bound:.3}")), (&json!(3), "0.030".to_owned()));
        let searched = cell(&Detection::Broken { median: Some(7), missed: 0, of: 1 });
        assert_eq!(searched["says"], "broken: execution 7");
        assert_eq!((&searched["median"], &searched["missed_at_most"]), (&json!(7), &Value::Null));
        assert_eq!(cell(&Detection::Holds)["broken"], false);
    }

    #[test]
    fn a_row_has_a_cell_for_each_engine_and_one_for_the_services() {
        let question = Question::all()[0];
        let of = vec![Detection::Holds; ENGINES.len() + 1];
        let json = json(&[question], &[of], &[], 100);
        let row = &json["rows"][0];
        assert_eq!(row["protocol"], question.protocol.slug());
        assert_eq!(row["cells"].as_object().map(Map::len), Some(ENGINES.len() + 1));
        assert_eq!(row["cells"]["simulate"]["says"], "holds");
    }
}
