//! The command line: arguments, messages and exit codes.

mod certificate;
mod claims;
mod expiry;
mod explore;
mod field_test;
mod junit;
mod list;
mod output;
mod paint;
mod performance;
mod plan;
mod progress;
mod prove;
mod replay;
mod report;
mod resume;
mod simulate;
mod soak;
mod table;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Parser, Subcommand, ValueEnum};
use output::{can_write, name, note, print, print_json, read, refuse, unless_lost, write};
use serde_json::Value;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use xfetch_models::catalogue::{Engine, Protocol, Scenario, shown};
use xfetch_models::engine::{Budget, Cell, Conclusion};
use xfetch_models::field_test::MAX_THREADS;
use xfetch_models::plan::{Extent, PlanShard};
use xfetch_models::stop;

const MAIN_HELP: &str = "\
Exit codes: 0 every result is as expected; 1 some result is not; 2 bad input; 3 a budget
ran out, or Ctrl-C ended the run.

  xfetch explore --protocol release-before-publish --callers 3     a token for each violation
  xfetch replay TOKEN                                              the interleaving, section by section
  xfetch list                                                      all names
  xfetch simulate --hours 24 --seed 7                              a day of a simulated service

docs/GLOSSARY.md defines the terms. CONTRIBUTING.md says how to add a broken twin of your own.";

const EXPLORE_HELP: &str = "\
Exit codes: 0 no invariant is violated, in all executions (holds) or in those that ran (bounded); 1 an invariant is
violated, or the search never reached the situation that the scenario is about (vacuous); 2 bad input; 3 the budget
ran out or Ctrl-C ended the search (incomplete). Redundant executions only repeat others and are not counted.";

/// Runs the interleavings of xfetch-core and of its broken twins, and checks every invariant. Without a
/// command it runs every scenario at the default budget.
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
    /// The file of the report.
    #[arg(long, default_value = "target/xfetch/report.json")]
    output: std::path::PathBuf,
    /// The file of the result as JUnit XML, for CI services: a suite for each scenario, a case for each cell.
    #[arg(long, value_name = "FILE")]
    junit: Option<std::path::PathBuf>,
    /// How far to search: quick (seconds), default (minutes), deep (a night).
    #[arg(long, default_value = "default")]
    budget: Extent,
    /// One part of the work, for several machines: 1/4 to 4/4 together are the whole.
    #[arg(long, default_value = "1/1")]
    shard: PlanShard,
}

#[derive(Subcommand)]
enum Command {
    /// Explores one cell: a scenario, a protocol, a number of callers, an engine.
    Explore(Explore),
    /// Lists the scenarios, the protocols with the invariants that each twin violates, and the
    /// invariants.
    List(List),
    /// Runs one execution again and says why it fails: what happened, the section at which that became certain, and the
    /// nearest schedule that passes. Shows it with a column for each caller. Exit code 0: it violates
    /// an invariant; 1: it no longer does; 2: the token cannot be read, or the scenario has changed.
    Replay {
        /// A token, as `explore` and `simulate` print it.
        token: String,
        /// Shows every section. Without it, consecutive sections in which nothing of interest happens
        /// share a line.
        #[arg(long)]
        all: bool,
        /// Adds the token to models/regressions.txt, if its execution violates an invariant. `cargo test` replays that file
        /// before the other tests of the models.
        #[arg(long)]
        keep: bool,
        /// The format of the execution. As JSON it has every section.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Repeats the certification of the field report with the shipped code, on real threads and the
    /// real clock. Exit code 0: all criteria are met, except the one that is missed by design; 1: they
    /// are not.
    #[command(alias = "certify")]
    FieldTest(FieldTest),
    /// Writes one HTML file that shows for each broken twin why it fails, beside the nearest execution that passes. It needs
    /// no network. Exit code 1: a twin is missing in it.
    Report(Report),
    /// Measures which engine detects which broken twin, and how often: docs/CERTIFICATE.md.
    Certificate(Certificate),
    /// Checks each claim of the field report by its evidence: docs/FINDINGS.md.
    #[command(alias = "findings")]
    Claims(Page),
    /// Shows what a thousand keys that were written together do to the origin, with and without jitter:
    /// docs/EXPIRY.md.
    Expiry(Page),
    /// Proves the properties of the protocol's transition table for any number of callers: docs/PROOF.md. Needs z3 and
    /// cvc5 (Debian's packages). Exit code 0: all is proved, and the page is up to date; 1: something is not.
    Prove(Prove),
    /// Measures the speed of each engine on one OS thread: docs/PERFORMANCE.md. Needs the feature
    /// `plain`. Exit code 1: two engines do not have the same outcomes.
    Performance(Performance),
    /// Runs a mixed load on the shipped code, on real threads, and checks the counters at the end. Exit
    /// code 0: every check holds; 1: one does not.
    Soak(Soak),
    /// Simulates days of a service in seconds: the shipped code under virtual time, with traffic and faults
    /// that follow from a seed. Every invariant is checked.
    Simulate(Box<simulate::Simulate>),
}

#[derive(clap::Args)]
struct List {
    /// The format of the names.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(clap::Args)]
struct Report {
    /// The file.
    #[arg(long, default_value = "target/xfetch/report.html")]
    output: std::path::PathBuf,
}

#[derive(clap::Args)]
struct Certificate {
    #[command(flatten)]
    page: Page,
    /// The seeds of each sample, 1 to 10,000.
    #[arg(
        long, default_value_t = 100, allow_negative_numbers = true,
        value_parser = whole::<u32>(1, 10_000)
    )]
    seeds: u32,
}

