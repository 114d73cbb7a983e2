//! The books of a run: what its report is made of, hour by hour; and what the field report asks of a day.

use crate::chooser::Chooser;
use crate::judge::Counts;
use crate::plan::{Fault, Plan};
use crate::workload::{Act, HANGS, Origin, Sent, Traffic};
use crate::world::{self, Run, Watch};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use xfetch_core_shuttle::Usage;
use xfetch_vocabulary::catalogue::Invariant;

/// Books are kept by the hour; in shorter runs by the twentieth part.
const HOUR: Duration = Duration::from_secs(3_600);
/// A run that is longer is reported by the day.
const TWO_DAYS: Duration = Duration::from_secs(48 * 3_600);
/// The most looks that are kept: ten weeks of minutes.
const MOST_SAMPLES: usize = 70 * 1_440;
/// The field report wants that share of the triggers without a compute of their own.
pub const EFFICIENCY: f64 = 0.9;
/// Fewer requests than this share may get an error.
pub const ERRORS: f64 = 0.01;

/// An hour.
#[derive(Clone, Debug)]
pub struct Hour {
    /// What was counted.
    pub counts: Counts,
    /// Requests that got a value.
    pub answered: u64,
    /// Requests that got an error.
    pub refused: u64,
    /// Requests that nobody took: no caller was free in time.
    pub left: u64,
    /// Microseconds of virtual time from a request's arrival to its answer.
    pub latency: Histogram<u64>,
    /// The most bytes of the lease table.
    pub lease_bytes: usize,
    /// The most leases that were held at once.
    pub leases: usize,
    /// The longest time for which a lease was held.
    pub oldest: Duration,
}

/// A look at the service.
#[derive(Clone, Debug)]
pub struct Sample {
    /// When.
    pub at: Duration,
    /// The counters of the cache of then.
    pub counts: Counts,
    /// Its keys.
    pub keys: usize,
    /// Its leases.
    pub leases: usize,
    /// Its slots.
    pub slots: usize,
    /// Bytes of its store.
    pub store_bytes: usize,
    /// Bytes of its lease table.
    pub lease_bytes: usize,
    /// How long the oldest lease was held.
    pub oldest: Duration,
    /// The counts of the whole run so far. They do not begin again at a restart.
    pub all: Counts,
}

/// The books.
#[derive(Debug)]
pub struct Books {
    period: Duration,
    length: Duration,
    /// The hours.
    pub hours: Vec<Hour>,
    /// The looks: one a minute, or a thousand of a shorter run. Of more than ten weeks some are dropped.
    pub samples: Vec<Sample>,
    /// Every so many looks one is kept.
    stride: u64,
    looks: u64,
    last: Counts,
    last_look: Duration,
    /// How often each fault came. What is not in it cannot be counted here.
    faults: BTreeMap<Fault, u64>,
    /// A request whose compute takes longer is slow, in nanoseconds.
    slow: u64,
    /// The longest time that a key took to get a new value when everything was well again.
    pub healing: Duration,
    /// The run came to its end.
    pub complete: bool,
}

/// Whether something is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Pass,
    /// It is not.
    Fail,
    /// It did not come up.
    Nothing,
}

impl Verdict {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Nothing => "nothing to judge",
        }
    }

    fn of(passes: Option<bool>) -> Self {
        match passes {
            Some(true) => Self::Pass,
            Some(false) => Self::Fail,
            None => Self::Nothing,
        }
    }
}

/// One of the things that the field report asked of 24 hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Criterion {
    /// Its name.
    pub name: &'static str,
    /// What it asks, and how that is computed.
    pub asks: &'static str,
    /// What was seen.
    pub seen: String,
    /// Whether that is enough.
    pub verdict: Verdict,
}

