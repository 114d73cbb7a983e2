//! Runs one execution again, from its schedule.

use crate::error::Error;
use crate::run::run;
use crate::schedule::{Execution, Schedule};
use crate::scheduler::{Choice, Driver, Ended, Point, Setup};
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
    let mut learned = schedule.learned().clone();
    loop {
        let result = Arc::new(Mutex::new(None));
        let end: Arc<Mutex<Option<Ended>>> = Arc::default();
        let driver =
            Replay { schedule: schedule.clone(), begun: false, place: 0, end: Arc::clone(&end) };
        let setup = Setup { learned: Arc::new(learned.clone()), recording: true };
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
    end: Arc<Mutex<Option<Ended>>>,
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