/// A page that a command writes.
#[derive(clap::Args)]
struct Page {
    /// The file of the page, if it is not in docs/.
    #[arg(long)]
    output: Option<std::path::PathBuf>,
    /// Writes nothing, and exits with 1 if the page has changed.
    #[arg(long)]
    check: bool,
    /// What is printed: the messages, or the rows of the page as JSON.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(clap::Args)]
struct Prove {
    #[command(flatten)]
    page: Page,
    /// Asks neither z3 nor cvc5. Then the page is neither written nor compared.
    #[arg(long)]
    without_solvers: bool,
    /// Prints what the solvers are asked, in SMT-LIB, and proves nothing.
    #[arg(long, conflicts_with_all = ["tla", "format"])]
    smt: bool,
    /// Prints the table as a module in TLA+, and proves nothing.
    #[arg(long, conflicts_with = "format")]
    tla: bool,
    /// Looks for so many seconds, 1 to 3,600, for runs of the shipped code that take their steps from other states, and
    /// adds them to models/simulate/src/closure.txt.
    #[arg(long, allow_negative_numbers = true, value_parser = whole::<u32>(1, 3_600))]
    grow: Option<u32>,
}

#[derive(clap::Args)]
struct Performance {
    /// The file of the page. The text below the measured part is kept.
    #[arg(long, default_value = "docs/PERFORMANCE.md")]
    output: std::path::PathBuf,
    /// The most seconds of one search, 1 to 3,600.
    #[arg(
        long, default_value_t = 60, allow_negative_numbers = true,
        value_parser = whole::<u32>(1, 3_600)
    )]
    seconds: u32,
    /// What is printed: the message, or what was measured as JSON.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(clap::Args)]
struct Soak {
    /// The length of the run in seconds, 1 to 86,400.
    #[arg(
        long, default_value_t = 60, allow_negative_numbers = true,
        value_parser = whole::<u32>(1, 86_400)
    )]
    seconds: u32,
    /// The format of the result. As JSON the samples are lines of the error stream too.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(clap::Args)]
struct FieldTest {
    /// Concurrent requests, 1 to 1,000.
    #[arg(
        long, default_value_t = 100, allow_negative_numbers = true,
        value_parser = whole::<u16>(1, MAX_THREADS.into())
    )]
    threads: u16,
    /// The format of the results.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(clap::Args)]
