//! What comes to the service: requests, writes, and faults that happen at a moment. Arrivals are drawn one by one.

use crate::plan::{Fault, Plan};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Exp1, Zipf};
use std::collections::VecDeque;
use std::f64::consts::TAU;
use std::time::Duration;

/// How long a compute hangs. For longer, and each caller of a service would hang in the end.
pub(crate) const HANGS: Duration = Duration::from_secs(2 * 3_600);
/// A day in nanoseconds.
const DAY: f64 = 24.0 * 3_600.0 * 1e9;

/// Something that comes at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The moment, in nanoseconds since the start.
    pub at: u64,
    /// What comes.
    pub act: Act,
}

/// What comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A request of a key.
    Ask(Ask),
    /// An insert of a key.
    Insert(u64),
    /// An insert of a key with a value whose drop asks for it.
    InsertThatAsks(u64),
    /// An invalidation of a key.
    Invalidate(u64),
    /// An invalidation of all keys.
    InvalidateAll,
    /// A sweep.
    Sweep,
    /// The cache's clock steps back by so many nanoseconds.
    StepBack(u64),
    /// The cache's clock stands still for so many nanoseconds.
    StandStill(u64),
    /// The cache and its pool make way for new ones.
    Restart,
    /// Nothing: a fault that is made of several arrivals begins.
    Begins(Fault),
}

/// A request, and what becomes of its compute if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The key.
    pub key: u64,
    /// The key that its compute asks for.
    pub inner: Option<u64>,
    /// How long its compute takes, in nanoseconds.
    pub takes: u64,
    /// What its compute does.
    pub origin: Origin,
    /// What the executor does with its refresh.
    pub executor: Sent,
}

/// What a compute does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It returns a value.
    Returns,
    /// It returns an error.
    Fails,
    /// It panics.
    Panics,
}

/// What the executor does with a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It runs it.
    Runs,
    /// It refuses it.
    Refused,
    /// It takes it, and its worker dies so many nanoseconds later.
    Dies(u64),
}

/// The traffic of a plan.
pub struct Traffic {
    plan: Plan,
    random: StdRng,
    zipf: Option<Zipf<f64>>,
    now: f64,
    asked: u64,
    /// What follows from what came before, the soonest first.
    soon: VecDeque<Arrival>,
    /// The origin is down until then.
    down_until: u64,
}

impl Traffic {
    /// The traffic of a plan.
    pub fn new(plan: &Plan) -> Self {
        let zipf = (plan.zipf > 0.0).then(|| Zipf::new(plan.keys as f64, plan.zipf).ok()).flatten();
        // Another stream than the one that drew the plan.
        let random = StdRng::seed_from_u64(plan.seed ^ 0x7261_6666_6963);
        let soon = VecDeque::new();
        Self { plan: plan.clone(), random, zipf, now: 0.0, asked: 0, soon, down_until: 0 }
    }

    fn key(&mut self) -> u64 {
        match &self.zipf {
            Some(zipf) => (zipf.sample(&mut self.random) as u64).clamp(1, self.plan.keys) - 1,
            None => self.random.random_range(0..self.plan.keys),
        }
    }

    fn happens(&mut self, fault: Fault) -> bool {
        let rate = self.plan.rate(fault);
        rate > 0.0 && self.random.random_bool(rate.min(1.0))
    }

    /// Between the two, each order of magnitude as likely as the others.
    fn span(&mut self, least: Duration, most: Duration) -> u64 {
        let (least, most) = (least.as_nanos().max(1) as f64, most.as_nanos().max(2) as f64);
        self.random.random_range(least.ln()..=most.ln().max(least.ln())).exp() as u64
    }

    fn ask(&mut self, key: u64, at: u64) -> Ask {
        let plan = &self.plan;
        let (takes, storage) = (plan.takes, plan.options.storage.min(Duration::from_secs(86_400)));
        let length = plan.length;
        let mut ask = Ask {
            key,
            inner: None,
            takes: (takes.as_nanos() as f64 * self.random.random_range(0.5..2.0)) as u64,
            origin: Origin::Returns,
            executor: Sent::Runs,
        };
        if self.happens(Fault::SlowComputes) {
            ask.takes = self.span(takes, storage * 2);
        }
        if self.happens(Fault::HungComputes) {
            ask.takes = u64::try_from(length.min(HANGS).as_nanos()).unwrap_or(u64::MAX);
        }
        if self.happens(Fault::Panics) {
            ask.origin = Origin::Panics;
        }
        if self.happens(Fault::Errors) || at < self.down_until {
            ask.origin = Origin::Fails;
        }
        if self.happens(Fault::RejectedJobs) {
            ask.executor = Sent::Refused;
        }
        if self.happens(Fault::DyingWorkers) {
            ask.executor = Sent::Dies(self.span(Duration::from_nanos(1), storage));
        }
        if self.happens(Fault::NestedComputes) {
            ask.inner = Some(self.key());
        }
        ask
    }

