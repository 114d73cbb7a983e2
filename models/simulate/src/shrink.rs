//! Cuts a failing run down: fewer arrivals, callers, keys and faults, less time, and a scheduler that does nothing
//! unusual but for a few choices.

use crate::case::{Case, DayToken, PLAIN};
use crate::chooser::{Choice, Chooser, Deviation};
use crate::plan::{Fault, Faults, Plan};
use crate::workload::{Act, Arrival, Origin, Sent, Traffic};
use crate::world::{self, Watch};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use xfetch_vocabulary::catalogue::Invariant;

/// What shrinking may cost.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Runs.
    pub runs: u32,
    /// Real time.
    pub time: Duration,
}

impl Default for Effort {
    fn default() -> Self {
        Self { runs: 6_000, time: Duration::from_secs(30) }
    }
}

/// A failing run that was cut down.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// Its token.
    pub token: DayToken,
    /// Arrivals before, and the runs that it took.
    pub from: usize,
    /// Runs.
    pub runs: u32,
    /// It could not be made smaller; otherwise the effort was over.
    pub is_minimal: bool,
}

/// The seeds of the schedules that are tried for a smaller case.
const STREAMS: u64 = 4;
/// The most arrivals with which shrinking begins: a longer run is cut from the front at once.
const FIRST: usize = 200_000;

struct Shrinker {
    invariant: Invariant,
    /// The scheduler of the run.
    switches: f64,
    passes: f64,
    stalls: f64,
    effort: Effort,
    began: Instant,
    runs: u32,
    best: Case,
}

/// Runs a failing plan again, and cuts it down. Nothing if the invariant is not violated again, or not by the run as data.
pub fn shrink(plan: &Plan, invariant: Invariant, effort: Effort) -> Option<Shrunk> {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let keeps = Arc::clone(&taken);
    let traffic = Traffic::new(plan).inspect(move |arrival| {
        keeps.lock().unwrap_or_else(PoisonError::into_inner).push(*arrival);
    });
    let chooser = Chooser::seeded(plan, 0, true);
    let (run, chooser) = world::run(plan, traffic, chooser, Watch::default());
    run.judge.violations().get(&invariant)?;
    let mut arrivals = std::mem::take(&mut *taken.lock().unwrap_or_else(PoisonError::into_inner));
    let from = arrivals.len();
    let first = arrivals.len().saturating_sub(FIRST);
    arrivals.drain(..first);
    arrivals.retain(|arrival: &Arrival| !matches!(arrival.act, Act::Begins(_)));
    arrivals.sort_by_key(|arrival| arrival.at);
    let case = Case {
        protocol: plan.protocol,
        options: plan.options,
        seed: plan.seed,
        pool: plan.pool,
        callers: plan.callers,
        length: plan.length,
        arrivals,
        deviations: chooser.noted.unwrap_or_default(),
    };
    let mut shrinker = Shrinker {
        invariant,
        switches: plan.switches,
        passes: plan.passes,
        stalls: plan.rate(Fault::Stragglers),
        effort,
        began: Instant::now(),
        runs: 0,
        best: case,
    };
    if first > 0 && !shrinker.tries(shrinker.best.clone()) {
        return None;
    }
    let is_minimal = shrinker.all();
    let Shrinker { best: case, runs, .. } = shrinker;
    let run = case.run(Watch::default());
    // As data a run differs in what a case does not have: the seed's length of a compute, and how often the state is read.
    run.judge.violations().get(&invariant)?;
    Some(Shrunk { token: case.token(&run), from, runs, is_minimal })
}

/// Cuts a failing case down. The same case if it does not fail.
pub fn shrink_case(case: Case, invariant: Invariant, effort: Effort) -> Case {
    let mut shrinker = Shrinker {
        invariant,
        switches: 0.3,
        passes: 0.0,
        stalls: 0.0,
        effort,
        began: Instant::now(),
        runs: 0,
        best: case,
    };
    shrinker.all();
    shrinker.best
}

impl Shrinker {
    fn is_over(&self) -> bool {
        self.runs >= self.effort.runs || self.began.elapsed() >= self.effort.time
    }

    fn violates(&mut self, case: &Case) -> bool {
        self.runs += 1;
        case.run(Watch::default()).judge.violations().contains_key(&self.invariant)
    }

