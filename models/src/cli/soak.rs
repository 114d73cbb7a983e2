//! The command `soak`: prints a line for each sample, and the checks at the end.

use super::{Soak, print, refuse};
use std::process::ExitCode;
use std::time::Duration;
use xfetch_models::page::markdown;
use xfetch_models::soak::{CAPACITY, Check, KEYS, Load, Sample, Soaked, THREADS, soak};

/// Exit code 0: every check holds; 1: one does not.
pub(super) fn run(options: &Soak) -> ExitCode {
    let time = Duration::from_secs(options.seconds.into());
    print(&format!("{THREADS} threads, {KEYS} keys, room for {CAPACITY} of them, {time:?}"));
    print("   seconds      requests      computes   memory  keys  leases  slots   tables");
    match soak(Load::Time(time), &mut |sample| print(&line(sample))) {
        Err(refused) => refuse(refused),
        Ok(soaked) => {
            print(&text(&soaked));
            ExitCode::from(u8::from(!soaked.holds()))
        }
    }
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
