//! The report of a run as text.

use crate::plan::Plan;
use crate::report::{Hour, Report};
use std::fmt::Write;
use std::time::Duration;
use xfetch_vocabulary::history::Record;

/// The most characters of a line that lists counts.
const WIDTH: usize = 110;

/// The report.
pub fn report(report: &Report) -> String {
    let Report { plan, run, real, command } = report;
    let mut out = String::new();
    if !report.is_complete() {
        let (now, length) = (span(run.now.min(plan.length)), span(plan.length));
        let _ = writeln!(out, "incomplete: the run ended after {now} of {length}\n");
    }
    let _ = writeln!(out, "seed {}, protocol {}", plan.seed, plan.protocol);
    let _ = writeln!(out, "{}", self::plan(plan).join("\n"));
    let _ = writeln!(
        out,
        "virtual time {}, real time {:.1} s; {} requests, {} events, their hash {:016x}\nagain: {command}\n",
        span(run.now),
        real.as_secs_f64(),
        grouped(run.books.hours.iter().map(Hour::requests).sum()),
        grouped(run.judge.events()),
        run.judge.hash(),
    );
    let table = match run.books.days() {
        Some(days) => weekly(&days),
        None => hourly(&run.books.hours, run.books.period()),
    };
    let _ = writeln!(out, "{table}");
    out.push_str("The criteria of the field report (the exit code does not depend on them):\n");
    for criterion in report.criteria() {
        let (name, verdict) = (criterion.name, criterion.verdict.word());
        let _ = writeln!(out, "  {name}: {verdict}. {}. Asked: {}", criterion.seen, criterion.asks);
    }
    out.push_str(&coverage(report));
    if run.judge.violations().is_empty() {
        out.push_str("\nno invariant is violated\n");
    }
    for violation in run.judge.violations().values() {
        let key = violation.key.map_or_else(String::new, |key| format!(", key {key}"));
        let _ = writeln!(
            out,
            "\nviolated: {}. {}\n  after {} ({:.9} s), event {}{key}: {}",
            violation.invariant,
            violation.invariant.about(),
            span(violation.at),
            violation.at.as_secs_f64(),
            violation.place,
            violation.what,
        );
    }
    out
}

/// A plan in two lines: the service, and what goes wrong.
pub fn plan(plan: &Plan) -> [String; 2] {
    let options = &plan.options;
    let capacity = match options.capacity {
        usize::MAX => "room for all".to_owned(),
        capacity => format!("room for {}", grouped(capacity as u64)),
    };
    let pool = match plan.pool {
        Some((workers, queue)) => format!("{workers} workers with a queue of {queue}"),
        None => "callers run refreshes".to_owned(),
    };
    let service = format!(
        "plan: {} requests in {}{}, {} keys (Zipf {}), {} callers; payload {}, storage {}, jitter {}, {} shards, \
         {capacity}, {pool}, a compute takes {}",
        grouped(plan.requests),
        span(plan.length),
        if plan.waves { " with day and night" } else { "" },
        grouped(plan.keys),
        plan.zipf,
        plan.callers,
        span(options.payload),
        span(options.storage),
        plan.options.jitter,
        options.shards,
        span(plan.takes),
    );
    let rate = |(fault, rate): (&crate::plan::Fault, &f64)| format!("{fault} {rate:.2e}");
    let faults: Vec<_> = plan.faults.iter().map(rate).collect();
    let faults = if faults.is_empty() { "none".to_owned() } else { faults.join(", ") };
    [service, format!("faults and their rates: {faults}")]
}

/// What is shown of an hour or a day.
const COLUMNS: [&str; 11] = [
    "requests",
    "errors %",
    "efficiency %",
    "before",
    "inside",
    "refreshes",
    "computes",
    "P50 ms",
    "P99 ms",
    "lease KiB",
    "left",
];

/// The number of a column whose change from day to day is shown, and its digits.
fn trend_of(column: usize) -> Option<(fn(&Hour) -> Option<f64>, usize)> {
    match COLUMNS[column] {
        "requests" => Some((|day| Some(day.requests() as f64), 0)),
        "errors %" => Some((|day| Some(day.errors()? * 100.0), 2)),
        "efficiency %" => Some((|day| Some(day.counts.efficiency()? * 100.0), 2)),
        "P99 ms" => Some((|day| Some(day.latency_ms(0.99)), 2)),
        "lease KiB" => Some((|day| Some(kib(day)), 1)),
        _ => None,
    }
}