#[command(after_help = EXPLORE_HELP)]
struct Explore {
    /// The engine that chooses the interleavings: sections, loom, random, pct, urw or threads.
    #[arg(long, default_value = "sections")]
    engine: Engine,
    /// The scenario: field, miss, fail, invalidate, ... (`list` has them all). The default is the first
    /// scenario in which the broken twin violates an invariant, or field.
    #[arg(long)]
    scenario: Option<Scenario>,
    /// The protocol: the shipped one, or a broken twin (`list` has them all).
    #[arg(long, default_value = "double-recheck")]
    protocol: Protocol,
    /// Concurrent callers. The engine has a limit: 16 for sections, 4 for loom (2 with a pool), 1,000 for the others.
    #[arg(
        long, default_value_t = 2, allow_negative_numbers = true,
        value_parser = whole::<usize>(1, 1_000)
    )]
    callers: usize,
    /// The most executions. The default is 100,000,000 for sections and loom, and 1,000 for the others.
    #[arg(long, allow_negative_numbers = true, value_parser = whole::<u64>(1, u64::MAX))]
    budget: Option<u64>,
    /// The most seconds, 1 to 604,800.
    #[arg(
        long, default_value_t = 60, allow_negative_numbers = true,
        value_parser = whole::<u32>(1, 604_800)
    )]
    time: u32,
    /// The most preemptions of an execution (sections, loom). The default is no bound.
    #[arg(long, allow_negative_numbers = true, value_parser = whole::<usize>(0, u32::MAX.into()))]
    preemptions: Option<usize>,
    /// Explores one of the executions that differ in which of several callers of one role does what (sections). The
    /// number of executions is then that of such classes.
    #[arg(long)]
    symmetry: bool,
    /// The seed of random choices.
    #[arg(
        long, default_value_t = 1, allow_negative_numbers = true,
        value_parser = whole::<u64>(0, u64::MAX)
    )]
    seed: u64,
    /// Goes on with the search in this file, if there is one (sections). A search that is cut off is written there, with
    /// what it has seen; one that ends removes the file. Budget and time are those of this part: docs/RESUME.md.
    #[arg(long, value_name = "FILE")]
    resume: Option<std::path::PathBuf>,
    /// The format of the result.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

impl Format {
    /// Prints a line that is not the result. As JSON the result has the standard output for itself.
    fn aside(self, line: &str) {
        match self {
            Self::Text => print(line),
            Self::Json => note(line),
        }
    }
}

impl Explore {
    fn cell(&self) -> Cell {
        let Self { protocol, callers, engine, .. } = *self;
        let first = protocol.breaks().first().map_or(Scenario::Field, |(scenario, _)| *scenario);
        Cell { scenario: self.scenario.unwrap_or(first), protocol, callers, engine }
    }

    fn budget(&self) -> Budget {
        let exhaustive = matches!(self.engine, Engine::Sections | Engine::Loom);
        let default = if exhaustive { 100_000_000 } else { 1_000 };
        Budget {
            executions: self.budget.unwrap_or(default),
            workers: cores(),
            until: None,
            time: Duration::from_secs(self.time.into()),
            preemptions: self.preemptions,
            symmetry: self.symmetry,
            seed: self.seed,
        }
    }
}

/// Reads a whole number between two limits. clap's own parser names the limits only if the text is a
/// number.
fn whole<T: TryFrom<u64>>(
    least: u64,
    most: u64,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync {
    move |text| {
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        let number = number.and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| format!("write a whole number from {least} to {most}"))
    }
}

/// How many OS threads can work at once.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// From now on Ctrl-C stops the searches, so that the command prints what it has. A second one ends the process at
/// once. If that cannot be had, the first one does.
fn heed_ctrl_c() {
    use signal_hook::{consts::SIGINT, flag};
    // In this order, so that the first signal does not find the flag that it sets.
    let second = flag::register_conditional_shutdown(SIGINT, 128 + SIGINT, stop::flag());
    drop(second.and_then(|_| flag::register(SIGINT, stop::flag())));
}

/// The heading of the text that was measured once, on one machine.
const MEASURED_ONCE: &str = "\n## Real threads\n";

impl Page {
    fn path<'a>(&'a self, default_path: &'a str) -> &'a Path {
        self.output.as_deref().unwrap_or(Path::new(default_path))
    }

    /// Asks before the work whether the page can be written, or read to be compared.
    fn is_usable(&self, default_path: &str) -> Result<(), String> {
        let path = self.path(default_path);
        if self.check { read(path).map(drop) } else { can_write(path) }
    }
}

