//! The command `simulate`: a day of a simulated service, or the days of many seeds.

use super::output::{can_write, name, note, print, print_json, refuse, write};
use super::{Format, cores, heed_ctrl_c, progress, whole};
use clap::ValueEnum;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use xfetch_models::catalogue::Protocol;
use xfetch_models::plan::PlanShard;
use xfetch_models::stop;
use xfetch_models::timeline::counted;
use xfetch_simulate::judge::{Counts, MAX_KEYS};
use xfetch_simulate::plan::{self, Fault, Plan, Wishes};
use xfetch_simulate::report::Report;
use xfetch_simulate::shrink::{Effort, Shrunk, shrink};
use xfetch_simulate::text::{grouped, log, span};
use xfetch_simulate::world::{self, Progress, Watch};
use xfetch_simulate::{plot, series, text};

pub(super) const HELP: &str = "\
Exit codes: 0 no invariant is violated; 1 one is; 2 bad input; 3 Ctrl-C ended the run, and the report is of what
has run until then. The criteria of the field report do not change the exit code: faults and thin traffic make a
service miss them, and the cache can do nothing about it.

  xfetch simulate --hours 24 --seed 7              a day of the service of the field report
  xfetch simulate --hours 168 --faults none        a week, with a row for each day
  xfetch simulate --seeds 0..10000 --shard 1/4     a fleet: a quarter of ten thousand short runs";

/// The most virtual hours: a year.
const MOST_HOURS: f64 = 8_784.0;
/// The longest lifetime. After the day a run lasts until every entry is past its time, and the sweeper works so long.
const MOST_LIFETIME: Duration = Duration::from_secs(30 * 86_400);
/// The most requests of a run.
const MOST_REQUESTS: u64 = 1_000_000_000;
/// The most requests of a run whose events are kept for the log: they take about four kilobytes of memory a request.
const MOST_LOGGED: u64 = 200_000;

#[derive(clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Simulate {
    /// Virtual hours of traffic, up to 8,784. The default is 24 for the service; of the shape any, the seed has its own.
    #[arg(long, allow_negative_numbers = true, value_parser = hours)]
    hours: Option<f64>,
    /// The seed: of the plan, the traffic and the scheduler.
    #[arg(long, allow_negative_numbers = true, value_parser = whole::<u64>(0, u64::MAX))]
    seed: Option<u64>,
    /// Requests, 0 to 1,000,000,000. The default is 1,000,000, and 2,000 for each run of a fleet.
    #[arg(long, allow_negative_numbers = true, value_parser = whole::<u64>(0, MOST_REQUESTS))]
    requests: Option<u64>,
    /// Keys, 1 to 8,388,608.
    #[arg(long, allow_negative_numbers = true, value_parser = whole::<u64>(1, MAX_KEYS))]
    keys: Option<u64>,
    /// Requests that can be under way at once, 1 to 1,000.
    #[arg(long, allow_negative_numbers = true, value_parser = whole::<usize>(1, 1_000))]
    callers: Option<usize>,
    /// How long a value is fresh: 5s, 1ms, 2h, at most 30d.
    #[arg(long, allow_negative_numbers = true, value_parser = duration)]
    payload: Option<Duration>,
    /// How long a value is kept, at most 30d.
    #[arg(long, allow_negative_numbers = true, value_parser = duration)]
    storage: Option<Duration>,
    /// The most keys of the cache.
    #[arg(long, allow_negative_numbers = true, value_parser = whole::<usize>(0, u64::MAX))]
    capacity: Option<usize>,
    /// The share of the payload TTL by which it may be shorter, 0 to 1.
    #[arg(long, allow_negative_numbers = true, value_parser = share)]
    jitter: Option<f64>,
    /// What goes wrong: all, none, names of faults with commas between them, or swarm (each seed has its own choice).
    #[arg(long, default_value = "swarm")]
    faults: Wrong,
    /// The service of the field report, or any cache that the builder takes. The default of a fleet is any.
    #[arg(long, value_enum)]
    shape: Option<Shape>,
    /// The protocol: the shipped one, or a broken twin (`list` has them all).
    #[arg(long, default_value = "double-recheck")]
    protocol: Protocol,
    /// The format of the report.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The file of a picture: requests, computes and efficiency over the day, as SVG.
    #[arg(long)]
    plot: Option<PathBuf>,
    /// The file of the metrics over time, as JSON: the names that the example service gives them, a value a minute.
    #[arg(long)]
    series: Option<PathBuf>,
    /// The file of the event log: a line for each event. At most 200,000 requests.
    #[arg(long)]
    log: Option<PathBuf>,
    /// A fleet: a run for each seed from A up to and without B, written A..B.
    #[arg(long, value_parser = range, conflicts_with_all = ["seed", "plot", "series", "log"])]
    seeds: Option<Range<u64>>,
    /// One part of the seeds, for several machines: 1/4 to 4/4 together are the whole.
    #[arg(long, requires = "seeds", default_value = "1/1")]
    shard: PlanShard,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shape {
    Service,
    Any,
}

