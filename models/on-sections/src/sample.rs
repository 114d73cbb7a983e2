//! Executions by chance: Shuttle's random and PCT schedulers, and the uniform random walk. They choose at announced
//! operations alone, so that what they find is a schedule that can be replayed.

use crate::refined::MOST_CALLERS;
use crate::seen::Seen;
use crate::urw::Urw;
use sections::{Error, Execution, Outcome, Sample};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Schedule, Scheduler, Task, TaskId};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem::ManuallyDrop;
use xfetch_vocabulary::catalogue::{Invariant, Protocol, Scenario};
use xfetch_vocabulary::history::History;

/// How the next task is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chance {
    /// Any task that can run is as likely as any other.
    Random,
    /// By priorities that change at a few random places (PCT), at this depth.
    Pct {
        /// PCT finds a bug of depth d best at depth d, and may never find it at another.
        depth: usize,
    },
    /// Any interleaving is about as likely as any other.
    UniformWalk,
}

/// What is drawn, and from where.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    /// How the next task is chosen.
    pub chance: Chance,
    /// Where the choices start.
    pub seed: u64,
    /// How many executions there are.
    pub executions: usize,
}

#[derive(Default)]
struct Sampled {
    seen: Seen,
    /// Without a seed: the same events give the same hash in every process.
    events: DefaultHasher,
}

/// Runs executions that are chosen by chance; up to the first that violates `until`, if there is one. Returns
/// what was seen, and a hash over every event of every execution, in order.
///
/// # Errors
///
/// [`Error`] says why the sample means nothing.
pub fn sample(
    sample: &Sample,
    draws: Draws,
    scenario: Scenario,
    protocol: Protocol,
    callers: usize,
    until: Option<Invariant>,
) -> Result<(Seen, u64), Error> {
    assert_eq!(crate::backend_name(), "sections on shuttle");
    let Draws { chance, seed, executions } = draws;
    let body = move || crate::run(scenario, protocol, callers);
    let scheduler = move || -> Box<dyn Scheduler + Send> {
        match chance {
            Chance::Random => {
                let random = RandomScheduler::new_from_seed(seed, executions);
                Box::new(Quiet(ManuallyDrop::new(random)))
            }
            Chance::Pct { depth } => Box::new(PctScheduler::new_from_seed(seed, depth, executions)),
            Chance::UniformWalk => Box::new(Urw::new(seed, executions)),
        }
    };
    let visit = move |sampled: &mut Sampled, execution: Execution<History>| {
        if let Outcome::Returned(history) = &execution.outcome {
            history.records.hash(&mut sampled.events);
        }
        sampled.seen.note(&execution, protocol, callers <= MOST_CALLERS, until)
    };
    let (_, Sampled { seen, events }) = sample.run(scheduler, body, visit)?;
    Ok((seen, events.finish()))
}

/// Shuttle's random scheduler takes an end before its last execution for a failure, and prints how to
/// replay it. It does so when it is dropped, and has nothing else to drop.
struct Quiet(ManuallyDrop<RandomScheduler>);

impl Scheduler for Quiet {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.0.new_execution()
    }

    fn next_task(&mut self, tasks: &[&Task], now: Option<TaskId>, yields: bool) -> Option<TaskId> {
        self.0.next_task(tasks, now, yields)
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }
}
