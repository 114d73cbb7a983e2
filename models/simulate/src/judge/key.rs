//! What the judge knows of one key of one cache.

use super::Terms;
use std::collections::VecDeque;
use xfetch_vocabulary::history::{Content, LeaseId, Version};

/// The place of an event in the run. Each event has its own.
pub(super) type Place = u64;

/// Entries and windows that are kept of a key's past. A straggler that reads more than so many writes late is not judged.
const KEPT: usize = 8;

/// What the map has of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// This entry, or none.
    Known(Option<Entry>),
    /// Another shard of the same `invalidate_all` was cleared meanwhile.
    Unsure,
}

/// An entry, with the deadlines that it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) version: Version,
    pub(super) content: Content,
    pub(super) published_at: u64,
    /// With jitter the payload deadline is between the two.
    pub(super) stale_at: (u64, u64),
    pub(super) expires_at: u64,
}

impl Entry {
    pub(super) fn new(terms: &Terms, version: Version, content: Content, now: u64) -> Self {
        let payload = terms.payload;
        let shortest = payload - (payload as f64 * terms.jitter).ceil().min(payload as f64) as u64;
        Self {
            version,
            content,
            published_at: now,
            stale_at: (now.saturating_add(shortest), now.saturating_add(payload)),
            expires_at: now.saturating_add(terms.storage),
        }
    }

    /// Whether the clock has stepped back by more than the lifetime that ends at `deadline`.
    fn is_ahead_of(&self, now: u64, deadline: u64) -> bool {
        self.published_at.saturating_sub(now) > deadline - self.published_at
    }

    pub(super) fn is_expired(&self, now: u64) -> bool {
        now >= self.expires_at || self.is_ahead_of(now, self.expires_at)
    }

    pub(super) fn may_be_fresh(&self, now: u64) -> bool {
        self.is_fresh_until(self.stale_at.1, now)
    }

    pub(super) fn is_surely_fresh(&self, now: u64) -> bool {
        self.is_fresh_until(self.stale_at.0, now)
    }

    fn is_fresh_until(&self, deadline: u64, now: u64) -> bool {
        !self.is_expired(now) && now < deadline && !self.is_ahead_of(now, deadline)
    }
}

/// A staleness window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) since: Place,
    pub(super) started: u32,
    /// Of them, those of requests that had found the key absent.
    pub(super) started_by_misses: u32,
    /// Computes that failed or were revoked.
    pub(super) in_vain: u32,
}

/// A lease, until its release.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    pub(super) id: LeaseId,
    pub(super) task: usize,
    /// It was taken for a refresh, which has not started.
    pub(super) queued: bool,
    pub(super) missed: bool,
    pub(super) nominated: Option<Version>,
    /// It was acquired during a back-off.
    pub(super) early: bool,
    /// The window of its compute, once that has started.
    pub(super) window: Option<Place>,
    pub(super) revoked: Option<Place>,
    /// Its compute has started, and neither failed nor published.
    pub(super) computing: bool,
    pub(super) failed: bool,
    /// Its compute has published a value.
    pub(super) published: bool,
    pub(super) content: Option<Content>,
}

impl Lease {
    /// A lease that this task has taken.
    pub(super) fn new(id: LeaseId, task: usize) -> Self {
        Self {
            id,
            task,
            queued: false,
            missed: false,
            nominated: None,
            early: false,
            window: None,
            revoked: None,
            computing: false,
            failed: false,
            published: false,
            content: None,
        }
    }
}

/// The failures in a row of a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failures {
    /// How many there are at least, and at most.
    in_a_row: (u32, u32),
    /// The place of the last one.
    pub(super) since: Place,
    /// They may have been forgotten.
    pub(super) unsure: bool,
    /// The back-off ends between the two.
    pub(super) until: (u64, u64),
}

impl Failures {
    /// What is remembered after another failure. The ones before it are remembered, unless they are older than
    /// `remembered_since`: then they may be.
    pub(super) fn after(
        before: Option<Self>,
        remembered_since: Place,
        at: u64,
        terms: &Terms,
        since: Place,
    ) -> Option<Self> {
        let (initial, cap) = terms.back_off;
        if initial == 0 || cap == 0 {
            return None;
        }
        // Whether an idle time has passed since the end of the last back-off may depend on its draw. Then both rows are
        // possible, and the bounds are those of the two.
        let row = |in_a_row: u32| {
            let doubled = 1_u64.checked_shl(in_a_row - 1).unwrap_or(u64::MAX);
            initial.saturating_mul(doubled).min(cap)
        };
        let forgotten = |until: u64| at >= until.saturating_add(terms.idle);
        let (least, most) = match before {
            None => (1, 1),
            Some(before) => {
                let next = |row: u32| row.saturating_add(1);
                let (fewest, most) = (next(before.in_a_row.0), next(before.in_a_row.1));
                let (soonest, latest) = before.until;
                let may_be_forgotten =
                    before.unsure || forgotten(soonest) || before.since < remembered_since;
                match (may_be_forgotten, forgotten(latest)) {
                    (_, true) => (1, 1),
                    (true, false) => (1, most),
                    (false, false) => (fewest, most),
                }
            }
        };
        let until = (at.saturating_add(row(least) / 2), at.saturating_add(row(most)));
        Some(Self { in_a_row: (least, most), since, unsure: false, until })
    }
}

