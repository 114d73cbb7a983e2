//! Processor time of a thread, rounds in which the contenders take turns, and quartiles.

use crate::contenders::Contender;
use crate::waiting::enter;
use rustix::time::{ClockId, clock_gettime};
use std::fmt;
use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How long and how often things are measured.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub rounds: usize,
    /// The time of a contender in one round.
    pub slice: Duration,
    pub smoke: bool,
}

impl Settings {
    /// `full` in a run that counts, `smoke` in one that only tries everything.
    pub fn either<T>(&self, full: T, smoke: T) -> T {
        if self.smoke { smoke } else { full }
    }
}

/// The processor time of this thread so far.
pub fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Operations and the processor time that they took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    pub operations: u64,
    pub time: Duration,
}

impl Cost {
    pub fn add(&mut self, other: Self) {
        self.operations += other.operations;
        self.time += other.time;
    }

    /// Millions of operations per second of processor time.
    pub fn mops(self) -> f64 {
        self.operations as f64 / self.time.as_secs_f64() / 1e6
    }

    pub fn nanos(self) -> f64 {
        self.time.as_secs_f64() * 1e9 / self.operations as f64
    }
}

/// How many operations come between two looks at the flag that ends a measurement.
const BATCH: usize = 256;

/// Asks for the drawn keys on each thread until the time is over. Each thread starts at another draw.
pub fn hits<C: Contender>(contender: &C, draws: &[C::Key], threads: usize, time: Duration) -> Cost {
    let stop = AtomicBool::new(false);
    let begin = Barrier::new(threads + 1);
    let work = |number: usize| {
        let _entered = enter();
        let mut at = draws.len() / threads * number;
        begin.wait();
        let (since, mut operations) = (cpu(), 0);
        while !stop.load(Ordering::Relaxed) {
            for _ in 0..BATCH {
                black_box(contender.hit(black_box(&draws[at])));
                at = if at + 1 == draws.len() { 0 } else { at + 1 };
            }
            operations += BATCH as u64;
        }
        Cost { operations, time: cpu() - since }
    };
    thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads).map(|number| scope.spawn(move || work(number))).collect();
        begin.wait();
        thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        let mut all = Cost::default();
        for worker in workers {
            all.add(worker.join().expect("a measured thread does not panic"));
        }
        all
    })
}

/// The order of the contenders in a round: each round begins with another one.
pub fn turns(contenders: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..contenders).map(move |number| (number + round) % contenders)
}

/// Measures each of `count` contenders once in each round. The answer has the samples of each contender, in the
/// order of the rounds.
pub fn rounds<T>(rounds: usize, count: usize, mut one: impl FnMut(usize) -> T) -> Vec<Vec<T>> {
    let mut samples: Vec<Vec<T>> = (0..count).map(|_| Vec::new()).collect();
    for round in 0..rounds {
        for number in turns(count, round) {
            samples[number].push(one(number));
        }
    }
    samples
}

/// The quartiles of some samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quartiles {
    pub first: f64,
    pub median: f64,
    pub third: f64,
}

impl Quartiles {
    pub fn of(samples: &[f64]) -> Self {
        Self {
            first: quantile(samples, 0.25),
            median: quantile(samples, 0.5),
            third: quantile(samples, 0.75),
        }
    }
}

impl fmt::Display for Quartiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, median, third } = self;
        write!(f, "{median:.1} ({first:.1} to {third:.1})")
    }
}

/// The median of the ratios of two contenders, round by round.
pub fn ratio(of: &[f64], to: &[f64]) -> f64 {
    let ratios: Vec<_> = of.iter().zip(to).map(|(of, to)| of / to).collect();
    quantile(&ratios, 0.5)
}

/// The quantile `at` of some samples, interpolated. NaN if there are none.
pub fn quantile(samples: &[f64], at: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = last as f64 * at;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    low + (high - low) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::{Quartiles, quantile, ratio, turns};

    #[test]
    fn quartiles_are_interpolated() {
        let Quartiles { first, median, third } = Quartiles::of(&[4.0, 1.0, 3.0, 2.0, 5.0]);
        assert_eq!((first, median, third), (2.0, 3.0, 4.0));
        assert_eq!(quantile(&[1.0, 2.0], 0.5), 1.5);
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn a_ratio_compares_samples_of_one_round() {
        assert_eq!(ratio(&[2.0, 20.0, 6.0], &[1.0, 10.0, 2.0]), 2.0);
    }

    #[test]
    fn each_round_begins_with_another_contender() {
        assert_eq!(turns(3, 0).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(turns(3, 2).collect::<Vec<_>>(), [2, 0, 1]);
    }
}
