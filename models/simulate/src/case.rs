//! A run as data: the cache, what comes to it, and the choices of the scheduler. A token is a case as text.

use crate::chooser::{Choice, Chooser, Deviation};
use crate::plan::{Fault, Faults, Plan};
use crate::workload::{Act, Arrival, Ask, Origin, Sent};
use crate::world::{self, Run, Watch};
use data_encoding::BASE64URL_NOPAD;
use std::fmt;
use std::time::Duration;
use xfetch_on_sections::Options;
use xfetch_vocabulary::catalogue::{PAYLOAD, Protocol, STORAGE, Unknown, shown};
use xfetch_vocabulary::seal::{CHECKSUM, MAX_LENGTH, sealed, unsealed};

/// A run as data.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The protocol.
    pub protocol: Protocol,
    /// The cache.
    pub options: Options,
    /// The seed of its draws.
    pub seed: u64,
    /// The workers of its pool and the places of the queue.
    pub pool: Option<(usize, usize)>,
    /// Callers.
    pub callers: usize,
    /// When everything is well again.
    pub length: Duration,
    /// What comes, in the order of time.
    pub arrivals: Vec<Arrival>,
    /// The choices of the scheduler that are not the first one.
    pub deviations: Vec<Deviation>,
}

/// The options of a case that says nothing else.
pub const PLAIN: Options = Options {
    payload: PAYLOAD,
    storage: STORAGE,
    shards: 1,
    capacity: usize::MAX,
    idle: Duration::from_secs(60),
    sweep_every: Duration::MAX,
    wait_timeout: Duration::MAX,
    compute_timeout: Duration::MAX,
    beta: 0.0,
    back_off: (Duration::from_secs(1), Duration::from_secs(1)),
    jitter: 0.0,
};

impl Case {
    /// The plan of the case.
    pub fn plan(&self) -> Plan {
        let keys =
            self.arrivals.iter().flat_map(|arrival| arrival.act.keys()).max().unwrap_or(0) + 1;
        let is_steady =
            self.deviations.iter().all(|deviation| matches!(deviation.choice, Choice::Run(_)));
        Plan {
            seed: self.seed,
            protocol: self.protocol,
            requests: self.arrivals.len() as u64,
            length: self.length,
            keys,
            zipf: 0.0,
            waves: false,
            callers: self.callers,
            options: self.options,
            pool: self.pool,
            takes: Duration::from_millis(1),
            faults: Faults::new(),
            switches: 0.0,
            passes: 0.0,
            is_steady,
            // Each look takes steps, which a timeline would show.
            looks: 10,
            counted: false,
        }
    }

    /// The token of this case, after this run of it.
    pub fn token(self, run: &Run) -> DayToken {
        DayToken { hash: run.judge.hash() as u32 & CHECKSUM, case: self }
    }

    /// Runs it.
    pub fn run(&self, watch: Watch) -> Run {
        let chooser = Chooser::data(&self.deviations, self.length);
        world::run(&self.plan(), self.arrivals.clone().into_iter(), chooser, watch).0
    }
}

impl Act {
    /// The keys that it names.
    pub fn keys(self) -> impl Iterator<Item = u64> {
        let keys = match self {
            Self::Ask(ask) => [Some(ask.key), ask.inner],
            Self::Insert(key) | Self::InsertThatAsks(key) | Self::Invalidate(key) => {
                [Some(key), None]
            }
            _ => [None, None],
        };
        keys.into_iter().flatten()
    }

    /// The same with other keys.
    pub fn with_keys(self, of: impl Fn(u64) -> u64) -> Self {
        match self {
            Self::Ask(ask) => Self::Ask(Ask { key: of(ask.key), inner: ask.inner.map(&of), ..ask }),
            Self::Insert(key) => Self::Insert(of(key)),
            Self::InsertThatAsks(key) => Self::InsertThatAsks(of(key)),
            Self::Invalidate(key) => Self::Invalidate(of(key)),
            other => other,
        }
    }
}

