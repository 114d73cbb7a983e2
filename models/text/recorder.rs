//! Writes down every event of a cache, in the order of the sections.

use super::TickingClock;
use super::core::{self, Clock, Moment, Observer};
use super::{current_step, current_task};
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use xfetch_vocabulary::history::{Event, Record};

/// The scenario's time. Where it moves only while no caller is running, nobody has to see it move;
/// where a task moves it, each look at it is a section.
#[derive(Clone, Default)]
pub(super) struct Time {
    still: Arc<AtomicU64>,
    ticking: Option<TickingClock>,
    /// How far the coarse time is behind.
    lag: Duration,
}

impl Time {
    pub(super) fn new(ticks: bool, lag: Duration) -> Self {
        Self { still: Arc::default(), ticking: ticks.then(TickingClock::new), lag }
    }

    pub(super) fn advance(&self, span: Duration) {
        if span.is_zero() {
            return;
        }
        if let Some(ticking) = &self.ticking {
            ticking.advance(span);
        }
        self.still.fetch_add(span.as_nanos() as u64, Ordering::Relaxed);
    }

    /// For the recorder, which is no part of the program.
    fn unseen(&self) -> Duration {
        Duration::from_nanos(self.still.load(Ordering::Relaxed))
    }
}

impl Clock for Time {
    fn now(&self) -> Moment {
        match &self.ticking {
            Some(ticking) => ticking.now(),
            None => Moment::from_nanos(self.unseen().as_nanos() as u64),
        }
    }

    /// As late as the coarse time may be, at every moment.
    fn coarse(&self) -> Moment {
        let behind = self.now().as_nanos().saturating_sub(self.lag.as_nanos() as u64);
        Moment::from_nanos(behind)
    }

    fn lag(&self) -> Duration {
        self.lag
    }
}

type Records = Arc<Mutex<Vec<Record>>>;

thread_local! {
    /// What is being written on this OS thread: an execution that cannot end is judged by it.
    static UNDER_WAY: RefCell<Records> = RefCell::default();
}

/// What was written down of the last execution on this OS thread that did not come to its end.
pub(super) fn unfinished() -> Vec<Record> {
    UNDER_WAY.with_borrow(|records| {
        std::mem::take(&mut *records.lock().unwrap_or_else(PoisonError::into_inner))
    })
}

/// An observer that keeps everything.
#[derive(Clone)]
pub(super) struct Recorder {
    time: Time,
    records: Records,
}

impl Recorder {
    pub(super) fn new(time: Time) -> Self {
        let records = Records::default();
        UNDER_WAY.set(Arc::clone(&records));
        Self { time, records }
    }

    pub(super) fn take(&self) -> Vec<Record> {
        std::mem::take(&mut self.records.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A note of the scenario. A key is its own hash before the cache spreads it.
    pub(super) fn note(&self, key: u64, event: Event) {
        self.write(core::steps::spread(key), event);
    }

    fn write(&self, key: u64, event: Event) {
        let (task, step, now) =
            (current_task(), current_step(), self.time.unseen().as_nanos() as u64);
        let record = Record { task, step, now, key, event };
        self.records.lock().unwrap_or_else(PoisonError::into_inner).push(record);
    }
}

impl Observer for Recorder {
    fn on(&self, key: u64, event: core::Event) {
        self.write(key, plain(event));
    }
}

/// An identifier of this build of the core as a number.
trait Plain {
    type Number;
    fn plain(self) -> Self::Number;
}

impl Plain for core::Version {
    type Number = u64;
    fn plain(self) -> u64 {
        self.get()
    }
}

impl Plain for core::LeaseId {
    type Number = u64;
    fn plain(self) -> u64 {
        self.get()
    }
}

impl Plain for bool {
    type Number = Self;
    fn plain(self) -> Self {
        self
    }
}

impl<T: Plain> Plain for Option<T> {
    type Number = Option<T::Number>;
    fn plain(self) -> Self::Number {
        self.map(T::plain)
    }
}

macro_rules! convert {
    ($($(#[$doc:meta])* $Event:ident $(($($part:ident: $Part:ty),+))?,)*) => {
        /// The event in terms of no particular build of the core.
        pub(crate) fn plain(event: core::Event) -> Event {
            match event {
                $(core::Event::$Event $(($($part),+))? => Event::$Event $(($($part.plain()),+))?,)*
                // The core allows itself further events; its list has all that there are.
                other => unreachable!("{other:?} is not in the list of events"),
            }
        }
    };
}

core::for_each_event!(convert);
