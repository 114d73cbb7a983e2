//! What the index is made of: a place for one entry that is read without a lock, which is an `ArcSwapOption`, and what
//! the standard library has. The index alone uses it.
//!
//! A reader of an `arc-swap` does not count a reference. It notes in a list of its own thread which entry it reads, and a
//! writer that replaces the entry counts the references of the readers that it finds. So a read writes no memory that
//! other readers use, and what a reader holds stays alive without holding up any writer. A thread has eight such notes:
//! while it holds eight answers, a further read counts a reference.

use arc_swap::{ArcSwapOption, Guard};
use std::ops::Deref;
use std::sync::Arc;

pub use std::sync::{OnceLock, atomic};

/// An entry or nothing.
#[derive(Debug)]
pub struct Slot<T>(ArcSwapOption<T>);

impl<T> Slot<T> {
    /// A place without an entry.
    pub fn empty() -> Self {
        Self(ArcSwapOption::empty())
    }

    /// What is there now.
    #[inline]
    pub fn load(&self) -> Seen<T> {
        Seen(self.0.load())
    }

    /// Replaces what is there.
    pub fn store(&self, entry: Option<Arc<T>>) {
        self.0.store(entry);
    }
}

/// What a reader found: an entry or nothing. An `Option<Held<T>>` does not fit into two registers, and this does.
#[derive(Debug)]
pub struct Seen<T>(Guard<Option<Arc<T>>>);

impl<T> Seen<T> {
    /// Nothing.
    #[inline]
    pub fn nothing() -> Self {
        Self(Guard::from_inner(None))
    }

    /// The entry, if there is one.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        self.0.as_deref()
    }

    /// The entry, for a caller that knows that there is one.
    #[inline]
    pub fn hold(self) -> Held<T> {
        Held(self.0)
    }

    /// The entry, if there is one.
    pub fn held(self) -> Option<Held<T>> {
        self.0.is_some().then_some(Held(self.0))
    }
}

impl<T> Clone for Seen<T> {
    fn clone(&self) -> Self {
        Self(Guard::from_inner(Option::clone(&self.0)))
    }
}

impl<T> From<Option<Held<T>>> for Seen<T> {
    fn from(held: Option<Held<T>>) -> Self {
        held.map_or_else(Self::nothing, |held| Self(held.0))
    }
}

/// An entry that a reader holds: it stays alive until this is dropped.
#[derive(Debug)]
pub struct Held<T>(Guard<Option<Arc<T>>>);

impl<T> Held<T> {
    #[inline]
    fn arc(&self) -> &Arc<T> {
        // No other value is made.
        self.0.as_ref().expect("a reader holds an entry")
    }
}

impl<T> From<Arc<T>> for Held<T> {
    fn from(entry: Arc<T>) -> Self {
        Self(Guard::from_inner(Some(entry)))
    }
}

impl<T> Clone for Held<T> {
    fn clone(&self) -> Self {
        Self::from(Arc::clone(self.arc()))
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.arc()
    }
}
