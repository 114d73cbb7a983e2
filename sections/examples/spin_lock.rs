//! A spin lock that looks whether it is free and then takes it, in two steps. loom's documentation has loops of this kind
//! (`loom::thread::yield_now`); here it is `sections::spin`.
//!
//! `cargo run --release -p sections --example spin_lock`

mod demonstrate;

use demonstrate::demonstrate;
use sections::std::sync::Arc;
use sections::std::sync::atomic::{AtomicBool, AtomicU32, Ordering::*};
use sections::std::thread;
use sections::{Coverage, Error, named, spin};

#[derive(Default)]
struct Spin {
    held: AtomicBool,
}

impl Spin {
    fn lock_in_two_steps(&self) {
        while self.held.load(Acquire) {
            spin::spin_loop();
        }
        self.held.store(true, Relaxed);
    }

    fn lock_in_one_step(&self) {
        // A failed exchange changes nothing, so the iteration only reads, and the loop waits for a change.
        while self.held.compare_exchange_weak(false, true, Acquire, Relaxed).is_err() {
            spin::spin_loop();
        }
    }

    fn unlock(&self) {
        self.held.store(false, Release);
    }
}

fn scenario(lock: fn(&Spin)) {
    let shared = Arc::new((Spin::default(), AtomicU32::new(0)));
    named(&shared.0.held, "held");
    named(&shared.1, "counter");
    let tasks = [(), ()].map(|()| {
        let shared = Arc::clone(&shared);
        thread::spawn(move || {
            let (spin, counter) = &*shared;
            lock(spin);
            counter.store(counter.load(Relaxed) + 1, Relaxed);
            spin.unlock();
        })
    });
    tasks.into_iter().for_each(|task| task.join().unwrap());
    assert_eq!(shared.1.load(Relaxed), 2, "two tasks held the lock");
}

fn main() -> Result<(), Error> {
    show().map(drop)
}

fn show() -> Result<Coverage, Error> {
    demonstrate(|| scenario(Spin::lock_in_two_steps), || scenario(Spin::lock_in_one_step))
}

#[test]
fn two_steps_let_two_tasks_in_and_one_step_does_not() {
    let coverage = show().unwrap();
    assert!(coverage.exhausted && coverage.complete > 1);
}