/// What goes wrong. Without names each seed has its own choice.
#[derive(Clone)]
struct Wrong(Option<Vec<Fault>>);

impl std::str::FromStr for Wrong {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self(match text {
            "swarm" => None,
            "none" => Some(Vec::new()),
            "all" => Some(Fault::ALL.to_vec()),
            names => {
                let named =
                    names.split(',').map(str::parse::<Fault>).collect::<Result<Vec<_>, _>>();
                Some(named.map_err(|unknown| format!("{unknown}; or write all, none or swarm"))?)
            }
        }))
    }
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            None => f.write_str("swarm"),
            Some(none) if none.is_empty() => f.write_str("none"),
            Some(named) => {
                let names: Vec<_> = named.iter().map(|fault| fault.slug()).collect();
                f.write_str(&names.join(","))
            }
        }
    }
}

fn hours(text: &str) -> Result<f64, String> {
    let hours = text.parse().ok().filter(|hours| (0.0..=MOST_HOURS).contains(hours));
    // Time is counted in nanoseconds.
    hours.filter(|hours| !length(*hours).is_zero()).ok_or_else(|| {
        "write a number of hours above 0 (a nanosecond at least) and not above 8784".to_owned()
    })
}

fn length(hours: f64) -> Duration {
    Duration::from_secs_f64(hours * 3_600.0)
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "write a number from 0 to 1".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let span = humantime::parse_duration(text).ok().filter(|span| *span <= MOST_LIFETIME);
    span.ok_or_else(|| "write a number and a unit, as 5s, 1ms or 2h, at most 30d".to_owned())
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let ends = text.split_once("..");
    let ends = ends.and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    ends.filter(|seeds| !seeds.is_empty()).ok_or_else(|| {
        format!("write A..B with whole numbers, A below B, B not above {}", u64::MAX)
    })
}

impl Simulate {
    fn is_fleet(&self) -> bool {
        self.seeds.is_some()
    }

    fn shape(&self) -> Shape {
        self.shape.unwrap_or(if self.is_fleet() { Shape::Any } else { Shape::Service })
    }

    fn requests(&self) -> u64 {
        self.requests.unwrap_or(if self.is_fleet() { 2_000 } else { 1_000_000 })
    }

    fn plan(&self, seed: u64) -> Plan {
        Plan::new(&Wishes {
            seed,
            protocol: self.protocol,
            shape: match self.shape() {
                Shape::Service => plan::Shape::Service,
                Shape::Any => plan::Shape::Any,
            },
            requests: self.requests(),
            length: self.hours.map(length),
            keys: self.keys,
            callers: self.callers,
            payload: self.payload,
            storage: self.storage,
            capacity: self.capacity,
            jitter: self.jitter,
            faults: self.faults.0.clone(),
        })
    }

