//! How a table is split into shards, and how a shard gives memory back. The two tables use it.

use hashbrown::HashTable;

/// Gives back the memory of a table that is less than a quarter full. The table keeps room for twice its
/// entries, so that it does not grow again at once.
pub(super) fn shrink<T>(table: &mut HashTable<T>, hash: impl Fn(&T) -> u64) {
    if table.len() < table.capacity() / 4 {
        table.shrink_to(table.len() * 2, hash);
    }
}

/// Spreads a hash over all its bits. A user's hasher may leave integers as they are, or vary only a few bits, while the
/// shard and the hash table inside use different ones.
///
/// A multiplication carries each bit upwards, and the shifts carry it downwards (as in the finalizer of MurmurHash3).
/// Different hashes stay different.
#[inline]
pub fn spread(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ (hash >> 32)
}

/// Which of `shards` (a power of two) has the key with this hash. The hash table inside uses the two ends
/// of the hash, so this uses the middle.
#[inline]
pub(super) fn shard_index(hash: u64, shards: usize) -> usize {
    (hash >> 32) as usize & (shards - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From a table of 128 buckets, with room for 112: how much room it has after that.
    fn room_for(keys: usize) -> usize {
        let mut table = HashTable::with_capacity(112);
        for key in 0..keys as u64 {
            table.insert_unique(key, key, |key| *key);
        }
        assert_eq!(table.capacity(), 112);
        shrink(&mut table, |key| *key);
        table.capacity()
    }

    /// A table has room for seven keys in eight buckets.
    #[test]
    fn a_table_shrinks_below_a_quarter_to_twice_what_it_has() {
        assert_eq!(room_for(28), 112, "a quarter");
        assert_eq!((room_for(27), room_for(12)), (56, 28));
        assert_eq!(room_for(0), 0);
    }
}
