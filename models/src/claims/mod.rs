//! The claims of the field report, and the evidence for and against each. The command `claims` runs all
//! evidence and writes the results to docs/FINDINGS.md. The report is not in this repository; its
//! claims are quoted.

mod day;
mod facts;
mod one_run;
mod register;

use crate::catalogue::{Engine, Invariant, Protocol, Scenario, Witness};
use crate::engine::{Budget, Cell, Coverage, Exploration, Refused, explore};
use crate::page::markdown;
use crate::replay::tokens;
pub use one_run::Runs;
pub use register::CLAIMS;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// Callers of the samples, as in the field report.
const CALLERS: usize = 100;
/// Executions of a sample.
const EXECUTIONS: u64 = 200;
/// The seeds of an average, one sample each.
const SEEDS: u64 = 3;

/// The claims of the report, each with its verdict.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Its number.
    pub id: &'static str,
    /// The claim, quoted.
    pub says: &'static str,
    /// The verdict. The evidence has to support it.
    pub verdict: &'static str,
    /// What a reader learns from it.
    pub because: &'static str,
    /// The evidence.
    pub evidence: &'static [Evidence],
}

/// A piece of evidence: something to run, and the result that it must have.
#[derive(Clone, Copy, Debug)]
pub enum Evidence {
    /// Every interleaving of this many callers keeps every invariant.
    Holds(Scenario, Protocol, usize),
    /// Some interleaving of this many callers violates this invariant.
    Breaks(Scenario, Protocol, usize, Invariant),
    /// The fewest and the most computes over every interleaving of this many callers.
    Computes(Scenario, Protocol, usize, [u32; 2]),
    /// Whether some interleaving of this many callers reaches this witness.
    Reaches(Scenario, Protocol, usize, Witness, bool),
    /// The average number of computes of a hundred callers, by chance. The quotient of the first
    /// protocol's and the second's is between two bounds.
    Times(Protocol, Protocol, [f64; 2]),
    /// A fact that needs no scheduler: its name, and a function that returns its result and whether it
    /// supports the verdict.
    Fact(&'static str, fn() -> (String, bool)),
    /// A fact about many single runs of a hundred callers, by chance.
    OneRun(&'static str, fn(&Runs) -> (String, bool)),
}

/// A piece of evidence after it was run.
#[derive(Clone, Debug)]
pub struct Shown {
    /// What was run.
    pub what: String,
    /// The result.
    pub result: String,
    /// The command that repeats it.
    pub command: String,
    /// Whether the result supports the verdict.
    pub is_supported: bool,
}

/// A claim with its evidence after that was run.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The claim.
    pub claim: &'static Claim,
    /// The evidence, in the order of the claim.
    pub shown: Vec<Shown>,
}

/// All claims.
#[derive(Clone, Debug)]
pub struct Findings {
    /// The page.
    pub page: String,
    /// The claims, in the order of the page.
    pub claims: Vec<Judged>,
}

impl Findings {
    /// The evidence that does not support its verdict, a line each.
    pub fn not_supported(&self) -> Vec<String> {
        let of = |Judged { claim, shown }: &Judged| -> Vec<String> {
            let not = shown.iter().filter(|it| !it.is_supported);
            not.map(|it| format!("{}: {}: {}", claim.id, it.what, it.result)).collect()
        };
        self.claims.iter().flat_map(of).collect()
    }
}

/// What was sampled already.
#[derive(Default)]
struct Samples {
    /// The average numbers of computes.
    means: BTreeMap<Protocol, f64>,
    /// The single runs.
    runs: Option<Runs>,
}

impl Samples {
    fn runs(&mut self) -> Result<&Runs, Refused> {
        let runs = match self.runs.take() {
            Some(runs) => runs,
            None => Runs::all()?,
        };
        Ok(self.runs.insert(runs))
    }
}

fn command(cell: Cell, more: &str) -> String {
    let Cell { scenario, protocol, callers, engine } = cell;
    format!(
        "explore --engine {engine} --scenario {scenario} --protocol {protocol} --callers {callers}{more}"
    )
}

fn every_interleaving(
    scenario: Scenario,
    protocol: Protocol,
    callers: usize,
) -> Result<Exploration, Refused> {
    let cell = Cell { scenario, protocol, callers, engine: Engine::Sections };
    let time = Duration::from_secs(600);
    let budget = Budget { executions: u64::MAX, time, workers: 2, ..Budget::default() };
    let findings = explore(cell, &budget, None)?;
    match findings.coverage {
        Coverage::Complete => Ok(findings),
        coverage => Err(Refused(format!("{}: {coverage}", command(cell, "")))),
    }
}

/// The average number of computes of a hundred callers on one stale key, by chance.
fn mean(protocol: Protocol, samples: &mut Samples) -> Result<f64, Refused> {
    if let Some(mean) = samples.means.get(&protocol) {
        return Ok(*mean);
    }
    let cell =
        Cell { scenario: Scenario::Field, protocol, callers: CALLERS, engine: Engine::Random };
    let mut sum = 0.0;
    for seed in 1..=SEEDS {
        let time = Duration::from_secs(600);
        let budget = Budget { executions: EXECUTIONS, seed, time, ..Budget::default() };
        let findings = explore(cell, &budget, None)?;
        if findings.coverage != Coverage::Sampled {
            return Err(Refused(format!("{}: {}", command(cell, ""), findings.coverage)));
        }
        // A sample that is whole has executions.
        sum += findings.mean().unwrap_or_default();
    }
    let mean = sum / SEEDS as f64;
    samples.means.insert(protocol, mean);
    Ok(mean)
}

impl Evidence {
    /// Runs the evidence.
    ///
    /// # Errors
    ///
    /// As [`explore`]. An error too if a search does not end.
    fn show(self, samples: &mut Samples) -> Result<Shown, Refused> {
        let (scenario, protocol, callers) = match self {
            Self::Holds(scenario, protocol, callers)
            | Self::Breaks(scenario, protocol, callers, _)
            | Self::Computes(scenario, protocol, callers, _)
            | Self::Reaches(scenario, protocol, callers, ..) => (scenario, protocol, callers),
            Self::Times(first, second, bounds) => return times(first, second, bounds, samples),
            Self::Fact(what, count) => return Ok(fact(what, count())),
            Self::OneRun(what, count) => return Ok(fact(what, count(samples.runs()?))),
        };
        let found = every_interleaving(scenario, protocol, callers)?;
        let what = format!("{protocol} in {scenario}, {callers} callers");
        let again = command(found.cell, "");
        let (result, command, is_supported) = self.result(&found, again);
        Ok(Shown { what, result, command, is_supported })
    }