    /// Keeps the case if it violates the invariant: with its own choices, with none, or with some that are drawn.
    fn tries(&mut self, mut case: Case) -> bool {
        if self.is_over() {
            return false;
        }
        if self.violates(&case) {
            self.best = case;
            return true;
        }
        let had_choices = !case.deviations.is_empty();
        case.deviations.clear();
        if had_choices && self.violates(&case) {
            self.best = case;
            return true;
        }
        // Where no choice was needed so far, none is needed now.
        if self.best.deviations.is_empty() {
            return false;
        }
        for stream in 1..=STREAMS {
            if self.is_over() {
                return false;
            }
            self.runs += 1;
            let mut plan = case.plan();
            (plan.switches, plan.passes, plan.is_steady) = (self.switches, self.passes, false);
            // The more arrivals are gone, the rarer a stall would be.
            let stalls = (self.stalls * 4.0).min(0.05);
            plan.faults = if stalls > 0.0 {
                Faults::from([(Fault::Stragglers, stalls)])
            } else {
                Faults::new()
            };
            let chooser = Chooser::seeded(&plan, stream, true);
            let arrivals = case.arrivals.clone().into_iter();
            let (run, chooser) = world::run(&plan, arrivals, chooser, Watch::default());
            if run.judge.violations().contains_key(&self.invariant) {
                let deviations = chooser.noted.unwrap_or_default();
                let noted = Case { deviations, ..case.clone() };
                if self.violates(&noted) {
                    self.best = noted;
                    return true;
                }
            }
        }
        false
    }

    /// Tries a change of the best case.
    fn with(&mut self, change: impl FnOnce(&mut Case)) -> bool {
        let mut case = self.best.clone();
        change(&mut case);
        case != self.best && self.tries(case)
    }

    /// Everything, until nothing helps. Whether it came to that.
    fn all(&mut self) -> bool {
        loop {
            let before = self.best.clone();
            self.suffix();
            self.arrivals();
            self.callers();
            self.options();
            self.acts();
            self.keys();
            self.choices();
            self.times();
            if self.is_over() {
                return false;
            }
            if self.best == before {
                return true;
            }
        }
    }

    /// A long run mostly needs its end alone.
    fn suffix(&mut self) {
        let mut length = 8;
        while length < self.best.arrivals.len() {
            let from = self.best.arrivals.len() - length;
            if self.with(|case| drop(case.arrivals.drain(..from))) {
                return;
            }
            length *= 4;
        }
    }

    fn arrivals(&mut self) {
        self.leave_out(
            |case| case.arrivals.len(),
            |of, part| of.with(|case| drop(case.arrivals.drain(part))),
        );
    }

    /// Delta debugging (Zeller and Hildebrandt 2002): ever smaller parts are left out.
    fn leave_out(
        &mut self,
        length: impl Fn(&Case) -> usize,
        without: impl Fn(&mut Self, Range<usize>) -> bool,
    ) {
        let mut size = length(&self.best).div_ceil(2);
        while size > 0 {
            let mut from = 0;
            while from < length(&self.best) && !self.is_over() {
                let to = (from + size).min(length(&self.best));
                if !without(self, from..to) {
                    from += size;
                }
            }
            size /= 2;
        }
    }

    fn callers(&mut self) {
        for callers in [1, 2, 3, 4, 6, 9, 14, 20, 30] {
            if callers >= self.best.callers || self.with(|case| case.callers = callers) {
                return;
            }
        }
    }

    fn options(&mut self) {
        self.with(|case| case.pool = None);
        self.with(|case| case.pool = case.pool.map(|_| (1, 1)));
        self.with(|case| case.pool = case.pool.map(|(_, queue)| (1, queue)));
        self.with(|case| case.options.shards = 1);
        self.with(|case| case.options.capacity = usize::MAX);
        self.with(|case| case.options.capacity = 1);
        self.with(|case| case.options.sweep_every = Duration::MAX);
        self.with(|case| case.options.wait_timeout = Duration::MAX);
        self.with(|case| case.options.compute_timeout = Duration::MAX);
        self.with(|case| case.options.idle = PLAIN.idle);
        self.with(|case| case.options.back_off = PLAIN.back_off);
        self.with(|case| case.options.back_off.1 = case.options.back_off.0);
        self.with(|case| case.options.beta = 0.0);
        self.with(|case| case.options.jitter = 0.0);
        self.with(|case| case.seed = 0);
        self.with(|case| case.options.payload = PLAIN.payload.min(case.options.storage));
        self.with(|case| case.options.storage = PLAIN.storage.max(case.options.payload));
        for digits in [1, 2] {
            self.with(|case| {
                let options = &mut case.options;
                for span in [
                    &mut options.payload,
                    &mut options.storage,
                    &mut options.idle,
                    &mut options.sweep_every,
                    &mut options.wait_timeout,
                    &mut options.compute_timeout,
                    &mut options.back_off.0,
                    &mut options.back_off.1,
                ] {
                    *span = round(*span, digits);
                }
                options.storage = options.storage.max(options.payload);
                options.back_off.1 = options.back_off.1.max(options.back_off.0);
            });
        }
    }

