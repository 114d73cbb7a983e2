//! A value that goes stale, an origin that fails once, and the metrics: `cargo run --example quickstart`.

use std::num::ParseIntError;
use std::sync::Arc;
use std::time::Duration;
use xfetch_core::{Cache, ManualClock, Metrics, Waiting, WorkerPool};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let metrics = Arc::new(Metrics::new());
    let pool = WorkerPool::new(2, 64)?;
    // So that the example need not sleep. The default is the system's clock.
    let clock = ManualClock::new();
    let cache = Cache::builder(Duration::from_secs(5), Duration::from_secs(120)) // fresh, kept
        .clock(clock.clone())
        .observer(Arc::clone(&metrics))
        .executor(pool.clone())
        .build()?;
    let origin = |says: &'static str| move |_: &_| -> Result<u32, ParseIntError> { says.parse() };
    let ask = |says| cache.try_get_or_compute(&"answer", origin(says));

    println!("absent, and the origin fails:    {}", ask("no number").unwrap_err());
    println!("at once again, nobody is asked:  {}", ask("41").unwrap_err());
    clock.advance(Duration::from_secs(1));
    println!("the back-off is over, computed:  {}", *ask("41")?);

    clock.advance(Duration::from_secs(5));
    let stale = ask("42")?;
    println!("5 s later, served at once:       {} (stale: {})", *stale, stale.is_stale());
    pool.shut_down(Waiting::Run); // waits for the refresh, which runs on a thread of the pool
    println!("meanwhile refreshed by the pool: {}", *ask("43")?);

    println!("\nWhat was counted:");
    for (name, count) in metrics.snapshot().counters().filter(|(_, count)| *count > 0) {
        println!("{count:>4} {name}");
    }
    Ok(())
}
