//! The eviction rule: CLOCK (Corbató, "A paging experiment with the Multics system", 1968). The store uses
//! it for each of its shards.
//!
//! The table's own buckets are the circle: there is no list to keep, and a hit only sets a mark.

use hashbrown::HashTable;

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