    /// The command that repeats the run of a seed.
    fn command(&self, seed: u64) -> String {
        let mut line = format!("cargo run --release -- simulate --seed {seed}");
        let mut add = |option: &str, value: Option<String>| {
            if let Some(value) = value {
                let _ = write!(line, " --{option} {value}");
            }
        };
        // humantime writes spaces, and can read what has none.
        let written =
            |span: &Duration| humantime::format_duration(*span).to_string().replace(' ', "");
        add("shape", (self.shape() == Shape::Any).then(|| "any".into()));
        add("hours", self.hours.map(|it| it.to_string()));
        add("requests", (self.requests() != 1_000_000).then(|| self.requests().to_string()));
        add("keys", self.keys.map(|it| it.to_string()));
        add("callers", self.callers.map(|it| it.to_string()));
        add("payload", self.payload.as_ref().map(written));
        add("storage", self.storage.as_ref().map(written));
        add("capacity", self.capacity.map(|it| it.to_string()));
        add("jitter", self.jitter.map(|it| it.to_string()));
        add("faults", self.faults.0.is_some().then(|| self.faults.to_string()));
        add("protocol", (!self.protocol.is_shipped()).then(|| self.protocol.to_string()));
        line
    }
}

/// Exit code 0: no invariant is violated; 1: one is; 3: Ctrl-C ended the run.
pub(super) fn run(options: &Simulate) -> ExitCode {
    match options.seeds.clone() {
        Some(seeds) => fleet(options, seeds),
        None => one(options),
    }
}

fn one(options: &Simulate) -> ExitCode {
    let seed = options.seed.unwrap_or(1);
    let plan = options.plan(seed);
    if let Err(error) = world::check(&plan) {
        return refuse(error);
    }
    if options.log.is_some() && plan.requests > MOST_LOGGED {
        let (requests, most) = (grouped(plan.requests), grouped(MOST_LOGGED));
        return refuse(format!("--log with {requests} requests: at most {most} can be logged"));
    }
    for path in [&options.plot, &options.series, &options.log].into_iter().flatten() {
        if let Err(cannot) = can_write(path) {
            return refuse(cannot);
        }
    }
    heed_ctrl_c();
    let progress = Arc::new(Progress::default());
    let watch = Watch {
        record: options.log.is_some(),
        // The report is one of the whole day, also of a broken twin's.
        goes_on: true,
        progress: Arc::clone(&progress),
        stop: Some(stop::flag()),
    };
    let (requests, length) = (plan.requests, plan.length);
    let shown = progress::of_run(move |elapsed| of_day(&progress, requests, length, elapsed));
    let report = Report::of(plan, watch, options.command(seed));
    shown.finish();
    if options.format == Format::Text {
        print(&text::report(&report));
    }
    let shrunk = cut_down(&report);
    match options.format {
        Format::Text => shrunk.iter().for_each(|shrunk| print(&how_to_replay(shrunk))),
        Format::Json => {
            let mut json = series::report(&report);
            json["token"] = shrunk.map(|shrunk| shrunk.token.to_string()).into();
            print_json(&json);
        }
    }
    if let Err(cannot) = files(options, &report) {
        return refuse(cannot);
    }
    exit(!report.run.judge.violations().is_empty(), report.is_complete())
}

/// The first violation, cut down. Nothing if there is none, or if Ctrl-C has ended the run.
fn cut_down(report: &Report) -> Option<Shrunk> {
    let violations = report.run.judge.violations().values();
    let first = violations.min_by_key(|violation| violation.place)?;
    if stop::is_set() {
        return None;
    }
    note(format_args!("{} is violated; its run is being cut down", first.invariant));
    let shrunk = shrink(&report.plan, first.invariant, Effort::default());
    match &shrunk {
        None => note(format_args!(
            "it is not violated again by a run as data, so there is no token: {}",
            report.command
        )),
        Some(Shrunk { token, .. }) if !token.is_readable() => note(format_args!(
            "{} arrivals and {} choices are left when the effort is over, more than a token can have: {}",
            token.case.arrivals.len(),
            token.case.deviations.len(),
            report.command
        )),
        Some(_) => return shrunk,
    }
    None
}

fn how_to_replay(shrunk: &Shrunk) -> String {
    let case = &shrunk.token.case;
    let rest = if shrunk.is_minimal { "nothing can be left out" } else { "the effort was over" };
    format!(
        "\ncut down to {} arrivals of {}, {} callers and {} unusual choices of the scheduler ({rest}):\n  cargo run --release -- replay {}",
        case.arrivals.len(),
        shrunk.from,
        case.callers,
        case.deviations.len(),
        shrunk.token,
    )
}

fn exit(violated: bool, complete: bool) -> ExitCode {
    ExitCode::from(match (violated, complete) {
        (true, _) => 1,
        (false, true) => 0,
        (false, false) => 3,
    })
}

