//! The bridge between Shuttle and a driver: it turns Shuttle's scheduling points into decisions at
//! announcements.

use crate::error::Error;
use crate::foreign;
use crate::learned::{Discovery, Learned};
use crate::operation::{Footprint, Kind, MAIN, Operation, TaskNumber};
use crate::rules::{Rule, on};
use crate::run::{Handed, Report, message};
use crate::schedule::{Outcome, Step};
use crate::state::{self, Class, Run, State, Status};
use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// The most decisions of an execution. One with more is reported as endless.
pub(crate) const MAX_DECISIONS: usize = 1_000_000;

/// A decision: which task goes on?
pub(crate) struct Point<'a> {
    /// Every task, with its announced operation. Main is one only if it takes part.
    pub(crate) pending: &'a [(TaskNumber, Operation)],
    /// The tasks that can go on. The one that ran last comes first, if it can.
    pub(crate) enabled: &'a [TaskNumber],
    /// Whether the first of them ran last.
    pub(crate) stays: bool,
    /// What the previous step touched.
    pub(crate) step: &'a Footprint,
    /// The tasks of which there are others that are alike, each with its class.
    pub(crate) classes: &'a [(TaskNumber, Class)],
    /// The tasks, as Shuttle knows them.
    pub(crate) runnable: &'a [&'a Task],
}

/// The driver's choice.
pub(crate) struct Choice {
    /// An index into [`Point::enabled`].
    pub(crate) index: usize,
    /// Whether the rest of the execution repeats another one.
    pub(crate) redundant: bool,
}

/// A driver makes the decisions: a search, a sample or a replay. It can move to another OS thread between two
/// executions.
pub(crate) trait Driver: Send {
    /// Begins another execution, or returns `None` to stop. Shuttle's schedule carries the seed of its
    /// random numbers.
    fn begin(&mut self) -> Option<Schedule>;

    /// Whether it wants to know which tasks are alike.
    fn asks_for_classes(&self) -> bool {
        false
    }

    /// Makes a decision.
    fn decide(&mut self, point: &Point) -> Result<Choice, Error>;

    /// The execution has ended.
    fn end(&mut self, ended: Ended);
}

/// How an execution ended, for the driver.
pub(crate) struct Ended {
    pub(crate) step: Footprint,
    pub(crate) error: Option<Error>,
    pub(crate) discovered: Option<Discovery>,
    /// A destructor synchronised while its task unwound, where the driver cannot choose.
    pub(crate) unexplored: bool,
    /// The operations for which tasks wait in a deadlock.
    pub(crate) waiting: Vec<(TaskNumber, Operation)>,
}

/// The setup of an execution.
#[derive(Clone, Default)]
pub(crate) struct Setup {
    pub(crate) learned: Arc<Learned>,
    pub(crate) recording: bool,
    /// Whether each step is recorded with the calls that led to it.
    pub(crate) stacks: bool,
}

pub(crate) struct Bridge {
    /// `None` once it was handed over to another OS thread.
    driver: Option<Box<dyn Driver>>,
    setup: Setup,
    report: Report,
    /// Whether the tasks of a deadlock unwind. Otherwise they are dropped as they are.
    unwinds: bool,
    hand: Sender<Handed>,
    begun: bool,
    pending: Vec<(TaskNumber, Operation)>,
    enabled: Vec<TaskNumber>,
    classes: Vec<(TaskNumber, Class)>,
}

impl Bridge {
    pub(crate) fn new(
        driver: Box<dyn Driver>,
        setup: Setup,
        report: Report,
        unwinds: bool,
        hand: Sender<Handed>,
    ) -> Self {
        Self {
            driver: Some(driver),
            setup,
            report,
            unwinds,
            hand,
            begun: false,
            pending: Vec::new(),
            enabled: Vec::new(),
            classes: Vec::new(),
        }
    }

    fn end(&mut self) {
        if !std::mem::take(&mut self.begun) {
            return;
        }
        let ended = state::with(|state| {
            state.stop();
            Ended {
                step: std::mem::take(&mut state.step),
                error: state.error.take(),
                discovered: state.discovered.take(),
                unexplored: state.unexplored,
                waiting: std::mem::take(&mut state.waiting),
            }
        });
        if let Some(driver) = &mut self.driver {
            driver.end(ended);
        }
    }