/// What was done with a page.
#[derive(Clone, Copy)]
enum Kept {
    Written,
    UpToDate,
    Changed,
}

impl Kept {
    /// How a report calls it.
    const fn slug(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::UpToDate => "up to date",
            Self::Changed => "changed",
        }
    }
}

/// Writes the page of a command, or compares it, and prints its rows if they are asked for as JSON. Exit code 0: it is
/// written, or unchanged; 1: it has changed. The text `once` goes to the end of the page and is not compared.
fn keep(
    options: &Page,
    (command, default_path): (&str, &str),
    page: &str,
    once: Option<&str>,
    mut rows: Value,
) -> ExitCode {
    let kept = match kept(options, options.path(default_path), page, once) {
        Ok(kept) => kept,
        Err(cannot) => return refuse(cannot),
    };
    let name = name(options.path(default_path));
    match kept {
        Kept::Written | Kept::UpToDate => {
            options.format.aside(&format!("{name} is {}", kept.slug()));
        }
        Kept::Changed => note(format_args!("{name} has changed: `{command}` writes it again")),
    }
    if options.format == Format::Json {
        rows["page"] = kept.slug().into();
        print_json(&rows);
    }
    ExitCode::from(u8::from(matches!(kept, Kept::Changed)))
}

/// Writes a page, or compares it and prints the lines that differ.
fn kept(options: &Page, path: &Path, page: &str, once: Option<&str>) -> Result<Kept, String> {
    if !options.check {
        write(path, &(page.to_owned() + once.unwrap_or_default()))?;
        return Ok(Kept::Written);
    }
    let old = read(path)?;
    let old = match once {
        Some(_) => old.split(MEASURED_ONCE).next().unwrap_or_default(),
        None => &old,
    };
    if old == page {
        return Ok(Kept::UpToDate);
    }
    for (was, is) in old.lines().zip(page.lines()).filter(|(was, is)| was != is) {
        options.format.aside(&format!("- {was}\n+ {is}"));
    }
    Ok(Kept::Changed)
}

/// 0: holds or bounded; 1: broken; 3: the search was cut off.
fn exit(conclusion: Conclusion) -> ExitCode {
    ExitCode::from(match conclusion {
        Conclusion::Holds | Conclusion::Bounded => 0,
        Conclusion::Broken => 1,
        Conclusion::Incomplete => 3,
    })
}

pub(crate) fn main() -> ExitCode {
    let code = run();
    unless_lost(code)
}

fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error)
            if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) =>
        {
            print(&error.to_string());
            return ExitCode::SUCCESS;
        }
        Err(error) => return refuse(one_line(error)),
    };
    match arguments.command {
        Some(Command::Explore(options)) => explore::run(&options),
        Some(Command::List(options)) => list::run(&options),
        Some(Command::Replay { token, all, keep, format }) => {
            replay::run(&token, all, keep, format)
        }
        Some(Command::FieldTest(options)) => field_test::run(&options),
        Some(Command::Report(options)) => report::run(&options),
        Some(Command::Certificate(options)) => certificate::run(&options),
        Some(Command::Claims(options)) => claims::run(&options),
        Some(Command::Expiry(options)) => expiry::run(&options),
        Some(Command::Prove(options)) => prove::run(&options),
        Some(Command::Performance(options)) => performance::run(&options),
        Some(Command::Soak(options)) => soak::run(&options),
        Some(Command::Simulate(options)) => simulate::run(&options),
        None => plan::run(&arguments.main),
    }
}

/// clap writes several lines. The lines before the usage name the value and the limit.
fn one_line(mut error: clap::Error) -> String {
    for kind in [ContextKind::InvalidArg, ContextKind::InvalidSubcommand, ContextKind::InvalidValue]
    {
        let Some(ContextValue::String(given)) = error.get(kind) else { continue };
        let short = shown(given);
        if short != *given {
            error.insert(kind, ContextValue::String(short));
            // It may repeat the whole text.
            error.remove(ContextKind::Suggested);
        }
    }
    let text = error.to_string();
    let lines: Vec<_> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .filter(|line| !line.is_empty())
        .collect();
    lines.join(" ").trim_start_matches("error: ").replace(" tip: ", "; ")
}
