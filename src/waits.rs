//! Who waits for whom: finds computes that would wait for each other for ever.
//!
//! A compute may ask the cache for other keys. If one of them is absent and being computed, its
//! thread waits for that lease, and with it every lease under which it computes. An edge of the graph
//! goes from each of these to the lease that is waited for; a cycle in it can never end. Only threads
//! that wait inside a compute touch the graph.

use crate::key_lock::LeaseId;
use crate::sync::{Arc, Mutex, thread_local};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Debug;

thread_local! {
    /// The leases under which this thread computes, the outermost first.
    static COMPUTING: RefCell<Vec<Computing>> = RefCell::default();
}

/// A key that can be named in an error.
pub(crate) type Name = Arc<dyn Debug + Send + Sync>;

/// A lease under which a thread computes.
#[derive(Clone)]
pub(crate) struct Computing {
    /// Which cache it is of: its address, while it is alive.
    pub(crate) cache: usize,
    pub(crate) lease: LeaseId,
    pub(crate) name: Name,
}

impl Computing {
    /// The thread computes under this lease until the guard is dropped.
    ///
    /// A thread that is ending has no thread-locals any more: what it still computes is in no graph.
    pub(crate) fn begin(self) -> Until {
        Until(COMPUTING.try_with(|computing| computing.borrow_mut().push(self)).is_ok())
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

/// Ends a compute, by its return or its panic.
pub(crate) struct Until(bool);

impl Drop for Until {
    fn drop(&mut self) {
        if self.0 {
            // The key that it carries is the user's: it is dropped when nothing is borrowed.
            let ended = COMPUTING.try_with(|computing| computing.borrow_mut().pop());
            drop(ended);
        }
    }
}

/// The edges of a cache.
pub(crate) struct Waits(Mutex<HashMap<LeaseId, Computing>>);

impl Waits {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// The thread that computes under `own` is about to wait for `wanted`, until the guard is dropped.
    ///
    /// # Errors
    ///
    /// The cycle that this would close: from one of its own leases over those that are waited for,
    /// to the last one, which waits for the first.
    // INVARIANT(no-deadlock): whoever closes a cycle sees it, since all edges are under one lock and
    // an edge is there before its thread waits.
    pub(crate) fn enter<'a>(
        &'a self,
        own: &'a [Computing],
        wanted: &Computing,
    ) -> Result<Edges<'a>, Vec<Computing>> {
        let mut edges = self.0.lock();
        let (mut path, mut last) = (Vec::new(), Some(wanted.clone()));
        while let Some(lease) = last {
            if let Some(place) = own.iter().position(|mine| mine.lease == lease.lease) {
                drop(edges);
                // From the lease that is waited for to the innermost one, then around.
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
        let gone: Vec<_> = self.own.iter().map(|mine| edges.remove(&mine.lease)).collect();
        drop(edges);
        drop(gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lease: u64) -> Computing {
        Computing { cache: 1, lease: LeaseId(lease), name: Arc::new(lease) }
    }

    #[test]
    fn an_edge_is_never_left_behind_by_who_has_waited() {
        let waits = Waits::new();
        let own = [of(1), of(2)];
        let Ok(edges) = waits.enter(&own, &of(3)) else { unreachable!("nobody else waits") };
        assert_eq!(waits.0.lock().len(), 2);
        let closed = waits.enter(&[of(3)], &of(1)).err().expect("3 waits for 1, and 1 for 3");
        assert_eq!(closed.iter().map(|it| it.lease.0).collect::<Vec<_>>(), [3, 1]);
        drop(edges);
        assert!(waits.0.lock().is_empty());
        assert!(waits.enter(&[of(3)], &of(1)).is_ok(), "1 waits for nobody any more");
    }
}
