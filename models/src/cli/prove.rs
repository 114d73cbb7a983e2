//! The command `prove`: the transition table of the protocol, its properties, and how far each is proved.

use super::{Format, Prove, keep, note, print, print_json, refuse, write};
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use xfetch_models::page::markdown;
use xfetch_simulate::closure::{Compared, Corpus, KEPT};
use xfetch_spec::mutate::ALL;
use xfetch_spec::prove::{Options, Report, Way, run as prove};
use xfetch_spec::table::System;
use xfetch_spec::{diagram, smt, tla};

/// The name of the command, and its page.
const PAGE: (&str, &str) = ("prove", "docs/PROOF.md");
/// The runs that are kept.
const RUNS: &str = "models/simulate/src/closure.txt";
/// The page, with the places for what is computed.
const TEXT: &str = include_str!("proof.md");

/// Exit code 0: all is proved, and the page is as it should be; 1: it is not.
pub(super) fn run(options: &Prove) -> ExitCode {
    let system = match System::shipped() {
        Ok(system) => system,
        Err(error) => return refuse(format!("the table: {error}")),
    };
    if options.smt {
        print(&smt::script(&system).0);
        return ExitCode::SUCCESS;
    }
    if options.tla {
        print(&tla::module(&system));
        return ExitCode::SUCCESS;
    }
    if let Err(cannot) = options.page.is_usable(PAGE.1) {
        return refuse(cannot);
    }
    let without_solvers = options.without_solvers;
    let report = prove(&system, Options { without_solvers, ..Options::default() });
    options.page.format.aside(report.to_string().trim_end());
    if !report.errors.is_empty() {
        note("a solver is missing: install it, or leave both out with --without-solvers");
    }
    let compared = match report.holds() {
        true => closure(&system, &report, options),
        false => Err(ExitCode::FAILURE),
    };
    let rows = json(&report, compared.as_ref().ok());
    let ending = match compared {
        Ok(compared) if !compared.outside.is_empty() => ExitCode::FAILURE,
        Ok(compared) if !without_solvers => {
            return keep(&options.page, PAGE, &page(&system, &report, &compared), None, rows);
        }
        Ok(_) => {
            note("without the solvers docs/PROOF.md is not compared");
            ExitCode::SUCCESS
        }
        Err(ending) => ending,
    };
    if options.page.format == Format::Json {
        print_json(&rows);
    }
    ending
}

/// Runs the runs of the shipped code that are kept, and compares them with what any number of callers can do. Looks for
/// more of them, if that is asked for.
fn closure(system: &System, report: &Report, options: &Prove) -> Result<Compared, ExitCode> {
    let began = Instant::now();
    let fails = |wrong: &dyn std::fmt::Display| {
        note(format_args!("a run of the shipped code is not as it should be: {wrong}"));
        ExitCode::FAILURE
    };
    let format = options.page.format;
    let mut corpus = Corpus::of(system, KEPT).map_err(|wrong| fails(&wrong))?;
    if let Some(seconds) = options.grow {
        let time = Duration::from_secs(seconds.into());
        let seed = u64::from(std::process::id());
        let runs = corpus.grow(system, seed, time).map_err(|wrong| fails(&wrong))?;
        let lines = corpus.lines(system).map_err(|wrong| fails(&wrong))?;
        write(Path::new(RUNS), &lines).map_err(refuse)?;
        format.aside(&format!("{runs} more runs; {RUNS} is written"));
    }
    let compared = corpus.compared(system, &report.reachable);
    let (seen, can) = compared.total();
    format.aside(&format!(
        "Closure: {} runs of the shipped code take their steps from {seen} of the {can} states that any number of callers \
         can reach; {:.1} s.",
        compared.runs,
        began.elapsed().as_secs_f64()
    ));
    for outside in &compared.outside {
        note(format_args!("seen, and not reachable: {outside}"));
    }
    Ok(compared)
}

