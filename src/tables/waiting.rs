//! Waiting for a lease that another request holds. The protocol calls it for a miss.

use crate::ids::LeaseId;
use crate::sync::{Arc, Condvar, MutexGuard};
use crate::tables::leases::{Acquisition, Ask, LeaseTable, Shard, Waiting};
use crate::tables::outcome::{LeaseOutcome, Refusal, Waited};
use std::time::Duration;

impl<K: Eq, V> LeaseTable<K, V> {
    /// Acquires the key's lease, or waits until its holder has released it.
    ///
    /// Returns the key too, unless the table has kept it for a new slot.
    pub(crate) fn acquire_or_wait(
        &self,
        hash: u64,
        key: K,
        ask: &Ask,
        timeout: Duration,
    ) -> (Waited<K, V>, Option<K>) {
        let Acquisition { shard, result, spare_key } = self.acquire(hash, key, ask);
        let waited = match result {
            Ok(lease) => {
                drop(shard);
                Waited::Ours(lease)
            }
            Err(Refusal::BackingOff(backing_off)) => {
                drop(shard);
                Waited::BackingOff(backing_off)
            }
            Err(Refusal::Overdue(holder)) => {
                drop(shard);
                Waited::Overdue(holder, Duration::ZERO)
            }
            Err(Refusal::Busy(holder)) => self.wait_in(shard, hash, holder, ask, timeout),
        };
        (waited, spare_key)
    }

    /// Waits until `holder` has released the key's lease.
    pub(crate) fn wait(
        &self,
        hash: u64,
        holder: LeaseId,
        ask: &Ask,
        timeout: Duration,
    ) -> Waited<K, V> {
        let shard = self.shards[self.index(hash)].lock();
        self.wait_in(shard, hash, holder, ask, timeout)
    }

    /// Waits in a section that the caller has begun.
    ///
    /// 1. If the lease was released before this section, there is nothing to wait for.
    /// 2. Count this waiter in its group. The first waiter of a group makes its condition variable.
    /// 3. Sleep. The condition variable frees the lock meanwhile.
    /// 4. After a wake-up, take the outcome that the release or an insert has kept. There is none after a
    ///    spurious wake-up: sleep again.
    /// 5. After a time-out without an outcome, stop counting this waiter. So the release keeps no outcome
    ///    for it.
    // INVARIANT(no-waiter-left-behind): a waiter is counted under the lock under which the lease is
    // released, and the release keeps the outcome until the last counted waiter has taken it.
    fn wait_in<'a>(
        &'a self,
        mut shard: MutexGuard<'a, Shard<K, V>>,
        hash: u64,
        holder: LeaseId,
        ask: &Ask,
        timeout: Duration,
    ) -> Waited<K, V> {
        let group = shard.groups + 1;
        let Some(slot) = shard.find_held(hash, holder) else {
            return Waited::Released(holder, LeaseOutcome::Unused);
        };
        let overdue_in = slot.time_left(holder, ask);
        let Some(waiting) = slot.waiting_for(holder) else {
            return Waited::Released(holder, LeaseOutcome::Unused);
        };
        let none_yet = || Waiting { group, waiters: 0, released: Arc::new(Condvar::new()) };
        let waiting = waiting.get_or_insert_with(none_yet);
        waiting.waiters += 1;
        let group = waiting.group;
        let released = Arc::clone(&waiting.released);
        shard.groups = shard.groups.max(group);
        loop {
            let timed_out;
            (shard, timed_out) = released.wait_for(shard, timeout.min(overdue_in));
            if let Some(outcome) = shard.outcomes.take(group) {
                return Waited::Released(holder, outcome);
            }
            if timed_out {
                shard.leave(hash, group);
                let is_overdue = overdue_in < timeout;
                return if is_overdue {
                    Waited::Overdue(holder, overdue_in)
                } else {
                    Waited::TimedOut(holder)
                };
            }
        }
    }
}
