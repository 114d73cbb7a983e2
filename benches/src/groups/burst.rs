//! Many threads that ask for one stale key at once.

use super::writes::inserts;
use super::{against, cell, grouped, kept};
use crate::contenders::ours::PUNCTUAL;
use crate::contenders::{Info, OURS, Revalidate, Terms, VisitStale, each_stale};
use crate::measure::{Settings, quantile, turns};
use crate::report::Part;
use crate::waiting::enter;
use std::hint::black_box;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread::{self, Builder, ScopedJoinHandle, sleep};
use std::time::{Duration, Instant};

/// Longer than a burst should take, so that the refreshed value is not stale before it is over.
const FRESH: Duration = Duration::from_millis(500);
/// In the smoke run, whose bursts are small.
const SHORT: Duration = Duration::from_millis(100);
const COMPUTE: Duration = Duration::from_millis(50);
const STACK: usize = 64 << 10;
/// A burst is slow to prepare, so there are fewer rounds than elsewhere.
const ROUNDS: usize = 3;

/// The begin and the end of each request.
type Answers = Vec<(Instant, Instant)>;
/// The ends of the computes.
type Ends = parking_lot::Mutex<Vec<Instant>>;

/// What one burst found.
struct Burst {
    answers: Answers,
    /// Computes after the first, which loads the key.
    computes: usize,
    ended: Option<Instant>,
}

impl Burst {
    fn waits(&self) -> impl Iterator<Item = f64> {
        self.answers.iter().map(|(begin, end)| (*end - *begin).as_secs_f64() * 1e6)
    }

    /// From the first request to the last answer.
    fn all(&self) -> Duration {
        let first = self.answers.iter().map(|answer| answer.0).min();
        let last = self.answers.iter().map(|answer| answer.1).max();
        first.zip(last).map_or(Duration::ZERO, |(first, last)| last - first)
    }

    /// The share of requests that began before the end of the compute and were answered after it.
    fn late(&self) -> f64 {
        let Some(ended) = self.ended else { return f64::NAN };
        let late = self.answers.iter().filter(|(begin, end)| *begin < ended && *end > ended);
        late.count() as f64 / self.answers.len() as f64 * 100.0
    }
}

struct Case {
    info: Info,
    measure: Box<dyn Fn(usize, Duration) -> io::Result<Burst>>,
}

#[derive(Default)]
struct Cases(Vec<Case>);

impl VisitStale for Cases {
    fn visit<R: Revalidate>(&mut self, info: Info, make: fn(Terms) -> R) {
        if info.name != PUNCTUAL {
            self.0.push(Case {
                info,
                measure: Box::new(move |threads, fresh| stale(make, threads, fresh)),
            });
        }
    }
}

/// Where the threads of a burst wait for each other.
#[derive(Default)]
struct Gate {
    state: Mutex<State>,
    opened: Condvar,
}

#[derive(Default)]
struct State {
    arrived: usize,
    /// Whether those who pass may ask. `None` while the gate is closed.
    opened: Option<bool>,
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics at the gate")
    }

    /// Waits for the opening. False if some thread did not start.
    fn pass(&self) -> bool {
        let mut state = self.state();
        state.arrived += 1;
        loop {
            match state.opened {
                Some(asks) => return asks,
                None => state = self.opened.wait(state).expect("nobody panics at the gate"),
            }
        }
    }

    fn open(&self, asks: bool) {
        self.state().opened = Some(asks);
        self.opened.notify_all();
    }

    fn await_arrivals(&self, threads: usize) {
        while self.state().arrived < threads {
            sleep(Duration::from_millis(1));
        }
    }
}

/// Starts the threads, which ask once when all are there.
fn released(threads: usize, ask: &(impl Fn() + Sync)) -> io::Result<Answers> {
    let gate = Gate::default();
    let work = || {
        let _entered = enter();
        let asks = gate.pass();
        let since = Instant::now();
        if asks {
            ask();
        }
        (since, Instant::now())
    };
    thread::scope(|scope| {
        let start = |_| Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        let started: io::Result<Vec<_>> = (0..threads).map(start).collect();
        if started.is_ok() {
            gate.await_arrivals(threads);
        }
        gate.open(started.is_ok());
        let joined = |worker: ScopedJoinHandle<'_, _>| worker.join();
        let answers = started?.into_iter().map(joined);
        Ok(answers.map(|answer| answer.expect("a request does not panic")).collect())
    })
}

