//! An origin that always fails, and is asked a thousand times a second.

use crate::contenders::{Attempt, OURS, each_failing};
use crate::measure::Settings;
use crate::report::Part;
use crate::waiting::enter;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_millis(1);

/// A counter of attempts, and the function that counts one.
fn counter() -> (&'static AtomicU64, Attempt) {
    let count: &'static AtomicU64 = Box::leak(Box::default());
    let attempt = move || {
        count.fetch_add(1, Ordering::Relaxed);
    };
    (count, Box::leak(Box::new(attempt)))
}

/// Asks every millisecond. The answer is how often it asked.
fn polled(ask: Box<dyn Fn() + Send>, time: Duration) -> u64 {
    let _entered = enter();
    let (begin, mut asked) = (Instant::now(), 0);
    while begin.elapsed() < time {
        ask();
        asked += 1;
        let next = begin + PERIOD * asked;
        sleep(next.saturating_duration_since(Instant::now()));
    }
    asked.into()
}

pub fn run(settings: &Settings) -> Part {
    let time = settings.either(Duration::from_secs(3), Duration::from_millis(150));
    let mut part = Part::new("An origin that fails");
    part.paragraph(&format!(
        "A thread asks for one key a thousand times a second, for {} s, and every compute fails at once. All \
         contenders run at the same time. The cells are attempts a second: of an absent key, and of the refresh of a \
         stale key. Ours backs off, by default for 100 ms after the first failure and up to 30 s later, so its rate \
         goes down with the time of the measurement.",
        time.as_secs_f64(),
    ));
    let mut counts = Vec::new();
    let contenders = {
        let _entered = enter();
        each_failing(|| {
            let ((absent, one), (stale, other)) = (counter(), counter());
            counts.push((absent, stale));
            (one, other)
        })
    };
    // What was inserted fresh is stale now.
    sleep(Duration::from_millis(10));
    let mut rows = Vec::new();
    thread::scope(|scope| {
        let mut running = Vec::new();
        for contender in contenders {
            let info = contender.info;
            let absent = scope.spawn(move || polled(contender.absent, time));
            let stale = contender.stale.map(|ask| scope.spawn(move || polled(ask, time)));
            running.push((info, absent, stale));
        }
        for ((info, absent, stale), counts) in running.into_iter().zip(&counts) {
            let rate =
                |count: &AtomicU64| count.load(Ordering::Relaxed) as f64 / time.as_secs_f64();
            let asked = absent.join().expect("a polling thread does not panic");
            let kept = stale.is_some();
            let _ = stale.map(|thread| thread.join().expect("a polling thread does not panic"));
            let (absent, stale) = (rate(counts.0), rate(counts.1));
            let backs_off = absent < 50.0 && stale < 50.0;
            part.must(info.name != OURS || backs_off, || "ours does not back off".to_owned());
            rows.push(vec![
                info.name.to_owned(),
                format!("{absent:.1}"),
                if kept { format!("{stale:.1}") } else { "keeps none".into() },
                format!("{:.0}", asked as f64 / time.as_secs_f64()),
            ]);
        }
    });
    part.table(&["contender", "absent key", "stale key", "requests a second"], rows);
    part
}
