//! What the lease table answers: why it refuses a lease, and how a lease ended. The lease table makes
//! these answers; the protocol reads them.

use crate::ids::LeaseId;
use crate::policy::back_off::{BackingOff, Failed};
use crate::tables::entry::Found;
use crate::tables::fences::Stamp;

/// How a lease ended: what its waiters learn.
#[doc(hidden)]
pub enum LeaseOutcome<V> {
    /// No compute was started: another request may start one.
    Unused,
    /// This value was published. Its compute began at this place in the order of writes.
    Value(Found<V>, Stamp),
    /// The compute failed.
    Failed(Failed),
    /// An insert or an invalidation overtook the value: the waiter looks again.
    Discarded,
}

impl<V> Clone for LeaseOutcome<V> {
    fn clone(&self) -> Self {
        match self {
            Self::Unused => Self::Unused,
            Self::Value(found, began) => Self::Value(found.clone(), *began),
            Self::Failed(failed) => Self::Failed(failed.clone()),
            Self::Discarded => Self::Discarded,
        }
    }
}

/// The outcomes of released leases that have waiters. An outcome is kept until its last waiter has taken it.
pub(super) struct Outcomes<V> {
    pub(super) kept: Vec<(LeaseId, LeaseOutcome<V>, u32)>,
}

impl<V> Outcomes<V> {
    pub(super) fn new() -> Self {
        Self { kept: Vec::new() }
    }

    /// Keeps an outcome for so many waiters.
    pub(super) fn keep(&mut self, lease: LeaseId, outcome: LeaseOutcome<V>, waiters: u32) {
        self.kept.push((lease, outcome, waiters));
    }

    /// One waiter takes the outcome of its lease, if the lease was released.
    pub(super) fn take(&mut self, lease: LeaseId) -> Option<LeaseOutcome<V>> {
        let place = self.kept.iter().position(|(other, ..)| *other == lease)?;
        let (_, outcome, waiters) = &mut self.kept[place];
        if *waiters > 1 {
            *waiters -= 1;
            return Some(outcome.clone());
        }
        Some(self.kept.swap_remove(place).1)
    }

    pub(super) fn bytes(&self) -> usize {
        self.kept.capacity() * size_of::<(LeaseId, LeaseOutcome<V>, u32)>()
    }
}

/// Why the table refuses a lease.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub enum Refusal {
    /// Another request holds this lease of the key.
    Busy(LeaseId),
    /// The key's last compute failed with this error, and its back-off has not ended.
    BackingOff(BackingOff),
}

/// What a request gets that is ready to wait for a lease.
pub(crate) enum Waited<V> {
    /// The request holds this lease.
    Ours(LeaseId),
    /// The request waited until this lease was released.
    Released(LeaseId, LeaseOutcome<V>),
    /// The request waited for this lease until its time-out.
    TimedOut(LeaseId),
    /// The key's last compute failed, and its back-off has not ended.
    BackingOff(BackingOff),
}
