//! Fresh hits: by order of keys, number of threads and kind of key.

use super::{cell, compared, grouped};
use crate::contenders::{Contender, FIBRE, Info, OURS, Visit, each};
use crate::keys::{DRAWS, KEYS, Key, Order};
use crate::measure::{Cost, Settings, hits, quantile, rounds};
use crate::plot::{Line, lines};
use crate::report::Part;
use crate::waiting::enter;
use std::collections::HashMap;

/// A warm contender whose hits can be measured.
struct Case {
    info: Info,
    measure: Box<dyn Fn(&[u64], usize, &Settings) -> Cost>,
}

/// Makes a case of each contender.
#[derive(Default)]
struct Cases(Vec<Case>);

impl Visit for Cases {
    fn visit<C: Contender>(&mut self, info: Info, make: fn() -> C) {
        let contender = warm(make, KEYS);
        let keys: Vec<C::Key> = (0..KEYS).map(Key::of).collect();
        let measure = move |draws: &[u64], threads: usize, settings: &Settings| {
            let drawn: Vec<_> = draws.iter().map(|draw| keys[*draw as usize].clone()).collect();
            hits(&contender, &drawn, threads, settings.slice)
        };
        self.0.push(Case { info, measure: Box::new(measure) });
    }
}

/// A contender that has the keys. Each of the first was asked for too.
pub fn warm<C: Contender>(make: fn() -> C, keys: u64) -> C {
    let _entered = enter();
    let contender = make();
    for number in 0..keys {
        contender.insert(Key::of(number));
    }
    for number in 0..keys.min(DRAWS) {
        assert_ne!(contender.hit(&Key::of(number)), 0, "a contender has lost a key");
    }
    contender
}

/// The Mops of each case in each round.
type Samples = Vec<Vec<f64>>;

fn measured(cases: &[Case], order: Order, threads: usize, settings: &Settings) -> Samples {
    let draws = order.draws(KEYS);
    rounds(settings.rounds, cases.len(), |number| {
        (cases[number].measure)(&draws, threads, settings).mops()
    })
}

fn place(cases: &[Case], name: &str) -> usize {
    cases.iter().position(|case| case.info.name == name).expect("it is a contender")
}

/// A table: the clock, a column of each workload, and the ratios of one of them.
fn table(part: &mut Part, cases: &[Case], columns: &[(&str, Samples)], against: &[usize]) {
    let (ours, fibre) = (place(cases, OURS), place(cases, FIBRE));
    let mut header = vec!["contender".to_owned(), "clock of a hit".to_owned()];
    header.extend(columns.iter().map(|(name, _)| format!("{name}, Mops")));
    for column in against {
        let name = columns[*column].0;
        header.push(format!("{name}, to ours and {FIBRE}"));
    }
    let row = |(number, case): (usize, &Case)| {
        let mut row = vec![case.info.name.to_owned(), case.info.clock.to_owned()];
        row.extend(columns.iter().map(|(_, samples)| cell(&samples[number])));
        for column in against {
            row.push(compared(&columns[*column].1, number, [ours, fibre]));
        }
        row
    };
    let rows = cases.iter().enumerate().map(row).collect();
    let header: Vec<_> = header.iter().map(String::as_str).collect();
    part.table(&header, rows);
    let all = columns.iter().flat_map(|(_, samples)| samples).flatten();
    part.must(all.clone().all(|sample| sample.is_finite() && *sample > 0.0), || {
        "a contender served no hit".to_owned()
    });
}

const THREADS: [usize; 4] = [1, 2, 4, 8];

pub fn run(settings: &Settings) -> Part {
    let mut part = Part::new("Fresh hits");
    let mut cases = Cases::default();
    each::<u64>(&mut cases);
    let cases = cases.0;
    part.paragraph(&format!(
        "Each contender has {} keys, all fresh, with values of 64 bytes. The keys are `u64`, except for \
         cacheflight and amalgam, whose keys are text. Every thread asks for keys that were drawn before by Zipf's \
         law with exponent 0.99. A row \"ours\" is `get_or_compute` in the default configuration unless it says \
         otherwise. A floor is a map with an entry for each key and a look at the clock, without the rest of a \
         cache.",
        grouped(KEYS)
    ));
    let names = ["1 thread", "2 threads", "4 threads", "8 threads"];
    let zipf = THREADS.map(|threads| measured(&cases, Order::Zipf, threads, settings));
    let columns: Vec<_> = names.into_iter().zip(zipf).collect();
    table(&mut part, &cases, &columns, &[0, 1]);
    picture(&mut part, &cases, &columns);
    part.paragraph(
        "The same caches, asked for keys that are drawn evenly, and for one key alone. One key on \
         eight threads is the worst case of a contender that counts references: all threads write one count.",
    );
    let workloads = [
        ("uniform, 1 thread", Order::Uniform, 1),
        ("uniform, 8 threads", Order::Uniform, 8),
        ("one key, 1 thread", Order::OneKey, 1),
        ("one key, 8 threads", Order::OneKey, 8),
    ];
    let columns: Vec<_> = workloads
        .map(|(name, order, threads)| (name, measured(&cases, order, threads, settings)))
        .into();
    table(&mut part, &cases, &columns, &[3]);
    drop(cases);
    by_text(&mut part, settings);
    part
}

fn by_text(part: &mut Part, settings: &Settings) {
    let mut cases = Cases::default();
    each::<String>(&mut cases);
    part.paragraph(
        "Keys of text, drawn by Zipf's law. A contender looks them up by `&str` if its interface allows that. \
         fibre_cache needs a `&String`.",
    );
    let columns = [("1 thread", 1), ("2 threads", 2)]
        .map(|(name, threads)| (name, measured(&cases.0, Order::Zipf, threads, settings)));
    table(part, &cases.0, &columns, &[0, 1]);
}

fn picture(part: &mut Part, cases: &[Case], columns: &[(&str, Samples)]) {
    let line = |(number, case): (usize, &Case)| {
        let median = |samples: &Samples| quantile(&samples[number], 0.5);
        let points = THREADS
            .iter()
            .zip(columns)
            .map(|(threads, (_, samples))| ((*threads as f64).log2(), median(samples)));
        Line { name: case.info.name.to_owned(), points: points.collect() }
    };
    let drawn: Vec<_> = cases.iter().enumerate().map(line).collect();
    let ticks: HashMap<i64, &str> = [(0, "1"), (1, "2"), (2, "4"), (3, "8")].into();
    let svg = lines("threads", "Mops", &drawn, &ticks);
    part.picture("hits.svg", "Fresh hits by the number of threads", svg);
}
