//! The index of a shard: its entries, for requests that take no lock. The store alone uses it.
//!
//! The shard's table, under the shard's lock, is the truth. A writer changes both while it holds the lock. The index may
//! lack an entry, and then a look asks the table. Whenever the lock is free, each entry of the index is in the table:
//!
//! - a look returns an entry that was the key's at some moment of the look;
//! - an entry that was removed or replaced is never returned by a look that began after the writer was done.
//!
//! It is a hash table of places. An entry with the hash `h` may be in any of the [`WINDOW`] places from `h` on; a writer
//! takes the first free one. The places are a list of segments, of which each is as large as all before it together. An
//! index that grows adds a segment, so that the memory of a place stays until the index is dropped. It moves each entry that
//! is outside its new window: into the new place first, then out of the old one. A look beside a move may miss the entry,
//! and then asks the table.

use crate::sync::seats::seat;
use crate::sync::slot::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::slot::{OnceLock, Seen, Slot};
use std::array::from_fn;
use std::sync::Arc;

/// How many places may have an entry. With [`FULL`] of the places taken, less than one entry in ten thousand finds its
/// whole window taken.
const WINDOW: usize = 32;
/// The places of the first segment. A window reaches into one more segment at most.
const FEWEST: usize = WINDOW;
/// No machine has memory for more.
const SEGMENTS: usize = 40;
/// The index grows when more of its places would be taken: 5 of 8.
const FULL: (usize, usize) = (5, 8);
/// The hash of a free place.
const FREE: u64 = 0;

struct Place<T> {
    /// Of the entry; a hint that saves a look most of the entries of other keys.
    hash: AtomicU64,
    entry: Slot<T>,
}

