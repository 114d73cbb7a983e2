//! Tests of the index. They stand apart from its source, which loom's tests compile too.

use crate::sync::Index;
use crate::sync::seats::{and_lowest, seat};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A key and a value. The hash of a key is the key, unless a test says otherwise.
type Entry = (u64, u64);

/// A thread without a seat finds nothing. The test of the seats takes all of them for a moment.
fn value_of(index: &Index<Entry>, hash: u64, key: u64) -> Option<u64> {
    while seat().is_none() {
        thread::yield_now();
    }
    index.get(hash, |entry| entry.0 == key).get().map(|entry| entry.1)
}

/// An index with these keys, as a table would have filled it.
fn filled(keys: impl Iterator<Item = u64>) -> (Index<Entry>, Vec<Arc<Entry>>) {
    let index = Index::new();
    let mut table: Vec<Arc<Entry>> = Vec::new();
    for key in keys {
        let entry = Arc::new((key, key));
        index.put(key, None, &entry);
        table.push(entry);
        index.fit(table.len(), table.iter().map(|entry| (entry.0, entry)));
    }
    (index, table)
}

fn random(keys: usize) -> impl Iterator<Item = u64> {
    let mut chance = fastrand::Rng::with_seed(7);
    (0..keys).map(move |_| chance.u64(..))
}

#[test]
fn an_entry_is_found_until_it_is_replaced_or_removed_and_is_then_let_go() {
    let (index, mut table) = filled(random(100));
    for entry in &mut table {
        let key = entry.0;
        assert_eq!(value_of(&index, key, key), Some(key));
        let newer = Arc::new((key, 1));
        index.put(key, Some(entry), &newer);
        assert_eq!((value_of(&index, key, key), Arc::strong_count(entry)), (Some(1), 1));
        *entry = newer;
        index.remove(key, entry);
        assert_eq!((value_of(&index, key, key), Arc::strong_count(entry)), (None, 1));
    }
}

/// Each growth moves entries to other places, and must leave nothing behind.
#[test]
fn an_index_that_has_grown_has_each_entry_once() {
    let (index, table) = filled(random(10_000));
    for entry in &table {
        assert!(Arc::strong_count(entry) <= 2);
    }
    index.clear();
    assert!(table.iter().all(|entry| Arc::strong_count(entry) == 1));
    assert!(table.iter().all(|entry| value_of(&index, entry.0, entry.0).is_none()));
}

/// The look of a key that the index lacks takes the lock, so that too many of them would be slow.
#[test]
fn hardly_an_entry_finds_no_place() {
    let (index, table) = filled(random(100_000));
    let lacks = |entry: &&Arc<Entry>| value_of(&index, entry.0, entry.0).is_none();
    assert!(table.iter().filter(lacks).count() < 10);
}

/// As full as an index gets: 640 of 1,024 places. Then each key is replaced by another one a hundred times.
#[test]
fn hardly_an_entry_finds_no_place_after_many_evictions() {
    let (index, mut table) = filled(random(640));
    let mut chance = fastrand::Rng::with_seed(8);
    for write in 0..64_000 {
        let place = write % table.len();
        index.remove(table[place].0, &table[place]);
        let key = chance.u64(..);
        table[place] = Arc::new((key, key));
        index.put(key, None, &table[place]);
    }
    let lacks = |entry: &&Arc<Entry>| value_of(&index, entry.0, entry.0).is_none();
    assert!(table.iter().filter(lacks).count() < 10);
}

/// A window holds 32 keys. A flood of keys with one hash takes no more memory than others.
#[test]
fn keys_with_one_hash_never_make_the_index_grow_beyond_its_load() {
    let index = Index::new();
    let table: Vec<Arc<Entry>> = (0..1_000).map(|key| Arc::new((key, key))).collect();
    for (before, entry) in table.iter().enumerate() {
        index.put(5, None, entry);
        index.fit(before + 1, table[..=before].iter().map(|entry| (5, entry)));
    }
    let found = table.iter().filter(|entry| value_of(&index, 5, entry.0) == Some(entry.1));
    assert_eq!(found.count(), 32);
    // 1,000 keys at 5 of 8 are 1,600 places. The next power of two is 2,048, and a place has 16 bytes.
    assert_eq!(index.bytes(), 2_048 * 16);
}