/// The four criteria of the field report's monitoring. `made_up` says that an error came without a reason.
pub fn criteria(hours: &[Hour], made_up: bool) -> [Criterion; 4] {
    let all = Hour::sum(hours);
    let errors = all.errors();
    // Of the hours in which it came up, those that pass, and all of them.
    let count = |of: fn(&Hour) -> Option<bool>| {
        let passes: Vec<bool> = hours.iter().filter_map(of).collect();
        (passes.iter().filter(|passes| **passes).count(), passes.len())
    };
    let each = |(passed, all): (usize, usize)| (all > 0).then_some(passed == all);
    let (skips, refreshes) = (count(Hour::shows_skips), count(Hour::refreshes));
    let efficiency = all.counts.efficiency();
    let percent =
        |share: Option<f64>| share.map_or("none".into(), |it| format!("{:.2} %", it * 100.0));
    [
        Criterion {
            name: "errors",
            asks: "no error without a reason (healthy-origin-no-error), and errors / requests < 1 %",
            seen: format!(
                "{} of the requests, {} without a reason",
                percent(errors),
                if made_up { "at least one" } else { "none" }
            ),
            verdict: Verdict::of(errors.map(|share| share < ERRORS && !made_up)),
        },
        Criterion {
            name: "efficiency",
            asks: "1 - computes / (stale hits + misses + nominations) >= 90 %",
            seen: percent(efficiency),
            verdict: Verdict::of(efficiency.map(|share| share >= EFFICIENCY)),
        },
        Criterion {
            name: "skips visible",
            asks: "each hour with contention (a lease that another request held) has a skip, before the lease or inside",
            seen: format!("{} of {} such hours", skips.0, skips.1),
            verdict: Verdict::of(each(skips)),
        },
        Criterion {
            name: "refresh alive",
            asks: "each hour with stale hits has a published value",
            seen: format!("{} of {} such hours", refreshes.0, refreshes.1),
            verdict: Verdict::of(each(refreshes)),
        },
    ]
}

impl Hour {
    /// Requests.
    pub fn requests(&self) -> u64 {
        self.answered + self.refused + self.left
    }

    /// The share of the requests that got an error. `None` without a request.
    pub fn errors(&self) -> Option<f64> {
        let requests = self.requests();
        (requests > 0).then(|| self.refused as f64 / requests as f64)
    }

    /// Whether a skip came in an hour with contention. `None` without contention.
    pub fn shows_skips(&self) -> Option<bool> {
        let skips = self.counts.skipped_before + self.counts.skipped_inside;
        (self.counts.contended > 0).then_some(skips > 0)
    }

    /// Whether a value was published in an hour with stale hits. `None` without stale hits.
    pub fn refreshes(&self) -> Option<bool> {
        (self.counts.hits_stale > 0).then_some(self.counts.published > 0)
    }

    /// What is wrong with the service in this hour. Nothing if 99 % of the requests got a value, nobody left, and
    /// stale values are refreshed.
    pub fn ails(&self) -> Vec<&'static str> {
        let mut ails = Vec::new();
        if self.errors().is_some_and(|share| share >= ERRORS) {
            ails.push("errors");
        }
        if self.left > 0 {
            ails.push("left");
        }
        if self.refreshes() == Some(false) {
            ails.push("refresh");
        }
        ails
    }

    /// The latency of this share of the requests, in milliseconds.
    pub fn latency_ms(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1_000.0
    }

    /// Several hours as one: counts are added, and of the lease table the most is kept.
    pub fn sum(hours: &[Self]) -> Self {
        let mut sum = Self::new();
        for hour in hours {
            sum.counts.add(&hour.counts);
            sum.answered += hour.answered;
            sum.refused += hour.refused;
            sum.left += hour.left;
            // It grows as it must.
            let _ = sum.latency.add(&hour.latency);
            sum.lease_bytes = sum.lease_bytes.max(hour.lease_bytes);
            sum.leases = sum.leases.max(hour.leases);
            sum.oldest = sum.oldest.max(hour.oldest);
        }
        sum
    }

    fn new() -> Self {
        Self {
            counts: Counts::default(),
            answered: 0,
            refused: 0,
            left: 0,
            // Two digits, in microseconds. It grows with the longest time.
            latency: Histogram::new(2).unwrap_or_else(|_| unreachable!("two digits are allowed")),
            lease_bytes: 0,
            leases: 0,
            oldest: Duration::ZERO,
        }
    }
}

impl Books {
    /// Empty books.
    pub fn new(plan: &Plan) -> Self {
        let period = HOUR.min(plan.length / 20).max(Duration::from_nanos(1));
        let nanos = |span: Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Self {
            period,
            length: plan.length,
            // Without a fault a compute takes at most twice as long as planned.
            slow: nanos(plan.takes.saturating_mul(2)),
            faults: plan.faults.keys().filter(|it| is_seen(**it)).map(|it| (*it, 0)).collect(),
            ..Self::empty()
        }
    }