    fn result(self, found: &Exploration, again: String) -> (String, String, bool) {
        let executions = found.executions;
        match self {
            Self::Holds(..) => {
                let holds = found.violated().next().is_none() && found.not_reached().is_empty();
                (format!("keeps everything in all {executions} executions"), again, holds)
            }
            Self::Breaks(.., invariant) => match tokens(found).remove(&invariant) {
                Some(shrunk) => {
                    (format!("violates {invariant}"), format!("replay {}", shrunk.token), true)
                }
                None => (format!("keeps {invariant}"), again, false),
            },
            Self::Computes(.., expected) => {
                let computes = || found.outcomes.keys().map(|verdict| verdict.computes);
                let range = [computes().min().unwrap_or(0), computes().max().unwrap_or(0)];
                let [fewest, most] = range;
                let result = if fewest == most {
                    format!("always {most} computes, in {executions} executions")
                } else {
                    format!("{fewest} to {most} computes, in {executions} executions")
                };
                (result, again, range == expected)
            }
            Self::Reaches(.., witness, expected) => {
                let reached = found.reached.contains(&witness);
                let result = if reached { "reaches" } else { "never reaches" };
                (
                    format!("{result} {witness}, in {executions} executions"),
                    again,
                    reached == expected,
                )
            }
            Self::Times(..) | Self::Fact(..) | Self::OneRun(..) => {
                unreachable!("this evidence is not a search")
            }
        }
    }
}

fn fact(what: &str, (result, is_supported): (String, bool)) -> Shown {
    Shown { what: what.into(), result, command: "claims".into(), is_supported }
}

fn times(
    first: Protocol,
    second: Protocol,
    [least, most]: [f64; 2],
    samples: &mut Samples,
) -> Result<Shown, Refused> {
    let (of_first, of_second) = (mean(first, samples)?, mean(second, samples)?);
    let times = of_first / of_second;
    let cell = Cell {
        scenario: Scenario::Field,
        protocol: first,
        callers: CALLERS,
        engine: Engine::Random,
    };
    Ok(Shown {
        what: format!("{first} beside {second}, {CALLERS} callers by chance"),
        result: format!(
            "{of_first:.2} computes beside {of_second:.2} in the mean: {times:.2} times"
        ),
        command: command(cell, &format!(" --budget {EXECUTIONS} --seed 1 (to {SEEDS})")),
        is_supported: (least..=most).contains(&times),
    })
}

/// Runs all evidence, and writes the page.
///
/// # Errors
///
/// As [`explore`]. An error too if a search does not end.
pub fn page() -> Result<Findings, Refused> {
    let mut page = format!("{INTRODUCTION}\n{}\n{AFTER_THE_PHASES}", phases()?);
    let (mut claims, mut samples) = (Vec::new(), Samples::default());
    for claim in CLAIMS {
        let shown = claim.evidence.iter().map(|it| it.show(&mut samples));
        let shown = shown.collect::<Result<Vec<_>, _>>()?;
        let row =
            |it: &Shown| vec![it.what.clone(), it.result.clone(), format!("`{}`", it.command)];
        let table = markdown(&["shown by", "result", "again"], shown.iter().map(row).collect());
        let Claim { id, says, verdict, because, .. } = claim;
        let _ = write!(page, "\n## {id}\n\n> {says}\n\n**{verdict}** {because}\n\n{table}\n");
        if *id == one_run::CLAIM {
            let _ = write!(page, "\n{}", samples.runs()?.section());
        }
        claims.push(Judged { claim, shown });
    }
    page.push_str(&day::section());
    page.push_str(NOT_JUDGED);
    Ok(Findings { page, claims })
}

const INTRODUCTION: &str = "# Findings

A production team stopped a cache stampede with two freshness re-checks: one before a per-key lock and one inside
it. It measured one compute instead of a hundred, once, and wrote a [field report](GLOSSARY.md#field-report). This
page lists the claims of that report, each with a verdict and its evidence.

`cargo run --release -- claims` runs all the evidence and writes this page. `models/tests/claims.rs` runs the
evidence again and compares. Put `cargo run --release --` before a command in the column *again*.

*Holds* means that a complete search found no violation, up to the number of callers that stands beside it. Such
a search covers every interleaving of the synchronising operations, sequentially consistent, on one
[shard](GLOSSARY.md#shard). Refreshes run on the caller's thread unless the [scenario](GLOSSARY.md#scenario) has a
pool. *Refuted* means that an [execution](GLOSSARY.md#execution) or a count contradicts the claim. You can replay
the execution by its [token](GLOSSARY.md#token). A mean is the mean of samples, and says no more than samples do.

## The phases of the report

The report measured each phase once, with 100 callers on one stale key. The columns of two to five callers show
the most computes of any interleaving. Phase 4 is the shipped protocol; the other rows are
[twins](GLOSSARY.md#twin), copies of it with one mistake.
";

const AFTER_THE_PHASES: &str = "
Phase 1 has no lock, phase 2 the lock alone, phase 3 the re-check before the lock too, phase 4 both re-checks. Of
these four steps only the last one, the re-check inside the lock, changes the worst case.
";

const NOT_JUDGED: &str = "
## Not judged here

One claim is not about the interleavings of one process. C13: 99 % reduction holds in production, with several
processes. A process does not know the leases of another one, so each process computes once.
";

/// The first columns of a table of the phases; README shows a row of it.
pub const PHASE_COLUMNS: [&str; 7] =
    ["phase", "protocol", "report's count", "worst of 2", "of 3", "of 4", "of 5 callers"];

/// The report's phases beside the most computes of any interleaving.
///
/// # Errors
///
/// As [`explore`]. An error too if a search does not end.
pub fn phases() -> Result<String, Refused> {
    let mut rows = Vec::new();
    for protocol in Protocol::PHASES {
        let mut row: Vec<String> =
            [protocol.phase(), protocol.slug(), protocol.reported()].map(str::to_owned).into();
        let mut keeps = true;
        for callers in 2..=5 {
            let found = every_interleaving(Scenario::Field, protocol, callers)?;
            keeps &= found.violated().next().is_none();
            row.push(found.worst().to_string());
        }
        row.push(match protocol.breaks_in(Scenario::Field) {
            Some(invariant) if !keeps => format!("broken: {invariant}"),
            None if keeps => "holds".into(),
            _ => "not as the catalogue says".into(),
        });
        rows.push(row);
    }
    let header: Vec<_> = PHASE_COLUMNS.into_iter().chain(["verdict"]).collect();
    Ok(markdown(&header, rows))
}
