//! All outcomes of a program: by Shuttle's own search on Shuttle's own primitives, and by this
//! package's search.

use super::log;
use super::native::backend::{begin, main_joins};
use crate::{Coverage, Error, Execution, Outcome, Search};
use shuttle::scheduler::{DfsScheduler, Schedule, Scheduler, Task, TaskId};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};
use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex, Once};

/// Outcomes, in the format of [`log::outcome`].
pub type Outcomes = BTreeSet<String>;

/// The decisions that Shuttle's search takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choices {
    /// One at each of Shuttle's scheduling points.
    All,
    /// Only those that can matter, which are far fewer. Main spawns before any task runs and joins
    /// after all tasks have ended. A new task runs to its first scheduling point at once. Neither
    /// touches anything that other tasks touch.
    ThatMatter,
}

/// The result of Shuttle's search.
#[derive(Debug)]
pub struct Found {
    pub outcomes: Outcomes,
    pub executions: usize,
    /// Whether the search was complete.
    pub exhausted: bool,
}

/// Shuttle's depth-first search. It outlives the runners that a deadlock ends.
struct Dfs {
    search: DfsScheduler,
    choices: Choices,
    /// Whether each task has run, by number.
    begun: Vec<bool>,
    executions: usize,
    at_most: usize,
    exhausted: bool,
}

impl Dfs {
    /// The first task that has not run yet, main excepted.
    fn begin_new(&mut self, runnable: &[&Task]) -> Option<TaskId> {
        let most = runnable.iter().map(|task| usize::from(task.id())).max()?;
        self.begun.resize(self.begun.len().max(most + 1), false);
        self.begun[0] = true;
        let new = runnable.iter().find(|task| !self.begun[usize::from(task.id())])?;
        self.begun[usize::from(new.id())] = true;
        Some(new.id())
    }
}

#[derive(Clone)]
struct SharedDfs(Rc<RefCell<Dfs>>);

impl Scheduler for SharedDfs {
    fn new_execution(&mut self) -> Option<Schedule> {
        let mut dfs = self.0.borrow_mut();
        if dfs.executions == dfs.at_most {
            return None;
        }
        let schedule = dfs.search.new_execution();
        dfs.executions += usize::from(schedule.is_some());
        dfs.exhausted = schedule.is_none();
        dfs.begun.clear();
        begin();
        schedule
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        yielding: bool,
    ) -> Option<TaskId> {
        let mut dfs = self.0.borrow_mut();
        if dfs.choices == Choices::All {
            return dfs.search.next_task(runnable, current, yielding);
        }
        let is_main = |task: &&&Task| usize::from(task.id()) == 0;
        let main = runnable.iter().find(is_main);
        if let Some(main) = main.filter(|_| !main_joins() || runnable.len() == 1) {
            return Some(main.id());
        }
        if let Some(new) = dfs.begin_new(runnable) {
            return Some(new);
        }
        let others: Vec<_> = runnable.iter().filter(|task| !is_main(task)).copied().collect();
        dfs.search.next_task(&others, current, yielding)
    }

    fn next_u64(&mut self) -> u64 {
        self.0.borrow_mut().search.next_u64()
    }
}

/// Every outcome of `body` on Shuttle's primitives, from at most this many executions.
pub fn by_shuttle(
    body: impl Fn() + Clone + Send + Sync + 'static,
    choices: Choices,
    at_most: usize,
) -> Found {
    keep_deadlocks_quiet();
    let search = DfsScheduler::new(None, false);
    let dfs = Dfs { search, choices, begun: Vec::new(), executions: 0, at_most, exhausted: false };
    let dfs = SharedDfs(Rc::new(RefCell::new(dfs)));
    let outcomes = Arc::new(Mutex::new(Outcomes::new()));
    while let Err(panic) = run(&dfs, &body, &outcomes) {
        // The execution failed and ended its runner. The search continues with the next execution.
        outcomes.lock().unwrap().insert(log::outcome(&ending(panic.as_ref())));
    }
    let dfs = dfs.0.borrow();
    let outcomes = std::mem::take(&mut *outcomes.lock().unwrap());
    Found { outcomes, executions: dfs.executions, exhausted: dfs.exhausted }
}

fn run(
    dfs: &SharedDfs,
    body: &(impl Fn() + Clone + Send + Sync + 'static),
    outcomes: &Arc<Mutex<Outcomes>>,
) -> std::thread::Result<usize> {
    let (body, outcomes) = (body.clone(), Arc::clone(outcomes));
    let runner = Runner::new(dfs.clone(), config());
    catch_unwind(AssertUnwindSafe(|| {
        runner.run(move || {
            log::clear();
            body();
            outcomes.lock().unwrap().insert(log::outcome(""));
        })
    }))
}

fn config() -> Config {
    let mut config = Config::new();
    config.failure_persistence = FailurePersistence::None;
    config.max_steps = MaxSteps::None;
    config
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

fn is_deadlock(panic: &(dyn Any + Send)) -> bool {
    text(panic).starts_with("deadlock! blocked tasks")
}

fn ending(panic: &(dyn Any + Send)) -> String {
    if is_deadlock(panic) { "deadlock".into() } else { format!("panicked: {}", text(panic)) }
}

/// Suppresses the message of a deadlock, which is an outcome here. Shuttle sets its panic hook in the
/// first run, so this sets its own after it.
fn keep_deadlocks_quiet() {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        Runner::new(DfsScheduler::new(None, false), config()).run(|| {});
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !is_deadlock(panic.payload()) {
                others(panic);
            }
        }));
    });
}

/// How an execution of this package's search ended, with what its tasks saw.
pub fn outcome_of(execution: &Execution<()>) -> String {
    match &execution.outcome {
        Outcome::Returned(()) => log::outcome(""),
        Outcome::Deadlock(_) => log::outcome("deadlock"),
        Outcome::Panicked(message) => log::outcome(&format!("panicked: {message}")),
    }
}

/// Every outcome of `body` on this package's primitives.
pub fn by_sections(
    body: impl Fn() + Clone + Send + Sync + 'static,
    reduce: bool,
    workers: usize,
) -> Result<(Outcomes, Coverage), Error> {
    let search = Search { reduce, workers, ..Search::default() };
    let body = move || {
        log::clear();
        body();
    };
    let (coverage, found) = search.run(body, |outcomes: &mut Outcomes, execution| {
        outcomes.insert(outcome_of(&execution));
        ControlFlow::Continue(())
    })?;
    Ok((found.into_iter().flatten().collect(), coverage))
}