    /// Whether a task asks for this decision in the middle of a section. Shuttle's primitives do that, and what they
    /// share is not announced.
    fn is_foreign(state: &mut State, runnable: &[&Task]) -> bool {
        let asks = std::mem::take(&mut state.asks);
        let current = state.current;
        let goes_on = || runnable.iter().any(|task| TaskNumber::from(task.id()) == current);
        let midway = match state.status(current) {
            Status::Running => true,
            // A destructor of Shuttle's thread-locals.
            Status::Finished => goes_on(),
            Status::New | Status::Announced(_) => false,
        };
        midway && !asks && !state.over
    }

    /// Shows a deadlock before its tasks are given up, if that is to be shown.
    fn report(&self) {
        let execution = state::with(|state| {
            let locked_up = state.deadlock.is_some();
            locked_up.then(|| state.execution(Outcome::Returned(())))
        });
        if let Some(execution) = execution.flatten() {
            let report = AssertUnwindSafe(|| (self.report)(execution));
            if let Err(panic) = catch_unwind(report) {
                let error = Error::Shuttle(message(panic.as_ref()));
                state::with(|state| state.fail(error));
            }
        }
    }

    /// A task can never go on, and it cannot be stopped. So this OS thread stays as it is, and the driver
    /// continues on another one.
    fn leave_thread(&mut self) -> ! {
        self.report();
        self.end();
        if let Some(driver) = self.driver.take() {
            let _ = self.hand.send(Handed::Driver(driver));
        }
        loop {
            std::thread::park();
        }
    }

    /// The task that has to run before the next decision: one in the middle of a step, or else a new
    /// task until its first announcement.
    fn forced(state: &mut State, runnable: &[&Task]) -> Option<TaskId> {
        let number = |task: &&&Task| -> TaskNumber { task.id().into() };
        let running = runnable
            .iter()
            .find(|task| matches!(state.status(number(task)), Status::Running | Status::Finished));
        if let Some(task) = running {
            return Some(task.id());
        }
        let is_new = |task: &&&Task| state.status(task.id().into()) == Status::New;
        let new = runnable.iter().find(is_new).map(|task| task.id())?;
        let others = runnable.iter().any(|task| {
            let task: TaskNumber = task.id().into();
            task != MAIN && matches!(state.status(task), Status::Announced(_))
        });
        if others && !on(Rule::NewTasksRunFirst) {
            return None;
        }
        state.start(new.into());
        Some(new)
    }

    fn decide(&mut self, state: &mut State, runnable: &[&Task]) -> TaskId {
        self.pending.clear();
        for task in runnable.iter().map(|task| TaskNumber::from(task.id())) {
            let Status::Announced(operation) = state.status(task) else { continue };
            let takes_part = state.learned.main_takes_part && operation.kind != Kind::End;
            if task != MAIN || takes_part {
                self.pending.push((task, operation));
            }
        }
        if state.aborting {
            return self.unwind_next(state);
        }
        self.enabled.clear();
        let last = state.last;
        let able = self.pending.iter().filter(|(task, operation)| state.enabled(*task, *operation));
        self.enabled.extend(able.map(|(task, _)| *task));
        let stays = self.enabled.iter().position(|task| *task == last);
        if let Some(place) = stays {
            self.enabled[..=place].rotate_right(1);
        }
        if self.enabled.is_empty() {
            return self.main_or_deadlock(state);
        }
        let Some(driver) = &mut self.driver else { unreachable!("it is here during an execution") };
        self.classes.clear();
        if driver.asks_for_classes() {
            let class = |(task, _): &(TaskNumber, Operation)| Some((*task, state.class(*task)?));
            self.classes.extend(self.pending.iter().filter_map(class));
        }
        let point = Point {
            pending: &self.pending,
            enabled: &self.enabled,
            stays: stays.is_some(),
            step: &state.step,
            classes: &self.classes,
            runnable,
        };
        match driver.decide(&point) {
            Ok(choice) => self.go_on(state, &choice, stays.is_some()),
            Err(error) => {
                state.fail(error);
                self.unwind_next(state)
            }
        }
    }

