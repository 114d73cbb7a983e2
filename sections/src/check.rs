//! `check`: explores a body, and panics with a report of the smallest failing execution that it finds.

use crate::error::Error;
use crate::quiet::{self, Places};
use crate::replay::replay;
use crate::report::{self, Failure};
use crate::sample::Sample;
use crate::schedule::{Execution, Schedule};
use crate::search::Search;
use crate::shrink::{Failing, shrink};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use std::ops::ControlFlow;
use std::sync::Arc;

/// The variable with the schedule that is to be run alone.
pub(crate) const REPLAY: &str = "SECTIONS_REPLAY";

/// The most replays that shrinking may take.
const REPLAYS: u32 = 2_000;

/// Runs `f` in every distinguishable order, as [`Search::default`] does.
///
/// An execution fails if `f` panics, if a task panics that nobody joins, or if it is a deadlock. Then the first one that
/// was found is shrunk. The report has its message, its steps, its schedule, and the line that replays it: with
/// `SECTIONS_REPLAY` set, only that schedule is run.
///
/// # Panics
///
/// If an execution fails, with the report. If the search has no result, with the [`Error`].
#[track_caller]
pub fn check<F>(f: F)
where
    F: Fn() + Send + Sync + 'static,
{
    check_dfs(f, None);
}

/// As [`check`], with `shuttle::check_dfs`'s parameters: at most so many executions.
///
/// # Panics
///
/// As [`check`].
#[track_caller]
pub fn check_dfs<F>(f: F, max_iterations: Option<usize>)
where
    F: Fn() + Send + Sync + 'static,
{
    let executions = max_iterations.map_or(u64::MAX, |most| most as u64);
    run(f, |body| {
        let search = Search { executions, ..Search::default() };
        let (_, found) = search.run(move || body.call(), keep_the_first)?;
        Ok(found.into_iter().flatten().min_by_key(|failing| failing.schedule.choices().len()))
    });
}

/// As [`check`], but runs this many executions, each of which Shuttle's random scheduler chooses.
///
/// # Panics
///
/// As [`check`].
#[track_caller]
pub fn check_random<F>(f: F, iterations: usize)
where
    F: Fn() + Send + Sync + 'static,
{
    sample(f, move || RandomScheduler::new(iterations));
}

/// As [`check`], but runs this many executions, which Shuttle's PCT scheduler chooses, with bugs of this depth in view.
///
/// # Panics
///
/// As [`check`].
#[track_caller]
pub fn check_pct<F>(f: F, iterations: usize, depth: usize)
where
    F: Fn() + Send + Sync + 'static,
{
    sample(f, move || PctScheduler::new(depth, iterations));
}

#[track_caller]
fn sample<F, S>(f: F, scheduler: impl Fn() -> S)
where
    F: Fn() + Send + Sync + 'static,
    S: Scheduler + Send + 'static,
{
    run(f, |body| Ok(Sample::default().run(scheduler, move || body.call(), keep_the_first)?.1));
}

fn keep_the_first(kept: &mut Option<Failing>, execution: Execution<()>) -> ControlFlow<()> {
    if Failure::of(&execution).is_none() {
        return ControlFlow::Continue(());
    }
    let Execution { schedule, preemptions, .. } = execution;
    *kept = Some(Failing { schedule, preemptions });
    ControlFlow::Break(())
}

/// The body, and where it panics.
#[derive(Clone)]
struct Body {
    f: Arc<dyn Fn() + Send + Sync>,
    places: Option<Places>,
}

impl Body {
    fn call(&self) {
        if let Some(places) = &self.places {
            places.collect();
        }
        (self.f)();
    }

    /// The execution of a schedule, if it fails.
    fn fails(&self, schedule: &Schedule) -> Result<Option<(Failure, Execution<()>)>, Error> {
        let body = self.clone();
        let execution = replay(schedule, move || body.call())?;
        Ok(Failure::of(&execution).map(|failure| (failure, execution)))
    }
}

#[track_caller]
fn run<F>(f: F, explore: impl FnOnce(Body) -> Result<Option<Failing>, Error>)
where
    F: Fn() + Send + Sync + 'static,
{
    quiet::install();
    let places = Places::default();
    let mut body = Body { f: Arc::new(f), places: Some(places.clone()) };
    let found = match std::env::var(REPLAY) {
        Ok(text) => {
            body.places = None;
            only(&body, &text)
        }
        Err(_) => explore(body.clone()).and_then(|found| match found {
            Some(found) => smallest(&body, found).map(Some),
            None => Ok(None),
        }),
    };
    let text = match found {
        Ok(None) => None,
        Ok(Some((failure, execution))) => Some(report::text(&failure, &execution, &places)),
        Err(error) => Some(format!("sections: no result: {error}")),
    };
    if let Some(text) = text {
        quiet::report(&text);
    }
}

/// The execution of this schedule alone.
fn only(body: &Body, text: &str) -> Result<Option<(Failure, Execution<()>)>, Error> {
    let schedule = text.parse().map_err(Error::NoSchedule)?;
    let found = body.fails(&schedule)?;
    if found.is_none() {
        eprintln!("sections: the schedule {REPLAY}={text} does not fail");
    }
    Ok(found)
}

/// The failing execution, as small as shrinking makes it.
fn smallest(body: &Body, found: Failing) -> Result<(Failure, Execution<()>), Error> {
    let Some((failure, best)) = body.fails(&found.schedule)? else {
        return Err(Error::NotRepeated(found.schedule));
    };
    let mut replays = 0;
    let smallest = shrink(found, |candidate| {
        replays += 1;
        if replays > REPLAYS {
            return None;
        }
        let (other, execution) = body.fails(candidate).ok().flatten()?;
        if !other.is_like(&failure) {
            return None;
        }
        let Execution { schedule, preemptions, .. } = execution;
        Some(Failing { schedule, preemptions })
    });
    Ok(body.fails(&smallest.schedule)?.unwrap_or((failure, best)))
}
