//! A barrier, made of a mutex and a condition variable.

use crate::sync::{Condvar, Mutex};

/// As `std::sync::Barrier`. The last task to arrive leads.
#[derive(Debug)]
pub struct Barrier {
    size: usize,
    arrived: Mutex<Arrived>,
    complete: Condvar,
}

#[derive(Debug, Default)]
struct Arrived {
    now: usize,
    generation: usize,
}

/// Whether a task leads.
#[derive(Clone, Copy, Debug)]
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// Whether it does.
    pub fn is_leader(&self) -> bool {
        self.0
    }
}

impl Barrier {
    /// A barrier for this number of tasks.
    #[track_caller]
    pub fn new(size: usize) -> Self {
        Self { size, arrived: Mutex::new(Arrived::default()), complete: Condvar::new() }
    }

    /// Waits until all tasks have arrived.
    #[track_caller]
    pub fn wait(&self) -> BarrierWaitResult {
        let mut arrived = self.arrived.lock();
        arrived.now += 1;
        if arrived.now >= self.size {
            arrived.now = 0;
            arrived.generation += 1;
            self.complete.notify_all();
            return BarrierWaitResult(true);
        }
        let mine = arrived.generation;
        while arrived.generation == mine {
            arrived = self.complete.wait(arrived);
        }
        BarrierWaitResult(false)
    }
}