/// The version, at the beginning of every token of a case.
const VERSION: &str = "d1";
/// The most arrivals and deviations of a token.
const MOST: u64 = 10_000;

/// A case and 24 bits of the hash over its events: if a replay has others, the code has changed since.
#[derive(Clone, Debug, PartialEq)]
pub struct DayToken {
    /// The case.
    pub case: Case,
    /// The bits.
    pub hash: u32,
}

impl DayToken {
    /// Whether it can be read again: it is no longer than a token may be.
    pub fn is_readable(&self) -> bool {
        let Case { arrivals, deviations, .. } = &self.case;
        let most = arrivals.len().max(deviations.len()) as u64;
        most <= MOST && self.to_string().len() <= MAX_LENGTH
    }
}

/// Why a text is not such a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It is longer than any token.
    TooLong(usize),
    /// It has not four fields.
    Fields(usize),
    /// Its check does not fit.
    Check,
    /// The protocol is unknown.
    Unknown(Unknown),
    /// What it says cannot be carried out.
    Content(String),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(length) => write!(f, "{length} bytes: the limit is {MAX_LENGTH}"),
            Self::Fields(fields) => write!(f, "{fields} fields instead of 4"),
            Self::Check => {
                f.write_str("the check at its end does not fit: a character is wrong or missing")
            }
            Self::Unknown(unknown) => unknown.fmt(f),
            Self::Content(what) => write!(f, "it cannot be read: {}", shown(what)),
        }
    }
}

impl std::error::Error for Malformed {}

/// Whether a text looks like the token of a case.
pub fn is_of_a_case(text: &str) -> bool {
    text.trim_start().starts_with("d1:")
}

impl fmt::Display for DayToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, hash } = self;
        let mut out = Writer(Vec::new());
        out.case(case);
        let text = BASE64URL_NOPAD.encode(&out.0);
        f.write_str(&sealed(&format!("{VERSION}:{}:{text}", case.protocol), *hash))
    }
}

impl std::str::FromStr for DayToken {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let text = text.trim();
        if text.len() > MAX_LENGTH {
            return Err(Malformed::TooLong(text.len()));
        }
        let fields: Vec<_> = text.split(':').collect();
        let [_, protocol, data, _] = fields[..] else {
            return Err(Malformed::Fields(fields.len()));
        };
        let hash = unsealed(text).ok_or(Malformed::Check)?;
        let protocol: Protocol = protocol.parse().map_err(Malformed::Unknown)?;
        let content = |what: &str| Malformed::Content(what.to_owned());
        let bytes = BASE64URL_NOPAD.decode(data.as_bytes()).map_err(|_| content("its data"))?;
        let mut reader = Reader { bytes: &bytes };
        let case = reader.case(protocol).ok_or_else(|| content("its data end too soon"))?;
        if !reader.bytes.is_empty() {
            return Err(content("it has data behind its end"));
        }
        world::check(&case.plan()).map_err(|error| content(&error.to_string()))?;
        Ok(Self { case, hash })
    }
}

struct Writer(Vec<u8>);

impl Writer {
    /// Seven bits a byte, the lowest first.
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// Nanoseconds as a number and a power of ten: round spans are short.
    fn span(&mut self, nanos: u64) {
        let (mut number, mut tens) = (nanos, 0);
        while number > 0 && number % 10 == 0 {
            (number, tens) = (number / 10, tens + 1);
        }
        if number >> 59 > 0 {
            // Too long for the shift: all digits, marked by a power that no number has.
            self.number(31);
            self.number(nanos);
        } else {
            self.number(number << 5 | tens);
        }
    }

