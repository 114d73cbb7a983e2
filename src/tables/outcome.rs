//! What the lease table answers: why it refuses a lease, and how a lease ended. The lease table makes
//! these answers; the protocol reads them.

use crate::ids::LeaseId;
use crate::policy::back_off::{BackingOff, Failed};
use crate::tables::entry::Found;
use std::time::Duration;

/// What the waiters of a lease learn.
#[doc(hidden)]
pub enum LeaseOutcome<K, V> {
    /// No compute was started: another request may start one.
    Unused,
    /// The compute made this value, or a user inserted it.
    Value(Found<K, V>),
    /// The compute failed.
    Failed(Failed),
}

impl<K, V> Clone for LeaseOutcome<K, V> {
    fn clone(&self) -> Self {
        match self {
            Self::Unused => Self::Unused,
            Self::Value(found) => Self::Value(found.clone()),
            Self::Failed(failed) => Self::Failed(failed.clone()),
        }
    }
}

/// The outcomes that groups of waiters have not taken yet. An outcome is kept until its last waiter has taken it.
pub(super) struct Outcomes<K, V> {
    pub(super) kept: Vec<(u64, LeaseOutcome<K, V>, u32)>,
}

impl<K, V> Outcomes<K, V> {
    pub(super) fn new() -> Self {
        Self { kept: Vec::new() }
    }

    /// Keeps an outcome for the waiters of a group.
    pub(super) fn keep(&mut self, group: u64, outcome: LeaseOutcome<K, V>, waiters: u32) {
        self.kept.push((group, outcome, waiters));
    }

    /// One waiter takes the outcome of its group, if there is one.
    pub(super) fn take(&mut self, group: u64) -> Option<LeaseOutcome<K, V>> {
        let place = self.kept.iter().position(|(other, ..)| *other == group)?;
        let (_, outcome, waiters) = &mut self.kept[place];
        if *waiters > 1 {
            *waiters -= 1;
            return Some(outcome.clone());
        }
        Some(self.kept.swap_remove(place).1)
    }

    pub(super) fn bytes(&self) -> usize {
        self.kept.capacity() * size_of::<(u64, LeaseOutcome<K, V>, u32)>()
    }
}

/// Why the table refuses a lease.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub enum Refusal {
    /// Another request holds this lease of the key.
    Busy(LeaseId),
    /// Another request holds this lease of the key, for longer than the compute time-out.
    Overdue(LeaseId),
    /// The key's last compute failed with this error, and its back-off has not ended.
    BackingOff(BackingOff),
}

/// What a request gets that is ready to wait for a lease.
pub(crate) enum Waited<K, V> {
    /// The request holds this lease.
    Ours(LeaseId),
    /// The request waited until this lease was released.
    Released(LeaseId, LeaseOutcome<K, V>),
    /// The request waited for this lease until its time-out.
    TimedOut(LeaseId),
    /// The compute of this lease has taken longer than the compute time-out, and the request has waited this long for it.
    Overdue(LeaseId, Duration),
    /// The key's last compute failed, and its back-off has not ended.
    BackingOff(BackingOff),
}
