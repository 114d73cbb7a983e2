//! Tom Cargill's bounded buffer, which Coyote's and Shuttle's documentation use (`tests/demo/bounded_buffer.rs` of
//! Shuttle). Producers and consumers wait on one condition variable, and a change wakes one of them: perhaps one that
//! cannot use it.
//!
//! `cargo run --release -p sections --example bounded_buffer`

mod demonstrate;

use demonstrate::demonstrate;
use sections::std::sync::{Arc, Condvar, Mutex};
use sections::std::thread;
use sections::{Coverage, Error, named};
use std::collections::VecDeque;

struct Buffer {
    values: Mutex<VecDeque<u32>>,
    changed: Condvar,
    wake: fn(&Condvar),
}

const SIZE: usize = 1;

impl Buffer {
    fn put(&self, value: u32) {
        let values = self.values.lock().unwrap();
        let mut values = self.changed.wait_while(values, |values| values.len() == SIZE).unwrap();
        values.push_back(value);
        (self.wake)(&self.changed);
    }

    fn take(&self) -> Option<u32> {
        let values = self.values.lock().unwrap();
        let mut values = self.changed.wait_while(values, |values| values.is_empty()).unwrap();
        (self.wake)(&self.changed);
        values.pop_front()
    }
}

/// One producer of two values, two consumers of one.
fn scenario(wake: fn(&Condvar)) {
    let buffer = Arc::new(Buffer { values: Mutex::default(), changed: Condvar::new(), wake });
    named(&buffer.values, "values");
    named(&buffer.changed, "changed");
    let consumers = [(), ()].map(|()| {
        let buffer = Arc::clone(&buffer);
        thread::spawn(move || buffer.take())
    });
    let producer = thread::spawn(move || {
        buffer.put(1);
        buffer.put(2);
    });
    producer.join().unwrap();
    for consumer in consumers {
        assert!(consumer.join().unwrap().is_some());
    }
}

fn main() -> Result<(), Error> {
    show().map(drop)
}

fn show() -> Result<Coverage, Error> {
    demonstrate(|| scenario(Condvar::notify_one), || scenario(Condvar::notify_all))
}

#[test]
fn waking_one_is_too_few_and_waking_all_is_enough() {
    let coverage = show().unwrap();
    assert!(coverage.exhausted && coverage.complete > 1);
}