    pub(crate) fn empty() -> Self {
        Self {
            period: HOUR,
            length: HOUR,
            hours: Vec::new(),
            samples: Vec::new(),
            stride: 1,
            looks: 0,
            last: Counts::default(),
            last_look: Duration::ZERO,
            faults: BTreeMap::new(),
            slow: u64::MAX,
            healing: Duration::ZERO,
            complete: false,
        }
    }

    /// How long an hour of these books is.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// How long requests come, and so how long the books are.
    pub fn length(&self) -> Duration {
        self.length
    }

    /// How often this fault came. `None` if it cannot be seen in what came.
    pub fn fault(&self, fault: Fault, counts: &Counts) -> Option<u64> {
        match fault {
            Fault::TinyCapacity => Some(counts.evicted),
            fault => self.faults.get(&fault).copied(),
        }
    }

    /// The days of a run of more than 48 hours.
    pub fn days(&self) -> Option<Vec<Vec<Hour>>> {
        (self.length > TWO_DAYS).then(|| self.hours.chunks(24).map(<[Hour]>::to_vec).collect())
    }

    fn hour(&mut self, now: Duration) -> &mut Hour {
        // What ends after the traffic belongs to its last hour.
        let last = (self.length.as_nanos().saturating_sub(1) / self.period.as_nanos()) as usize;
        let hour = ((now.as_nanos() / self.period.as_nanos()) as usize).min(last);
        while self.hours.len() <= hour {
            self.hours.push(Hour::new());
        }
        &mut self.hours[hour]
    }

    pub(crate) fn comes(&mut self, act: &Act) {
        match act {
            Act::Ask(ask) => {
                match ask.origin {
                    Origin::Returns => {}
                    Origin::Fails => self.happens(Fault::Errors),
                    Origin::Panics => self.happens(Fault::Panics),
                }
                match ask.executor {
                    Sent::Runs => {}
                    Sent::Refused => self.happens(Fault::RejectedJobs),
                    Sent::Dies(_) => self.happens(Fault::DyingWorkers),
                }
                if ask.inner.is_some() {
                    self.happens(Fault::NestedComputes);
                }
                if u128::from(ask.takes) == self.length.min(HANGS).as_nanos() {
                    self.happens(Fault::HungComputes);
                } else if ask.takes > self.slow {
                    self.happens(Fault::SlowComputes);
                }
            }
            Act::Insert(_) => self.happens(Fault::Inserts),
            Act::InsertThatAsks(_) => self.happens(Fault::AskingDrops),
            Act::Invalidate(_) | Act::InvalidateAll => self.happens(Fault::InvalidationStorms),
            Act::Sweep => self.happens(Fault::Sweeps),
            Act::StepBack(_) => self.happens(Fault::ClockSteps),
            Act::StandStill(_) => self.happens(Fault::ClockStalls),
            Act::Restart => self.happens(Fault::Restarts),
            Act::Begins(fault) => self.happens(*fault),
        }
    }

    fn happens(&mut self, fault: Fault) {
        self.happened(fault, 1);
    }

    /// Counts a fault, if it is one of the plan.
    pub(crate) fn happened(&mut self, fault: Fault, times: u64) {
        if let Some(count) = self.faults.get_mut(&fault) {
            *count += times;
        }
    }

    pub(crate) fn left(&mut self, now: Duration) {
        self.hour(now).left += 1;
    }

