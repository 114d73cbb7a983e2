//! The litmus programs, written once. The including module chooses the primitives that they run on. The
//! comment of a litmus says what a wrong search would lose or invent, and derives the outcomes.

mod atomics;
mod condvars;
mod locks;
mod panics;
mod programs;
mod tasks;
mod timeouts;

use super::backend::{Atomic, Condvar, JoinHandle, Ledger, Mutex, RwLock, spawn};
use crate::litmus::Litmus;
use std::panic::resume_unwind;
use std::sync::Arc;

pub use panics::try_against_a_panic;
#[allow(unused_imports)]
pub use programs::{run, run_alike};

pub use timeouts::TIMEOUTS;

/// Every litmus that Shuttle can run too. Shuttle fires no time-outs.
pub fn litmuses() -> impl Iterator<Item = Litmus> {
    let families = [locks::LOCKS, condvars::CONDVARS, atomics::ATOMICS, tasks::TASKS];
    families.into_iter().chain([panics::PANICS]).flatten().copied()
}

/// The shared objects. Main makes them before it spawns tasks.
pub struct Objects {
    a: Mutex<i64>,
    b: Mutex<i64>,
    c: Mutex<i64>,
    r: RwLock<i64>,
    x: Atomic,
    y: Atomic,
    v: Condvar,
    w: Condvar,
    ledger: Ledger,
}

impl Objects {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            a: Mutex::new(0),
            b: Mutex::new(0),
            c: Mutex::new(0),
            r: RwLock::new(0),
            x: Atomic::new(0),
            y: Atomic::new(0),
            v: Condvar::new(),
            w: Condvar::new(),
            ledger: Ledger::default(),
        })
    }
}

type Task = fn(&Arc<Objects>);

fn start(objects: &Arc<Objects>, task: Task) -> JoinHandle<()> {
    let objects = Arc::clone(objects);
    spawn(move || task(&objects))
}

/// Runs the tasks concurrently.
fn race(tasks: &[Task]) -> Arc<Objects> {
    let objects = Objects::new();
    let handles: Vec<_> = tasks.iter().map(|task| start(&objects, *task)).collect();
    handles.into_iter().for_each(join);
    objects
}

fn join(handle: JoinHandle<()>) {
    if let Err(panic) = handle.join() {
        resume_unwind(panic);
    }
}

macro_rules! litmus {
    ($name:ident, [$($outcome:literal),* $(,)?]) => {
        $crate::litmus::Litmus {
            name: stringify!($name),
            body: || {
                $name();
            },
            outcomes: &[$($outcome),*],
        }
    };
}
use litmus;
