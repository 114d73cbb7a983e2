//! The threads of a cache end with it. This test has its own file, since other tests start threads too.
#![cfg(target_os = "linux")]

use std::fs;
use std::time::{Duration, Instant};
use xfetch_core::{Cache, CallerRuns};

/// How many threads of this process have a name of the cache's.
fn threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("this is linux");
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).ok();
    let names = tasks.filter_map(|task| name(task.ok()?));
    names.filter(|name| name.starts_with("xfetch-")).count()
}

/// Waits until there are so many. A thread has its name from its beginning to its end.
fn wait_for(so_many: usize) {
    let began = Instant::now();
    while threads() != so_many {
        let there = threads();
        assert!(began.elapsed() < Duration::from_secs(60), "{there} instead of {so_many}");
        std::thread::yield_now();
    }
}

#[test]
fn the_threads_of_a_cache_never_outlive_it() {
    let build = || Cache::<u32, u32>::builder(Duration::from_secs(5), Duration::from_secs(120));
    let caches: Vec<_> = (0..20).map(|_| build().build().expect("valid")).collect();
    // Each cache has four threads that refresh and one that sweeps.
    wait_for(20 * 5);
    drop(caches);
    wait_for(0);
    let none = build().executor(CallerRuns).sweep_every(Duration::MAX).build().expect("valid");
    assert_eq!(threads(), 0, "it was told to do without");
    drop(none);
}