fn page(system: &System, report: &Report, compared: &Compared) -> String {
    let list = |lines: Vec<String>| {
        lines.iter().map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n")
    };
    let properties = report.properties.iter().map(|it| format!("[{it}](INVARIANTS.md#{it})"));
    let any = |way: &&Way| way.any;
    let (any, exact): (Vec<_>, Vec<_>) = report.ways.iter().partition(any);
    let clauses = system.claims.len() - system.claims.iter().filter(|it| it.is_property).count();
    [
        ("{STEPS}", system.table.steps.len().to_string()),
        ("{CLAUSES}", clauses.to_string()),
        ("{MUTATIONS}", ALL.len().to_string()),
        ("{PROPERTIES}", list(properties.collect())),
        ("{ANY}", ways(&any)),
        ("{EXACT}", ways(&exact)),
        ("{PROGRESS}", list(report.progress.iter().map(|it| format!("{it}.")).collect())),
        ("{RUNS}", compared.runs.to_string()),
        ("{SEEN}", compared.total().0.to_string()),
        ("{PAIRS}", compared.total().1.to_string()),
        ("{CLOSURE}", by_step(compared)),
        ("{MISSING}", list(compared.missing.iter().map(|it| format!("`{it}`")).collect())),
        ("{DIAGRAM}", diagram::mermaid(system)),
    ]
    .into_iter()
    .fold(TEXT.to_owned(), |page, (place, text)| page.replace(place, &text))
}

/// The steps that were seen from every state in one sentence, and a table of the others.
fn by_step(compared: &Compared) -> String {
    let complete = |it: &&(String, usize, usize)| it.1 == it.2;
    let (all, some): (Vec<_>, Vec<_>) = compared.steps.iter().partition(complete);
    let rows =
        some.iter().map(|(name, seen, can)| vec![name.clone(), seen.to_string(), can.to_string()]);
    let all: Vec<String> = all.iter().map(|(name, _, can)| format!("{name} ({can})")).collect();
    let table = markdown(&["step", "seen from", "can be taken from"], rows.collect());
    format!("From every state: {}.\n\n{table}", all.join(", "))
}

/// What was looked at: without the times, and without the versions of the solvers.
fn ways(ways: &[&Way]) -> String {
    let row = |way: &&Way| {
        let proved = way.proved.iter().filter(|it| **it).count();
        let what = match way.what.split_once(" questions, ") {
            Some((questions, _)) => format!("{questions} questions"),
            None => way.what.clone(),
        };
        vec![way.name.clone(), format!("{proved} of {}", way.proved.len()), what]
    };
    markdown(&["way", "proved", "looked at"], ways.iter().map(row).collect())
}

/// What is proved how far, and the closure if all is proved. `docs/REPORT.md` is the schema.
fn json(report: &Report, compared: Option<&Compared>) -> Value {
    let way = |way: &Way| {
        let proved = report.properties.iter().zip(&way.proved);
        json!({
            "name": way.name,
            "any_number": way.any,
            "proved": proved.filter(|(_, it)| **it).map(|(it, _)| it).collect::<Vec<_>>(),
            "looked_at": way.what,
            "seconds": way.took.as_secs_f64(),
            "found": way.found,
        })
    };
    let closure = |it: &Compared| {
        let step = |(name, seen, can): &(String, usize, usize)| json!({ "name": name, "seen": seen, "can": can });
        json!({
            "runs": it.runs,
            "seen": it.total().0,
            "can": it.total().1,
            "steps": it.steps.iter().map(step).collect::<Vec<_>>(),
            "missing": it.missing,
            "outside": it.outside,
        })
    };
    json!({
        "schema": 1,
        "holds": report.holds() && compared.is_some_and(|it| it.outside.is_empty()),
        "properties": report.properties,
        "ways": report.ways.iter().map(way).collect::<Vec<_>>(),
        "progress": report.progress,
        "no_progress": report.no_progress,
        "unreached": report.unreached,
        "errors": report.errors,
        "closure": compared.map(closure),
        "page": null,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole proof takes half a minute.
    #[test]
    fn the_json_of_a_proof_has_the_ways_of_its_text() {
        let system = System::shipped().expect("the table can be read");
        let few = Options { whole: 1, still: 1, progress: (1, 1), ..Options::default() };
        let report = prove(&system, Options { without_solvers: true, ..few });
        let json = json(&report, None);
        assert_eq!((&json["schema"], &json["closure"]), (&1.into(), &Value::Null));
        assert_eq!(json["holds"], false, "the closure is not known");
        let (text, ways) = (report.to_string(), json["ways"].as_array().expect("a list"));
        assert_eq!(ways.len(), report.ways.len());
        for way in ways {
            let [name, looked_at] = ["name", "looked_at"].map(|it| way[it].as_str().expect("text"));
            let line = text.lines().find(|line| line.starts_with(name)).expect("its line");
            assert!(line.ends_with(looked_at), "{line}");
            assert_eq!(way["proved"], json["properties"], "{name}");
        }
    }
}
