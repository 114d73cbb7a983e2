//! Fresh hits by the number of keys.

use super::hits::warm;
use super::{against, cell, grouped};
use crate::contenders::{Contender, FIBRE, FLOOR, Info, OURS, Visit, each};
use crate::keys::{Key, Order};
use crate::measure::{Settings, hits, quantile, ratio, rounds};
use crate::plot::{Line, lines};
use crate::report::Part;
use std::collections::HashMap;

struct Case {
    info: Info,
    measure: Box<dyn Fn(&Settings) -> f64>,
}

struct Cases {
    keys: u64,
    cases: Vec<Case>,
}

impl Visit for Cases {
    fn visit<C: Contender>(&mut self, info: Info, make: fn() -> C) {
        if ![OURS, FIBRE, FLOOR].contains(&info.name) {
            return;
        }
        let contender = warm(make, self.keys);
        let draws: Vec<C::Key> = Order::Uniform.draws(self.keys).into_iter().map(Key::of).collect();
        let measure = move |settings: &Settings| hits(&contender, &draws, 1, settings.slice).mops();
        self.cases.push(Case { info, measure: Box::new(measure) });
    }
}

pub fn run(settings: &Settings) -> Part {
    let mut part = Part::new("Fresh hits by the number of keys");
    part.paragraph(
        "One thread asks for `u64` keys that are drawn evenly, so that the processor's caches help little once the \
         keys outgrow them. The cells are Mops.",
    );
    let sizes = settings.either([1_000, 10_000, 100_000, 1_000_000], [1_000, 2_000, 4_000, 8_000]);
    let mut rows = Vec::new();
    let mut drawn: Vec<Line> = Vec::new();
    for (place, keys) in sizes.into_iter().enumerate() {
        let mut cases = Cases { keys, cases: Vec::new() };
        each::<u64>(&mut cases);
        let cases = cases.cases;
        let samples =
            rounds(settings.rounds, cases.len(), |number| (cases[number].measure)(settings));
        let mut row = vec![grouped(keys)];
        row.extend(samples.iter().map(|samples| cell(samples)));
        row.extend(samples[1..].iter().map(|samples_of| against(ratio(&samples[0], samples_of))));
        for (case, samples) in cases.iter().zip(&samples) {
            let point = (place as f64, quantile(samples, 0.5));
            match drawn.iter_mut().find(|line| line.name == case.info.name) {
                Some(line) => line.points.push(point),
                None => drawn.push(Line { name: case.info.name.to_owned(), points: vec![point] }),
            }
        }
        rows.push(row);
    }
    part.table(&["keys", OURS, FIBRE, FLOOR, "ours to fibre_cache", "ours to the floor"], rows);
    let ticks: HashMap<i64, &str> =
        [(0, "1,000"), (1, "10,000"), (2, "100,000"), (3, "1,000,000")].into();
    part.picture(
        "growth.svg",
        "Fresh hits by the number of keys",
        lines("keys", "Mops", &drawn, &ticks),
    );
    part
}
