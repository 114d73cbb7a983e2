//! What a user types, and what he sees.

mod certificate;
mod claims;
mod explore;
mod field_test;
mod list;
mod performance;
mod plan;
mod progress;
mod replay;
mod soak;
mod table;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand, ValueEnum, value_parser};
use std::process::ExitCode;
use std::time::Duration;
use xfetch_models::catalogue::{Engine, Protocol, Scenario};
use xfetch_models::engine::{Budget, Cell, Conclusion};
use xfetch_models::field_test::MAX_THREADS;
use xfetch_models::plan::{Extent, PlanShard};

const MAIN_HELP: &str = "\
Exit codes: 0 everything is as the catalogue says, 1 something is not, 2 bad input, 3 a budget ran out.

  xfetch explore --protocol release-before-publish --callers 3     a token for each violation
  xfetch replay TOKEN                                              the interleaving, section by section
  xfetch list                                                      all names

docs/ARCHITECTURE.md says how to add a broken twin of your own.";

const EXPLORE_HELP: &str = "\
Exit codes: 0 nothing is violated, by all executions (holds) or by those that were looked at (bounded); 1 something
is, or the search has not met what the scenario is about (vacuous); 2 bad input; 3 the budget ran out (incomplete).
Redundant executions only repeat others, and do not count.";

/// Explores xfetch-core and its broken twins. Without a command: everything, at the default budget.
#[derive(Parser)]
#[command(name = "xfetch", version, arg_required_else_help = false, args_conflicts_with_subcommands = true,
    after_help = MAIN_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    main: Main,
}

#[derive(clap::Args)]
struct Main {
    /// Where the report goes.
    #[arg(long, default_value = "target/xfetch/report.json")]
    output: std::path::PathBuf,
    /// How far: quick (seconds), default (minutes), deep (a night).
    #[arg(long, default_value = "default")]
    budget: Extent,
    /// A part of it, for one machine of several: 1/4 to 4/4 are together the whole.
    #[arg(long, default_value = "1/1")]
    shard: PlanShard,
}

#[derive(Subcommand)]
enum Command {
    /// Explores one cell: a scenario, a protocol, a number of callers, an engine.
    Explore(Explore),
    /// Lists the scenarios, the protocols and what each twin is to violate, and the invariants.
    List,
    /// Runs one execution again and shows it, a column a caller: 0 if it violates something, 1 if
    /// it does not any more, 2 if the token cannot be read or the scenario has changed.
    Replay {
        /// As `explore` prints it.
        token: String,
    },
    /// Repeats the field report's certification on what ships, on real threads and the real clock: 0 if
    /// its criteria are met but the one that is not by design, 1 if not.
    #[command(alias = "certify")]
    FieldTest(FieldTest),
    /// Measures which engine sees which broken twin, and how sure that is: docs/CERTIFICATE.md.
    Certificate(Certificate),
    /// Judges the claims of the field report, each by its evidence: docs/FINDINGS.md.
    #[command(alias = "findings")]
    Claims(Page),
    /// Measures how fast each engine is, on one OS thread: docs/PERFORMANCE.md. Needs the feature `plain`. 1 if
    /// two of them do not have the same outcomes.
    Performance(Performance),
    /// Puts a mixed load on what ships, on real threads, and looks whether everything adds up afterwards: 0
    /// if it does, 1 if not.
    Soak(Soak),
}

#[derive(clap::Args)]
struct Certificate {
    #[command(flatten)]
    page: Page,
    /// Seeds of each sample, 1 to 10,000.
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..=10_000))]
    seeds: u32,
}

/// A page that a command writes.
#[derive(clap::Args)]
struct Page {
    /// Where it is, if not in docs/.
    #[arg(long)]
    output: Option<std::path::PathBuf>,
    /// Writes nothing, and exits with 1 if it has changed.
    #[arg(long)]
    check: bool,
}

#[derive(clap::Args)]
struct Performance {
    /// Where it is. What stands below the measured part is kept.
    #[arg(long, default_value = "docs/PERFORMANCE.md")]
    output: std::path::PathBuf,
    /// Seconds of a search at most, 1 to 3,600.
    #[arg(long, default_value_t = 60, value_parser = value_parser!(u32).range(1..=3_600))]
    seconds: u32,
}

#[derive(clap::Args)]
struct Soak {
    /// How long, 1 to 86,400.
    #[arg(long, default_value_t = 60, value_parser = value_parser!(u32).range(1..=86_400))]
    seconds: u32,
}

#[derive(clap::Args)]
struct FieldTest {
    /// Requests at once.
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u16).range(1..=i64::from(MAX_THREADS)))]
    threads: u16,
    /// How the results are printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(clap::Args)]
