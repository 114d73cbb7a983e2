//! Refreshes on tokio's blocking threads instead of a pool of the cache's own:
//! `cargo run -p xfetch-example-service --bin tokio_executor`.

use std::time::Duration;
use tokio::runtime::{Handle, Runtime};
use xfetch_core::{Cache, Executor, Job, ManualClock};

/// The blocking threads of a runtime.
///
/// Their queue has no bound, but there is at most one refresh for each key. They are shared with
/// everybody who calls `spawn_blocking`, so that refreshes may have to wait for others.
struct TokioBlocking {
    handle: Handle,
}

impl Executor for TokioBlocking {
    fn execute(&self, job: Job) -> Result<(), Job> {
        // A runtime that has been shut down drops the closure, the job with it, and so frees the key.
        // It hands nothing back: such a refresh is counted as dropped, and not as rejected.
        drop(self.handle.spawn_blocking(move || job.run()));
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (runtime, clock) = (Runtime::new()?, ManualClock::new());
    let cache = Cache::builder(Duration::from_secs(5), Duration::from_secs(120))
        .clock(clock.clone())
        .executor(TokioBlocking { handle: runtime.handle().clone() })
        .build()?;
    cache.insert("page", "old".to_owned());
    clock.advance(Duration::from_secs(5));
    let (told, refreshed) = std::sync::mpsc::channel();
    let stale = cache.get_or_compute(&"page", move |_| {
        let by = std::thread::current().name().unwrap_or("a thread").to_owned();
        drop(told.send(by.clone()));
        format!("new, by {by}")
    })?;
    println!("served at once: {}", *stale);
    println!("its refresh ran on: {}", refreshed.recv()?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;
    use xfetch_core::{Metrics, SystemClock, With};

    type Tested = Cache<&'static str, u32, With<SystemClock, Arc<Metrics>, TokioBlocking>>;

    /// A cache in which what is there is stale, and refreshed on this runtime.
    fn stale_at_once(runtime: &Runtime) -> (Tested, Arc<Metrics>) {
        let (metrics, handle) = (Arc::new(Metrics::new()), runtime.handle().clone());
        let cache = Cache::builder(Duration::ZERO, Duration::from_secs(3_600))
            .observer(Arc::clone(&metrics))
            .executor(TokioBlocking { handle })
            .build()
            .expect("valid");
        cache.insert("k", 1);
        (cache, metrics)
    }

    #[test]
    fn a_refresh_runs_on_a_thread_of_the_runtime() {
        let runtime = Runtime::new().expect("threads");
        let (cache, _) = stale_at_once(&runtime);
        let caller = thread::current().id();
        let compute = move |_: &_| if thread::current().id() == caller { 7 } else { 2 };
        assert_eq!(*cache.get_or_compute(&"k", compute).expect("stale"), 1);
        let now = || *cache.get(&"k").expect("it is kept");
        while now() == 1 {
            thread::yield_now();
        }
        assert_eq!(now(), 2);
    }

    #[test]
    fn a_runtime_that_was_shut_down_frees_the_key() {
        let runtime = Runtime::new().expect("threads");
        let (cache, metrics) = stale_at_once(&runtime);
        runtime.shutdown_background();
        for _ in 0..2 {
            assert_eq!(*cache.get_or_compute(&"k", |_| 2).expect("stale"), 1);
        }
        let counted = metrics.snapshot();
        assert_eq!((counted.leased, counted.released, counted.contended), (2, 2, 0));
        assert_eq!((counted.dropped, counted.rejected, counted.computes), (2, 0, 0));
        assert_eq!(cache.usage().leases, 0);

        cache.invalidate(&"k");
        assert_eq!(*cache.get_or_compute(&"k", |_| 3).expect("computed here"), 3);
    }
}
