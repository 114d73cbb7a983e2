//! What is measured, one file a group.

mod burst;
mod evictions;
mod failing;
mod growth;
mod hits;
pub mod memory;
mod stale;
mod wasted;
mod writes;

use crate::measure::{Quartiles, Settings, ratio};
use crate::report::Part;
use clap::ValueEnum;

/// A group of measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Group {
    /// Fresh hits
    Hits,
    /// Stale hits while a refresh is in flight
    Stale,
    /// Misses, inserts and invalidations
    Writes,
    /// Computes that start although the key was just refreshed
    Wasted,
    /// An origin that always fails
    Failing,
    /// Bytes of a key
    Memory,
    /// Hit rates with a bounded capacity
    Evictions,
    /// Fresh hits by the number of keys
    Growth,
    /// A hundred threads, then ten thousand, that ask for one stale key. It comes last: so many threads leave traces
    Burst,
}

impl Group {
    pub fn run(self, settings: &Settings) -> Part {
        match self {
            Self::Hits => hits::run(settings),
            Self::Stale => stale::run(settings),
            Self::Writes => writes::run(settings),
            Self::Wasted => wasted::run(settings),
            Self::Failing => failing::run(settings),
            Self::Memory => memory::run(settings),
            Self::Evictions => evictions::run(settings),
            Self::Growth => growth::run(settings),
            Self::Burst => burst::run(settings),
        }
    }
}

/// The median of some samples, with its quartiles.
fn cell(samples: &[f64]) -> String {
    Quartiles::of(samples).to_string()
}

/// The ratios of one contender to some others.
fn compared(samples: &[Vec<f64>], number: usize, to: [usize; 2]) -> String {
    let ratios = to.map(|to| against(ratio(&samples[number], &samples[to])));
    ratios.join(", ")
}

/// A number with a comma at each thousand.
fn grouped(number: u64) -> String {
    match number / 1_000 {
        0 => number.to_string(),
        thousands => format!("{},{:03}", grouped(thousands), number % 1_000),
    }
}

/// A ratio.
fn against(ratio: f64) -> String {
    format!("{ratio:.2}")
}

/// The closures of a group live as long as the program: the caches' threads may still run them after a measurement.
fn kept<F: Fn(u64) + Sync + 'static>(compute: F) -> &'static (dyn Fn(u64) + Sync) {
    Box::leak(Box::new(compute))
}