/// The entries of a shard. Its writers hold the shard's lock.
pub struct Index<T> {
    /// How many places there are: a power of two, or none.
    places: AtomicUsize,
    segments: [OnceLock<Box<[Place<T>]>>; SEGMENTS],
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Index<T> {
    /// Whether an entry that a look does not find is absent.
    pub const IS_COMPLETE: bool = false;

    /// An index without entries and without memory.
    pub fn new() -> Self {
        Self { places: AtomicUsize::new(0), segments: from_fn(|_| OnceLock::new()) }
    }

    /// The entry with this hash for which `is` is true, if the index has it and this thread may read it.
    #[inline(always)]
    pub fn get(&self, hash: u64, is: impl Fn(&T) -> bool) -> Seen<T> {
        let (hash, places) = (taken(hash), self.places());
        let here = seat().and_then(|_| self.places_from(hash as usize, WINDOW, places));
        let Some((here, left)) = here else { return Seen::nothing() };
        let found = find(here, hash, &is);
        if left == 0 || found.get().is_some() {
            found
        } else {
            self.get_on(hash, left, places, &is)
        }
    }

    /// The rest of a window, in the next segment.
    #[cold]
    fn get_on(&self, hash: u64, left: usize, places: usize, is: impl Fn(&T) -> bool) -> Seen<T> {
        let next = (hash as usize).wrapping_add(WINDOW - left);
        let rest = self.places_from(next, left, places);
        rest.map_or_else(Seen::nothing, |(places, _)| find(places, hash, &is))
    }

    /// A writer calls this before it changes the index. Here it does nothing. Under a model it is the operation that the
    /// scheduler sees.
    pub fn change(&self) {}

    /// Makes `entry` the key's, instead of `before`. The index may have no place for it.
    pub fn put(&self, hash: u64, before: Option<&Arc<T>>, entry: &Arc<T>) {
        let (hash, places) = (taken(hash), self.places());
        let here = before.and_then(|before| self.place_of(hash, before, places));
        // ORDERING: only writers change the hashes, under the lock. A look that sees a hash before its entry, or the
        // other way round, finds nothing here.
        let is_free = |place: &&Place<T>| place.hash.load(Ordering::Relaxed) == FREE;
        if let Some(place) = here.or_else(|| self.window(hash, places).find(is_free)) {
            place.hash.store(hash, Ordering::Relaxed);
            place.entry.store(Some(Arc::clone(entry)));
        }
    }

    /// Removes an entry.
    pub fn remove(&self, hash: u64, entry: &Arc<T>) {
        self.place_of(taken(hash), entry, self.places()).into_iter().for_each(empty);
    }

    /// Removes all entries.
    pub fn clear(&self) {
        self.segments.iter().filter_map(OnceLock::get).flatten().for_each(empty);
    }

    /// Makes room for so many entries. `entries` are those that there are, each with its hash.
    pub fn fit<'a>(&self, most: usize, entries: impl Iterator<Item = (u64, &'a Arc<T>)>)
    where
        T: 'a,
    {
        let before = self.places();
        if most.saturating_mul(FULL.1) <= before.saturating_mul(FULL.0) {
            return;
        }
        let (places, segment) = match before {
            0 => (FEWEST, 0),
            _ => (before * 2, segment_of(before)),
        };
        let Some(segment) = self.segments.get(segment) else { return };
        segment.get_or_init(|| {
            let place = || Place { hash: AtomicU64::new(FREE), entry: Slot::empty() };
            (before..places).map(|_| place()).collect()
        });
        self.places.store(places, Ordering::Relaxed);
        for (hash, entry) in entries {
            if self.place_of(taken(hash), entry, places).is_none() {
                let old = self.place_of(taken(hash), entry, before);
                self.put(hash, None, entry);
                old.into_iter().for_each(empty);
            }
        }
    }

    /// The memory of the places.
    pub fn bytes(&self) -> usize {
        self.segments.iter().filter_map(OnceLock::get).map(|places| size_of_val(&**places)).sum()
    }

    /// How many places there are.
    #[inline]
    fn places(&self) -> usize {
        // ORDERING: only writers change it, under the lock. A look that sees more places before their segment, or fewer
        // than there are, finds nothing and asks the table.
        self.places.load(Ordering::Relaxed)
    }

    /// The places from this one on, as many as there are in its segment but no more than `most`; and how many of `most`
    /// are left.
    #[inline]
    fn places_from(&self, at: usize, most: usize, places: usize) -> Option<(&[Place<T>], usize)> {
        let at = at & places.wrapping_sub(1);
        let number = segment_of(at);
        let segment = self.segments.get(number)?.get()?;
        // How many places the segments before this one have.
        let start = ((FEWEST / 2) << number) & !(FEWEST - 1);
        let here = segment.get(at - start..)?;
        let some = here.get(..most).unwrap_or(here);
        Some((some, most - some.len()))
    }

    /// The places that may have an entry with this hash.
    fn window(&self, hash: u64, places: usize) -> impl Iterator<Item = &Place<T>> {
        let here = self.places_from(hash as usize, WINDOW, places);
        let rest = here.and_then(|(_, left)| {
            self.places_from((hash as usize).wrapping_add(WINDOW - left), left, places)
        });
        here.into_iter().chain(rest).flat_map(|(places, _)| places)
    }

    fn place_of(&self, hash: u64, entry: &Arc<T>, places: usize) -> Option<&Place<T>> {
        let is_here = |place: &&Place<T>| {
            // ORDERING: only writers change it, under the lock.
            place.hash.load(Ordering::Relaxed) == hash
                && place.entry.load().get().is_some_and(|here| std::ptr::eq(here, &**entry))
        };
        self.window(hash, places).find(is_here)
    }
}

#[inline(always)]
fn find<T>(places: &[Place<T>], hash: u64, is: impl Fn(&T) -> bool) -> Seen<T> {
    for place in places {
        // ORDERING: the hash is a hint. The entry beside it is what counts, and brings its own order.
        if place.hash.load(Ordering::Relaxed) == hash {
            let seen = place.entry.load();
            if seen.get().is_some_and(&is) {
                return seen;
            }
        }
    }
    Seen::nothing()
}

/// The hash of an entry as its place has it.
const fn taken(hash: u64) -> u64 {
    if hash == FREE { !FREE } else { hash }
}

/// The segment of a place.
#[inline]
const fn segment_of(place: usize) -> usize {
    (usize::BITS - (place / FEWEST).leading_zeros()) as usize
}

/// The caller still holds the entry, so this never drops the last reference, and no `Drop` of a user's runs here.
fn empty<T>(place: &Place<T>) {
    // ORDERING: as in `put`.
    if place.hash.load(Ordering::Relaxed) != FREE {
        place.entry.store(None);
        place.hash.store(FREE, Ordering::Relaxed);
    }
}