fn files(options: &Simulate, report: &Report) -> Result<(), String> {
    if let Some(path) = &options.plot {
        write(path, &plot::svg(report).map_err(|error| error.to_string())?)?;
    }
    if let Some(path) = &options.series {
        let is_yaml = path.extension().is_some_and(|it| it == "yml" || it == "yaml");
        let series = if is_yaml {
            series::promtool(report)
        } else {
            format!("{}\n", series::series(report))
        };
        write(path, &series)?;
    }
    if let Some(path) = &options.log {
        write_log(path, report).map_err(|error| format!("cannot write {}: {error}", name(path)))?;
    }
    for path in [&options.plot, &options.series, &options.log].into_iter().flatten() {
        note(format_args!("{} is written", name(path)));
    }
    Ok(())
}

/// A log can have more bytes than there is memory for.
fn write_log(path: &Path, report: &Report) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for record in report.run.judge.log.iter().flatten() {
        writeln!(file, "{}", log(record))?;
    }
    file.flush()
}

/// What a run has done so far, in a line.
fn of_day(progress: &Progress, of: u64, length: Duration, elapsed: Duration) -> String {
    let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
    let (seconds, requests, events) =
        (read(&progress.seconds), read(&progress.requests), read(&progress.events));
    let speed = events as f64 / elapsed.as_secs_f64().max(0.001);
    let done =
        if of > 0 { requests as f64 / of as f64 } else { seconds as f64 / length.as_secs_f64() };
    format!(
        "hour {:.1} of {:.1}  {} requests  {} events/s  {}",
        seconds as f64 / 3_600.0,
        length.as_secs_f64() / 3_600.0,
        grouped(requests),
        grouped(speed as u64),
        left(done, elapsed),
    )
}

/// How long it takes yet, if it goes on as it has begun.
fn left(done: f64, elapsed: Duration) -> String {
    if done <= 0.0 {
        return "time left unknown".to_owned();
    }
    let seconds = elapsed.as_secs_f64() * (1.0 / done - 1.0).max(0.0);
    // A run that has hardly begun could be thought to last longer than any `Duration`.
    format!("{} left", span(Duration::from_secs(seconds.min(1e9) as u64)))
}

