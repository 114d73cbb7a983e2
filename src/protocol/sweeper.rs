//! The thread of a cache that sweeps it now and then. It knows neither the cache nor its tables: it calls
//! a function. The shared state of a cache owns it.

use crate::error::ConfigError;
use crate::sync::{Arc, Condvar, Mutex, Thread};
use std::time::Duration;

/// The thread. It ends after this is dropped.
pub(crate) struct Sweeper {
    stop: Arc<StopSignal>,
}

struct StopSignal {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl StopSignal {
    /// Waits for a period. `true` if the thread is to end.
    fn wait(&self, period: Duration) -> bool {
        let mut stopped = self.stopped.lock();
        while !*stopped {
            let timed_out;
            (stopped, timed_out) = self.changed.wait_for(stopped, period);
            if timed_out {
                break;
            }
        }
        *stopped
    }
}

impl Sweeper {
    /// A sweeper that has no thread yet.
    pub(crate) fn new() -> Self {
        let stop = StopSignal { stopped: Mutex::new(false), changed: Condvar::new() };
        Self { stop: Arc::new(stop) }
    }

    /// Starts the thread, unless the period is [`Duration::MAX`]. The thread calls `sweep` once a period,
    /// until that returns `false`.
    pub(crate) fn start(
        &self,
        period: Duration,
        sweep: impl Fn() -> bool + Send + 'static,
    ) -> Result<(), ConfigError> {
        if period == Duration::MAX {
            return Ok(());
        }
        let stop = Arc::clone(&self.stop);
        let work = move || while !stop.wait(period) && sweep() {};
        Thread::spawn("xfetch-sweep".into(), work)
            .map(drop)
            .map_err(|error| ConfigError::NoThread { kind: error.kind() })
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        *self.stop.stopped.lock() = true;
        self.stop.changed.notify_all();
    }
}