    /// What comes with this request beside it.
    fn beside(&mut self, at: u64) {
        let (payload, storage) = {
            let options = &self.plan.options;
            let day = Duration::from_secs(86_400);
            (options.payload.min(day), options.storage.min(day))
        };
        let mut soon = Vec::new();
        // Nothing comes after the end of the day.
        let end = u64::try_from(self.plan.length.as_nanos()).unwrap_or(u64::MAX);
        let mut add = |at: u64, act: Act| soon.push(Arrival { at: at.min(end), act });
        if self.happens(Fault::Inserts) {
            add(at + self.span(Duration::from_nanos(1), payload), Act::Insert(self.key()));
        }
        if self.happens(Fault::AskingDrops) {
            let (at, key) = (at + self.span(Duration::from_nanos(1), payload), self.key());
            add(at, Act::InsertThatAsks(key));
            // The worst moment for it to go: it has expired, a compute has seen it, and a sweep removes it.
            let expired = at + storage.as_nanos() as u64 + 1;
            let ask = Ask { origin: Origin::Fails, inner: None, ..self.ask(key, expired) };
            add(expired, Act::Ask(ask));
            add(expired + ask.takes / 2, Act::Sweep);
        }
        if self.happens(Fault::Sweeps) {
            add(at, Act::Sweep);
        }
        if self.happens(Fault::InvalidationStorms) {
            let key = self.key();
            let most = self.span(Duration::from_nanos(1), payload);
            for _ in 0..self.random.random_range(1..12) {
                let act = if self.random.random_bool(0.1) {
                    Act::InvalidateAll
                } else {
                    Act::Invalidate(key)
                };
                add(at + self.random.random_range(0..=most), act);
            }
        }
        if self.happens(Fault::ClockSteps) {
            add(at, Act::StepBack(self.span(payload / 1_000, storage * 2)));
        }
        if self.happens(Fault::ClockStalls) {
            add(at, Act::StandStill(self.span(payload / 1_000, storage * 2)));
        }
        if self.happens(Fault::Restarts) {
            add(at, Act::Restart);
        }
        if self.happens(Fault::Outages) {
            self.down_until = at + self.span(payload, storage * 5);
            add(at, Act::Begins(Fault::Outages));
        }
        if self.happens(Fault::MassExpiry) {
            add(at, Act::Begins(Fault::MassExpiry));
            (0..self.plan.keys.min(1_000)).for_each(|key| add(at, Act::Insert(key)));
        }
        if self.happens(Fault::Bursts) {
            add(at, Act::Begins(Fault::Bursts));
            let key = self.key();
            let most = self.span(Duration::from_nanos(1), payload);
            for _ in 0..self.random.random_range(2..100) {
                let at = at + self.random.random_range(0..=most);
                let ask = self.ask(key, at);
                self.asked += 1;
                add(at, Act::Ask(ask));
            }
        }
        if !soon.is_empty() {
            self.soon.extend(soon);
            self.soon.make_contiguous().sort_by_key(|arrival| arrival.at);
        }
    }

    /// How dense the traffic is now: 1 on average over a day, which begins with the night.
    fn density(&self) -> f64 {
        if self.plan.waves { 1.0 - 0.8 * (self.now / DAY * TAU).cos() } else { 1.0 }
    }

    /// The density from now to the end, summed up.
    fn ahead(&self, end: f64) -> f64 {
        let until = |at: f64| {
            if self.plan.waves { at - 0.8 * DAY / TAU * (at / DAY * TAU).sin() } else { at }
        };
        (until(end) - until(self.now)).max(0.0)
    }
}

impl Iterator for Traffic {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        let length = self.plan.length.as_nanos() as f64;
        let left = self.plan.requests.saturating_sub(self.asked);
        if left > 0 {
            // What is left comes in the time that is left, and the last ones at its end.
            let mean = self.ahead(length) / left as f64 / self.density();
            let gap: f64 = Exp1.sample(&mut self.random);
            let next = (self.now + gap * mean).min(length);
            match self.soon.front() {
                Some(first) if (first.at as f64) <= next => return self.soon.pop_front(),
                _ => {}
            }
            self.now = next;
            let at = next as u64;
            self.asked += 1;
            let key = self.key();
            let ask = self.ask(key, at);
            self.beside(at);
            return Some(Arrival { at, act: Act::Ask(ask) });
        }
        self.soon.pop_front()
    }
}