/// A run of a fleet in which an invariant is violated.
struct Failing {
    seed: u64,
    command: String,
    violations: Vec<(&'static str, Duration, Option<u64>, String)>,
}

/// What a fleet has done.
#[derive(Default)]
struct Fleet {
    ran: u64,
    /// Runs that were cut off.
    cut: u64,
    requests: u64,
    events: u64,
    counts: Counts,
    failing: Vec<Failing>,
    /// A plan that no cache can be built for.
    refused: Option<String>,
}

impl Fleet {
    /// Adds a run. Its line is returned if it fails.
    fn add(&mut self, report: &Report) -> Option<String> {
        self.ran += 1;
        self.requests += report.plan.requests;
        self.events += report.run.judge.events();
        self.counts.add(report.run.judge.counts());
        let violations: Vec<_> = report.run.judge.violations().values().collect();
        if violations.is_empty() {
            self.cut += u64::from(!report.is_complete());
            return None;
        }
        let of = |it: &&xfetch_simulate::judge::Violation| {
            (it.invariant.slug(), it.at, it.key, it.what.clone())
        };
        let failing = Failing {
            seed: report.plan.seed,
            command: report.command.clone(),
            violations: violations.iter().map(of).collect(),
        };
        let line = line(&failing);
        self.failing.push(failing);
        Some(line)
    }
}

fn locked(fleet: &Mutex<Fleet>) -> std::sync::MutexGuard<'_, Fleet> {
    fleet.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A run for each seed of the shard, on all cores. A run ends at its first violation.
fn fleet(options: &Simulate, seeds: Range<u64>) -> ExitCode {
    let (number, of) = options.shard.parts();
    let (number, of) = (number as u64, of as u64);
    let all = seeds.end - seeds.start;
    // The seed `number - 1`, and every `of`th after it.
    let count = (all + of - number) / of;
    if count == 0 {
        let shard = options.shard;
        return refuse(format!(
            "shard {shard} is empty: there are {}",
            counted(all as usize, "seed")
        ));
    }
    // What is wrong for the first seed is wrong for most, and two threads would not always name the same seed.
    let first = seeds.start + (number - 1);
    if let Err(error) = world::check(&options.plan(first)) {
        return refuse(format!("seed {first}: {error}"));
    }
    heed_ctrl_c();
    let began = Instant::now();
    let fleet = Arc::new(Mutex::new(Fleet::default()));
    let watched = Arc::clone(&fleet);
    let shown = progress::of_run(move |elapsed| of_fleet(&locked(&watched), count, elapsed));
    let next = AtomicU64::new(0);
    let work = || {
        while !stop::is_set() && locked(&fleet).refused.is_none() {
            let place = next.fetch_add(1, Ordering::Relaxed);
            if place >= count {
                return;
            }
            let seed = first + place * of;
            let plan = options.plan(seed);
            if let Err(error) = world::check(&plan) {
                locked(&fleet).refused.get_or_insert(format!("seed {seed}: {error}"));
                return;
            }
            let watch = Watch { stop: Some(stop::flag()), ..Watch::default() };
            let report = Report::of(plan, watch, options.command(seed));
            let failing = locked(&fleet).add(&report);
            // The line of the progress reads the fleet, so nothing is printed while that is locked.
            if let (Format::Text, Some(line)) = (options.format, failing) {
                shown.above(|| print(&line));
            }
        }
    };
    thread::scope(|scope| {
        let threads = (cores() as u64).min(count);
        (0..threads).for_each(|_| drop(scope.spawn(work)));
    });
    shown.finish();
    let mut fleet = locked(&fleet);
    if let Some(refused) = fleet.refused.take() {
        return refuse(refused);
    }
    fleet.failing.sort_by_key(|failing| failing.seed);
    let complete = fleet.ran == count && fleet.cut == 0;
    match options.format {
        Format::Text => print(&summary(&fleet, count, began.elapsed())),
        Format::Json => {
            print_json(&json(options, &fleet, &seeds, count, began.elapsed()));
        }
    }
    exit(!fleet.failing.is_empty(), complete)
}

/// A failing seed in one line: what is violated, and the command that repeats it.
fn line(failing: &Failing) -> String {
    let one = |(invariant, at, key, what): &(&str, Duration, Option<u64>, String)| {
        let key = key.map_or_else(String::new, |key| format!(", key {key}"));
        format!("{invariant} after {:.9} s{key}: {}", at.as_secs_f64(), what.replace('\n', " "))
    };
    let violations: Vec<_> = failing.violations.iter().map(one).collect();
    format!("seed {}: {}; again: {}", failing.seed, violations.join("; "), failing.command)
}

fn summary(fleet: &Fleet, count: u64, real: Duration) -> String {
    let Fleet { ran, cut, requests, events, failing, .. } = fleet;
    let incomplete = if *ran < count || *cut > 0 {
        format!("incomplete: {} of {} seeds ran to their end; ", grouped(ran - cut), grouped(count))
    } else {
        String::new()
    };
    let failing = match failing.len() {
        0 => "no seed fails".to_owned(),
        1 => "1 seed fails".to_owned(),
        failing => format!("{failing} seeds fail"),
    };
    format!(
        "{incomplete}{failing} of {}; {} requests, {} events, {:.1} s",
        grouped(*ran),
        grouped(*requests),
        grouped(*events),
        real.as_secs_f64(),
    )
}

fn json(
    options: &Simulate,
    fleet: &Fleet,
    seeds: &Range<u64>,
    count: u64,
    real: Duration,
) -> Value {
    let violation = |(invariant, at, key, what): &(&str, Duration, Option<u64>, String)| json!({ "invariant": invariant, "at_seconds": at.as_secs_f64(), "key": key, "what": what });
    let failing = |it: &Failing| {
        let violations: Vec<_> = it.violations.iter().map(violation).collect();
        json!({ "seed": it.seed, "reproduce": it.command, "violations": violations })
    };
    let counts: serde_json::Map<_, _> =
        fleet.counts.all().map(|(name, count)| (name.to_owned(), Value::from(count))).collect();
    json!({
        "schema": series::SCHEMA,
        "protocol": options.protocol.slug(),
        "seeds": [seeds.start, seeds.end],
        "shard": options.shard.to_string(),
        "count": count,
        "ran": fleet.ran,
        "complete": fleet.ran == count && fleet.cut == 0,
        "requests": fleet.requests,
        "events": fleet.events,
        "real_seconds": real.as_secs_f64(),
        "counts": counts,
        "failing": fleet.failing.iter().map(failing).collect::<Vec<_>>(),
    })
}

/// What a fleet has done so far, in a line.
fn of_fleet(fleet: &Fleet, count: u64, elapsed: Duration) -> String {
    let speed = fleet.events as f64 / elapsed.as_secs_f64().max(0.001);
    format!(
        "{} of {} seeds  {} failing  {} requests  {} events/s  {}",
        grouped(fleet.ran),
        grouped(count),
        fleet.failing.len(),
        grouped(fleet.requests),
        grouped(speed as u64),
        left(fleet.ran as f64 / count as f64, elapsed),
    )
}

#[cfg(test)]
mod tests {
    use super::{Shape, Simulate, duration, hours, left, range, share};
    use clap::Parser;
    use std::time::Duration;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        simulate: Simulate,
    }