/// A key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) held: Held,
    /// What the map had, with the place since when.
    past: VecDeque<(Place, Held)>,
    windows: VecDeque<Window>,
    pub(super) leases: Vec<Lease>,
    /// Computes that run now: the task and its lease.
    pub(super) computing: Vec<(usize, LeaseId)>,
    pub(super) failures: Option<Failures>,
    pub(super) newest: Version,
    /// When the newest value was begun.
    pub(super) newest_begun: Place,
    /// The last insert or invalidation.
    pub(super) last_write: Place,
    /// The last publication, if nothing was written since.
    pub(super) last_published: Option<Place>,
    /// Requests under way.
    pub(super) open: u32,
    /// Contents that were put into the map: the place, and when each expires. Those of the past are kept as long as a
    /// request is under way.
    pub(super) put: Vec<(Content, Place, u64)>,
}

impl Key {
    pub(super) fn new() -> Self {
        Self {
            held: Held::Known(None),
            past: VecDeque::new(),
            windows: VecDeque::from([Window::new(0)]),
            leases: Vec::new(),
            computing: Vec::new(),
            failures: None,
            newest: 0,
            newest_begun: 0,
            last_write: 0,
            last_published: None,
            open: 0,
            put: Vec::new(),
        }
    }

    /// Something else is in the map from here on.
    pub(super) fn set(&mut self, held: Held, place: Place) {
        let before = std::mem::replace(&mut self.held, held);
        let since = self.past.back().map_or(0, |(until, _)| *until);
        debug_assert!(since <= place, "places grow");
        self.past.push_back((place, before));
        if self.past.len() > KEPT {
            self.past.pop_front();
        }
    }

    /// Since which place the map has what it has.
    pub(super) fn since(&self) -> Place {
        self.past.back().map_or(0, |(until, _)| *until)
    }

    /// What the map had at that place, if that is still known.
    pub(super) fn held_at(&self, place: Place) -> Option<Held> {
        let after = self.past.iter().find(|(until, _)| *until > place);
        match after {
            None => Some(self.held),
            // It may have begun before what is kept.
            Some(first) if self.past.len() == KEPT && std::ptr::eq(first, &self.past[0]) => None,
            Some((_, held)) => Some(*held),
        }
    }

    pub(super) fn begin_window(&mut self, place: Place) {
        self.windows.push_back(Window::new(place));
        if self.windows.len() > KEPT {
            self.windows.pop_front();
        }
    }

    /// The window of that place, if it is still known.
    pub(super) fn window_at(&mut self, place: Place) -> Option<&mut Window> {
        self.windows.iter_mut().rfind(|window| window.since <= place)
    }

    /// The place of this lease. Leases of different tables may have the same number: that of the task comes first.
    fn place_of(&self, id: LeaseId, task: usize) -> Option<usize> {
        let own = self.leases.iter().position(|lease| lease.id == id && lease.task == task);
        own.or_else(|| self.leases.iter().position(|lease| lease.id == id))
    }

    pub(super) fn lease(&mut self, id: LeaseId, task: usize) -> Option<&mut Lease> {
        let place = self.place_of(id, task)?;
        self.leases.get_mut(place)
    }

    pub(super) fn remove_lease(&mut self, id: LeaseId, task: usize) -> Option<Lease> {
        self.place_of(id, task).map(|place| self.leases.remove(place))
    }

    /// No request is under way, so nobody can return what is not in the map.
    pub(super) fn forget_the_past(&mut self) {
        if self.open > 0 || !self.leases.is_empty() {
            return;
        }
        let kept = match self.held {
            Held::Known(entry) => entry.map(|entry| entry.content),
            Held::Unsure => return,
        };
        match kept {
            Some(content) => self.put.retain(|(of, ..)| *of == content),
            None => self.put.clear(),
        }
    }
}

impl Window {
    fn new(since: Place) -> Self {
        Self { since, started: 0, started_by_misses: 0, in_vain: 0 }
    }
}