fn stale<R: Revalidate>(
    make: fn(Terms) -> R,
    threads: usize,
    fresh: Duration,
) -> io::Result<Burst> {
    let _entered = enter();
    let ends: &'static Ends = Box::leak(Box::default());
    let compute = kept(move |_| {
        if !ends.lock().is_empty() {
            sleep(COMPUTE);
        }
        ends.lock().push(Instant::now());
    });
    let contender = make(Terms { fresh, compute });
    contender.ask(0);
    sleep(fresh + Duration::from_millis(10));
    let answers = released(threads, &|| {
        black_box(contender.ask(0));
    })?;
    sleep(COMPUTE * 2);
    let ends = ends.lock();
    Ok(Burst { answers, computes: ends.len() - 1, ended: ends.get(1).copied() })
}

fn floor(threads: usize, _: Duration) -> io::Result<Burst> {
    Ok(Burst { answers: released(threads, &|| ())?, computes: 0, ended: None })
}

fn row(
    info: Info,
    (threads, fresh): (usize, Duration),
    bursts: &[Burst],
    part: &mut Part,
) -> Vec<String> {
    let waits: Vec<_> = bursts.iter().flat_map(Burst::waits).collect();
    let all: Vec<_> = bursts.iter().map(|burst| burst.all().as_secs_f64() * 1e3).collect();
    let most = bursts.iter().map(|burst| burst.computes).max().unwrap_or_default();
    let late = bursts.iter().map(Burst::late).fold(f64::NAN, f64::max);
    let quick = bursts.iter().all(|burst| burst.all() < fresh);
    part.must(info.name != OURS || most == 1 || !quick, || {
        format!("{threads} threads: ours started {most} computes")
    });
    let computed = info.package != NOTHING;
    vec![
        info.name.to_owned(),
        grouped(threads as u64),
        if computed { most.to_string() } else { "-".into() },
        format!("{:.1}", quantile(&waits, 0.5)),
        format!("{:.1}", quantile(&waits, 0.99)),
        cell(&all),
        if computed { format!("{late:.1} %") } else { "-".into() },
    ]
}

/// The package of the floor.
const NOTHING: &str = "";

pub fn run(settings: &Settings) -> Part {
    let mut part = Part::new("A burst on one stale key");
    part.paragraph(&format!(
        "Many threads ask once for one stale key, all released at the same time. The compute takes {} ms. The table \
         shows the most computes of a burst, quantiles of the time of an answer, the time from the first request to \
         the last answer, and the share of requests that began before the compute ended and were answered after it. \
         With so many threads on few cores, an answer includes the time in which its thread was not scheduled. The \
         floor asks no cache: its threads read the clock twice. There are {ROUNDS} rounds.",
        COMPUTE.as_millis(),
    ));
    let mut cases = Cases::default();
    each_stale(&mut cases);
    let info = Info { name: "floor: no cache", package: NOTHING, clock: "none" };
    cases.0.push(Case { info, measure: Box::new(floor) });
    let before = inserts(settings);
    let (cases, fresh) = (cases.0, settings.either(FRESH, SHORT));
    let mut rows = Vec::new();
    for threads in settings.either([100, 10_000], [20, 100]) {
        let mut bursts: Vec<Vec<Burst>> = cases.iter().map(|_| Vec::new()).collect();
        for round in 0..settings.either(ROUNDS, 1) {
            for number in turns(cases.len(), round) {
                match (cases[number].measure)(threads, fresh) {
                    Ok(burst) => bursts[number].push(burst),
                    Err(why) => part.faults.push(format!("{threads} threads do not start: {why}")),
                }
            }
        }
        for (case, bursts) in cases.iter().zip(&bursts) {
            rows.push(row(case.info, (threads, fresh), bursts, &mut part));
        }
    }
    let header = [
        "contender",
        "threads",
        "computes",
        "P50, µs",
        "P99, µs",
        "all answers, ms",
        "answers after the compute",
    ];
    part.table(&header, rows);
    left(&mut part, &cases, &before, &inserts(settings));
    part
}

/// What a burst leaves behind in the process: libraries that reclaim memory keep a record of each thread.
fn left(
    part: &mut Part,
    cases: &[Case],
    before: &[(&'static str, f64)],
    after: &[(&'static str, f64)],
) {
    part.paragraph(
        "What the bursts leave behind, after all their threads have ended: one thread replaces values of a new cache, \
         in the same process, before the bursts and after them.",
    );
    let row = |((name, before), (_, after)): (&(&'static str, f64), &(&'static str, f64))| {
        let asked = cases.iter().any(|case| case.info.name == *name);
        let row = [
            (*name).to_owned(),
            format!("{before:.0}"),
            format!("{after:.0}"),
            against(after / before),
        ];
        asked.then(|| row.to_vec())
    };
    let rows = before.iter().zip(after).filter_map(row).collect();
    part.table(&["contender", "insert before, ns", "insert after, ns", "ratio"], rows);
}
