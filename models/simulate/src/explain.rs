//! What a failing case needs, and how likely it was from where.
//!
//! A day has too many continuations to count them. So before each unusual choice of the case they are sampled: the same
//! arrivals, the choices so far, and then a scheduler that draws.

use crate::case::Case;
use crate::chooser::Chooser;
use crate::plan::Plan;
use crate::world::{self, Run, Watch};
use std::time::{Duration, Instant};
use xfetch_vocabulary::catalogue::Invariant;

/// The continuations of one sample.
const SAMPLE: u64 = 200;
/// No sample begins after so long.
const TIME: Duration = Duration::from_secs(2);
/// How often the scheduler of a sample goes on with another task, and lets time pass.
const SWITCHES: f64 = 0.2;
const PASSES: f64 = 0.05;

/// An unusual choice of the scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unusual {
    /// The section that it led to, counted from 1.
    pub section: usize,
    /// Whether the invariant is not violated without it.
    pub is_needed: bool,
    /// Of the continuations from before it, drawn at random, how many violate the invariant, and how many there are.
    pub before: Option<(u64, u64)>,
}

/// What is known of a failing case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explained {
    /// How many of its arrivals are needed: without one of them the invariant is not violated. Nothing, if there was no
    /// time to leave out each of them.
    pub needed_arrivals: Option<usize>,
    /// Its unusual choices, in their order.
    pub unusual: Vec<Unusual>,
}

fn violates(run: &Run, invariant: Invariant) -> bool {
    run.judge.violations().contains_key(&invariant)
}

/// Explains why this run of the case violates the invariant.
pub fn explain(case: &Case, run: &Run, invariant: Invariant) -> Explained {
    let began = Instant::now();
    let still = |other: &Case| violates(&other.run(Watch::default()), invariant);
    let without_arrival = |place: usize| {
        let mut other = case.clone();
        other.arrivals.remove(place);
        other
    };
    let is_over = || began.elapsed() > TIME;
    let needed = |it: usize| (!is_over()).then(|| !still(&without_arrival(it)));
    let needed: Option<Vec<bool>> = (0..case.arrivals.len()).map(needed).collect();
    let needed_arrivals = needed.map(|all| all.into_iter().filter(|it| *it).count());
    let unusual = (0..case.deviations.len()).map(|place| {
        let mut without = case.clone();
        without.deviations.remove(place);
        let before = (!is_over()).then(|| sample(case, place, invariant));
        Unusual { section: section(case, run, place), is_needed: !still(&without), before }
    });
    Explained { needed_arrivals, unusual: unusual.collect() }
}

/// The first section that another execution has that has the unusual choices before this one alone.
fn section(case: &Case, run: &Run, place: usize) -> usize {
    let mut before = case.clone();
    before.deviations.truncate(place);
    let other = before.run(Watch { record: true, ..Watch::default() });
    let same = run.steps.iter().zip(&other.steps);
    let same = same.take_while(|((at, one), (its, other))| at == its && one.task == other.task);
    same.count() + 1
}

/// How many continuations from before this unusual choice violate the invariant, of how many.
fn sample(case: &Case, place: usize, invariant: Invariant) -> (u64, u64) {
    let plan = Plan { switches: SWITCHES, passes: PASSES, is_steady: false, ..case.plan() };
    let at = case.deviations.get(place).map_or(0, |it| it.place);
    let one = |stream: u64| {
        let chooser = Chooser::seeded(&plan, stream, false).after(&case.deviations[..place], at);
        let arrivals = case.arrivals.clone().into_iter();
        violates(&world::run(&plan, arrivals, chooser, Watch::default()).0, invariant)
    };
    ((0..SAMPLE).filter(|stream| one(*stream)).count() as u64, SAMPLE)
}
