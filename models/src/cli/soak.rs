//! The command `soak`: prints a line for each sample, and the checks at the end.

use super::{Format, Soak, print, print_json, refuse};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;
use xfetch_models::page::markdown;
use xfetch_models::soak::{CAPACITY, Check, KEYS, Load, Sample, Soaked, THREADS, soak};

/// Exit code 0: every check holds; 1: one does not.
pub(super) fn run(options: &Soak) -> ExitCode {
    let time = Duration::from_secs(options.seconds.into());
    // A run can take a day: who waits for its JSON sees the samples on the error stream.
    let show = |line: &str| options.format.aside(line);
    show(&format!("{THREADS} threads, {KEYS} keys, room for {CAPACITY} of them, {time:?}"));
    show("   seconds      requests      computes   memory  keys  leases  slots   tables");
    let mut samples = Vec::new();
    let soaked = soak(Load::Time(time), &mut |sample| {
        show(&line(sample));
        samples.push(of_sample(sample));
    });
    let soaked = match soaked {
        Ok(soaked) => soaked,
        Err(refused) => return refuse(refused),
    };
    match options.format {
        Format::Json => print_json(&json(options.seconds, samples, &soaked)),
        Format::Text => print(&text(&soaked)),
    }
    ExitCode::from(u8::from(!soaked.holds()))
}

fn line(Sample { at, counted, usage, memory }: &Sample) -> String {
    let mib = |bytes: usize| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    format!(
        "{:>10.2}  {:>12}  {:>12} {:>8} {:>5} {:>7} {:>6} {:>8}",
        at.as_secs_f64(),
        counted.requests(),
        counted.computes,
        memory.map_or_else(|| "unknown".into(), mib),
        usage.keys,
        usage.leases,
        usage.slots,
        format!("{} KiB", (usage.store_bytes + usage.lease_bytes) >> 10),
    )
}

fn text(soaked: &Soaked) -> String {
    let counters = soaked.counted.counters();
    let counters: Vec<_> = counters.map(|(name, count)| format!("{name} {count}")).collect();
    let row = |check: &Check| {
        let verdict = if check.holds { "holds" } else { "DOES NOT HOLD" };
        vec![check.name.into(), check.seen.clone(), check.target.clone(), verdict.into()]
    };
    let rows = soaked.checks.iter().map(row).collect();
    format!(
        "\nCounters: {}\n\n{}\n\n{}",
        counters.join(", "),
        markdown(&["at the end", "seen", "target", "verdict"], rows),
        if soaked.holds() { "every check holds" } else { "a check does not hold" },
    )
}

/// The whole run as data. `docs/REPORT.md` is the schema.
fn json(seconds: u32, samples: Vec<Value>, soaked: &Soaked) -> Value {
    let check = |it: &Check| json!({ "name": it.name, "seen": it.seen, "target": it.target, "holds": it.holds });
    let counters = soaked.counted.counters();
    json!({
        "schema": 1,
        "seconds": seconds,
        "threads": THREADS,
        "keys": KEYS,
        "capacity": CAPACITY,
        "samples": samples,
        "counters": counters.map(|(name, count)| (name.to_owned(), Value::from(count))).collect::<Value>(),
        "checks": soaked.checks.iter().map(check).collect::<Vec<_>>(),
        "holds": soaked.holds(),
    })
}

fn of_sample(Sample { at, counted, usage, memory }: &Sample) -> Value {
    json!({
        "at_seconds": at.as_secs_f64(),
        "requests": counted.requests(),
        "computes": counted.computes,
        "memory_bytes": memory,
        "keys": usage.keys,
        "leases": usage.leases,
        "slots": usage.slots,
        "table_bytes": usage.store_bytes + usage.lease_bytes,
    })
}
