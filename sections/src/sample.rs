//! Samples: executions that one of Shuttle's own schedulers chooses. It decides only at announcements,
//! so every execution has a [`Schedule`](crate::Schedule) that [`replay`](crate::replay) can run.

use crate::error::Error;
use crate::learned::{Discovery, Learned};
use crate::run::run;
use crate::schedule::Execution;
use crate::scheduler::{Choice, Driver, Ended, Point, Setup};
use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The options of a sample.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The longest time. The scheduler decides the number of executions.
    pub time: Duration,
    /// Whether to record the steps of each execution.
    pub record: bool,
    /// A counter of executions for a progress bar.
    pub progress: Option<Arc<AtomicU64>>,
    /// Once this is set, no execution begins.
    pub stop: Option<Arc<AtomicBool>>,
}

impl Default for Sample {
    fn default() -> Self {
        Self { time: Duration::MAX, record: false, progress: None, stop: None }
    }
}

impl Sample {
    /// Runs `body` under the scheduler that `scheduler` makes, until that scheduler stops. Returns the
    /// number of executions that ended, and the accumulator.
    ///
    /// # Errors
    ///
    /// As a [`Search`](crate::Search).
    pub fn run<T, A, S, B, V>(
        &self,
        scheduler: impl Fn() -> S,
        body: B,
        visit: V,
    ) -> Result<(u64, A), Error>
    where
        T: 'static,
        A: Default + Send + 'static,
        S: Scheduler + Send + 'static,
        B: Fn() -> T + Clone + Send + Sync + 'static,
        V: Fn(&mut A, Execution<T>) -> ControlFlow<()> + Clone + Send + Sync + 'static,
    {
        let mut learned = Learned::default();
        loop {
            let faults: Arc<Mutex<Faults>> = Arc::default();
            let stop = Arc::new(AtomicBool::new(false));
            let driver = Sampler {
                scheduler: Box::new(scheduler()),
                last: None,
                sample: self.clone(),
                began: Instant::now(),
                stop: Arc::clone(&stop),
                faults: Arc::clone(&faults),
            };
            let setup = Setup {
                learned: Arc::new(learned.clone()),
                recording: self.record,
                ..Setup::default()
            };
            let accumulator = Arc::new(Mutex::new((A::default(), 0)));
            let (kept, visit) = (Arc::clone(&accumulator), visit.clone());
            let see = move |execution| {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.1 += 1;
                if visit(&mut kept.0, execution).is_break() {
                    stop.store(true, Ordering::Relaxed);
                }
            };
            run(driver, setup, body.clone(), see)?;
            let faults =
                std::mem::take(&mut *faults.lock().unwrap_or_else(PoisonError::into_inner));
            match faults {
                Faults { error: Some(error), .. } => return Err(error),
                Faults { discovered: Some(discovery), .. } => learned.learn(discovery),
                Faults { .. } => {
                    let mut kept = accumulator.lock().unwrap_or_else(PoisonError::into_inner);
                    return Ok((kept.1, std::mem::take(&mut kept.0)));
                }
            }
        }
    }
}

#[derive(Default)]
struct Faults {
    error: Option<Error>,
    discovered: Option<Discovery>,
}

struct Sampler {
    scheduler: Box<dyn Scheduler + Send>,
    /// Whom it chose last, whether or not that one can go on: PCT takes priority from it.
    last: Option<TaskId>,
    sample: Sample,
    began: Instant,
    stop: Arc<AtomicBool>,
    faults: Arc<Mutex<Faults>>,
}

impl Driver for Sampler {
    fn begin(&mut self) -> Option<Schedule> {
        let is_set = |stop: &Arc<AtomicBool>| stop.load(Ordering::Relaxed);
        if is_set(&self.stop)
            || self.sample.stop.as_ref().is_some_and(is_set)
            || self.began.elapsed() > self.sample.time
        {
            return None;
        }
        let schedule = self.scheduler.new_execution()?;
        self.last = None;
        if let Some(progress) = &self.sample.progress {
            progress.fetch_add(1, Ordering::Relaxed);
        }
        Some(schedule)
    }

    fn decide(&mut self, point: &Point) -> Result<Choice, Error> {
        let of = |number: &usize| -> Option<&Task> {
            point.runnable.iter().copied().find(|task| usize::from(task.id()) == *number)
        };
        let mut enabled: Vec<&Task> = point.enabled.iter().filter_map(of).collect();
        enabled.sort_by_key(|task| task.id());
        let chosen = self.scheduler.next_task(&enabled, self.last, false);
        self.last = chosen;
        let number = chosen.map(usize::from);
        let index = point.enabled.iter().position(|task| Some(*task) == number);
        let index = index.ok_or_else(|| Error::Shuttle("a scheduler chose no task".into()))?;
        Ok(Choice { index, redundant: false })
    }

    fn end(&mut self, ended: Ended) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let Ended { error, discovered, .. } = ended;
        self.stop.fetch_or(error.is_some() || discovered.is_some(), Ordering::Relaxed);
        faults.error = faults.error.take().or(error);
        faults.discovered = faults.discovered.or(discovered);
    }
}
