//! Runs one execution again, from its schedule.

use crate::error::Error;
use crate::operation::TaskNumber;
use crate::run::run;
use crate::schedule::{Execution, Schedule};
use crate::scheduler::{Choice, Driver, Ended, Point, Setup};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Runs `body` once, along `schedule`, and records its steps.
///
/// # Errors
///
/// [`Error::NoSuchChoice`] if the schedule belongs to another scenario. The other errors are those of a
/// search.
pub fn replay<T, B>(schedule: &Schedule, body: B) -> Result<Execution<T>, Error>
where
    T: Send + 'static,
    B: Fn() -> T + Clone + Send + Sync + 'static,
{
    replay_and(schedule, body, |_| ()).map(|(execution, ())| execution)
}

/// As [`replay`], and looks at the execution on the OS thread on which it ran: what the scenario left in thread-locals
/// is there.
///
/// # Errors
///
/// As [`replay`].
pub fn replay_and<T, B, L, R>(
    schedule: &Schedule,
    body: B,
    look: L,
) -> Result<(Execution<T>, R), Error>
where
    T: Send + 'static,
    R: Send + 'static,
    B: Fn() -> T + Clone + Send + Sync + 'static,
    L: Fn(&Execution<T>) -> R + Clone + Send + Sync + 'static,
{
    once(schedule, false, Replay::along(schedule), body, look)
}

/// As [`replay`], and records with each step the calls that led to it. That is slow: a millisecond for each step.
///
/// # Errors
///
/// As [`replay`].
pub fn replay_with_stacks<T, B>(schedule: &Schedule, body: B) -> Result<Execution<T>, Error>
where
    T: Send + 'static,
    B: Fn() -> T + Clone + Send + Sync + 'static,
{
    once(schedule, true, Replay::along(schedule), body, |_| ()).map(|(execution, ())| execution)
}

/// Runs `body` once. At each decision goes on the first task of `order` that can; its place in the order is used up. When
/// none of them can, or the order is over, the decision is that of a choice of 0.
///
/// So an execution can be run again with two of its steps in the other order: everything else keeps its order where
/// it can. `knows` is a schedule of the same scenario: what it has learned of the scenario is used.
///
/// # Errors
///
/// Those of a search.
pub fn follow<T, B, L, R>(
    knows: &Schedule,
    order: &[TaskNumber],
    body: B,
    look: L,
) -> Result<(Execution<T>, R), Error>
where
    T: Send + 'static,
    R: Send + 'static,
    B: Fn() -> T + Clone + Send + Sync + 'static,
    L: Fn(&Execution<T>) -> R + Clone + Send + Sync + 'static,
{
    let driver = |end: &End| Follow {
        order: order.iter().copied().collect(),
        begun: false,
        end: Arc::clone(end),
    };
    once(knows, false, driver, body, look)
}

/// Where a driver leaves how its execution ended.
type End = Arc<Mutex<Option<Ended>>>;

/// Runs `body` with a driver of one execution, again as long as that finds out something of the scenario.
fn once<D, T, B, L, R>(
    knows: &Schedule,
    stacks: bool,
    driver: impl Fn(&End) -> D,
    body: B,
    look: L,
) -> Result<(Execution<T>, R), Error>
where
    D: Driver + 'static,
    T: Send + 'static,
    R: Send + 'static,
    B: Fn() -> T + Clone + Send + Sync + 'static,
    L: Fn(&Execution<T>) -> R + Clone + Send + Sync + 'static,
{
    let mut learned = knows.learned().clone();
    loop {
        let result = Arc::new(Mutex::new(None));
        let end = End::default();
        let driver = driver(&end);
        let setup = Setup { learned: Arc::new(learned.clone()), recording: true, stacks };
        let seen = Arc::clone(&result);
        let look = look.clone();
        let see = move |execution| {
            let looked = look(&execution);
            *seen.lock().unwrap_or_else(PoisonError::into_inner) = Some((execution, looked));
        };
        run(driver, setup, body.clone(), see)?;
        let ended = end.lock().unwrap_or_else(PoisonError::into_inner).take();
        match ended {
            Some(Ended { error: Some(error), .. }) => return Err(error),
            Some(Ended { discovered: Some(discovery), .. }) => learned.learn(discovery),
            _ => {
                let execution = result.lock().unwrap_or_else(PoisonError::into_inner).take();
                return execution.ok_or(Error::NoExecutions);
            }
        }
    }
}

struct Replay {
    schedule: Schedule,
    begun: bool,
    place: usize,
    end: End,
}

impl Replay {
    /// A driver along this schedule, for each attempt.
    fn along(schedule: &Schedule) -> impl Fn(&End) -> Self {
        |end| Self { schedule: schedule.clone(), begun: false, place: 0, end: Arc::clone(end) }
    }
}

impl Driver for Replay {
    fn begin(&mut self) -> Option<shuttle::scheduler::Schedule> {
        (!std::mem::replace(&mut self.begun, true)).then(|| shuttle::scheduler::Schedule::new(0))
    }

    fn decide(&mut self, point: &Point) -> Result<Choice, Error> {
        let enabled = point.enabled.len();
        if enabled == 1 {
            return Ok(Choice { index: 0, redundant: false });
        }
        let (place, choice) = (self.place, self.schedule.choice(self.place));
        self.place += 1;
        match usize::try_from(choice) {
            Ok(index) if index < enabled => Ok(Choice { index, redundant: false }),
            _ => Err(Error::NoSuchChoice { place, choice, enabled }),
        }
    }

    fn end(&mut self, mut ended: Ended) {
        // A schedule with more choices than the execution has belongs to another scenario.
        let rest = self.schedule.choices().get(self.place..).unwrap_or_default();
        if let (Some(choice), None, None) = (rest.first(), &ended.error, ended.discovered) {
            let (place, choice) = (self.place, *choice);
            ended.error = Some(Error::NoSuchChoice { place, choice, enabled: 0 });
        }
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
    }
}

struct Follow {
    order: VecDeque<TaskNumber>,
    begun: bool,
    end: End,
}

impl Driver for Follow {
    fn begin(&mut self) -> Option<shuttle::scheduler::Schedule> {
        if std::mem::replace(&mut self.begun, true) {
            return None;
        }
        Some(shuttle::scheduler::Schedule::new(0))
    }

    fn decide(&mut self, point: &Point) -> Result<Choice, Error> {
        let next = self.order.iter().position(|task| point.enabled.contains(task));
        let task = next.and_then(|place| self.order.remove(place));
        let index = task.and_then(|task| point.enabled.iter().position(|it| *it == task));
        Ok(Choice { index: index.unwrap_or(0), redundant: false })
    }

    fn end(&mut self, ended: Ended) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
    }
}
