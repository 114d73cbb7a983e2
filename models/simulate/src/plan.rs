//! The plan of a run: the service, its traffic, and what goes wrong. It is drawn from a seed.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::time::Duration;
use xfetch_on_sections::Options;
use xfetch_vocabulary::catalogue::{PAYLOAD, Protocol, STORAGE};
use xfetch_vocabulary::slugs;

slugs! {
    /// Something that goes wrong.
    Fault, "fault",
    /// A compute returns an error.
    Errors = "errors",
    /// A compute panics.
    Panics = "panics",
    /// The origin is down for some minutes: every compute fails.
    Outages = "outages",
    /// A compute takes longer than a lifetime.
    SlowComputes = "slow-computes",
    /// A compute does not return before the end of the day.
    HungComputes = "hung-computes",
    /// The executor refuses a refresh.
    RejectedJobs = "rejected-jobs",
    /// The executor takes a refresh, and its worker dies before it runs.
    DyingWorkers = "dying-workers",
    /// A task stops between two sections, for longer than any lifetime.
    Stragglers = "stragglers",
    /// The cache's clock steps back.
    ClockSteps = "clock-steps",
    /// The cache's clock stands still.
    ClockStalls = "clock-stalls",
    /// A key is invalidated many times in a row, or all keys are.
    InvalidationStorms = "invalidation-storms",
    /// Values are inserted while they are computed.
    Inserts = "inserts",
    /// A value is inserted whose drop asks for its key.
    AskingDrops = "asking-drops",
    /// A sweep comes at any moment.
    Sweeps = "sweeps",
    /// There is room for a few of the keys only.
    TinyCapacity = "tiny-capacity",
    /// The cache and its pool are shut down, and others take their place.
    Restarts = "restarts",
    /// A compute asks for another key, which may ask for the first one.
    NestedComputes = "nested-computes",
    /// Many requests of one key come at the same moment.
    Bursts = "bursts",
    /// Many keys are written at the same moment, so that they expire together.
    MassExpiry = "mass-expiry",
}

/// The faults of a run, each with its rate from 0 to 1.
pub type Faults = BTreeMap<Fault, f64>;

/// How the service looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A service: the lifetimes of the field report, a pool, 16 shards, traffic that has a day and a night.
    Service,
    /// Anything that the builder takes: lifetimes, shards, workers and time-outs are drawn from the seed.
    Any,
}

/// What the user has asked for. What is `None` is drawn from the seed, or is the default of the shape.
#[derive(Clone, Debug)]
pub struct Wishes {
    /// The seed.
    pub seed: u64,
    /// The protocol.
    pub protocol: Protocol,
    /// The shape.
    pub shape: Shape,
    /// Requests.
    pub requests: u64,
    /// The virtual time of the traffic.
    pub length: Option<Duration>,
    /// Keys.
    pub keys: Option<u64>,
    /// Callers.
    pub callers: Option<usize>,
    /// The payload TTL.
    pub payload: Option<Duration>,
    /// The storage TTL.
    pub storage: Option<Duration>,
    /// The most keys of the cache.
    pub capacity: Option<usize>,
    /// The jitter of lifetimes.
    pub jitter: Option<f64>,
    /// The faults. By default each seed has its own.
    pub faults: Option<Vec<Fault>>,
}

impl Wishes {
    /// A run of a fleet: anything goes, and the seed decides.
    pub fn fleet(seed: u64, requests: u64) -> Self {
        Self {
            seed,
            protocol: Protocol::DoubleRecheck,
            shape: Shape::Any,
            requests,
            length: None,
            keys: None,
            callers: None,
            payload: None,
            storage: None,
            capacity: None,
            jitter: None,
            faults: None,
        }
    }
}

/// A run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// The protocol.
    pub protocol: Protocol,
    /// How many requests come, about.
    pub requests: u64,
    /// How long they come.
    pub length: Duration,
    /// How many keys there are.
    pub keys: u64,
    /// The exponent of Zipf's law.
    pub zipf: f64,
    /// Whether the traffic has a day and a night.
    pub waves: bool,
    /// How many requests can be under way.
    pub callers: usize,
    /// The cache.
    pub options: Options,
    /// The workers of its pool and the places of the queue. Without a pool callers run refreshes.
    pub pool: Option<(usize, usize)>,
    /// How long a compute takes that nothing is wrong with.
    pub takes: Duration,
    /// What goes wrong.
    pub faults: Faults,
    /// How often the scheduler takes another task than the one that ran last.
    pub switches: f64,
    /// How often it lets time pass although a task could go on.
    pub passes: f64,
    /// No task stands still, and no time passes while one could go on.
    pub is_steady: bool,
    /// Whether `Metrics` counts the events of the last cache at the end, and is compared.
    pub counted: bool,
    /// How often a run is looked at, unless that is less than a minute of virtual time.
    pub looks: u32,
}

