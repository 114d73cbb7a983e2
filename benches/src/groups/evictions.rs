//! Hit rates with a bounded capacity.

use super::grouped;
use crate::keys::{seeded, zipf};
use crate::measure::Settings;
use crate::report::Part;
use std::num::NonZeroUsize;
use std::time::Duration;
use xfetch_core::Cache;

const KEYS: u64 = 100_000;

/// The order of requests.
#[derive(Clone, Copy, Debug)]
enum Trace {
    Zipf,
    Loop,
    Scans,
}

const TRACES: [(Trace, &str); 3] =
    [(Trace::Zipf, "Zipf"), (Trace::Loop, "loop"), (Trace::Scans, "Zipf and scans")];

/// How many requests of a trace with scans are by Zipf's law, then how many are a scan.
const BETWEEN: u64 = 20_000;
const SCAN: u64 = 5_000;

impl Trace {
    fn requests(self, length: u64, capacity: usize) -> Vec<u64> {
        let mut random = seeded();
        let mut scanned = KEYS;
        let one = |number| match self {
            Self::Loop => number % (capacity as u64 * 2),
            Self::Scans if number % (BETWEEN + SCAN) >= BETWEEN => {
                scanned += 1;
                scanned
            }
            Self::Zipf | Self::Scans => zipf(KEYS, &mut random),
        };
        (0..length).map(one).collect()
    }
}

/// A bounded cache: it tells whether it has the key, and takes it if not.
type Bounded = Box<dyn FnMut(u64) -> bool>;

fn contenders(capacity: usize) -> Vec<(&'static str, Bounded)> {
    let long = Duration::from_secs(3_600);
    let ours = Cache::builder(long, long).capacity(capacity).build().expect("the limit is right");
    let places = NonZeroUsize::new(capacity).expect("it is not zero");
    let mut lru = lru::LruCache::new(places);
    let quick = quick_cache::sync::Cache::new(capacity);
    let foyer = crate::contenders::bounded_foyer(capacity);
    let fibre = fibre_cache::CacheBuilder::default().capacity(capacity as u64).build();
    let fibre: fibre_cache::Cache<u64, ()> = fibre.expect("the limit is right");
    let moka = moka::sync::Cache::new(capacity as u64);
    vec![
        (
            "ours (CLOCK)",
            Box::new(move |key| {
                ours.get(&key).is_some() || {
                    ours.insert(key, ());
                    false
                }
            }),
        ),
        (
            "lru (exact LRU)",
            Box::new(move |key| {
                lru.get(&key).is_some() || {
                    lru.put(key, ());
                    false
                }
            }),
        ),
        (
            "quick_cache (S3-FIFO)",
            Box::new(move |key| {
                quick.get(&key).is_some() || {
                    quick.insert(key, ());
                    false
                }
            }),
        ),
        (
            "foyer-memory (S3-FIFO)",
            Box::new(move |key| {
                foyer.get(&key).is_some() || {
                    foyer.insert(key, crate::keys::VALUE);
                    false
                }
            }),
        ),
        (
            "fibre_cache (S3-FIFO)",
            Box::new(move |key| {
                fibre.fetch(&key).is_some() || {
                    fibre.insert(key, (), 1);
                    false
                }
            }),
        ),
        (
            "moka (TinyLFU)",
            Box::new(move |key| {
                moka.get(&key).is_some() || {
                    moka.insert(key, ());
                    false
                }
            }),
        ),
    ]
}

pub fn run(settings: &Settings) -> Part {
    let length = settings.either(500_000, 20_000);
    let mut part = Part::new("Hit rates with a bounded capacity");
    part.paragraph(&format!(
        "One thread makes {} requests, and inserts each key that is absent. *Zipf* draws {} keys by Zipf's \
         law with exponent 0.99. *Loop* asks for twice as many keys as the capacity, one after the other, again and \
         again. *Zipf and scans* has after each {} requests of the first kind {} requests for keys that \
         never come again. The capacity is 1 % or 10 % of these keys. A cell is the share of requests that hit. Each \
         contender gets the same requests, so the numbers differ little from run to run.",
        grouped(length),
        grouped(KEYS),
        grouped(BETWEEN),
        grouped(SCAN),
    ));
    let capacities = [KEYS as usize / 100, KEYS as usize / 10];
    let mut rows: Vec<Vec<String>> =
        contenders(capacities[0]).iter().map(|(name, _)| vec![(*name).to_owned()]).collect();
    let mut header = vec!["contender (policy)".to_owned()];
    for (trace, name) in TRACES {
        for (capacity, share) in capacities.into_iter().zip(["1 %", "10 %"]) {
            header.push(format!("{name}, {share}"));
            let requests = trace.requests(length, capacity);
            for ((_, mut asks), row) in contenders(capacity).into_iter().zip(&mut rows) {
                let hits = requests.iter().filter(|key| asks(**key)).count();
                row.push(format!("{:.1} %", hits as f64 / length as f64 * 100.0));
            }
        }
    }
    let header: Vec<_> = header.iter().map(String::as_str).collect();
    part.table(&header, rows);
    part
}
