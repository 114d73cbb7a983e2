//! The cache's clock: virtual time, and what goes wrong with it.

use crate::judge::Now;
use crate::world::{Shared, locked};
use sections::simulation;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use xfetch_core_shuttle::{Clock, Moment};

/// No step back leads below zero: a machine does not start at the origin of its clock.
const ORIGIN: u64 = 3_600_000_000_000;

/// How far the coarse time is behind, at every moment.
const LAG: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, Default)]
struct Fault {
    /// How far the clock has stepped back.
    behind: u64,
    /// It stands still since it said this, until that virtual moment.
    stands: Option<(u64, Duration)>,
}

/// The clock of a run. To read it is an operation, so that a task may be stalled between the map and the clock.
pub(crate) struct DayClock {
    shared: sections::sync::atomic::AtomicU64,
    fault: Mutex<Fault>,
    run: Arc<Shared>,
}

impl DayClock {
    pub(crate) fn new(run: &Arc<Shared>) -> Self {
        let shared = sections::sync::atomic::AtomicU64::new(0);
        Self { shared, fault: Mutex::default(), run: Arc::clone(run) }
    }

    /// This moment, for the judge. It is no operation.
    pub(crate) fn moment(&self) -> Now {
        let (task, step) = (sections::task(), sections::decisions());
        Now { time: simulation::now(), clock: self.says(), task, step }
    }

    /// What it says now, without an operation.
    pub(crate) fn says(&self) -> u64 {
        let mut fault = locked(&self.fault);
        let now = simulation::now();
        if let Some((says, until)) = fault.stands {
            if now < until {
                return says;
            }
            fault.stands = None;
        }
        let nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        nanos.saturating_add(ORIGIN).saturating_sub(fault.behind)
    }

    pub(crate) fn step_back(&self, span: u64) {
        let says = self.says();
        let mut fault = locked(&self.fault);
        // It never gets to zero.
        fault.behind = fault.behind.saturating_add(span.min(says / 2));
        if let Some((says, _)) = &mut fault.stands {
            *says = says.saturating_sub(span.min(*says / 2));
        }
    }

    pub(crate) fn stand_still(&self, span: u64) {
        let says = self.says();
        let until = simulation::now().saturating_add(Duration::from_nanos(span));
        locked(&self.fault).stands = Some((says, until));
    }

    pub(crate) fn heal(&self) {
        locked(&self.fault).stands = None;
    }
}

impl DayClock {
    /// Reads the clock for a task. The judge learns the precise time, also of a task that reads the coarse one: by that
    /// no value may be past its deadline.
    fn read(&self) -> u64 {
        let task = sections::task();
        let judge = || locked(&self.run.judge);
        judge().asks_the_clock(task);
        self.shared.load(std::sync::atomic::Ordering::Relaxed);
        let says = self.says();
        judge().reads_the_clock(task, says);
        says
    }
}

impl Clock for DayClock {
    fn now(&self) -> Moment {
        Moment::from_nanos(self.read())
    }

    fn coarse(&self) -> Moment {
        Moment::from_nanos(self.read().saturating_sub(LAG.as_nanos() as u64))
    }

    fn lag(&self) -> Duration {
        LAG
    }
}