/// A row for each hour.
pub fn hourly(hours: &[Hour], period: Duration) -> String {
    let mut rows = vec![["from", "health"].into_iter().chain(COLUMNS).map(str::to_owned).collect()];
    for (number, hour) in (0_u32..).zip(hours) {
        let from = if number == 0 { "0h".to_owned() } else { span(period.saturating_mul(number)) };
        let mut row = vec![from, health(hour)];
        row.extend(cells(hour));
        rows.push(row);
    }
    if hours.len() > 1 {
        let sum = Hour::sum(hours);
        let mut row = vec!["all".to_owned(), String::new()];
        row.extend(cells(&sum));
        rows.push(row);
    }
    columns(&rows)
}

fn cells(hour: &Hour) -> Vec<String> {
    let counts = &hour.counts;
    vec![
        grouped(hour.requests()),
        percent(hour.errors()),
        percent(counts.efficiency()),
        grouped(counts.skipped_before),
        grouped(counts.skipped_inside),
        grouped(counts.published),
        grouped(counts.computes),
        format!("{:.2}", hour.latency_ms(0.5)),
        format!("{:.2}", hour.latency_ms(0.99)),
        format!("{:.1}", kib(hour)),
        grouped(hour.left),
    ]
}

/// A row for each day, with what has changed since the day before.
pub fn weekly(days: &[Vec<Hour>]) -> String {
    let mut header = vec!["day".to_owned(), "health".to_owned()];
    for (place, column) in COLUMNS.into_iter().enumerate() {
        header.push(column.to_owned());
        header.extend(trend_of(place).map(|_| "+-".to_owned()));
    }
    let mut rows = vec![header];
    let mut before: Option<Hour> = None;
    for (number, hours) in (1..).zip(days) {
        let day = Hour::sum(hours);
        let well = hours.iter().filter(|hour| hour.ails().is_empty()).count();
        let all = cells(&day);
        let mut row = vec![i32::to_string(&number), format!("{well}/{} ok", hours.len())];
        for (place, cell) in all.into_iter().enumerate() {
            row.push(cell);
            row.extend(
                trend_of(place)
                    .map(|(of, digits)| trend(before.as_ref().and_then(of), of(&day), digits)),
            );
        }
        rows.push(row);
        before = Some(day);
    }
    columns(&rows)
}

/// What has changed, with its sign. Nothing before the second day.
fn trend(before: Option<f64>, now: Option<f64>, digits: usize) -> String {
    match (before, now) {
        (Some(before), Some(now)) => format!("{:+.digits$}", now - before),
        _ => "-".to_owned(),
    }
}

/// An hour without any request is silent: none came, or every caller hung.
fn health(hour: &Hour) -> String {
    let ails = hour.ails();
    match (hour.requests(), ails.is_empty()) {
        (0, true) => "silent".to_owned(),
        (_, true) => "ok".to_owned(),
        _ => ails.join(","),
    }
}

fn kib(hour: &Hour) -> f64 {
    hour.lease_bytes as f64 / 1_024.0
}

fn coverage(report: &Report) -> String {
    let counts = report.run.judge.counts();
    let is_skip = |(name, _): &(&str, u64)| name.starts_with("skipped_");
    let text = |(name, count): (&str, u64)| format!("{name} {}", grouped(count));
    let skips: Vec<_> = counts.all().filter(is_skip).map(text).collect();
    let events: Vec<_> = counts.all().filter(|it| !is_skip(it)).map(text).collect();
    let faults = report.faults().into_iter().map(|(fault, count)| {
        let count = count.map_or_else(|| "not counted".to_owned(), grouped);
        format!("{fault} {count}")
    });
    let faults: Vec<_> = faults.collect();
    let missing: Vec<_> = report.missing().into_iter().map(str::to_owned).collect();
    let mut out = "\nCoverage of the whole run, with the healing after the traffic:\n".to_owned();
    for (title, list) in
        [("faults", faults), ("skips", skips), ("events", events), ("never happened", missing)]
    {
        out.push_str(&wrapped(title, &list));
    }
    out
}

