//! Who waits for whom: finds computes that would wait for each other for ever.
//!
//! A compute may ask the cache for other keys. If one of them is absent and being computed, its
//! thread waits for that lease, and with it every lease under which it computes. An edge of the graph
//! goes from each of these to the lease that is waited for; a cycle in it can never end. Only threads
//! that wait inside a compute touch the graph.

use crate::key_lock::LeaseId;
use crate::sync::{Mutex, thread_local};
use std::cell::RefCell;
use std::collections::HashMap;

thread_local! {
    /// The leases under which this thread computes, the outermost first.
    static COMPUTING: RefCell<Vec<Computing>> = RefCell::default();
}

/// A lease under which a thread computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Computing {
    /// Which cache it is of: its address, while it is alive.
    pub(crate) cache: usize,
    pub(crate) hash: u64,
    pub(crate) lease: LeaseId,
}

impl Computing {
    /// The thread computes under this lease until the guard is dropped.
    pub(crate) fn begin(self) -> Until {
        COMPUTING.with(|computing| computing.borrow_mut().push(self));
        Until
    }

    /// The leases of this cache under which this thread computes.
    pub(crate) fn of(cache: usize) -> Vec<Self> {
        COMPUTING.with(|computing| {
            let computing = computing.borrow();
            computing.iter().copied().filter(|own| own.cache == cache).collect()
        })
    }
}

/// Ends a compute, by its return or its panic.
pub(crate) struct Until;

impl Drop for Until {
    fn drop(&mut self) {
        COMPUTING.with(|computing| computing.borrow_mut().pop());
    }
}

/// The edges of a cache.
pub(crate) struct Waits(Mutex<HashMap<LeaseId, Computing>>);

impl Waits {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// The thread that computes under `own` is about to wait for `wanted`.
    ///
    /// # Errors
    ///
    /// The cycle that this would close: from one of its own leases over those that are waited for,
    /// to the last one, which waits for the first.
    // INVARIANT(no-deadlock): whoever closes a cycle sees it, since all edges are under one lock and
    // an edge is there before its thread waits.
    pub(crate) fn enter(&self, own: &[Computing], wanted: Computing) -> Result<(), Vec<Computing>> {
        let mut edges = self.0.lock();
        let (mut path, mut last) = (Vec::new(), Some(wanted));
        while let Some(lease) = last {
            if let Some(place) = own.iter().position(|mine| mine.lease == lease.lease) {
                // From the lease that is waited for to the innermost one, then around.
                let mut cycle = own[place..].to_vec();
                cycle.extend(path);
                return Err(cycle);
            }
            path.push(lease);
            last = edges.get(&lease.lease).copied();
        }
        for mine in own {
            edges.insert(mine.lease, wanted);
        }
        Ok(())
    }

    /// It waits no more.
    pub(crate) fn leave(&self, own: &[Computing]) {
        let mut edges = self.0.lock();
        for mine in own {
            edges.remove(&mine.lease);
        }
    }
}
