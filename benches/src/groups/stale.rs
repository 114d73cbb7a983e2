//! Stale hits while the refresh of their key is in flight.

use super::{against, cell, kept};
use crate::contenders::{Info, LONG, OURS, Revalidate, Terms, VisitStale, each_stale};
use crate::measure::{Cost, Settings, cpu, ratio, rounds};
use crate::report::Part;
use crate::waiting::enter;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

const FRESH: Duration = Duration::from_millis(20);

/// What one round found of one contender.
struct Round {
    fresh: f64,
    stale: f64,
    longest: Duration,
    /// Computes that started while the key was stale.
    computes: u64,
}

struct Case {
    info: Info,
    measure: Box<dyn Fn(Duration) -> Round>,
}

#[derive(Default)]
struct Cases(Vec<Case>);

impl VisitStale for Cases {
    fn visit<R: Revalidate>(&mut self, info: Info, make: fn(Terms) -> R) {
        self.0.push(Case { info, measure: Box::new(move |compute| measured(make, compute)) });
    }
}

/// Asks until `end`.
fn asked(contender: &impl Revalidate, end: Instant) -> Cost {
    let (since, mut operations) = (cpu(), 0);
    while Instant::now() < end {
        for _ in 0..256 {
            black_box(contender.ask(0));
        }
        operations += 256;
    }
    Cost { operations, time: cpu() - since }
}

/// The longest time of one answer until `end`.
fn longest(contender: &impl Revalidate, end: Instant) -> Duration {
    let (mut before, mut longest) = (Instant::now(), Duration::ZERO);
    while before < end {
        black_box(contender.ask(0));
        let after = Instant::now();
        longest = longest.max(after - before);
        before = after;
    }
    longest
}

fn measured<R: Revalidate>(make: fn(Terms) -> R, lasts: Duration) -> Round {
    let _entered = enter();
    let always = make(Terms { fresh: LONG, compute: kept(|_| ()) });
    always.ask(0);
    let fresh = asked(&always, Instant::now() + lasts / 5);
    let computes: &'static AtomicU64 = Box::leak(Box::default());
    let compute = kept(move |_| {
        if computes.fetch_add(1, Ordering::Relaxed) > 0 {
            sleep(lasts);
        }
    });
    let contender = make(Terms { fresh: FRESH, compute });
    contender.ask(0);
    sleep(FRESH * 2);
    let begin = Instant::now();
    let first = longest(&contender, begin + Duration::from_millis(1));
    let stale = asked(&contender, begin + lasts * 2 / 5);
    let rest = longest(&contender, begin + lasts * 4 / 5);
    let started = computes.load(Ordering::Relaxed) - 1;
    sleep((begin + lasts).saturating_duration_since(Instant::now()));
    Round {
        fresh: fresh.nanos(),
        stale: stale.nanos(),
        longest: first.max(rest),
        computes: started,
    }
}

pub fn run(settings: &Settings) -> Part {
    let mut part = Part::new("Stale hits while a refresh is in flight");
    let lasts = settings.either(Duration::from_millis(500), Duration::from_millis(40));
    let limit = lasts / 10;
    part.paragraph(&format!(
        "One key is stale, and its compute takes {} ms. One thread asks for the key from the first stale request on. \
         The table shows the processor time of a stale hit and of a fresh hit. It shows the longest answer of all \
         rounds, the first one included, which sends the refresh on its way. That answer should take less than a \
         tenth of the compute, {} ms. The last column shows the most computes that one round started.",
        lasts.as_millis(),
        limit.as_millis(),
    ));
    let mut cases = Cases::default();
    each_stale(&mut cases);
    let cases = cases.0;
    let samples = rounds(settings.rounds, cases.len(), |number| (cases[number].measure)(lasts));
    let header = [
        "contender",
        "stale hit, ns",
        "fresh hit, ns",
        "stale to fresh",
        "longest answer, ms",
        "computes",
    ];
    let mut rows = Vec::new();
    for (Case { info, .. }, samples) in cases.iter().zip(&samples) {
        let of = |field: fn(&Round) -> f64| samples.iter().map(field).collect::<Vec<_>>();
        let (stale, fresh) = (of(|round| round.stale), of(|round| round.fresh));
        let longest = samples.iter().map(|round| round.longest).max().unwrap_or_default();
        let computes = samples.iter().map(|round| round.computes).max().unwrap_or_default();
        if info.name == OURS {
            part.must(computes == 1, || format!("ours started {computes} computes of a stale key"));
            part.must(settings.smoke || longest < limit, || {
                format!("a stale answer of ours took {longest:?}")
            });
        }
        rows.push(vec![
            info.name.to_owned(),
            cell(&stale),
            cell(&fresh),
            against(ratio(&stale, &fresh)),
            format!("{:.3}", longest.as_secs_f64() * 1e3),
            computes.to_string(),
        ]);
    }
    part.table(&header, rows);
    part
}