/// A list under its title, in lines of no more than [`WIDTH`] characters.
fn wrapped(title: &str, list: &[String]) -> String {
    let mut out = String::new();
    let mut line = format!("  {title}:");
    for (number, item) in list.iter().enumerate() {
        if line.len() + item.len() + 2 > WIDTH {
            let _ = writeln!(out, "{line}");
            line = " ".repeat(title.len() + 3);
        }
        let comma = if number + 1 < list.len() { "," } else { "" };
        let _ = write!(line, " {item}{comma}");
    }
    if list.is_empty() {
        line.push_str(" none");
    }
    out + &line + "\n"
}

/// Columns that end at one place: most of them are numbers.
fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..count).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.2}", share * 100.0))
}

/// A number with a comma before every three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A length of time, in its two largest units. Hours are the largest one: a run is so many hours long.
pub fn span(span: Duration) -> String {
    let hours = span.as_secs() / 3_600;
    if hours > 0 {
        let minutes = span.as_secs() / 60 % 60;
        return if minutes > 0 { format!("{hours}h{minutes}m") } else { format!("{hours}h") };
    }
    let nanos = span.as_nanos() as u64;
    // What is below a thousandth of it is not shown.
    let mut unit = 1;
    while nanos / unit >= 100_000 {
        unit *= 1_000;
    }
    let text = humantime::format_duration(Duration::from_nanos(nanos / unit * unit));
    text.to_string().replace(' ', "")
}

/// An event of the log as a line: the time in seconds, the task, its section, the hash of the key, and what happened.
pub fn log(record: &Record) -> String {
    let Record { task, step, now, key, event } = record;
    let (seconds, nanos) = (now / 1_000_000_000, now % 1_000_000_000);
    format!("{seconds}.{nanos:09} task {task} section {step} key {key:016x} {event:?}")
}

#[cfg(test)]
mod tests {
    use super::{grouped, hourly, span, trend, weekly, wrapped};
    use crate::judge::Counts;
    use crate::report::Hour;
    use std::time::Duration;

    fn hour(answered: u64, refused: u64, counts: Counts) -> Hour {
        let mut hour = Hour::sum(&[]);
        (hour.answered, hour.refused, hour.counts) = (answered, refused, counts);
        hour
    }

    #[test]
    fn digits_come_in_threes_from_the_right() {
        let texts = [0, 999, 1_000, 12_345, 1_000_000].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "12,345", "1,000,000"]);
    }

    #[test]
    fn a_span_has_two_units_at_most_and_no_days() {
        let of = |millis: u64| span(Duration::from_millis(millis));
        assert_eq!([of(40), of(5_000), of(120_000), of(90_000)], ["40ms", "5s", "2m", "1m30s"]);
        assert_eq!([of(86_400_000), of(90_060_000), of(0)], ["24h", "25h1m", "0s"]);
        assert_eq!(span(Duration::MAX), "5124095576030431h");
    }

    #[test]
    fn every_cell_of_a_column_ends_at_one_place() {
        let counts = Counts { hits_stale: 4, computes: 1, published: 1, ..Counts::default() };
        let hours = [hour(1_000, 0, counts), hour(5, 5, Counts::default())];
        let table = hourly(&hours, Duration::from_secs(3_600));
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 4, "{table}");
        assert!(lines.iter().all(|line| line.len() == lines[0].len()), "{table}");
        assert!(lines[1].contains("ok") && lines[1].contains("75.00"), "{table}");
        assert!(lines[2].contains("errors") && lines[2].contains("50.00"), "{table}");
        assert!(lines[3].trim_start().starts_with("all") && lines[3].contains("1,010"), "{table}");
    }

    #[test]
    fn a_day_says_what_has_changed_since_the_day_before() {
        let of = |answered| vec![hour(answered, 0, Counts::default()); 24];
        let table = weekly(&[of(10), of(9)]);
        let lines: Vec<_> = table.lines().collect();
        assert!(lines[1].contains("24/24 ok") && lines[1].contains("240    -"), "{table}");
        assert!(lines[2].contains("216  -24"), "{table}");
        assert_eq!(trend(Some(1.0), None, 2), "-");
        assert_eq!(trend(Some(99.5), Some(99.75), 2), "+0.25");
    }

    #[test]
    fn a_list_without_items_says_none() {
        assert_eq!(wrapped("missing", &[]), "  missing: none\n");
        let long: Vec<_> = (0..40).map(|number| format!("item {number}")).collect();
        assert!(wrapped("faults", &long).lines().all(|line| line.len() <= super::WIDTH));
    }
}
