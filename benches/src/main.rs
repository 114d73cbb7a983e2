//! How fast the cache is, beside its peers: measures everything in one run, and writes a section of
//! docs/PERFORMANCE.md and the plots beside it.

mod contenders;
mod groups;
mod keys;
mod measure;
mod plot;
mod report;
mod versions;
mod waiting;

use clap::{Parser, ValueEnum};
use groups::Group;
use measure::Settings;
use report::Part;
use std::fmt::Display;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Measures the speed of the cache beside its peers, and writes a section of docs/PERFORMANCE.md.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// Tries everything for a moment, prints it and writes nothing
    #[arg(long, conflicts_with_all = ["output", "seconds"])]
    smoke: bool,
    /// The seconds of one measurement, its rounds together
    #[arg(long, value_name = "N", default_value = "0.4", value_parser = seconds)]
    seconds: f64,
    /// Measures one group, and prints it
    #[arg(long, value_name = "GROUP")]
    only: Option<Group>,
    /// Writes the section to this file, and the plots beside it
    #[arg(long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Prints the bytes that a contender takes for some keys. The group `memory` starts this program with it
    #[arg(long, value_name = "NAME", hide = true, requires = "keys")]
    memory_of: Option<String>,
    #[arg(long, value_name = "KEYS", hide = true)]
    keys: Option<u64>,
}

/// The limits of `--seconds`.
const LEAST: f64 = 0.005;
const MOST: f64 = 60.0;

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "it is not a number".to_owned())?;
    if (LEAST..=MOST).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(format!("it is outside the limit of {LEAST} to {MOST}"))
    }
}

const ROUNDS: usize = 5;

/// The page that has the section.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/PERFORMANCE.md");

const LEFT_OUT: &str = include_str!("left_out.md");

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some((name, keys)) = options.memory_of.as_ref().zip(options.keys) {
        return groups::memory::child(name, keys);
    }
    match measured(&options) {
        Ok(faults) if faults.is_empty() => ExitCode::SUCCESS,
        Ok(faults) => {
            faults.iter().for_each(|fault| eprintln!("xfetch-benches: {fault}"));
            ExitCode::FAILURE
        }
        Err(refused) => {
            eprintln!("xfetch-benches: {refused}");
            ExitCode::from(2)
        }
    }
}

/// Where the section goes.
enum Target {
    Screen,
    Page,
    File(PathBuf),
}

/// The page with this section.
fn page(section: &str) -> Result<String, String> {
    let refused = |why: &dyn Display| format!("docs/PERFORMANCE.md: {why}");
    let page = fs::read_to_string(PAGE).map_err(|why| refused(&why))?;
    report::replaced(&page, section).map_err(|why| refused(&why))
}

impl Target {
    /// Refuses what cannot be written before anything is measured.
    fn of(options: &Options) -> Result<Self, String> {
        match &options.output {
            Some(path) => {
                let opened = OpenOptions::new().append(true).create(true).open(path);
                opened.map_err(|why| format!("cannot write {}: {why}", path.display()))?;
                Ok(Self::File(path.clone()))
            }
            None if options.smoke || options.only.is_some() => Ok(Self::Screen),
            None => page("").map(|_| Self::Page),
        }
    }

    fn write(&self, section: &str, parts: &[Part]) -> Result<(), String> {
        let (path, text) = match self {
            Self::Screen => {
                print!("{section}");
                return Ok(());
            }
            Self::Page => (Path::new(PAGE), page(section)?),
            Self::File(path) => (path.as_path(), section.to_owned()),
        };
        let plots = path.parent().unwrap_or(Path::new("")).join("plots");
        let written = || {
            fs::write(path, text)?;
            fs::create_dir_all(&plots)?;
            let mut pictures = parts.iter().flat_map(|part| &part.pictures);
            pictures.try_for_each(|(name, svg)| fs::write(plots.join(name), svg))
        };
        written().map_err(|why: io::Error| format!("cannot write {}: {why}", path.display()))?;
        println!("{} is written", path.display());
        Ok(())
    }
}

/// The faults that were found.
fn measured(options: &Options) -> Result<Vec<String>, String> {
    let target = Target::of(options)?;
    let settings = match options.smoke {
        true => Settings { rounds: 1, slice: Duration::from_millis(1), smoke: true },
        false => {
            let slice = Duration::from_secs_f64(options.seconds / ROUNDS as f64);
            Settings { rounds: ROUNDS, slice, smoke: false }
        }
    };
    let groups = match options.only {
        Some(group) => vec![group],
        None => Group::value_variants().to_vec(),
    };
    let mut parts = Vec::new();
    for group in groups {
        let since = Instant::now();
        parts.push(group.run(&settings));
        eprintln!("{group:?}: {:.1} s", since.elapsed().as_secs_f64());
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    target.write(&report::section(&settings, cores, &parts, LEFT_OUT), &parts)?;
    Ok(parts.into_iter().flat_map(|part| part.faults).collect())
}