/// A number between the two, each order of magnitude as likely as the others.
fn spread(random: &mut StdRng, least: Duration, most: Duration) -> Duration {
    let (least, most) = (least.as_nanos().max(1) as f64, most.as_nanos().max(1) as f64);
    let drawn = random.random_range(least.ln()..=most.ln()).exp();
    Duration::from_nanos(drawn as u64)
}

/// Nobody asks a key while its compute takes longer, so that longer lifetimes only make runs longer.
const MILLISECOND: Duration = Duration::from_millis(1);

impl Plan {
    /// The plan of a seed.
    pub fn new(wishes: &Wishes) -> Self {
        let mut random = StdRng::seed_from_u64(wishes.seed);
        let random = &mut random;
        // Everything is drawn, whatever is wished, so that a wish changes nothing else.
        let any = Self::any(random, wishes);
        let faults = swarm(random);
        let mut plan = match wishes.shape {
            Shape::Any => any,
            Shape::Service => Self::service(wishes),
        };
        plan.faults = match &wishes.faults {
            Some(named) => named.iter().map(|fault| (*fault, rate(*fault))).collect(),
            None => faults,
        };
        let tiny = plan.faults.get(&Fault::TinyCapacity).map(|_| (plan.keys / 8).max(1) as usize);
        plan.options.payload = wishes.payload.unwrap_or(plan.options.payload);
        plan.options.storage =
            wishes.storage.unwrap_or(plan.options.storage.max(plan.options.payload));
        plan.options.capacity = wishes.capacity.or(tiny).unwrap_or(plan.options.capacity);
        plan.options.shards = plan
            .options
            .shards
            .min(plan.options.capacity.max(1))
            .min(1 << plan.options.capacity.max(1).ilog2());
        plan.counted = wishes.shape == Shape::Any && wishes.seed.is_multiple_of(4);
        plan.is_steady = plan.passes == 0.0 && plan.rate(Fault::Stragglers) == 0.0;
        plan.options.jitter = wishes.jitter.unwrap_or(plan.options.jitter);
        plan
    }

    /// The service of the field report: fresh for 5 s, kept for 120 s, four workers.
    fn service(wishes: &Wishes) -> Self {
        let callers = wishes.callers.unwrap_or(64);
        Self {
            seed: wishes.seed,
            protocol: wishes.protocol,
            requests: wishes.requests,
            length: wishes.length.unwrap_or(Duration::from_secs(24 * 3_600)),
            keys: wishes.keys.unwrap_or(1_000),
            zipf: 1.0,
            waves: true,
            callers,
            options: Options {
                payload: PAYLOAD,
                storage: STORAGE,
                shards: 16,
                capacity: usize::MAX,
                idle: Duration::from_secs(60),
                sweep_every: Duration::from_secs(300),
                wait_timeout: Duration::from_secs(30),
                compute_timeout: Duration::from_secs(60),
                beta: 1.0,
                back_off: (Duration::from_millis(100), Duration::from_secs(30)),
                jitter: 0.0,
            },
            pool: Some((4, 1_024)),
            takes: Duration::from_millis(40),
            faults: Faults::new(),
            switches: 0.3,
            passes: 0.0,
            is_steady: true,
            counted: false,
            looks: 1_000,
        }
    }

