//! The index of a shard under the C11 memory model: its shipped source, on loom's atomics.
//!
//! The other models have one linearizable object in its place (docs/MODELS.md). Here a look runs beside each thing that a
//! writer does, in every interleaving that loom distinguishes: there is no bound, since two threads with a few operations
//! each need none. A test names all outcomes that there are, and the number of executions. docs/MODELS.md has these numbers.

use index::Index;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The shipped source.
#[expect(dead_code, reason = "a look needs only a part of it")]
#[path = "../../../src/sync/index.rs"]
mod index;

/// What it asks for.
mod sync {
    pub(crate) mod seats {
        /// Every thread may read.
        pub(crate) fn seat() -> Option<usize> {
            Some(0)
        }
    }

    /// In place of `src/sync/slot.rs`: its `arc-swap` is a register here that holds the number of an entry. Each load and
    /// each store has the order that `arc-swap` promises.
    pub(crate) mod slot {
        use loom::sync::atomic::{AtomicUsize, Ordering};
        use std::sync::{Arc, Mutex, PoisonError};

        pub(crate) use loom::sync::atomic;

        pub(crate) struct Slot<T> {
            number: AtomicUsize,
            entries: Mutex<Vec<Arc<T>>>,
        }

        impl<T> Slot<T> {
            pub(crate) fn empty() -> Self {
                Self { number: AtomicUsize::new(0), entries: Mutex::default() }
            }

            pub(crate) fn load(&self) -> Seen<T> {
                let number = self.number.load(Ordering::Acquire);
                let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
                Seen(number.checked_sub(1).and_then(|number| entries.get(number).cloned()))
            }

            pub(crate) fn store(&self, entry: Option<Arc<T>>) {
                let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
                let number = entry.map_or(0, |entry| {
                    entries.push(entry);
                    entries.len()
                });
                drop(entries);
                self.number.store(number, Ordering::Release);
            }
        }

        pub(crate) struct Seen<T>(Option<Arc<T>>);

        impl<T> Seen<T> {
            pub(crate) fn nothing() -> Self {
                Self(None)
            }

            pub(crate) fn get(&self) -> Option<&T> {
                self.0.as_deref()
            }
        }

        /// The standard library's, which loom cannot see: a thread that is not ordered after the one that has set it may
        /// find it empty.
        pub(crate) struct OnceLock<T> {
            is_set: loom::sync::atomic::AtomicBool,
            value: std::sync::OnceLock<T>,
        }

        impl<T> OnceLock<T> {
            pub(crate) fn new() -> Self {
                Self { is_set: false.into(), value: std::sync::OnceLock::new() }
            }

            pub(crate) fn get(&self) -> Option<&T> {
                self.is_set.load(Ordering::Acquire).then(|| self.value.get()).flatten()
            }

            pub(crate) fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
                let value = self.value.get_or_init(init);
                self.is_set.store(true, Ordering::Release);
                value
            }
        }
    }
}

/// A key and its value.
type Entry = (u64, u64);

/// Of 32 places both keys begin at place 3. Of 64 this one begins at place 35: it moves when the index grows.
const KEY: u64 = 3 + 32;
const OTHER: u64 = 3;

/// What a look found: the value of its key, and whether the writer was done before the look began.
type Seen = (Option<u64>, bool);

/// Runs a writer beside a look of `KEY`, whose first value is 1, and returns everything that the look found in any
/// execution. `write` gets the index with the two entries.
fn beside(write: fn(&Index<Entry>, [Arc<Entry>; 2])) -> (BTreeSet<Seen>, usize) {
    let seen = Arc::new(Mutex::new((BTreeSet::new(), 0)));
    let all = Arc::clone(&seen);
    let mut builder = loom::model::Builder::new();
    // Environment variables would set them otherwise.
    (builder.preemption_bound, builder.max_permutations, builder.max_duration) = (None, None, None);
    builder.check(move || {
        let index = Arc::new(Index::new());
        let entries = [KEY, OTHER].map(|key| Arc::new((key, 1)));
        index.fit(2, [].into_iter());
        for entry in &entries {
            index.put(entry.0, None, entry);
        }
        let done = Arc::new(AtomicBool::new(false));
        let (of_writer, sets) = (Arc::clone(&index), Arc::clone(&done));
        let writer = thread::spawn(move || {
            write(&of_writer, entries);
            // As the lock's release does.
            sets.store(true, Ordering::Release);
        });
        let was_done = done.load(Ordering::Acquire);
        let found = index.get(KEY, |entry| entry.0 == KEY).get().map(|entry| entry.1);
        writer.join().expect("no panic");
        let mut seen = all.lock().unwrap_or_else(PoisonError::into_inner);
        seen.0.insert((found, was_done));
        seen.1 += 1;
    });
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    (seen.0.clone(), seen.1)
}

/// The expected number of executions is loom's own: no formula of ours gives it. It says that the search is as large as it was.
fn assert_all(
    write: fn(&Index<Entry>, [Arc<Entry>; 2]),
    expected: &[Seen],
    expected_executions: usize,
) {
    let (seen, executions) = beside(write);
    assert_eq!(seen, expected.iter().copied().collect());
    assert_eq!(executions, expected_executions);
}

/// It finds the old value or the new one, and always finds one: both are in one place.
#[test]
fn a_look_beside_a_replacement_finds_the_new_value_once_the_writer_is_done() {
    let replace = |index: &Index<Entry>, [entry, _]: [Arc<Entry>; 2]| {
        index.put(KEY, Some(&entry), &Arc::new((KEY, 2)));
    };
    assert_all(replace, &[(Some(1), false), (Some(2), false), (Some(2), true)], 49);
}

/// The place of the removed entry gets the entry of another key, whose hash is the same.
#[test]
fn a_look_never_finds_an_entry_that_was_removed_before_it_nor_that_of_another_key() {
    let reuse = |index: &Index<Entry>, [entry, _]: [Arc<Entry>; 2]| {
        index.remove(KEY, &entry);
        index.put(KEY, None, &Arc::new((9, 9)));
    };
    assert_all(reuse, &[(Some(1), false), (None, false), (None, true)], 196);
}

/// The entry changes its place. A look beside that may find none, and asks the table.
#[test]
fn a_look_beside_a_growth_finds_its_entry_or_nothing_and_finds_it_once_the_writer_is_done() {
    let grow = |index: &Index<Entry>, entries: [Arc<Entry>; 2]| {
        index.fit(21, entries.iter().map(|entry| (entry.0, entry)));
    };
    assert_all(grow, &[(Some(1), false), (None, false), (Some(1), true)], 163);
}

/// A look that still has the old number of places must not find what is removed after the growth.
#[test]
fn a_look_never_finds_an_entry_that_was_removed_after_a_growth() {
    let grow = |index: &Index<Entry>, entries: [Arc<Entry>; 2]| {
        index.fit(21, entries.iter().map(|entry| (entry.0, entry)));
        index.remove(KEY, &entries[0]);
    };
    assert_all(grow, &[(Some(1), false), (None, false), (None, true)], 313);
}
