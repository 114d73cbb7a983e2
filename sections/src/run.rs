//! Runs the executions of a driver on an OS thread of their own, and shows each one that counts.
//!
//! The thread is one that can be left behind. A task that unwinds cannot be stopped: Rust counts its panic for the OS
//! thread, and takes that back only when the panic is caught. If a destructor on its way can never go on, the thread is
//! parked for ever with all that it has on its stacks, and the driver continues on another one.

use crate::error::Error;
#[cfg(test)]
use crate::rules;
use crate::rules::{Rule, on};
use crate::schedule::{Execution, Outcome, Schedule};
use crate::scheduler::{Bridge, Driver, Setup};
use crate::state::{self, Aborted, State};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::Builder;

/// What an OS thread hands over at its end.
pub(crate) enum Handed {
    /// The driver wants no more executions.
    Result(Result<(), Error>),
    /// The thread is left behind, and another one has to continue.
    Driver(Box<dyn Driver>),
}

/// Shows an execution that ended in a deadlock, before its tasks are given up.
pub(crate) type Report = Arc<dyn Fn(Execution<()>) + Send + Sync>;

/// Runs executions of `body` for as long as the driver wants, and shows each one that counts.
///
/// Only the two closures are compiled for each scenario: what is generic is compiled anew in every crate that has one.
pub(crate) fn run<T: 'static>(
    driver: impl Driver + 'static,
    setup: Setup,
    body: impl Fn() -> T + Send + Sync + 'static,
    visit: impl Fn(Execution<T>) + Send + Sync + 'static,
) -> Result<(), Error> {
    let visit = Arc::new(visit);
    let early = Arc::clone(&visit);
    let report = move |execution: Execution<()>| judge(&*early, execution, None);
    let execution = move || {
        let mut value = None;
        let returned = catch_unwind(AssertUnwindSafe(|| value = Some(body())));
        let ended = state::end();
        if let Some(execution) = over(returned.and(ended)) {
            judge(&*visit, execution, value);
        }
    };
    run_all(Box::new(driver), &setup, &(Arc::new(execution) as _), &(Arc::new(report) as _))
}

/// Shows an execution. If the judge panics, the exploration ends.
fn judge<T>(visit: &impl Fn(Execution<T>), execution: Execution<()>, value: Option<T>) {
    let schedule = execution.schedule.clone();
    let judged = catch_unwind(AssertUnwindSafe(|| visit(execution.with(value))));
    if let Err(panic) = judged {
        let message = message(panic.as_ref());
        state::with(|state| state.fail(Error::Judge { message, schedule }));
    }
}

fn run_all(
    mut driver: Box<dyn Driver>,
    setup: &Setup,
    execution: &Arc<dyn Fn() + Send + Sync>,
    report: &Report,
) -> Result<(), Error> {
    // Unwinding frees what a deadlock holds, so it comes first. A scenario whose destructors cannot be unwound leaves
    // one thread behind, and from then on the tasks of a deadlock are dropped as they are.
    let mut unwinds = true;
    loop {
        let (hand, handed) = channel();
        let (setup, execution, report) = (setup.clone(), Arc::clone(execution), Arc::clone(report));
        #[cfg(test)]
        let off = rules::off();
        let work = move || {
            let bridge = Bridge::new(driver, setup, report, unwinds, hand.clone());
            #[cfg(test)]
            rules::without(off, || run_here(bridge, execution, &hand));
            #[cfg(not(test))]
            run_here(bridge, execution, &hand);
        };
        let thread = Builder::new().name("sections".into()).spawn(work);
        let thread = thread.map_err(|error| Error::Shuttle(format!("no thread: {error}")))?;
        match handed.recv() {
            Ok(Handed::Result(result)) => {
                // Its thread-locals are gone when it has ended.
                return thread.join().map_err(|panic| gave_up(panic.as_ref())).and(result);
            }
            Ok(Handed::Driver(next)) => (driver, unwinds) = (next, false),
            Err(_) => {
                let panic = thread.join().err();
                return Err(panic.map_or(Error::NoExecutions, |panic| gave_up(panic.as_ref())));
            }
        }
    }
}

fn run_here(bridge: Bridge, execution: Arc<dyn Fn() + Send + Sync>, hand: &Sender<Handed>) {
    let mut config = Config::new();
    config.failure_persistence = FailurePersistence::None;
    config.max_steps = MaxSteps::None;
    let runner = Runner::new(bridge, config);
    let ran = catch_unwind(AssertUnwindSafe(|| runner.run(move || execution())));
    let result = ran.map(drop).map_err(|panic| {
        // What went wrong before is the reason why Shuttle gave up.
        let before = state::with(|state| {
            state.stop();
            state.error.take()
        });
        before.unwrap_or_else(|| gave_up(panic.as_ref()))
    });
    let _ = hand.send(Handed::Result(result));
}

fn gave_up(panic: &(dyn Any + Send)) -> Error {
    Error::Shuttle(message(panic))
}

/// The execution that has ended, on Shuttle's main task, unless it does not count.
fn over(returned: std::thread::Result<()>) -> Option<Execution<()>> {
    let outcome = match returned {
        Ok(()) => Outcome::Returned(()),
        Err(panic) => Outcome::Panicked(message(panic.as_ref())),
    };
    state::with(|state| state.execution(outcome))
}

impl State {
    /// What the execution is for the user, unless it does not count. A deadlock outweighs what came of the body.
    pub(crate) fn execution(&mut self, outcome: Outcome<()>) -> Option<Execution<()>> {
        let mut run = std::mem::take(&mut self.run);
        let deadlock = self.deadlock.take();
        let cannot_be_trusted = self.error.is_some() || self.discovered.is_some();
        if cannot_be_trusted || (run.redundant && on(Rule::RedundantIsNotCounted)) {
            return None;
        }
        if let Some(step) = run.steps.last_mut() {
            step.footprint = self.step.clone();
        }
        Some(Execution {
            outcome: deadlock.map_or(outcome, Outcome::Deadlock),
            schedule: Schedule::new(run.choices).knowing(&self.learned),
            preemptions: run.preemptions,
            decisions: run.decisions,
            panics: run.panics,
            steps: run.steps,
            made_at: run.made_at,
            names: run.names,
            checksum: run.checksum.finalize(),
        })
    }
}

impl Execution<()> {
    /// The same with the value that the body returned.
    fn with<T>(self, value: Option<T>) -> Execution<T> {
        let outcome = match (self.outcome, value) {
            (Outcome::Returned(()), Some(value)) => Outcome::Returned(value),
            (Outcome::Returned(()), None) => Outcome::Panicked("no value".into()),
            (Outcome::Deadlock(waiting), _) => Outcome::Deadlock(waiting),
            (Outcome::Panicked(message), _) => Outcome::Panicked(message),
        };
        Execution {
            outcome,
            schedule: self.schedule,
            preemptions: self.preemptions,
            decisions: self.decisions,
            panics: self.panics,
            steps: self.steps,
            made_at: self.made_at,
            names: self.names,
            checksum: self.checksum,
        }
    }
}

pub(crate) fn message(panic: &(dyn Any + Send)) -> String {
    if panic.is::<Aborted>() {
        return "the execution was given up".into();
    }
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}