    fn any(random: &mut StdRng, wishes: &Wishes) -> Self {
        let mut one_of = |numbers: &[f64]| numbers[random.random_range(0..numbers.len())];
        let switches = one_of(&[0.02, 0.3, 1.0]);
        let passes = one_of(&[0.0, 0.001, 0.02]);
        let zipf = one_of(&[0.0, 0.7, 1.0, 1.5]);
        let beta = one_of(&[0.0, 1.0, 1.0, 10.0]);
        let shards = one_of(&[1.0, 1.0, 2.0, 16.0]) as usize;
        let keys = one_of(&[1.0, 2.0, 5.0, 20.0, 200.0]) as u64;
        let callers = one_of(&[2.0, 3.0, 5.0, 16.0, 40.0]) as usize;
        let pool = match one_of(&[0.0, 0.0, 1.0, 1.0, 2.0, 4.0]) as usize {
            0 => None,
            workers => Some((workers, one_of(&[1.0, 4.0, 64.0]) as usize)),
        };
        let jitter = one_of(&[0.0, 0.0, 0.1, 0.9]);
        let (payload, storage) = lifetimes(random);
        let longer = [payload, storage][random.random_range(0..2)];
        let gap = spread(random, longer / 1_000, longer / 3);
        let initial = spread(random, MILLISECOND, Duration::from_secs(10));
        let cap = spread(random, initial, initial.saturating_mul(100));
        let idle = spread(random, MILLISECOND, Duration::from_secs(120));
        let takes = spread(random, payload / 10_000, payload);
        let wait_timeout = timeout(random, takes);
        let compute_timeout = timeout(random, takes);
        // Not so often that a run is sweeps and little else.
        let least =
            gap.max(MILLISECOND).max(storage.saturating_add(cap).saturating_add(idle) / 1_000);
        let sweep_every =
            spread(random, least, gap.saturating_mul(1_000).max(least.saturating_mul(2)));
        let sweep_every = or_never(random, sweep_every);
        let gaps = u32::try_from(wishes.requests.max(1)).unwrap_or(u32::MAX);
        Self {
            seed: wishes.seed,
            protocol: wishes.protocol,
            requests: wishes.requests,
            length: wishes.length.unwrap_or(gap.saturating_mul(gaps)),
            keys: wishes.keys.unwrap_or(keys),
            zipf,
            waves: random.random_bool(0.5),
            callers: wishes.callers.unwrap_or(callers),
            options: Options {
                payload,
                storage,
                shards,
                capacity: usize::MAX,
                idle,
                sweep_every,
                wait_timeout,
                compute_timeout,
                beta,
                back_off: (initial, cap),
                jitter,
            },
            pool,
            takes,
            faults: Faults::new(),
            switches,
            passes,
            is_steady: true,
            counted: false,
            looks: 1_000,
        }
    }

    /// Whether this goes wrong, and how often.
    pub fn rate(&self, fault: Fault) -> f64 {
        self.faults.get(&fault).copied().unwrap_or(0.0)
    }
}

/// The lifetime of a payload and that of what is stored. The twins of the lifetimes are made for those of the field
/// report, so most runs have them.
fn lifetimes(random: &mut StdRng) -> (Duration, Duration) {
    let payload = if random.random_range(0..3) < 2 {
        PAYLOAD
    } else {
        spread(random, MILLISECOND, PAYLOAD.saturating_mul(100))
    };
    let storage = match random.random_range(0..4) {
        0 | 1 => STORAGE.max(payload),
        2 => payload,
        _ => spread(random, payload, STORAGE.max(payload.saturating_mul(2))),
    };
    (payload, storage)
}

/// A time-out for a compute that takes so long, or none.
fn timeout(random: &mut StdRng, takes: Duration) -> Duration {
    let longest = takes.saturating_mul(1_000).saturating_add(MILLISECOND);
    let span = spread(random, takes, longest);
    or_never(random, span)
}

fn or_never(random: &mut StdRng, span: Duration) -> Duration {
    if random.random_bool(0.4) { Duration::MAX } else { span }
}

/// Swarm testing: each seed has its own choice of faults (Groce et al., "Swarm Testing", ISSTA 2012). A run with all of
/// them finds less, because some faults hide what others show.
fn swarm(random: &mut StdRng) -> Faults {
    let share = [0.1, 0.3, 0.6][random.random_range(0..3)];
    let mut faults = Faults::new();
    for fault in Fault::ALL {
        let is_on = random.random_bool(share);
        let rate = rate(*fault) * random.random_range(-2.0_f64..1.5).exp2();
        if is_on {
            faults.insert(*fault, rate.min(1.0));
        }
    }
    faults
}

/// The middle rate of a fault: of requests, of computes, or of steps of the scheduler.
fn rate(fault: Fault) -> f64 {
    match fault {
        Fault::Errors => 0.1,
        Fault::Panics => 0.03,
        Fault::SlowComputes => 0.03,
        Fault::HungComputes => 0.0005,
        Fault::RejectedJobs | Fault::DyingWorkers => 0.1,
        Fault::Stragglers => 0.0005,
        Fault::ClockSteps | Fault::ClockStalls => 0.001,
        Fault::InvalidationStorms => 0.003,
        Fault::Inserts | Fault::AskingDrops => 0.02,
        Fault::Sweeps => 0.01,
        Fault::Restarts => 0.0005,
        Fault::NestedComputes => 0.2,
        Fault::Bursts => 0.005,
        Fault::MassExpiry => 0.0005,
        Fault::Outages => 0.0005,
        Fault::TinyCapacity => 1.0,
    }
}
