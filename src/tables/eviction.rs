//! The eviction rule: CLOCK (Corbató, "A paging experiment with the Multics system", 1968). The store uses
//! it for each of its shards.
//!
//! The table's own buckets are the circle: there is no list to keep, and a hit only sets a mark.

use crate::clock::Moment;
use crate::ids::Version;
use hashbrown::HashTable;
use std::collections::VecDeque;
use std::time::Duration;

/// The storage deadlines of a shard's entries, in the order of their writes. All entries of a cache are kept equally long,
/// with jitter too, so that this is also the order of the deadlines, as long as the clock does not step back. After a step
/// back, dead entries behind a live one wait until that one is dead.
///
/// What a write has replaced or removed stays until it comes to the front, or until there is more of it than of what is
/// current.
#[derive(Default)]
pub(super) struct Deadlines(VecDeque<(Moment, u64, Version)>);

impl Deadlines {
    /// Adds the deadline of a new entry. Takes out what is not current if that is more than half, of a shard with so many
    /// entries: so the cost of a write does not grow with the capacity.
    pub(super) fn push(
        &mut self,
        expires_at: Moment,
        hash: u64,
        version: Version,
        entries: usize,
        is_current: impl Fn(u64, Version) -> bool,
    ) {
        self.forget(entries, is_current);
        self.0.push_back((expires_at, hash, version));
    }

    /// Takes out what is not current if that is more than half, and gives the memory back.
    pub(super) fn forget(&mut self, entries: usize, is_current: impl Fn(u64, Version) -> bool) {
        if self.0.len() > 2 * entries + 16 {
            self.0.retain(|(_, hash, version)| is_current(*hash, *version));
            self.0.shrink_to(2 * self.0.len());
        }
    }

    /// Takes the oldest deadline out if it has passed, or if the clock has stepped back by more than the storage TTL since
    /// its entry was written.
    pub(super) fn pop_dead(&mut self, now: Moment, storage: Duration) -> Option<(u64, Version)> {
        let is_dead = |expires_at: Moment| {
            now >= expires_at || expires_at.since(now) > storage.saturating_mul(2)
        };
        let dead = self.0.pop_front_if(|(expires_at, ..)| is_dead(*expires_at));
        dead.map(|(_, hash, version)| (hash, version))
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<(Moment, u64, Version)>()
    }
}

/// The hand of a clock: the bucket at which the last eviction stopped.
#[derive(Default)]
pub(super) struct Hand(usize);

impl Hand {
    /// Removes the first entry from here for which `may_go` returns true.
    ///
    /// `may_go` takes the entry's mark. The first time around takes every mark, so that the second time
    /// around finds an entry without one.
    pub(super) fn evict<T>(
        &mut self,
        table: &mut HashTable<T>,
        mut may_go: impl FnMut(&mut T) -> bool,
    ) -> Option<T> {
        let buckets = table.num_buckets();
        for _ in 0..2 * buckets {
            self.0 = (self.0 + 1) % buckets;
            let Some(entry) = table.get_bucket_mut(self.0) else { continue };
            if may_go(entry) {
                return table.get_bucket_entry(self.0).ok().map(|entry| entry.remove().0);
            }
        }
        None
    }
}