#[command(after_help = EXPLORE_HELP)]
struct Explore {
    /// Who chooses the interleavings: sections (1 to 16 callers), loom (1 to 4), random, pct, urw, threads.
    #[arg(long, default_value = "sections")]
    engine: Engine,
    /// What happens: field, miss, fail, invalidate, ... (`list` has them all). Unless told the first one that
    /// a broken twin is broken in, or field.
    #[arg(long)]
    scenario: Option<Scenario>,
    /// What ships, or a broken twin (`list` has them all).
    #[arg(long, default_value = "double-recheck")]
    protocol: Protocol,
    /// Callers at once.
    #[arg(long, default_value_t = 2)]
    callers: usize,
    /// Executions, at most: 1,000 unless told, and for sections and loom 100,000,000.
    #[arg(long)]
    budget: Option<u64>,
    /// Seconds, at most.
    #[arg(long, default_value_t = 60)]
    time: u32,
    /// Preemptions of an execution, at most (sections, loom); all unless told.
    #[arg(long)]
    preemptions: Option<usize>,
    /// Where random choices start.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How the findings are printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

impl Explore {
    fn cell(&self) -> Cell {
        let Self { protocol, callers, engine, .. } = *self;
        let home = protocol.breaks().first().map_or(Scenario::Field, |(scenario, _)| *scenario);
        Cell { scenario: self.scenario.unwrap_or(home), protocol, callers, engine }
    }

    fn budget(&self) -> Budget {
        let exhaustive = matches!(self.engine, Engine::Sections | Engine::Loom);
        let unless_told = if exhaustive { 100_000_000 } else { 1_000 };
        Budget {
            executions: self.budget.unwrap_or(unless_told),
            workers: cores(),
            until: None,
            time: Duration::from_secs(self.time.into()),
            preemptions: self.preemptions,
            seed: self.seed,
        }
    }
}

/// How many OS threads can work at once.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Bad input is one line, and exit code 2.
fn refuse(line: impl std::fmt::Display) -> ExitCode {
    eprintln!("error: {line}");
    ExitCode::from(2)
}

/// What stands from this heading on was measured once.
const MEASURED_ONCE: &str = "\n## Real threads\n";

/// Writes the page of a command, or compares it: 0 if it is written, or is as it was; 1 if it has changed.
/// What was measured `once` is written at the page's end, and not compared.
fn keep(
    options: &Page,
    (command, unless_told): (&str, &str),
    page: &str,
    once: Option<&str>,
) -> ExitCode {
    let path = options.output.clone().unwrap_or_else(|| unless_told.into());
    let name = path.display();
    if !options.check {
        return match std::fs::write(&path, page.to_owned() + once.unwrap_or_default()) {
            Ok(()) => {
                print(&format!("{name} is written"));
                ExitCode::SUCCESS
            }
            Err(error) => refuse(format!("{name}: {error}")),
        };
    }
    let compared = |old: &str| match once {
        Some(_) => old.split(MEASURED_ONCE).next().unwrap_or_default().to_owned(),
        None => old.to_owned(),
    };
    match std::fs::read_to_string(&path) {
        Ok(old) if compared(&old) == page => {
            print(&format!("{name} is what was measured"));
            ExitCode::SUCCESS
        }
        Ok(old) => {
            for (was, is) in old.lines().zip(page.lines()).filter(|(was, is)| was != is) {
                print(&format!("- {was}\n+ {is}"));
            }
            eprintln!("{name} is not what was measured: `{command}` writes it anew");
            ExitCode::FAILURE
        }
        Err(error) => refuse(format!("{name}: {error}")),
    }
}

/// 0 as it should be, 1 broken, 3 the budget ran out.
fn exit(conclusion: Conclusion) -> ExitCode {
    ExitCode::from(match conclusion {
        Conclusion::Holds | Conclusion::Bounded => 0,
        Conclusion::Broken => 1,
        Conclusion::Incomplete => 3,
    })
}

pub(crate) fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error)
            if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) =>
        {
            print(&error.to_string());
            return ExitCode::SUCCESS;
        }
        Err(error) => return refuse(one_line(&error)),
    };
    match arguments.command {
        Some(Command::Explore(options)) => explore::run(&options),
        Some(Command::List) => list::run(),
        Some(Command::Replay { token }) => replay::run(&token),
        Some(Command::FieldTest(options)) => field_test::run(&options),
        Some(Command::Certificate(options)) => certificate::run(&options),
        Some(Command::Claims(options)) => claims::run(&options),
        Some(Command::Performance(options)) => performance::run(&options),
        Some(Command::Soak(options)) => soak::run(&options),
        None => plan::run(&arguments.main),
    }
}

/// clap explains over several lines; the first paragraph names the value and what there is.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let said: Vec<_> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .filter(|line| !line.is_empty())
        .collect();
    said.join(" ").trim_start_matches("error: ").to_owned()
}

/// Prints; a reader that has gone away is not an error.
fn print(text: &str) {
    use std::io::Write;
    drop(writeln!(std::io::stdout(), "{}", text.trim_end()));
}
