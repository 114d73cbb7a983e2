//! Counters and gauges, read when somebody asks for them: `xfetch_<counter>_total`, `xfetch_<gauge>`.

use crate::Prices;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, prometheus_text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use xfetch_core::{Metrics, Snapshot, Usage};

pub(crate) use prometheus_text::CONTENT_TYPE;

#[derive(Debug)]
struct Scrape {
    prices: Prices,
    metrics: Arc<Metrics>,
}

pub(crate) fn registry(prices: &Prices, metrics: &Arc<Metrics>) -> Registry {
    let mut registry = Registry::with_prefix("xfetch");
    let (prices, metrics) = (prices.clone(), Arc::clone(metrics));
    registry.register_collector(Box::new(Scrape { prices, metrics }));
    registry
}

pub(crate) fn text(registry: &Registry) -> Result<String, fmt::Error> {
    let mut text = String::new();
    prometheus_text::encode(&mut text, registry)?;
    Ok(text)
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let counted = self.metrics.snapshot();
        for (name, count) in counted.counters() {
            let help = format!("Events, as xfetch_core::Snapshot::{name} describes them");
            put(&mut encoder, name, &help, &ConstCounter::new(count))?;
        }
        for (name, help, value) in gauges(&counted, &self.prices.usage()) {
            put(&mut encoder, name, help, &ConstGauge::new(value))?;
        }
        Ok(())
    }
}

fn gauges(counted: &Snapshot, usage: &Usage) -> [(&'static str, &'static str, f64); 7] {
    let oldest = usage.oldest_lease.unwrap_or(Duration::ZERO);
    [
        ("keys", "Keys in the store, expired ones too until they are swept", usage.keys as f64),
        ("leases", "Leases that are held", usage.leases as f64),
        ("slots", "Slots of the lease table", usage.slots as f64),
        ("store_bytes", "Bytes of the store's tables", usage.store_bytes as f64),
        ("lease_bytes", "Bytes of the lease table", usage.lease_bytes as f64),
        ("in_flight", "Computes that have started and not ended", counted.in_flight() as f64),
        ("oldest_lease_seconds", "How long the oldest lease is held", oldest.as_secs_f64()),
    ]
}

fn put(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    metric: &impl EncodeMetric,
) -> fmt::Result {
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}