    fn options(line: &str) -> Simulate {
        let words = std::iter::once("simulate").chain(line.split_whitespace());
        Arguments::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")).simulate
    }

    #[test]
    fn hours_above_a_year_or_below_a_nanosecond_are_refused() {
        assert!(["24", "0.5", "8784", "1e-9"].iter().all(|text| hours(text).is_ok()));
        assert!(
            ["0", "-1", "8784.1", "NaN", "inf", "1e-300", "", "day"]
                .iter()
                .all(|it| hours(it).is_err())
        );
    }

    #[test]
    fn a_share_outside_of_0_to_1_is_refused() {
        assert!(["0", "0.5", "1"].iter().all(|text| share(text).is_ok()));
        assert!(["-0.1", "1.01", "NaN", "", "x"].iter().all(|text| share(text).is_err()));
    }

    #[test]
    fn an_empty_range_is_refused() {
        assert_eq!(range("3..5"), Ok(3..5));
        assert!(
            ["5..5", "5..3", "5", "..5", "5..", "-1..5", "a..b"]
                .iter()
                .all(|it| range(it).is_err())
        );
    }

    #[test]
    fn a_duration_without_a_unit_is_refused() {
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert!(
            ["5", "-5s", "s", "31d", "99999999999999999999h"]
                .iter()
                .all(|it| duration(it).is_err())
        );
    }

    /// The command of a fleet's seed makes the same plan as the fleet.
    #[test]
    fn the_command_that_repeats_a_run_has_its_plan() {
        for line in [
            "--seeds 0..9",
            "--seeds 0..9 --shape service --hours 0.3 --requests 10 --keys 3 --callers 7",
            "--seeds 0..9 --payload 90s --storage 1h1ms --capacity 9 --jitter 0.25 --faults errors,bursts",
            "--faults none --protocol lock-only",
            "--faults all --requests 0",
        ] {
            let fleet = options(line);
            let command = fleet.command(5);
            let again =
                command.strip_prefix("cargo run --release -- simulate ").expect("a command");
            let again = options(again);
            assert_eq!(again.seed, Some(5));
            assert_eq!(format!("{:?}", again.plan(5)), format!("{:?}", fleet.plan(5)), "{command}");
        }
    }

    #[test]
    fn a_fleet_has_any_shape_and_a_single_run_is_a_service() {
        assert!(options("--seeds 0..9").shape() == Shape::Any);
        assert!(options("--seed 9").shape() == Shape::Service);
        assert_eq!(
            (options("--seeds 0..9").requests(), options("").requests()),
            (2_000, 1_000_000)
        );
    }

    #[test]
    fn half_of_the_work_leaves_as_much_time_as_it_took() {
        assert_eq!(left(0.5, Duration::from_secs(30)), "30s left");
        assert_eq!(left(0.0, Duration::from_secs(30)), "time left unknown");
        assert_eq!(left(1.5, Duration::from_secs(30)), "0s left");
    }
}
