//! The programs, written once. The module above says what they run on.

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
pub use programs::run;

pub use timeouts::TIMEOUTS;

/// Every litmus that Shuttle can run too: it fires no time-outs.
pub fn litmuses() -> impl Iterator<Item = Litmus> {
    let families = [locks::LOCKS, condvars::CONDVARS, atomics::ATOMICS, tasks::TASKS];
    families.into_iter().chain([panics::PANICS]).flatten().copied()
}

/// What the tasks share. Main makes it before there are any.
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

/// Runs the tasks against each other.
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