/// The hash of a free place is 0, and a key may have that hash.
#[test]
fn a_key_whose_hash_is_that_of_a_free_place_is_found() {
    let (index, table) = filled([0].into_iter());
    assert_eq!(value_of(&index, 0, 0), Some(0));
    index.remove(0, &table[0]);
    assert_eq!(value_of(&index, 0, 0), None);
}

/// What docs/MODELS.md trusts: a look returns an entry that was current at some moment of the look. The writer notes
/// the newest value before it begins and after it has ended; 0 stands for none. Other keys come and go in the same
/// places, and the index grows. The writer goes on until each reader has found a value beside it, however late the
/// machine starts one; a reader that never finds any fails after a minute.
#[test]
fn a_look_beside_writes_never_returns_an_older_entry_than_the_last_before_it() {
    let (index, mut table) = filled(random(5));
    let (begun, ended, over) = (AtomicU64::new(1), AtomicU64::new(1), AtomicBool::new(false));
    let found: [AtomicBool; 2] = Default::default();
    let mut newest = Arc::new((3, 1));
    index.put(3, None, &newest);
    table.push(Arc::clone(&newest));
    thread::scope(|scope| {
        for found in &found {
            let (index, begun, ended, over) = (&index, &begun, &ended, &over);
            scope.spawn(move || {
                while !over.load(Ordering::SeqCst) {
                    let from = ended.load(Ordering::SeqCst);
                    let seen = value_of(index, 3, 3);
                    let to = begun.load(Ordering::SeqCst);
                    // The values are odd: an even write is a removal.
                    assert!(seen.is_none_or(|seen| (from | 1..=to).contains(&seen)));
                    if seen.is_some() {
                        found.store(true, Ordering::SeqCst);
                    }
                }
            });
        }
        let start = Instant::now();
        let all_found = || found.iter().all(|found| found.load(Ordering::SeqCst));
        let late = || start.elapsed() > Duration::from_secs(60);
        for write in (2..).take_while(|&write| write < 200_000 || !all_found() && !late()) {
            begun.store(write, Ordering::SeqCst);
            if write % 2 == 0 {
                index.remove(3, &newest);
                table.retain(|entry| !Arc::ptr_eq(entry, &newest));
            } else {
                newest = Arc::new((3, write));
                index.put(3, None, &newest);
                table.push(Arc::clone(&newest));
                if write % 5_000 == 1 {
                    let other = Arc::new((write << 20 | 3, 0));
                    index.put(other.0, None, &other);
                    table.push(other);
                    index.fit(table.len() * 4, table.iter().map(|entry| (entry.0, entry)));
                }
            }
            ended.store(write, Ordering::SeqCst);
        }
        over.store(true, Ordering::SeqCst);
        assert!(all_found(), "a reader was beside nothing");
    });
}

#[test]
fn the_lowest_free_seat_is_taken_and_none_of_a_full_set() {
    assert_eq!([0, 0b1011, u64::MAX >> 1].map(and_lowest), [Some(1), Some(0b1111), Some(u64::MAX)]);
    assert_eq!(and_lowest(u64::MAX), None);
}

/// Each thread asks for a seat while all the others are there. Those of other tests may have some too.
#[test]
fn a_seat_has_one_thread_at_a_time_and_is_given_back() {
    let all = std::sync::Barrier::new(70);
    let taken = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..70 {
            scope.spawn(|| {
                let own = seat();
                if let Some(own) = own {
                    let before = taken.fetch_or(1 << own, Ordering::SeqCst);
                    assert_eq!(before & 1 << own, 0, "another thread has it");
                }
                all.wait();
                assert!(own.is_none() || seat() == own, "it keeps its seat");
                all.wait();
            });
        }
    });
    assert_ne!(taken.into_inner(), 0);
    // A scope ends before the thread-locals of its threads do.
    thread::spawn(|| {
        while seat().is_none() {
            thread::yield_now();
        }
    })
    .join()
    .expect("the seats are free again");
}