    fn duration(&mut self, span: Duration) {
        self.span(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX));
    }

    fn options(&mut self, options: &Options) {
        let Options { payload, storage, shards, capacity, idle, sweep_every, .. } = *options;
        let Options { wait_timeout, compute_timeout, beta, back_off, jitter, .. } = *options;
        let differs = [
            payload != PLAIN.payload,
            storage != PLAIN.storage,
            shards != PLAIN.shards,
            capacity != PLAIN.capacity,
            idle != PLAIN.idle,
            sweep_every != PLAIN.sweep_every,
            wait_timeout != PLAIN.wait_timeout,
            compute_timeout != PLAIN.compute_timeout,
            beta.to_bits() != PLAIN.beta.to_bits(),
            back_off != PLAIN.back_off,
            jitter.to_bits() != PLAIN.jitter.to_bits(),
        ];
        self.number(differs.iter().rev().fold(0, |bits, differs| bits << 1 | u64::from(*differs)));
        let values: [&dyn Fn(&mut Self); 11] = [
            &|out| out.duration(payload),
            &|out| out.duration(storage),
            &|out| out.number(shards as u64),
            &|out| out.number(capacity as u64),
            &|out| out.duration(idle),
            &|out| out.duration(sweep_every),
            &|out| out.duration(wait_timeout),
            &|out| out.duration(compute_timeout),
            &|out| out.number(beta.to_bits()),
            &|out| {
                out.duration(back_off.0);
                out.duration(back_off.1);
            },
            &|out| out.number(jitter.to_bits()),
        ];
        for (write, _) in values.iter().zip(differs).filter(|(_, differs)| *differs) {
            write(self);
        }
    }

    fn case(&mut self, case: &Case) {
        self.options(&case.options);
        self.number(case.seed);
        let (workers, queue) = case.pool.unwrap_or((0, 0));
        self.number(workers as u64);
        self.number(queue as u64);
        self.number(case.callers as u64);
        self.duration(case.length);
        self.number(case.arrivals.len() as u64);
        let mut before = 0;
        for Arrival { at, act } in &case.arrivals {
            self.span(at - before);
            before = *at;
            self.act(act);
        }
        self.number(case.deviations.len() as u64);
        let mut before = 0;
        for Deviation { place, choice } in &case.deviations {
            self.number(place - before);
            before = *place;
            match choice {
                Choice::Run(index) => self.number((*index as u64) << 2),
                Choice::Pass => self.number(1),
                Choice::Stall(index, span) => {
                    self.number((*index as u64) << 2 | 2);
                    self.span(*span);
                }
            }
        }
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Ask(Ask { key, inner, takes, origin, executor }) => {
                let origin = match origin {
                    Origin::Returns => 0,
                    Origin::Fails => 1,
                    Origin::Panics => 2,
                };
                let sent = match executor {
                    Sent::Runs => 0,
                    Sent::Refused => 1,
                    Sent::Dies(_) => 2,
                };
                // 3 bits of the act, 2 of the origin, 2 of the executor, 1 of the inner key.
                self.number(origin << 3 | sent << 5 | u64::from(inner.is_some()) << 7 | *key << 8);
                self.span(*takes);
                inner.iter().for_each(|inner| self.number(*inner));
                if let Sent::Dies(after) = executor {
                    self.span(*after);
                }
            }
            Act::Insert(key) => self.number(1 | *key << 3),
            Act::Invalidate(key) => self.number(2 | *key << 3),
            Act::InvalidateAll => self.number(3),
            Act::Sweep => self.number(3 | 1 << 3),
            Act::Restart => self.number(3 | 2 << 3),
            Act::StepBack(span) => {
                self.number(4);
                self.span(*span);
            }
            Act::StandStill(span) => {
                self.number(5);
                self.span(*span);
            }
            Act::InsertThatAsks(key) => self.number(6 | *key << 3),
            // It does nothing, and shrinking has left it out.
            Act::Begins(_) => self.number(7),
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn span(&mut self) -> Option<u64> {
        let number = self.number()?;
        match number & 31 {
            31 => self.number(),
            tens => 10_u64.checked_pow(tens as u32)?.checked_mul(number >> 5),
        }
    }

    fn duration(&mut self) -> Option<Duration> {
        let nanos = self.span()?;
        // What has no end is written as the longest span.
        Some(if nanos == u64::MAX { Duration::MAX } else { Duration::from_nanos(nanos) })
    }

    fn size(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    fn options(&mut self) -> Option<Options> {
        let differs = self.number()?;
        let has = |bit: u32| differs >> bit & 1 == 1;
        let mut options = PLAIN;
        if has(0) {
            options.payload = self.duration()?;
        }
        if has(1) {
            options.storage = self.duration()?;
        }
        if has(2) {
            options.shards = self.size()?;
        }
        if has(3) {
            options.capacity = self.size()?;
        }
        if has(4) {
            options.idle = self.duration()?;
        }
        if has(5) {
            options.sweep_every = self.duration()?;
        }
        if has(6) {
            options.wait_timeout = self.duration()?;
        }
        if has(7) {
            options.compute_timeout = self.duration()?;
        }
        if has(8) {
            options.beta = f64::from_bits(self.number()?);
        }
        if has(9) {
            options.back_off = (self.duration()?, self.duration()?);
        }
        if has(10) {
            options.jitter = f64::from_bits(self.number()?);
        }
        (differs >> 11 == 0).then_some(options)
    }

    fn case(&mut self, protocol: Protocol) -> Option<Case> {
        let options = self.options()?;
        let seed = self.number()?;
        let (workers, queue) = (self.size()?, self.size()?);
        let callers = self.size().filter(|callers| (1..=1_000).contains(callers))?;
        let length = self.duration()?;
        let mut arrivals = Vec::new();
        let mut at = 0_u64;
        for _ in 0..self.number().filter(|number| *number <= MOST)? {
            at = at.checked_add(self.span()?)?;
            arrivals.push(Arrival { at, act: self.act()? });
        }
        let mut deviations = Vec::new();
        let mut place = 0_u64;
        for _ in 0..self.number().filter(|number| *number <= MOST)? {
            place = place.checked_add(self.number()?)?;
            let number = self.number()?;
            let index = usize::try_from(number >> 2).ok()?;
            let choice = match number & 3 {
                0 => Choice::Run(index),
                1 => Choice::Pass,
                2 => Choice::Stall(index, self.span()?),
                _ => return None,
            };
            deviations.push(Deviation { place, choice });
        }
        let pool = (workers > 0).then_some((workers, queue));
        Some(Case { protocol, options, seed, pool, callers, length, arrivals, deviations })
    }

    fn act(&mut self) -> Option<Act> {
        let number = self.number()?;
        let key = |key: u64| (key < crate::judge::MAX_KEYS).then_some(key);
        Some(match number & 7 {
            0 => {
                let takes = self.span()?;
                let inner = match number >> 7 & 1 {
                    0 => None,
                    _ => Some(self.number().and_then(key)?),
                };
                let origin = match number >> 3 & 3 {
                    0 => Origin::Returns,
                    1 => Origin::Fails,
                    2 => Origin::Panics,
                    _ => return None,
                };
                let executor = match number >> 5 & 3 {
                    0 => Sent::Runs,
                    1 => Sent::Refused,
                    2 => Sent::Dies(self.span()?),
                    _ => return None,
                };
                Act::Ask(Ask { key: key(number >> 8)?, inner, takes, origin, executor })
            }
            1 => Act::Insert(key(number >> 3)?),
            2 => Act::Invalidate(key(number >> 3)?),
            3 => match number >> 3 {
                0 => Act::InvalidateAll,
                1 => Act::Sweep,
                2 => Act::Restart,
                _ => return None,
            },
            4 => Act::StepBack(self.span()?),
            5 => Act::StandStill(self.span()?),
            6 => Act::InsertThatAsks(key(number >> 3)?),
            7 => Act::Begins(Fault::Bursts),
            _ => return None,
        })
    }
}
