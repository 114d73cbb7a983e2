//! The numbers of values and leases. A leaf: every file may use it, and it uses none.

/// The number of a published value. No two values of a cache share one. The versions of a key grow for as long
/// as the cache lives, even through removal and re-insertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub(crate) u64);

impl Version {
    /// The version as a number, for logs.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// The number of a lease. No two leases of a table share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub(crate) u64);

impl LeaseId {
    /// The number, for logs.
    pub const fn get(self) -> u64 {
        self.0
    }
}