    pub(crate) fn answered(&mut self, now: Duration, took: Duration, has_value: bool) {
        let hour = self.hour(now);
        if has_value {
            hour.answered += 1;
        } else {
            hour.refused += 1;
        }
        // It grows with the longest time. To saturate would mean not to grow.
        let _ = hour.latency.record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    pub(crate) fn looks(&mut self, now: Duration, counts: Counts, of_cache: Counts, usage: &Usage) {
        let oldest = usage.oldest_lease.unwrap_or_default();
        let hour = self.counted(now, counts);
        hour.lease_bytes = hour.lease_bytes.max(usage.lease_bytes);
        hour.leases = hour.leases.max(usage.leases);
        hour.oldest = hour.oldest.max(oldest);
        if self.samples.len() >= MOST_SAMPLES {
            let mut odd = false;
            self.samples.retain(|_| {
                odd = !odd;
                odd
            });
            self.stride *= 2;
        }
        let is_kept = self.looks.is_multiple_of(self.stride);
        self.looks += 1;
        if !is_kept {
            return;
        }
        self.samples.push(Sample {
            at: now,
            counts: of_cache,
            keys: usage.keys,
            leases: usage.leases,
            slots: usage.slots,
            store_bytes: usage.store_bytes,
            lease_bytes: usage.lease_bytes,
            oldest,
            all: counts,
        });
    }

    /// Gives what was counted since the last look to the hour in the middle between the two.
    fn counted(&mut self, now: Duration, counts: Counts) -> &mut Hour {
        let new = counts.since(&self.last);
        self.last = counts;
        let middle = self.last_look + now.saturating_sub(self.last_look) / 2;
        self.last_look = now;
        let hour = self.hour(middle);
        hour.counts.add(&new);
        hour
    }

    pub(crate) fn healed(&mut self, took: Duration) {
        self.healing = self.healing.max(took);
    }

    pub(crate) fn ends(&mut self) {
        self.complete = true;
    }
}

/// Whether this fault comes now and then. A capacity is there all the time.
fn is_seen(fault: Fault) -> bool {
    fault != Fault::TinyCapacity
}

/// A run of a seed, with what its report needs.
pub struct Report {
    /// The plan.
    pub plan: Plan,
    /// The run.
    pub run: Run,
    /// How long it took in real time.
    pub real: Duration,
    /// The command that repeats it.
    pub command: String,
}

impl Report {
    /// Runs a plan with the traffic and the choices of its seed.
    ///
    /// It is here so that the whole run is compiled with this crate, and not with the one that asks for it.
    pub fn of(plan: Plan, watch: Watch, command: String) -> Self {
        let began = Instant::now();
        let chooser = Chooser::seeded(&plan, 0, false);
        let (run, _) = world::run(&plan, Traffic::new(&plan), chooser, watch);
        Self { plan, run, real: began.elapsed(), command }
    }

    /// The criteria of the field report.
    pub fn criteria(&self) -> [Criterion; 4] {
        let made_up = self.run.judge.violations().contains_key(&Invariant::HealthyOriginNoError);
        criteria(&self.run.books.hours, made_up)
    }

    /// How often each fault of the plan came.
    pub fn faults(&self) -> Vec<(Fault, Option<u64>)> {
        let Self { plan, run, .. } = self;
        let count = |fault: &Fault| (*fault, run.books.fault(*fault, run.judge.counts()));
        plan.faults.keys().map(count).collect()
    }

    /// Faults of the plan and events that never came.
    pub fn missing(&self) -> Vec<&'static str> {
        let faults = self.faults().into_iter();
        let faults = faults.filter(|(_, count)| *count == Some(0)).map(|(fault, _)| fault.slug());
        let events = self.run.judge.counts().all();
        faults.chain(events.filter(|(_, count)| *count == 0).map(|(name, _)| name)).collect()
    }

    /// Whether the run came to its end.
    pub fn is_complete(&self) -> bool {
        self.run.books.complete && !self.run.cut
    }
}

#[cfg(test)]
mod tests {
    use super::{Books, Hour, Verdict, criteria};
    use crate::judge::Counts;
    use crate::plan::{Plan, Shape, Wishes};
    use std::time::Duration;

    fn plan(length: Duration) -> Plan {
        Plan::new(&Wishes {
            shape: Shape::Service,
            length: Some(length),
            faults: Some(Vec::new()),
            ..Wishes::fleet(1, 0)
        })
    }

    fn hour(counts: Counts, answered: u64, refused: u64) -> Hour {
        Hour { counts, answered, refused, ..Hour::new() }
    }

    fn verdicts(hours: &[Hour], made_up: bool) -> [Verdict; 4] {
        criteria(hours, made_up).map(|criterion| criterion.verdict)
    }

    #[test]
    fn one_error_in_a_hundred_requests_is_too_many() {
        let of = |answered, refused, made_up| {
            verdicts(&[hour(Counts::default(), answered, refused)], made_up)[0]
        };
        assert_eq!(of(991, 9, false), Verdict::Pass);
        assert_eq!(of(990, 10, false), Verdict::Fail);
        assert_eq!(of(1_000, 0, true), Verdict::Fail);
        assert_eq!(of(0, 0, false), Verdict::Nothing);
    }

