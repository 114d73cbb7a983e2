//! Misses, inserts and invalidations on one thread.

use super::{cell, compared};
use crate::contenders::{Contender, FIBRE, Info, OURS, Visit, each};
use crate::keys::Key;
use crate::measure::{Cost, Settings, cpu, rounds};
use crate::report::Part;
use crate::waiting::enter;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// How many keys come between two looks at the clock.
const BATCH: u64 = 4_096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Miss,
    Insert,
    Invalidate,
}

const OPERATIONS: [Operation; 3] = [Operation::Miss, Operation::Insert, Operation::Invalidate];

struct Case {
    info: Info,
    measure: Box<dyn Fn(Operation, Duration) -> Cost>,
}

#[derive(Default)]
struct Cases(Vec<Case>);

impl Visit for Cases {
    fn visit<C: Contender>(&mut self, info: Info, make: fn() -> C) {
        let _entered = enter();
        let contender = make();
        let keys: Vec<C::Key> = (0..BATCH).map(Key::of).collect();
        let measure = move |operation, time| measured(&contender, &keys, operation, time);
        self.0.push(Case { info, measure: Box::new(measure) });
    }
}

fn timed<K: Clone>(keys: &[K], mut one: impl FnMut(K)) -> Cost {
    // The copies are made before, so that they cost nothing.
    let owned = keys.to_vec();
    let since = cpu();
    owned.into_iter().for_each(|key| one(black_box(key)));
    Cost { operations: keys.len() as u64, time: cpu() - since }
}

fn measured<C: Contender>(
    contender: &C,
    keys: &[C::Key],
    operation: Operation,
    time: Duration,
) -> Cost {
    let _entered = enter();
    let (begin, mut all) = (Instant::now(), Cost::default());
    let insert = |key| contender.insert(key);
    let invalidate = |key: C::Key| contender.invalidate(&key);
    while begin.elapsed() < time || all.operations == 0 {
        all.add(match operation {
            Operation::Miss => {
                timed(keys, invalidate);
                timed(keys, |key| {
                    black_box(contender.hit(&key));
                })
            }
            Operation::Insert => {
                if all.operations == 0 {
                    timed(keys, insert);
                }
                timed(keys, insert)
            }
            Operation::Invalidate => {
                timed(keys, insert);
                timed(keys, invalidate)
            }
        });
    }
    all
}

/// The nanoseconds of an insert of each contender.
pub fn inserts(settings: &Settings) -> Vec<(&'static str, f64)> {
    let mut cases = Cases::default();
    each::<u64>(&mut cases);
    let one = |case: &Case| (case.measure)(Operation::Insert, settings.slice).nanos();
    cases.0.iter().map(|case| (case.info.name, one(case))).collect()
}

pub fn run(settings: &Settings) -> Part {
    let mut part = Part::new("Misses, inserts and invalidations");
    part.paragraph(
        "One thread. A *miss* asks for an absent key, and its compute returns a constant; the row \"ours, `get`\" only \
         finds that there is nothing. An *insert* replaces the value of a key. An *invalidation* removes a key. \
         cacheflight has no insert: it invalidates and computes. The cells are nanoseconds of processor time of one \
         operation. A cache that leaves work to its own threads shows only the caller's part.",
    );
    let mut cases = Cases::default();
    each::<u64>(&mut cases);
    let cases = cases.0;
    let samples = OPERATIONS.map(|operation| {
        rounds(settings.rounds, cases.len(), |number| {
            (cases[number].measure)(operation, settings.slice).nanos()
        })
    });
    let place = |name| cases.iter().position(|case| case.info.name == name);
    let (ours, fibre) = (place(OURS).expect("is there"), place(FIBRE).expect("is there"));
    let row = |(number, case): (usize, &Case)| {
        let mut row = vec![case.info.name.to_owned()];
        row.extend(samples.iter().map(|samples| cell(&samples[number])));
        row.extend(samples.iter().map(|samples| compared(samples, number, [ours, fibre])));
        row
    };
    let rows = cases.iter().enumerate().map(row).collect();
    let header = [
        "contender",
        "miss, ns",
        "insert, ns",
        "invalidation, ns",
        "miss to ours, fibre_cache",
        "insert to ours, fibre_cache",
        "invalidation to ours, fibre_cache",
    ];
    part.table(&header, rows);
    part
}
