//! The index of a shard under a model: one linearizable object. Each look is one operation on it, and so is each change.
//! The schedulers cannot see into `arc-swap`, so this takes its place; docs/MODELS.md lists that as trusted. The store
//! alone uses it.

#[cfg(any(feature = "loom", feature = "plain"))]
use crate::sync::like_std::atomic::{AtomicU64, Ordering};
#[cfg(feature = "shuttle")]
use crate::sync::sections::atomic::{AtomicU64, Ordering};
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The entries of a shard. Its writers hold the shard's lock.
#[derive(Debug)]
pub struct Index<T> {
    /// What the scheduler sees.
    changes: AtomicU64,
    /// The scheduler switches tasks at the operations on `changes` alone, so that nobody waits for this lock.
    entries: Mutex<Vec<(u64, Arc<T>)>>,
}

impl<T> Index<T> {
    /// Whether an entry that a look does not find is absent.
    pub const IS_COMPLETE: bool = true;

    /// An index without entries.
    #[track_caller]
    pub fn new() -> Self {
        Self { changes: AtomicU64::new(0), entries: Mutex::new(Vec::new()) }
    }

    fn entries(&self) -> MutexGuard<'_, Vec<(u64, Arc<T>)>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entry with this hash for which `is` is true.
    pub fn get(&self, hash: u64, is: impl Fn(&T) -> bool) -> Seen<T> {
        // An update sees the last change under every memory model.
        #[cfg(not(feature = "shuttle"))]
        self.changes.fetch_add(0, Ordering::SeqCst);
        #[cfg(feature = "shuttle")]
        self.changes.load(Ordering::SeqCst);
        let entries = self.entries();
        let found = entries.iter().find(|(other, entry)| *other == hash && is(entry));
        Seen(found.map(|(_, entry)| Held(Arc::clone(entry))))
    }

    /// A writer is about to change the index.
    pub fn change(&self) {
        #[cfg(not(feature = "shuttle"))]
        self.changes.fetch_add(1, Ordering::SeqCst);
        #[cfg(feature = "shuttle")]
        self.changes.store(0, Ordering::SeqCst);
    }

    /// Makes `entry` the key's, instead of `before`.
    pub fn put(&self, hash: u64, before: Option<&Arc<T>>, entry: &Arc<T>) {
        if let Some(before) = before {
            self.remove(hash, before);
        }
        self.entries().push((hash, Arc::clone(entry)));
    }

    /// Removes an entry.
    pub fn remove(&self, _hash: u64, entry: &Arc<T>) {
        self.entries().retain(|(_, other)| !Arc::ptr_eq(other, entry));
    }

    /// Removes all entries.
    pub fn clear(&self) {
        self.entries().clear();
    }

    /// It has room for all.
    pub fn fit<'a>(&self, _most: usize, _entries: impl Iterator<Item = (u64, &'a Arc<T>)>)
    where
        T: 'a,
    {
    }

    /// It is no part of the shipped code.
    pub fn bytes(&self) -> usize {
        0
    }
}

/// What a reader found.
#[derive(Debug)]
pub struct Seen<T>(Option<Held<T>>);

impl<T> Seen<T> {
    /// Nothing.
    pub fn nothing() -> Self {
        Self(None)
    }

    /// The entry, if there is one.
    pub fn get(&self) -> Option<&T> {
        self.0.as_deref()
    }

    /// The entry, for a caller that knows that there is one.
    pub fn hold(self) -> Held<T> {
        self.0.expect("the caller has seen it")
    }

    /// The entry, if there is one.
    pub fn held(self) -> Option<Held<T>> {
        self.0
    }
}

impl<T> Clone for Seen<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> From<Option<Held<T>>> for Seen<T> {
    fn from(held: Option<Held<T>>) -> Self {
        Self(held)
    }
}

/// An entry that a reader holds.
#[derive(Debug)]
pub struct Held<T>(Arc<T>);

impl<T> From<Arc<T>> for Held<T> {
    fn from(entry: Arc<T>) -> Self {
        Self(entry)
    }
}

impl<T> Clone for Held<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
