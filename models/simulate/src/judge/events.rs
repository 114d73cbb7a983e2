//! What each event of a key means: what the judge learns of it, and what it violates.

use super::key::{Entry, Failures, Held, Key, Lease, Place};
use super::{Now, Open, Tally, Terms, begun};
use xfetch_vocabulary::catalogue::Invariant;
use xfetch_vocabulary::history::{Content, Event, LeaseId, Version};

/// An event of a key, with what it is judged by.
pub(super) struct Scene<'a> {
    pub(super) now: Now,
    /// The place of the event.
    pub(super) place: Place,
    /// What the task read last from the cache's clock, and where it was when it asked for it.
    pub(super) reading: u64,
    pub(super) read_from: Place,
    /// How often the clock has stepped back.
    pub(super) steps_back: u32,
    /// How many requests the task has under way, one inside the other.
    pub(super) depth: usize,
    /// The innermost of them, if it is one of this key.
    pub(super) own: Option<&'a mut Open>,
    pub(super) makes: &'a mut Vec<Content>,
    pub(super) putting: &'a mut Option<Content>,
    pub(super) tally: &'a mut Tally,
    pub(super) key: &'a mut Key,
    pub(super) broken: Vec<(Invariant, String)>,
}

impl Scene<'_> {
    /// Takes note of the event.
    pub(super) fn note(&mut self, event: Event) {
        match event {
            Event::Looked(seen) => self.looked(seen),
            Event::FreshHit(_) | Event::StaleHit(_) => self.found(event, None),
            Event::Nominated(version) => self.found(event, Some(version)),
            Event::Miss => self.missed(),
            Event::StillNeeded => self.of_own(|open| open.rechecked = true),
            Event::Busy(_) => self.busy(),
            Event::Leased(id) => self.leased(id),
            Event::Waited(_) => self.waited(),
            Event::TimedOut(id) => self.timed_out(id),
            Event::BackingOff => self.backs_off(),
            Event::Cycle(_) => self.of_own(|open| open.reason = true),
            Event::Revoked(id) => self.revoked(id),
            Event::ComputeStarted(id, _) => self.started(id),
            Event::ComputeFinished(id, returned) => self.finished(id, returned),
            Event::Published(id, version) => self.published(id, version),
            Event::Discarded(id) => self.discarded(id),
            Event::Released(id) => self.released(id),
            Event::Inserted(version) => self.inserted(version),
            Event::Invalidated => self.invalidated(),
            Event::Evicted(version) => {
                if self.terms().capacity == usize::MAX {
                    let what = "there is room for all, and it is evicted";
                    self.breaks(Invariant::StaleNeverWaits, what);
                }
                self.gone(version);
                self.key.begin_window(self.place);
                self.key.last_published = None;
            }
            Event::Swept(version) => self.swept(version),
            Event::Forgotten => self.forgotten(),
            _ => {}
        }
    }

    fn breaks(&mut self, invariant: Invariant, what: impl Into<String>) {
        self.broken.push((invariant, what.into()));
    }

    fn of_own(&mut self, change: impl FnOnce(&mut Open)) {
        if let Some(open) = &mut self.own {
            change(open);
        }
    }

    fn terms(&self) -> Terms {
        self.tally.terms
    }

    /// Between the shards of a clearing the judge knows neither what was removed nor which leases were revoked.
    fn clearing(&self) -> bool {
        self.tally.clearing.is_some()
    }

    fn looked(&mut self, seen: Option<Version>) {
        match self.key.held {
            Held::Known(entry) if entry.map(|entry| entry.version) != seen => {
                // A sweep writes down what it has removed when it has been through all shards.
                let may_go = |it: Entry| it.is_expired(self.now.clock) || self.steps_back > 0;
                if seen.is_none() && entry.is_some_and(may_go) {
                    self.key.set(Held::Known(None), self.place);
                } else if !self.clearing() {
                    let has = entry.map(|entry| entry.version);
                    let what = format!("the map has version {has:?}, and the look reads {seen:?}");
                    self.breaks(Invariant::VersionsNeverRegress, what);
                }
            }
            Held::Unsure if seen.is_none() => self.key.set(Held::Known(None), self.place),
            _ => {}
        }
        let entry = match self.key.held {
            Held::Known(Some(entry)) if Some(entry.version) == seen => Some(entry),
            _ => None,
        };
        let (place, last_write) = (self.place, self.key.last_write);
        self.of_own(|open| {
            open.looked = Some((place, entry));
            open.last_write_at_look = last_write;
        });
    }

    fn found(&mut self, event: Event, nominated: Option<Version>) {
        let Some(open) = &mut self.own else { return };
        open.has_value = true;
        open.fresh = matches!(event, Event::FreshHit(_));
        open.is_stale = matches!(event, Event::StaleHit(_));
        let nominates_twice = nominated.is_some_and(|it| open.nominated.replace(it).is_some());
        let (is_stale, looked) = (open.is_stale, open.looked);
        if nominates_twice {
            self.breaks(Invariant::NominationAtMostOnce, "it nominates twice");
        }
        let Some((_, Some(entry))) = looked else { return };
        if entry.is_expired(self.reading) {
            self.breaks(Invariant::NeverServeExpired, "it finds a value that has expired");
        } else if !is_stale && !entry.may_be_fresh(self.reading) {
            self.breaks(Invariant::RefreshMakesProgress, "it takes a stale value for a fresh one");
        } else if is_stale && entry.is_surely_fresh(self.reading) {
            self.breaks(Invariant::NoWastedCompute, "it takes a fresh value for a stale one");
        }
    }

    fn missed(&mut self) {
        let Some(open) = &mut self.own else { return };
        open.missed = true;
        if let Some((_, Some(entry))) = open.looked
            && !entry.is_expired(self.reading)
        {
            let what = "it takes a value that may be served for none";
            self.breaks(Invariant::StaleNeverWaits, what);
        }
    }

    fn busy(&mut self) {
        let Some(open) = &mut self.own else { return };
        open.busy_at = Some(self.now.time);
        if open.fresh {
            let what = "it has a fresh value and asks for the lease";
            self.breaks(Invariant::FreshTakesNoLease, what);
        }
    }

    fn leased(&mut self, id: LeaseId) {
        self.tally.leased += 1;
        let mut lease = Lease::new(id, self.now.task);
        lease.early = self.is_early();
        if let Some(open) = &mut self.own {
            open.has_lease = true;
            lease.queued = open.has_value;
            (lease.missed, lease.nominated) = (open.missed, open.nominated);
            let is_fresh = open.fresh && open.nominated.is_none();
            let since = self.key.last_published;
            let was_refreshed = open
                .looked
                .is_some_and(|(looked, _)| since.is_some_and(|published| published > looked));
            let in_vain = open.is_stale && !open.rechecked && was_refreshed;
            if is_fresh {
                let what = "it has a fresh value and takes the lease";
                self.breaks(Invariant::FreshTakesNoLease, what);
            }
            if in_vain {
                let what = "the key was refreshed after its look, and it takes the lease";
                self.breaks(Invariant::RefreshedInTimeTakesNoLease, what);
            }
        }
        self.key.leases.push(lease);
    }

    /// Whether the key surely backs off by what the task has read.
    fn is_early(&self) -> bool {
        let most = self.terms().back_off.1;
        self.key.failures.is_some_and(|failures| {
            self.reading < failures.until.0
                && failures.since >= self.tally.remembered_since
                && !failures.unsure
                && !self.clearing()
                && failures.until.1.saturating_sub(self.reading) <= most
        })
    }

    fn waited(&mut self) {
        if self.own.as_ref().is_some_and(|open| open.has_value) {
            self.breaks(Invariant::StaleNeverWaits, "it has a value and waits");
        }
    }

    fn timed_out(&mut self, id: LeaseId) {
        self.waited();
        let mut inside = self.depth > 1;
        // On a worker's thread it is the only request of its task, and finds the lease busy before it waits.
        self.of_own(|open| {
            open.reason = true;
            inside |= open.busy_at.is_some();
        });
        // A request inside a compute leaves the graph of waits before it says so.
        if inside {
            return;
        }
        let is_steady = self.terms().is_steady;
        let why = match self.key.lease(id, usize::MAX) {
            None => "and the lease was released",
            // Where no task stands still, a lease is queued until its compute starts.
            Some(lease) if lease.queued && is_steady => "and its refresh waits for a thread",
            Some(_) => return,
        };
        let what = format!("it waits for lease {id} until its time-out, {why}");
        self.breaks(Invariant::NoWaiterLeftBehind, what);
    }

    fn backs_off(&mut self) {
        self.of_own(|open| open.reason = true);
        if self.steps_back > 0 || self.clearing() {
            return;
        }
        match self.key.failures {
            None => {
                let what = "no failure is to be remembered, and it backs off";
                self.breaks(Invariant::HealthyOriginNoError, what);
            }
            Some(failures) if self.reading >= failures.until.1 => {
                let what = "the longest back-off has passed, and it backs off";
                self.breaks(Invariant::RefreshMakesProgress, what);
            }
            Some(_) => {}
        }
    }

    fn revoked(&mut self, id: LeaseId) {
        let Some(lease) = self.key.lease(id, usize::MAX) else { return };
        if lease.revoked.is_some() {
            return;
        }
        lease.revoked = Some(self.place);
        let window = lease.window.filter(|_| lease.computing);
        self.in_vain(window);
    }

    /// A compute of this window has failed or was revoked: another one may follow.
    fn in_vain(&mut self, window: Option<Place>) {
        if let Some(window) = window.and_then(|since| self.key.window_at(since)) {
            window.in_vain += 1;
        }
    }

    fn started(&mut self, id: LeaseId) {
        let task = self.now.task;
        let is_other =
            |it: &&Lease| (it.id, it.task) != (id, task) && it.computing && it.revoked.is_none();
        let has_others = self.key.leases.iter().any(|it| is_other(&it));
        if let Some(lease) = self.key.lease(id, task) {
            (lease.task, lease.computing, lease.queued) = (task, true, false);
            let lease = *lease;
            if has_others && lease.revoked.is_none() && !self.clearing() {
                self.breaks(Invariant::OneLeasePerKey, "another lease of the key computes");
            }
            self.judge_compute(&lease);
            let window = self.count_compute(&lease);
            if let Some(lease) = self.key.lease(id, task) {
                lease.window = window;
            }
        }
        // A worker has no request; the callers of a cache whose pool is gone compute themselves.
        if self.tally.shut_down && self.depth == 0 {
            let what = "the pool was shut down, and a worker computes";
            self.breaks(Invariant::ShutdownDrains, what);
        }
    }

    /// Whether its re-check has read the map before its lease was revoked. If not, its compute belongs to no window.
    fn counts(&self, lease: &Lease) -> bool {
        lease.revoked.is_none_or(|revoked| revoked <= self.read_from)
    }

    fn judge_compute(&mut self, lease: &Lease) {
        if lease.early && self.counts(lease) {
            let seconds = |nanos: u64| nanos as f64 / 1e9;
            let ends = self.key.failures.map_or(0, |failures| failures.until.0);
            let (ends, reading) = (seconds(ends), seconds(self.reading));
            let what = format!(
                "it computes at {reading:.9} s of the cache's clock, and its back-off ends at {ends:.9} s or later"
            );
            self.breaks(Invariant::FailuresBackOff, what);
        }
        if let Some(Held::Known(Some(entry))) = self.key.held_at(self.read_from)
            && entry.is_surely_fresh(self.reading)
            && lease.nominated != Some(entry.version)
        {
            self.breaks(Invariant::NoWastedCompute, "the value is fresh, and it computes");
        }
    }

    /// Counts a compute in its window, and returns the window.
    fn count_compute(&mut self, lease: &Lease) -> Option<Place> {
        if !self.counts(lease) {
            return None;
        }
        let clearing = self.clearing();
        let window = self.key.window_at(self.read_from)?;
        window.started += 1;
        window.started_by_misses += u32::from(lease.missed);
        let window = *window;
        let most = if clearing { u32::MAX } else { 1 + window.in_vain };
        if lease.missed && window.started_by_misses > most {
            let what = format!("it missed, and is compute {} of this window", window.started);
            self.breaks(Invariant::MissSingleFlight, what);
        }
        if window.started > most {
            let what = format!(
                "it is compute {} of this window, and {} have failed or were revoked",
                window.started, window.in_vain
            );
            self.breaks(Invariant::OneComputePerWindow, what);
        }
        Some(window.since)
    }

    fn finished(&mut self, id: LeaseId, returned: bool) {
        let task = self.now.task;
        self.key.computing.retain(|compute| *compute != (task, id));
        let Some(lease) = self.key.lease(id, task).filter(|_| !returned) else { return };
        (lease.failed, lease.computing) = (true, false);
        let window = lease.window.filter(|_| lease.revoked.is_none());
        self.of_own(|open| open.reason = true);
        self.in_vain(window);
    }

    fn published(&mut self, id: LeaseId, version: Version) {
        let made = self.makes.pop();
        let mut content = None;
        if let Some(lease) = self.key.lease(id, self.now.task) {
            (lease.computing, lease.published) = (false, true);
            content = lease.content;
            if lease.revoked.is_some() {
                let what = "the lease was revoked, and it publishes";
                self.breaks(Invariant::InvalidationWins, what);
            }
        }
        let content = content.or(made).unwrap_or(0);
        if begun(content) < self.key.newest_begun {
            let what = "it replaces a value that was begun after it";
            self.breaks(Invariant::VersionsNeverRegress, what);
        }
        self.puts(version, content, begun(content));
        // They are forgotten when the lease is released, unless it is revoked before that.
        if let Some(failures) = &mut self.key.failures {
            failures.unsure = true;
        }
        self.key.last_published = Some(self.place);
        let published = Some((self.place, self.reading));
        self.of_own(|open| open.published = published);
    }

    fn inserted(&mut self, version: Version) {
        let content = self.putting.take().unwrap_or(0);
        self.puts(version, content, self.place);
        self.forgets();
        self.wrote();
    }

    fn invalidated(&mut self) {
        self.key.set(Held::Known(None), self.place);
        self.key.begin_window(self.place);
        self.forgets();
        self.wrote();
    }

    /// A user has written the key.
    fn wrote(&mut self) {
        (self.key.last_write, self.key.last_published) = (self.place, None);
        self.key.forget_the_past();
    }

    /// An entry comes into the map.
    fn puts(&mut self, version: Version, content: Content, begun: Place) {
        if version <= self.key.newest {
            let what = format!("version {version} comes after version {}", self.key.newest);
            self.breaks(Invariant::VersionsNeverRegress, what);
        }
        self.key.newest = self.key.newest.max(version);
        self.key.newest_begun = self.key.newest_begun.max(begun);
        let entry = Entry::new(&self.terms(), version, content, self.reading);
        // A clearing may have come to this shard or not.
        let held = if self.clearing() { Held::Unsure } else { Held::Known(Some(entry)) };
        self.key.set(held, self.place);
        self.key.put.push((content, self.place, entry.expires_at));
        self.key.begin_window(self.place);
    }

    /// No failure of the key counts any more.
    fn forgets(&mut self) {
        self.tally.failing -= usize::from(self.key.failures.take().is_some());
    }

    fn discarded(&mut self, id: LeaseId) {
        self.makes.pop();
        let place = self.place;
        let Some(lease) = self.key.lease(id, self.now.task) else { return };
        lease.computing = false;
        // A write has come. One of all keys says so only when it has been through all shards.
        let window = lease.window.filter(|_| lease.revoked.is_none());
        lease.revoked.get_or_insert(place);
        self.in_vain(window);
    }

    fn released(&mut self, id: LeaseId) {
        self.tally.released += 1;
        if let Some(lease) = self.key.remove_lease(id, self.now.task) {
            if lease.failed {
                self.makes.pop();
            }
            // A revoked compute says nothing of the key as it is now.
            match lease.revoked {
                None if lease.failed => self.fails(),
                None if lease.published => self.forgets(),
                _ => {}
            }
        }
        self.key.forget_the_past();
    }

    fn fails(&mut self) {
        let (before, terms) = (self.key.failures, self.terms());
        self.forgets();
        let since = self.tally.remembered_since;
        self.key.failures = Failures::after(before, since, self.reading, &terms, self.place);
        self.tally.failing += usize::from(self.key.failures.is_some());
        if self.tally.failing.saturating_mul(terms.shards) > terms.capacity {
            self.tally.remembered_since = self.place;
        }
    }

    /// The entry with this version was removed, but not by a user.
    fn gone(&mut self, version: Version) {
        if matches!(self.key.held, Held::Known(Some(entry)) if entry.version == version) {
            self.key.set(Held::Known(None), self.place);
        }
        self.key.forget_the_past();
    }

    /// After a step back of the clock an entry from the future is dead too.
    fn swept(&mut self, version: Version) {
        if let Held::Known(Some(entry)) = self.key.held
            && entry.version == version
            && !entry.is_expired(self.now.clock)
            && self.steps_back == 0
            && !self.clearing()
        {
            let what = "a sweep removes a value that may be served";
            self.breaks(Invariant::StaleNeverWaits, what);
        }
        self.gone(version);
    }

    /// A sweep writes it down when it has been through all shards. The key may have failed again since.
    fn forgotten(&mut self) {
        let Terms { idle, shards, capacity, .. } = self.terms();
        let counts = |failures: Failures| {
            !failures.unsure
                && failures.since < self.read_from
                && self.now.clock < failures.until.0.saturating_add(idle)
        };
        // With one shard the sweep has read the time after the failure, and before it removed what it found.
        if self.key.failures.is_some_and(counts)
            && (shards, capacity, self.steps_back) == (1, usize::MAX, 0)
            && !self.clearing()
        {
            let what = "a sweep forgets a failure that counts";
            self.breaks(Invariant::FailuresBackOff, what);
        }
        match &mut self.key.failures {
            Some(failures) if self.now.clock < failures.until.0.saturating_add(idle) => {
                failures.unsure = true;
            }
            _ => self.forgets(),
        }
    }
}
