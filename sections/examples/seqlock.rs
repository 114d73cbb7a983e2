//! A sequence lock: a writer makes the count odd, writes two words, and makes it even again. A reader that sees another
//! count after its reads than before has to read again. The broken one only asks whether the count was even.
//!
//! The words are atomics here, as in the versions for C11 memory (Boehm, *Can seqlocks get along with programming
//! language memory models?*, 2012). `sections` is sequentially consistent: it says nothing about the fences that a real
//! one needs. loom does.
//!
//! `cargo run --release -p sections --example seqlock`

mod demonstrate;

use demonstrate::demonstrate;
use sections::std::sync::Arc;
use sections::std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use sections::std::thread;
use sections::{Coverage, Error, named, spin};

struct SeqLock {
    count: AtomicU32,
    words: [AtomicU32; 2],
}

impl SeqLock {
    fn write(&self, value: u32) {
        self.count.add(1, SeqCst);
        self.words.iter().for_each(|word| word.store(value, SeqCst));
        self.count.add(1, SeqCst);
    }

    /// `asks_again`: whether the count is looked at after the words too.
    fn read(&self, asks_again: bool) -> [u32; 2] {
        loop {
            let before = self.count.load(SeqCst);
            if before.is_multiple_of(2) {
                let [first, second] = &self.words;
                let words = [first.load(SeqCst), second.load(SeqCst)];
                if !asks_again || self.count.load(SeqCst) == before {
                    return words;
                }
            }
            // This iteration has only read. So the task can wait until what it has read has changed.
            spin::spin_loop();
        }
    }
}

fn scenario(asks_again: bool) {
    let lock = Arc::new(SeqLock { count: AtomicU32::new(0), words: [0, 0].map(AtomicU32::new) });
    named(&lock.count, "count");
    let writer = Arc::clone(&lock);
    let writer = thread::spawn(move || {
        writer.write(1);
        writer.write(2);
    });
    let reader = thread::spawn(move || {
        let [first, second] = lock.read(asks_again);
        assert_eq!(first, second, "the words belong to two writes");
    });
    writer.join().unwrap();
    reader.join().unwrap();
}

fn main() -> Result<(), Error> {
    show().map(drop)
}

fn show() -> Result<Coverage, Error> {
    demonstrate(|| scenario(false), || scenario(true))
}

#[test]
fn a_reader_has_to_look_at_the_count_twice() {
    let coverage = show().unwrap();
    assert!(coverage.exhausted && coverage.complete > 1);
}