    #[test]
    fn errors_are_a_share_of_all_hours_and_not_of_each() {
        let hours = [hour(Counts::default(), 0, 1), hour(Counts::default(), 999, 0)];
        assert_eq!(verdicts(&hours, false)[0], Verdict::Pass);
    }

    #[test]
    fn ninety_of_a_hundred_triggers_without_a_compute_are_enough() {
        let of = |computes| {
            let counts =
                Counts { hits_stale: 50, misses: 30, nominated: 20, computes, ..Counts::default() };
            verdicts(&[hour(counts, 1, 0)], false)[1]
        };
        assert_eq!(of(10), Verdict::Pass);
        assert_eq!(of(11), Verdict::Fail);
        assert_eq!(verdicts(&[hour(Counts::default(), 1, 0)], false)[1], Verdict::Nothing);
    }

    #[test]
    fn one_hour_with_contention_and_without_a_skip_fails() {
        let quiet = hour(Counts::default(), 1, 0);
        let shown = hour(Counts { contended: 5, skipped_before: 1, ..Counts::default() }, 1, 0);
        let inside = hour(Counts { contended: 5, skipped_inside: 1, ..Counts::default() }, 1, 0);
        let hidden = hour(Counts { contended: 1, ..Counts::default() }, 1, 0);
        let of = |hours: &[&Hour]| {
            let hours: Vec<_> = hours.iter().map(|hour| (*hour).clone()).collect();
            verdicts(&hours, false)[2]
        };
        assert_eq!(of(&[&quiet]), Verdict::Nothing);
        assert_eq!(of(&[&quiet, &shown, &inside]), Verdict::Pass);
        assert_eq!(of(&[&shown, &hidden]), Verdict::Fail);
    }

    #[test]
    fn an_hour_with_stale_hits_and_without_a_published_value_fails() {
        let dead =
            hour(Counts { hits_stale: 1, computes: 1, failed: 1, ..Counts::default() }, 1, 0);
        let alive = hour(Counts { hits_stale: 9, published: 1, ..Counts::default() }, 1, 0);
        assert_eq!(verdicts(std::slice::from_ref(&alive), false)[3], Verdict::Pass);
        assert_eq!(verdicts(&[alive, dead.clone()], false)[3], Verdict::Fail);
        assert_eq!(dead.ails(), ["refresh"]);
    }

    #[test]
    fn a_look_at_the_end_of_an_hour_counts_for_that_hour() {
        let mut books = Books::new(&plan(Duration::from_secs(24 * 3_600)));
        for minute in 1..=120 {
            let counts = Counts { computes: minute, ..Counts::default() };
            books.counted(Duration::from_secs(minute * 60), counts);
        }
        let computes: Vec<_> = books.hours.iter().map(|hour| hour.counts.computes).collect();
        assert_eq!(computes, [60, 60]);
    }

    #[test]
    fn an_answer_after_a_minute_is_a_latency_of_a_minute() {
        let mut books = Books::new(&plan(Duration::from_secs(24 * 3_600)));
        books.answered(Duration::ZERO, Duration::from_secs(60), true);
        let slowest = books.hours[0].latency_ms(1.0);
        assert!((slowest - 60_000.0).abs() < 600.0, "{slowest}");
    }

    #[test]
    fn a_sum_has_the_latencies_of_all_hours() {
        let mut hours = [Hour::new(), Hour::new()];
        hours[0].latency.record(1_000).expect("it grows");
        hours[1].latency.record(90_000_000).expect("it grows");
        let sum = Hour::sum(&hours);
        assert_eq!(sum.latency.len(), 2);
        assert!((sum.latency_ms(1.0) - 90_000.0).abs() < 900.0, "{}", sum.latency_ms(1.0));
    }

    #[test]
    fn a_run_of_two_days_has_hours_and_a_longer_one_has_days() {
        let hours = |hours: u64| Books::new(&plan(Duration::from_secs(hours * 3_600)));
        assert!(hours(48).days().is_none());
        assert!(hours(49).days().is_some());
    }
}
