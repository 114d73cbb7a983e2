//! Which leases were overtaken by a write of their key, and when. The two tables use it.

use crate::ids::LeaseId;

/// A place in the order of a shard's writes. A snapshot carries the stamp at which it was read. A
/// publication that rests on it is refused if its lease has a fence with a later stamp.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(pub(super) u64);

/// The leases whose computes in flight were overtaken, each with the hash of its key and the stamp of the
/// write. The publication of a lease takes its fence away. A failed compute publishes nothing: its fence
/// goes with the shard's next insert or invalidation.
#[derive(Default)]
pub(crate) struct Fences(Vec<(LeaseId, u64, Stamp)>);

impl Fences {
    pub(super) fn retain(&mut self, mut held: impl FnMut(u64, LeaseId) -> bool) {
        self.0.retain(|(lease, hash, _)| held(*hash, *lease));
    }

    pub(super) fn put(&mut self, lease: LeaseId, hash: u64, stamp: Stamp) {
        match self.0.iter_mut().find(|(other, ..)| *other == lease) {
            Some((.., before)) => *before = stamp,
            None => self.0.push((lease, hash, stamp)),
        }
    }

    /// Whether the lease has a fence: a write has revoked it.
    pub(super) fn has(&self, lease: LeaseId) -> bool {
        self.0.iter().any(|(other, ..)| *other == lease)
    }

    /// Takes the lease's fence away. `true` if its stamp is later than `since`.
    pub(super) fn take(&mut self, lease: LeaseId, since: Stamp) -> bool {
        let place = self.0.iter().position(|(other, ..)| *other == lease);
        place.is_some_and(|place| self.0.swap_remove(place).2 > since)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