    fn go_on(&self, state: &mut State, choice: &Choice, stays: bool) -> TaskId {
        let task = self.enabled[choice.index];
        let preempts = stays && choice.index > 0;
        let chosen = self.pending.iter().find(|(other, _)| *other == task);
        let operation =
            chosen.map(|(_, operation)| *operation).expect("an enabled task is pending");
        if state.recording {
            record(&mut state.run, &state.step, &self.pending, &self.enabled);
            let footprint = Footprint::default();
            let (place, values, enabled) = (state.place(task), Vec::new(), self.enabled.len());
            let stack = state.stack(task);
            let step = Step { task, operation, footprint, enabled, preempts, place, stack, values };
            state.run.steps.push(step);
        }
        state.run.decisions += 1;
        if state.run.decisions > MAX_DECISIONS {
            state.fail(Error::Endless { decisions: MAX_DECISIONS });
        }
        state.run.redundant |= choice.redundant;
        state.run.preemptions += u32::from(preempts);
        if self.enabled.len() > 1 {
            state.run.choices.push(choice.index as u32);
        }
        state.choose(task, operation);
        TaskId::from(task)
    }

    /// Main, if all tasks have finished and main can go on without a decision. Otherwise it is a deadlock.
    fn main_or_deadlock(&self, state: &mut State) -> TaskId {
        if let Status::Announced(operation) = state.status(MAIN)
            && state.enabled(MAIN, operation)
        {
            state.start(MAIN);
            return TaskId::from(MAIN);
        }
        let mut waiting = self.pending.clone();
        if let (Status::Announced(operation), true) = (state.status(MAIN), waiting.is_empty()) {
            waiting.push((MAIN, operation));
        }
        state.waiting.clone_from(&waiting);
        state.deadlock = Some(waiting);
        state.aborting = true;
        self.unwind_next(state)
    }

    /// The next task to unwind when an execution is given up; main is the last. Stopping Shuttle's
    /// execution would leak the stacks.
    fn unwind_next(&self, state: &mut State) -> TaskId {
        let holds_a_lock = self.pending.iter().find(|(task, _)| state.holds_a_lock(*task));
        let other = || self.pending.iter().find(|(task, _)| *task != MAIN);
        let task = holds_a_lock.or_else(other).map_or(MAIN, |(task, _)| *task);
        state.start(task);
        TaskId::from(task)
    }
}

/// Completes the footprint of the previous step, and adds what every task is about to do to the
/// checksum.
fn record(
    run: &mut Run,
    step: &Footprint,
    pending: &[(TaskNumber, Operation)],
    enabled: &[TaskNumber],
) {
    if let Some(last) = run.steps.last_mut() {
        last.footprint = step.clone();
    }
    for (task, operation) in pending {
        let (maker, number) = operation.object.place();
        for word in [*task, operation.kind as usize, maker, number] {
            run.checksum.update(&(word as u32).to_le_bytes());
        }
    }
    run.checksum.update(&(enabled.len() as u32).to_le_bytes());
}

impl Scheduler for Bridge {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.end();
        let schedule = self.driver.as_mut()?.begin()?;
        self.begun = true;
        state::with(|state| state.begin(&self.setup));
        Some(schedule)
    }

    fn next_task(&mut self, runnable: &[&Task], _: Option<TaskId>, _: bool) -> Option<TaskId> {
        let lost = state::with(|state| {
            let foreign = !state.stuck && Self::is_foreign(state, runnable);
            if foreign {
                let (task, place) = (state.current, foreign::place());
                state.fail(Error::ForeignSchedulingPoint { task, place });
            }
            // The task may be blocked by a primitive of Shuttle's, so nothing could unwind it.
            foreign || state.stuck
        });
        if lost {
            self.leave_thread();
        }
        let task = state::with(|state| {
            Self::forced(state, runnable).unwrap_or_else(|| self.decide(state, runnable))
        });
        if !self.unwinds && state::with(|state| state.deadlock.is_some()) {
            self.report();
            return None;
        }
        Some(task)
    }

    fn next_u64(&mut self) -> u64 {
        // No schedule records this number, so no replay could repeat it.
        state::with(|state| state.fail(Error::RandomNumber));
        0
    }
}
