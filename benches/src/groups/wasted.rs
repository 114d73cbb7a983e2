//! Wasted computes: those that start although their key was just refreshed.

use super::kept;
use crate::contenders::ours::PUNCTUAL;
use crate::contenders::{Info, OURS, Revalidate, Terms, VisitStale, each_stale};
use crate::measure::Settings;
use crate::report::Part;
use crate::waiting::enter;
use parking_lot::Mutex;
use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const FRESH: Duration = Duration::from_millis(30);
const COMPUTE: Duration = Duration::from_micros(20);
/// A compute that starts less than this too early is not called wasted: clocks differ.
const SLACK: Duration = Duration::from_millis(1);
/// With many keys, more windows pass in the same time.
const MANY: u64 = 16;

/// The begin and the end of each compute of a key.
type Log = Mutex<Vec<(Instant, Instant)>>;

/// What a run found.
#[derive(Clone, Copy, Default)]
struct Found {
    computes: usize,
    wasted: usize,
    requests: u64,
}

/// How many threads ask for how many keys, and how long.
#[derive(Clone, Copy)]
struct Race {
    threads: usize,
    keys: u64,
    time: Duration,
}

struct Case {
    info: Info,
    measure: Box<dyn Fn(Race) -> Found>,
}

#[derive(Default)]
struct Cases(Vec<Case>);

impl VisitStale for Cases {
    fn visit<R: Revalidate>(&mut self, info: Info, make: fn(Terms) -> R) {
        let measure = move |race| measured(make, race);
        self.0.push(Case { info, measure: Box::new(measure) });
    }
}

/// Threads ask for every key in turn. Each compute is noted.
fn measured<R: Revalidate>(make: fn(Terms) -> R, Race { threads, keys, time }: Race) -> Found {
    let logs: &'static [Log] = Box::leak((0..keys).map(|_| Log::default()).collect());
    let compute = kept(move |key| {
        let begin = Instant::now();
        while begin.elapsed() < COMPUTE {
            spin_loop();
        }
        logs[key as usize].lock().push((begin, Instant::now()));
    });
    let contender = {
        let _entered = enter();
        make(Terms { fresh: FRESH, compute })
    };
    let (stop, requests) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let _entered = enter();
                let mut asked = 0;
                while !stop.load(Ordering::Relaxed) {
                    for key in 0..keys {
                        black_box(contender.ask(key));
                    }
                    asked += keys;
                }
                requests.fetch_add(asked, Ordering::Relaxed);
            });
        }
        thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
    });
    let mut found = Found { requests: requests.into_inner(), ..Found::default() };
    for log in logs {
        let mut log = log.lock().clone();
        log.sort();
        found.computes += log.len();
        found.wasted += wasted(&log);
    }
    found
}

/// The computes that began before the value of an earlier one was stale. A value is published after its compute ended,
/// so it is stale a little later than is assumed here.
fn wasted(log: &[(Instant, Instant)]) -> usize {
    let mut latest: Option<Instant> = None;
    let mut wasted = 0;
    for (begin, end) in log {
        wasted += usize::from(latest.is_some_and(|latest| *begin + SLACK < latest + FRESH));
        latest = latest.max(Some(*end));
    }
    wasted
}

pub fn run(settings: &Settings) -> Part {
    let mut part = Part::new("Wasted computes");
    part.paragraph(&format!(
        "Threads ask for a few keys in turn, as fast as they can. A value is fresh for {} ms, and a compute takes {} \
         µs. A compute is *wasted* if it starts although a value of its key was computed less than {} ms before. A \
         window is a compute that was not wasted. A waste needs a thread that is interrupted between its look at the \
         stale value and its claim. So wastes come by the second: with {MANY} keys the windows are {MANY} times as \
         many, and the share of wasted computes is smaller. The row \"ours\" may also refresh \
         early (XFetch), above all after a compute that was interrupted and so took long; the table counts that as \
         wasted.",
        FRESH.as_millis(),
        COMPUTE.as_micros(),
        (FRESH - SLACK).as_millis(),
    ));
    let mut cases = Cases::default();
    each_stale(&mut cases);
    let mut rows = Vec::new();
    for (threads, keys) in [(8, 1), (4, MANY), (8, MANY)] {
        for case in &cases.0 {
            let ours = [OURS, PUNCTUAL].contains(&case.info.name);
            let full = match (keys, ours) {
                (1, _) => 3,
                (_, true) => 4,
                (_, false) => 2,
            };
            let time = settings.either(Duration::from_secs(full), Duration::from_millis(50));
            let found = (case.measure)(Race { threads, keys, time });
            part.must(case.info.name != PUNCTUAL || found.wasted == 0, || {
                format!("{}: {} wasted computes", case.info.name, found.wasted)
            });
            part.must(found.computes > 0, || format!("{} computed nothing", case.info.name));
            rows.push(row(case.info, (threads, keys), found, time));
        }
    }
    let header = [
        "contender",
        "threads",
        "keys",
        "windows",
        "wasted computes",
        "share of computes",
        "million requests a second",
    ];
    part.table(&header, rows);
    part
}

fn row(info: Info, (threads, keys): (usize, u64), found: Found, time: Duration) -> Vec<String> {
    let Found { computes, wasted, requests } = found;
    vec![
        info.name.to_owned(),
        threads.to_string(),
        keys.to_string(),
        (computes - wasted).to_string(),
        wasted.to_string(),
        format!("{:.1} %", wasted as f64 / computes.max(1) as f64 * 100.0),
        format!("{:.1}", requests as f64 / time.as_secs_f64() / 1e6),
    ]
}

#[cfg(test)]
mod tests {
    use super::wasted;
    use std::time::{Duration, Instant};

    #[test]
    fn a_compute_of_a_fresh_key_is_wasted() {
        let origin = Instant::now();
        let at = |millis| origin + Duration::from_millis(millis);
        assert_eq!(wasted(&[(at(0), at(1)), (at(31), at(32)), (at(70), at(71))]), 0);
        assert_eq!(wasted(&[(at(0), at(1)), (at(1), at(2)), (at(33), at(34))]), 1);
    }
}
