//! Exports the report of a run, and its metrics over time.

use crate::judge::Counts;
use crate::plan::{Fault, Plan};
use crate::report::{Hour, Report, Sample};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The number of the schema of both.
pub const SCHEMA: u32 = 1;

/// The report.
pub fn report(report: &Report) -> Value {
    let Report { plan, run, real, command } = report;
    let violations: Vec<_> = run
        .judge
        .violations()
        .values()
        .map(|it| {
            json!({
                "invariant": it.invariant.slug(),
                "about": it.invariant.about(),
                "at_seconds": it.at.as_secs_f64(),
                "event": it.place,
                "key": it.key,
                "what": it.what,
            })
        })
        .collect();
    let criteria: Vec<_> = report
        .criteria()
        .into_iter()
        .map(|it| {
            json!({ "name": it.name, "asks": it.asks, "seen": it.seen, "verdict": it.verdict.word() })
        })
        .collect();
    let faults: BTreeMap<_, _> =
        report.faults().into_iter().map(|(fault, count)| (fault.slug(), count)).collect();
    let period = run.books.period().as_secs_f64();
    json!({
        "schema": SCHEMA,
        "seed": plan.seed,
        "protocol": plan.protocol.slug(),
        "plan": self::plan(plan),
        "reproduce": command,
        "complete": report.is_complete(),
        "virtual_seconds": run.now.as_secs_f64(),
        "real_seconds": real.as_secs_f64(),
        "events": run.judge.events(),
        "hash": format!("{:016x}", run.judge.hash()),
        "hours": rows(&run.books.hours, period),
        "days": run.books.days().map(|days| {
            let days: Vec<_> = days.iter().map(|hours| Hour::sum(hours)).collect();
            rows(&days, 86_400.0)
        }),
        "criteria": criteria,
        "faults": faults,
        "counts": counts(run.judge.counts()),
        "missing": report.missing(),
        "violations": violations,
    })
}

fn plan(plan: &Plan) -> Value {
    let options = &plan.options;
    let faults: BTreeMap<_, _> =
        plan.faults.iter().map(|(fault, rate)| (Fault::slug(*fault), rate)).collect();
    json!({
        "requests": plan.requests,
        "seconds": plan.length.as_secs_f64(),
        "waves": plan.waves,
        "keys": plan.keys,
        "zipf": plan.zipf,
        "callers": plan.callers,
        "payload_seconds": options.payload.as_secs_f64(),
        "storage_seconds": options.storage.as_secs_f64(),
        "capacity": (options.capacity != usize::MAX).then_some(options.capacity),
        "shards": options.shards,
        "jitter": plan.options.jitter,
        "workers": plan.pool.map(|(workers, _)| workers),
        "queue": plan.pool.map(|(_, queue)| queue),
        "compute_seconds": plan.takes.as_secs_f64(),
        "faults": faults,
    })
}

fn counts(counts: &Counts) -> Map<String, Value> {
    counts.all().map(|(name, count)| (name.to_owned(), count.into())).collect()
}

fn rows(hours: &[Hour], seconds: f64) -> Vec<Value> {
    let row = |(number, hour): (usize, &Hour)| {
        json!({
            "from_seconds": number as f64 * seconds,
            "ails": hour.ails(),
            "requests": hour.requests(),
            "refused": hour.refused,
            "errors": hour.errors(),
            "efficiency": hour.counts.efficiency(),
            "skipped_before": hour.counts.skipped_before,
            "skipped_inside": hour.counts.skipped_inside,
            "published": hour.counts.published,
            "computes": hour.counts.computes,
            "p50_ms": hour.latency_ms(0.5),
            "p99_ms": hour.latency_ms(0.99),
            "lease_bytes": hour.lease_bytes,
            "leases": hour.leases,
            "oldest_lease_seconds": hour.oldest.as_secs_f64(),
            "left": hour.left,
        })
    };
    hours.iter().enumerate().map(row).collect()
}

/// The metrics over time, under the names that a service gives them: `xfetch_<counter>_total`, `xfetch_<gauge>`. They
/// are those of the cache of the moment: its counters begin at 0 after a restart, as those of a process do.
pub fn series(report: &Report) -> Value {
    let samples = &report.run.books.samples;
    let at: Vec<_> = samples.iter().map(|sample| sample.at.as_secs_f64()).collect();
    json!({
        "schema": SCHEMA,
        "seed": report.plan.seed,
        "protocol": report.plan.protocol.slug(),
        "reproduce": report.command,
        "at_seconds": at,
        "series": metrics(samples),
    })
}

/// The same as input of a test of `promtool test rules`: a list of series in YAML, with a sample a minute.
pub fn promtool(report: &Report) -> String {
    let mut out = String::new();
    for (name, values) in metrics(&report.run.books.samples) {
        let values: Vec<_> =
            values.as_array().into_iter().flatten().map(Value::to_string).collect();
        let _ = writeln!(out, "- series: '{name}{{job=\"simulated\",instance=\"simulated:1\"}}'");
        let _ = writeln!(out, "  values: '{}'", values.join(" "));
    }
    out
}

fn metrics(samples: &[Sample]) -> Map<String, Value> {
    let mut metrics: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for sample in samples {
        for (name, count) in sample.counts.all() {
            metrics.entry(format!("xfetch_{name}_total")).or_default().push(count.into());
        }
        for (name, value) in gauges(sample) {
            metrics.entry(format!("xfetch_{name}")).or_default().push(value);
        }
    }
    metrics.into_iter().map(|(name, values)| (name, values.into())).collect()
}

fn gauges(sample: &Sample) -> [(&'static str, Value); 7] {
    let Counts { computes, failed, published, discarded, .. } = sample.counts;
    [
        ("keys", sample.keys.into()),
        ("leases", sample.leases.into()),
        ("slots", sample.slots.into()),
        ("store_bytes", sample.store_bytes.into()),
        ("lease_bytes", sample.lease_bytes.into()),
        ("in_flight", computes.saturating_sub(failed + published + discarded).into()),
        ("oldest_lease_seconds", sample.oldest.as_secs_f64().into()),
    ]
}

#[cfg(test)]
mod tests {
    use super::metrics;
    use crate::judge::Counts;
    use crate::report::Sample;
    use std::time::Duration;

    #[test]
    fn every_metric_has_a_value_for_every_look() {
        let sample = Sample {
            at: Duration::from_secs(60),
            counts: Counts {
                computes: 5,
                failed: 1,
                published: 2,
                discarded: 1,
                ..Counts::default()
            },
            keys: 3,
            leases: 1,
            slots: 2,
            store_bytes: 100,
            lease_bytes: 60,
            oldest: Duration::from_millis(1_500),
            all: Counts::default(),
        };
        let metrics = metrics(&[sample.clone(), sample]);
        assert_eq!(metrics.len(), Counts::default().all().count() + 7);
        assert!(metrics.values().all(|values| values.as_array().is_some_and(|it| it.len() == 2)));
        assert_eq!(metrics["xfetch_computes_total"][1], 5);
        assert_eq!(metrics["xfetch_in_flight"][0], 1);
        assert_eq!(metrics["xfetch_oldest_lease_seconds"][0], 1.5);
    }
}
