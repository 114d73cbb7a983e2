//! Waiting for a lease that another request holds. The protocol calls it for a miss.

use crate::ids::LeaseId;
use crate::policy::back_off::Reading;
use crate::sync::{Arc, Condvar, MutexGuard};
use crate::tables::leases::{Acquisition, LeaseTable, Shard, Takeover, Waiting, Wants};
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
        now: Reading,
        takeover: Takeover,
        timeout: Duration,
    ) -> (Waited<V>, Option<K>) {
        let Acquisition { shard, result, spare_key } =
            self.acquire(hash, key, now, Wants::Compute(takeover));
        let waited = match result {
            Ok(lease) => {
                drop(shard);
                Waited::Ours(lease)
            }
            Err(Refusal::BackingOff(backing_off)) => {
                drop(shard);
                Waited::BackingOff(backing_off)
            }
            Err(Refusal::Busy(holder)) => self.wait_in(shard, hash, holder, timeout),
        };
        (waited, spare_key)
    }

    /// Waits until `holder` has released the key's lease.
    pub(crate) fn wait(&self, hash: u64, holder: LeaseId, timeout: Duration) -> Waited<V> {
        let shard = self.shards[self.index(hash)].lock();
        self.wait_in(shard, hash, holder, timeout)
    }

    /// Waits in a section that the caller has begun.
    ///
    /// 1. If the lease was released before this section, there is nothing to wait for.
    /// 2. Count this waiter at the slot. The first waiter of a lease makes its condition variable.
    /// 3. Sleep. The condition variable frees the lock meanwhile.
    /// 4. After a wake-up, take the outcome that the release has kept. There is none after a spurious
    ///    wake-up: sleep again.
    /// 5. After a time-out without an outcome, stop counting this waiter. So the release keeps no outcome
    ///    for it.
    // INVARIANT(no-waiter-left-behind): a waiter is counted under the lock under which the lease is
    // released, and the release keeps the outcome until the last counted waiter has taken it.
    fn wait_in<'a>(
        &'a self,
        mut shard: MutexGuard<'a, Shard<K, V>>,
        hash: u64,
        holder: LeaseId,
        timeout: Duration,
    ) -> Waited<V> {
        let Some(slot) = shard.find_held(hash, holder) else {
            return Waited::Released(holder, LeaseOutcome::Unused);
        };
        let none_yet = || Waiting { waiters: 0, released: Arc::new(Condvar::new()) };
        let waiting = slot.waiting.get_or_insert_with(none_yet);
        waiting.waiters += 1;
        let released = Arc::clone(&waiting.released);
        loop {
            let timed_out;
            (shard, timed_out) = released.wait_for(shard, timeout);
            if let Some(outcome) = shard.outcomes.take(holder) {
                return Waited::Released(holder, outcome);
            }
            if timed_out {
                let slot = shard.find_held(hash, holder);
                if let Some(waiting) = slot.and_then(|slot| slot.waiting.as_mut()) {
                    waiting.waiters -= 1;
                }
                return Waited::TimedOut(holder);
            }
        }
    }
}
