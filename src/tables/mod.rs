//! The two tables of a cache, each with its own locks: the store of entries and the table of leases. The
//! protocol and the public face use them; they use the policies and the leaves.

pub(crate) mod entry;
mod eviction;
pub(crate) mod fences;
pub(crate) mod leases;
pub(crate) mod outcome;
pub(crate) mod shards;
pub(crate) mod store;
mod waiting;

#[cfg(test)]
mod tests;