    /// Each arrival as harmless as it can be.
    fn acts(&mut self) {
        for place in 0..self.best.arrivals.len() {
            let ask = |case: &mut Case, change: &dyn Fn(&mut crate::workload::Ask)| {
                if let Some(Arrival { act: Act::Ask(ask), .. }) = case.arrivals.get_mut(place) {
                    change(ask);
                }
            };
            self.with(|case| ask(case, &|it| it.origin = Origin::Returns));
            self.with(|case| ask(case, &|it| it.executor = Sent::Runs));
            self.with(|case| ask(case, &|it| it.inner = None));
            self.with(|case| ask(case, &|it| it.takes = 0));
            self.with(|case| ask(case, &|it| it.takes = rounded(it.takes, 1)));
            self.with(|case| {
                if let Some(arrival) = case.arrivals.get_mut(place)
                    && let Act::InsertThatAsks(key) = arrival.act
                {
                    arrival.act = Act::Insert(key);
                }
            });
        }
    }

    /// One key if that does, and small numbers.
    fn keys(&mut self) {
        self.with(|case| case.arrivals.iter_mut().for_each(|it| it.act = it.act.with_keys(|_| 0)));
        self.with(|case| {
            let mut names = BTreeMap::new();
            for key in case.arrivals.iter().flat_map(|it| it.act.keys()) {
                let next = names.len() as u64;
                names.entry(key).or_insert(next);
            }
            for arrival in &mut case.arrivals {
                arrival.act = arrival.act.with_keys(|key| names[&key]);
            }
        });
    }

    /// As few choices as will do, and short stalls.
    fn choices(&mut self) {
        self.leave_out(
            |case| case.deviations.len(),
            |of, part| of.exactly(|case| drop(case.deviations.drain(part))),
        );
        for place in 0..self.best.deviations.len() {
            self.exactly(|case| {
                if let Some(Deviation { choice: Choice::Stall(_, span), .. }) =
                    case.deviations.get_mut(place)
                {
                    *span = rounded(*span, 1);
                }
            });
        }
    }

    /// Tries a change of the choices: others would make it worse.
    fn exactly(&mut self, change: impl FnOnce(&mut Case)) -> bool {
        let mut case = self.best.clone();
        change(&mut case);
        let is_better = case != self.best && !self.is_over() && self.violates(&case);
        if is_better {
            self.best = case;
        }
        is_better
    }

    /// Less time between the arrivals, and round numbers.
    fn times(&mut self) {
        let shift = |case: &mut Case, place: usize, to: &dyn Fn(u64) -> u64| {
            let before = if place == 0 { 0 } else { case.arrivals[place - 1].at };
            let gap = case.arrivals[place].at - before;
            let less = gap - to(gap).min(gap);
            for arrival in &mut case.arrivals[place..] {
                arrival.at -= less;
            }
        };
        for place in 0..self.best.arrivals.len() {
            let done = self.exactly(|case| shift(case, place, &|_| 0))
                || self.exactly(|case| shift(case, place, &|gap| gap / 2))
                || self.exactly(|case| shift(case, place, &|gap| rounded(gap, 1)));
            if !done {
                self.exactly(|case| shift(case, place, &|gap| rounded(gap, 2)));
            }
        }
        let last = self.best.arrivals.last().map_or(0, |arrival| arrival.at);
        for length in [last, last * 2] {
            let length = round(Duration::from_nanos(length + 1_000_000_000), 2);
            if self.exactly(|case| case.length = case.length.min(length)) {
                return;
            }
        }
        self.exactly(|case| case.length = round(case.length, 2));
    }
}

/// The span with so many digits, not longer than it is.
fn rounded(nanos: u64, digits: u32) -> u64 {
    let places = nanos.checked_ilog10().unwrap_or(0);
    let unit = 10_u64.pow(places.saturating_sub(digits - 1));
    nanos / unit * unit
}

fn round(span: Duration, digits: u32) -> Duration {
    match u64::try_from(span.as_nanos()) {
        Ok(nanos) => Duration::from_nanos(rounded(nanos, digits)),
        // It has no end.
        Err(_) => span,
    }
}
