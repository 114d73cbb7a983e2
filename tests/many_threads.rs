//! More threads than read without a lock. They are in a process of their own: elsewhere a test that needs to read without
//! a lock would find no seat.

use std::sync::Barrier;
use std::time::Duration;
use xfetch_core::Cache;

/// 64 threads at a time read without a lock, and the others ask the table.
#[test]
fn a_hundred_threads_at_once_all_find_a_value() {
    let cache = Cache::builder(Duration::from_secs(5), Duration::from_secs(120)).build();
    let cache = cache.expect("valid");
    cache.insert(1, 2);
    let all = Barrier::new(100);
    std::thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                all.wait();
                assert_eq!(cache.get(&1).map(|found| *found), Some(2));
                all.wait();
            });
        }
    });
}
