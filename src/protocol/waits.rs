//! The graph of waits: it finds computes that would wait for each other for ever. The leases of this
//! folder use it.
//!
//! A compute may ask the cache for other keys. If such a key is absent and another thread computes it,
//! the thread of the compute waits for that lease. Every lease under which the thread computes waits with
//! it: the graph has an edge from each of them to the lease that the thread waits for. The waits of a
//! cycle never end. Only threads that wait inside a compute touch the graph.

use crate::ids::LeaseId;
use crate::panics::drop_each;
use crate::sync::{Arc, Mutex, thread_local};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Debug;

thread_local! {
    /// The leases under which this thread computes, outermost first.
    static COMPUTING: RefCell<Vec<Computing>> = RefCell::default();
}

/// A key, for the text of an error.
pub(crate) type Name = Arc<dyn Debug + Send + Sync>;

/// A lease under which a thread computes.
#[derive(Clone)]
pub(crate) struct Computing {
    /// The address of the lease's cache, which lives as long as the compute.
    pub(crate) cache: usize,
    pub(crate) lease: LeaseId,
    pub(crate) name: Name,
}

impl Computing {
    /// The thread computes under this lease until the guard is dropped.
    ///
    /// A thread that is ending has no thread-locals any more: its last computes are in no graph.
    pub(crate) fn begin(self) -> ComputeGuard {
        ComputeGuard(COMPUTING.try_with(|computing| computing.borrow_mut().push(self)).is_ok())
    }

    /// The leases of this cache under which this thread computes.
    pub(crate) fn of(cache: usize) -> Vec<Self> {
        let own = COMPUTING.try_with(|computing| {
            let computing = computing.borrow();
            computing.iter().filter(|own| own.cache == cache).cloned().collect()
        });
        own.unwrap_or_default()
    }
}

/// A compute under way on this thread. Its drop is the end of the compute, by a return or a panic.
pub(crate) struct ComputeGuard(bool);

impl ComputeGuard {
    /// Ends the compute. The caller drops the result after the lease: it has a key of the user's, whose drop may ask for
    /// that key.
    pub(crate) fn end(mut self) -> Option<Computing> {
        self.pop()
    }

    fn pop(&mut self) -> Option<Computing> {
        if !std::mem::take(&mut self.0) {
            return None;
        }
        COMPUTING.try_with(|computing| computing.borrow_mut().pop()).ok().flatten()
    }
}

impl Drop for ComputeGuard {
    fn drop(&mut self) {
        drop_each(self.pop());
    }
}

/// The edges of a cache: from a lease to the lease that its thread waits for.
pub(crate) struct Waits(Mutex<HashMap<LeaseId, Computing>>);

impl Waits {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// Adds the edges of a thread that computes under `own` and is about to wait for `wanted`. They stay
    /// until the guard is dropped.
    ///
    /// # Errors
    ///
    /// The cycle that the edges would close. It begins with one of the thread's own leases; each lease
    /// waits for the next one, and the last for the first.
    // INVARIANT(no-deadlock): the thread that would close a cycle finds it, since all edges are under one
    // lock and a thread adds its edges before it waits.
    pub(crate) fn enter<'a>(
        &'a self,
        own: &'a [Computing],
        wanted: &Computing,
    ) -> Result<Edges<'a>, Vec<Computing>> {
        let mut edges = self.0.lock();
        let mut path = Vec::new();
        let mut last = Some(wanted.clone());
        while let Some(lease) = last {
            if let Some(place) = own.iter().position(|mine| mine.lease == lease.lease) {
                drop(edges);
                // From the own lease that the path leads to, down to the innermost own lease, then along the path.
                let mut cycle = own[place..].to_vec();
                cycle.extend(path);
                return Err(cycle);
            }
            last = edges.get(&lease.lease).cloned();
            path.push(lease);
        }
        for mine in own {
            edges.insert(mine.lease, wanted.clone());
        }
        Ok(Edges { waits: self, own })
    }
}

/// The edges of a thread that waits.
pub(crate) struct Edges<'a> {
    waits: &'a Waits,
    own: &'a [Computing],
}

impl Drop for Edges<'_> {
    fn drop(&mut self) {
        let mut edges = self.waits.0.lock();
        let removed: Vec<_> = self.own.iter().map(|mine| edges.remove(&mine.lease)).collect();
        drop(edges);
        // They carry keys of the user's.
        drop(removed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lease: u64) -> Computing {
        Computing { cache: 1, lease: LeaseId(lease), name: Arc::new(lease) }
    }

    #[test]
    fn a_thread_that_has_waited_leaves_no_edge_behind() {
        let waits = Waits::new();
        let own = [of(1), of(2)];
        let Ok(edges) = waits.enter(&own, &of(3)) else { unreachable!("no other thread waits") };
        assert_eq!(waits.0.lock().len(), 2);
        let closed = waits.enter(&[of(3)], &of(1)).err().expect("3 waits for 1, and 1 for 3");
        assert_eq!(closed.iter().map(|it| it.lease.0).collect::<Vec<_>>(), [3, 1]);
        drop(edges);
        assert!(waits.0.lock().is_empty());
        assert!(waits.enter(&[of(3)], &of(1)).is_ok(), "1 waits no more");
    }

    /// The thread computes under 1, and in that compute under 2. Other threads wait for the outer lease, for the inner
    /// one, or for a thread that waits.
    #[test]
    fn a_cycle_through_any_lease_of_a_thread_is_always_found() {
        let own = [of(1), of(2)];
        let closed = |others: &[(u64, u64)], wanted| {
            let waits = Waits::new();
            let computing: Vec<_> = others.iter().map(|(lease, _)| [of(*lease)]).collect();
            let waiting = computing.iter().zip(others).map(|(own, (_, wanted))| {
                waits.enter(own, &of(*wanted)).ok().expect("no cycle yet")
            });
            let waiting: Vec<_> = waiting.collect();
            let cycle = waits.enter(&own, &of(wanted)).err().expect("a cycle");
            drop(waiting);
            cycle.iter().map(|lease| lease.lease.0).collect::<Vec<_>>()
        };
        assert_eq!(closed(&[], 1), [1, 2]);
        assert_eq!(closed(&[], 2), [2]);
        assert_eq!(closed(&[(3, 1)], 3), [1, 2, 3]);
        assert_eq!(closed(&[(3, 2)], 3), [2, 3]);
        assert_eq!(closed(&[(4, 1), (3, 4)], 3), [1, 2, 3, 4]);
    }

    /// Another thread may need the outer lease of a thread that waits, or the inner one.
    #[test]
    fn a_thread_that_waits_always_waits_with_each_of_its_leases() {
        let waits = Waits::new();
        let own = [of(1), of(2)];
        let Ok(edges) = waits.enter(&own, &of(3)) else { unreachable!("no other thread waits") };
        for mine in [1, 2] {
            let closed = waits.enter(&[of(3)], &of(mine)).err().expect("it waits for 3");
            assert_eq!(closed.iter().map(|it| it.lease.0).collect::<Vec<_>>(), [3, mine]);
        }
        drop(edges);
    }
}
