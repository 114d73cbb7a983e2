//! Hit rates with a bounded capacity.

use super::grouped;
use crate::contenders::bounded_foyer;
use crate::keys::{VALUE, seeded, zipf};
use crate::measure::Settings;
use crate::report::Part;
use fibre_cache::CacheBuilder;
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

fn bounded<C: 'static, R: 'static>(
    mut cache: C,
    has: fn(&mut C, u64) -> bool,
    take: fn(&mut C, u64) -> R,
) -> Bounded {
    Box::new(move |key| {
        let had = has(&mut cache, key);
        if !had {
            take(&mut cache, key);
        }
        had
    })
}

/// A policy in its package, and the cache.
fn contenders(capacity: usize) -> [(&'static str, Bounded); 6] {
    let (long, right) = (Duration::from_secs(3_600), "the limit is right");
    let ours = Cache::builder(long, long).capacity(capacity).build().expect(right);
    let lru = lru::LruCache::new(NonZeroUsize::new(capacity).expect(right));
    let quick = quick_cache::sync::Cache::new(capacity);
    let foyer = bounded_foyer(capacity);
    let fibre = CacheBuilder::default().capacity(capacity as u64).build().expect(right);
    let moka = moka::sync::Cache::new(capacity as u64);
    let ours = bounded(ours, |it, key| it.get(&key).is_some(), |it, key| it.insert(key, ()));
    let lru = bounded(lru, |it, key| it.get(&key).is_some(), |it, key| it.put(key, ()));
    let quick = bounded(quick, |it, key| it.get(&key).is_some(), |it, key| it.insert(key, ()));
    let foyer = bounded(foyer, |it, key| it.get(&key).is_some(), |it, key| it.insert(key, VALUE));
    let fibre = bounded(fibre, |it, key| it.fetch(&key).is_some(), |it, key| it.insert(key, (), 1));
    let moka = bounded(moka, |it, key| it.get(&key).is_some(), |it, key| it.insert(key, ()));
    [
        ("ours (CLOCK)", ours),
        ("lru (exact LRU)", lru),
        ("quick_cache (S3-FIFO)", quick),
        ("foyer-memory (S3-FIFO)", foyer),
        ("fibre_cache (S3-FIFO)", fibre),
        ("moka (TinyLFU)", moka),
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
