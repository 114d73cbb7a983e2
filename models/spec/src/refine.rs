//! Executions of the shipped code, held against the table event by event (refinement).
//!
//! A caller of the table is one request with the refresh that it sends. An event belongs to the request that has the
//! lease which it names, or else to the request that its task is at. Between two events the table may take steps that
//! have no event: sections in which the code emits nothing. So the check follows every state that the events allow, and
//! fails if none is left.
//!
//! A history may say more: when a request sleeps, goes on, reads the map, or reads the clock (`History::says_silent`).
//! Then those steps come there and nowhere else, and [`Taken::pairs`] is exact but for the passing of time.
//!
//! Time passes in the table when it likes. Here it passes no earlier than the records and the TTLs say.
//!
//! [`check`] takes a whole `History` and judges each key. `models/on-sections/src/refined.rs` calls it. The union of the
//! steps over all executions is the numerator of the coverage, and the steps that [`crate::counters::search`] reaches are
//! the denominator. Executions of real threads are not ordered by their sections, and are not to be judged.
//!
//! # What is left out
//!
//! A request inside a compute that meets a lease of the same key asks first and waits then (`wait_inside`, `Cycle`): the
//! table has one key and no graph of waits, so such a key is reported as [`Verdict::LeftOut`]. With several shards an
//! `Invalidated` of all keys and a `Swept` are emitted after the last shard: then they may come later than their sections.

use crate::table::{Local, Move, Pair, Shared, System};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use xfetch_vocabulary::history::{Event, History, LeaseId, Record, Version};

/// The steps of the table that an execution took, by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// The steps.
    pub steps: BTreeSet<usize>,
    /// The states from which they were taken. If the events leave open when a step without an event came, one of the runs
    /// that they allow counts.
    pub pairs: BTreeSet<Pair>,
    /// Keys that were judged.
    pub keys: usize,
    /// Keys that were left out, and why.
    pub left_out: Vec<&'static str>,
}

/// An event that the table has no step for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The key.
    pub key: u64,
    /// The record, by its place in the history.
    pub index: usize,
    /// The record.
    pub record: Record,
    /// The states of the table before it, in words; the first few.
    pub states: Vec<String>,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Record { task, step, event, .. } = self.record;
        writeln!(
            f,
            "record {}, task {task}, section {step}: the table has no step {event:?}",
            self.index
        )?;
        for state in &self.states {
            writeln!(f, "  from {state}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mismatch {}

/// What is said of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The execution is one of the table's, which takes these steps from these states.
    Refines(BTreeSet<Pair>),
    /// The table does not speak about it.
    LeftOut(&'static str),
}

/// Holds one execution against the table.
///
/// # Errors
///
/// The first event of a key that the table has no step for.
pub fn check(system: &System, history: &History) -> Result<Taken, Mismatch> {
    let of_all = |record: &Record| matches!(record.event, Event::Cleared | Event::Rest);
    let keys: BTreeSet<u64> =
        history.records.iter().filter(|it| !of_all(it)).map(|it| it.key).collect();
    let mut taken = Taken::default();
    for key in keys {
        let mut replay = Replay::new(system, history, key);
        match replay.run()? {
            Verdict::Refines(pairs) => {
                taken.keys += 1;
                taken.steps.extend(pairs.iter().map(|it| it.step));
                taken.pairs.extend(pairs);
            }
            Verdict::LeftOut(why) => taken.left_out.push(why),
        }
    }
    Ok(taken)
}

/// A request of the execution, in one state of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Caller {
    local: Local,
    /// Its refresh was sent to another thread.
    sent: bool,
    /// It has returned an error.
    refused: bool,
}

/// A state of the table that the events so far allow.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    shared: Shared,
    callers: Vec<Caller>,
}

/// A step that a run has taken, and the one before it: its place in [`Replay::taken`].
#[derive(Clone, Copy)]
struct Took {
    step: usize,
    shared: Shared,
    own: Option<Local>,
    before: Trail,
}

/// The last step of a run.
type Trail = Option<usize>;

/// States in the order in which they were found, each with the first run that led there.
#[derive(Clone, Default)]
struct Front {
    known: HashSet<State>,
    states: Vec<(State, Trail)>,
}

impl Front {
    fn add(&mut self, state: State, trail: Trail) -> bool {
        let is_new = self.known.insert(state.clone());
        if is_new {
            self.states.push((state, trail));
        }
        is_new
    }

    fn that(self, holds: impl Fn(&State) -> bool) -> Self {
        let mut kept = Self::default();
        for (state, trail) in self.states.into_iter().filter(|(state, _)| holds(state)) {
            kept.add(state, trail);
        }
        kept
    }

    /// The first few in words.
    fn show(&self, replay: &Replay) -> Vec<String> {
        self.states.iter().take(3).map(|(state, _)| replay.show(state)).collect()
    }
}

struct Replay<'a> {
    system: &'a System,
    history: &'a History,
    key: u64,
    front: Front,
    taken: Vec<Took>,
    /// The requests that each task is at, the inner ones last, with whether the request was asked and has looked.
    open: HashMap<usize, Vec<Open>>,
    of_lease: HashMap<LeaseId, usize>,
    callers: usize,
    /// When each task emitted its last event.
    last: HashMap<usize, u64>,
    /// When the running task emitted the event before this one.
    inserts: u64,
    /// The version in the map, and when its value was made at the earliest.
    map: Option<(Version, u64)>,
    /// When each version was put into the map: its deadlines come no later than that and the TTLs say.
    put: BTreeMap<Version, u64>,
    finished: BTreeMap<LeaseId, u64>,
    failed: Option<u64>,
    /// The task that has just written the key: what it revokes follows.
    writer: Option<usize>,
}

#[derive(Clone, Copy)]
struct Open {
    caller: usize,
    asked: bool,
    looked: bool,
}

impl<'a> Replay<'a> {
    fn new(system: &'a System, history: &'a History, key: u64) -> Self {
        let mut front = Front::default();
        front.add(State { shared: 0, callers: Vec::new() }, None);
        Self {
            system,
            history,
            key,
            front,
            taken: Vec::new(),
            open: HashMap::new(),
            of_lease: HashMap::new(),
            callers: 0,
            last: HashMap::new(),
            inserts: 0,
            map: None,
            put: BTreeMap::new(),
            finished: BTreeMap::new(),
            failed: None,
            writer: None,
        }
    }

    fn run(&mut self) -> Result<Verdict, Mismatch> {
        let history = self.history;
        for (index, record) in history.records.iter().enumerate() {
            let before = self.last.insert(record.task, record.now);
            if record.key != self.key && record.event != Event::Cleared {
                continue;
            }
            // What is inserted was made after the last event of its task.
            self.inserts = before.unwrap_or(record.now);
            if let Some(why) = self.left_out(index, record) {
                return Ok(Verdict::LeftOut(why));
            }
            let before = self.front.clone();
            self.front = self.after(record);
            if self.front.states.is_empty() {
                let states = before.show(self);
                return Err(Mismatch { key: self.key, index, record: *record, states });
            }
        }
        // All have returned: no lease is held any more.
        let before = std::mem::take(&mut self.front);
        let free = |state: &State| {
            let shared = |name| self.system.shared_value(state.shared, name);
            shared("cur") == "free" && shared("revoked") == "none"
        };
        self.front = before.clone().that(free);
        if self.front.states.is_empty()
            && let Some(record) = history.records.last()
        {
            let (states, index) = (before.show(self), history.records.len());
            return Err(Mismatch { key: self.key, index, record: *record, states });
        }
        Ok(Verdict::Refines(self.pairs()))
    }

    /// From where the first run that is left took its steps.
    fn pairs(&self) -> BTreeSet<Pair> {
        let mut at = self.front.states.first().and_then(|(_, trail)| *trail);
        let mut pairs = BTreeSet::new();
        while let Some(Took { step, shared, own, before }) =
            at.and_then(|it| self.taken.get(it)).copied()
        {
            pairs.insert(self.system.pair(step, shared, own));
            at = before;
        }
        pairs
    }

    fn show(&self, state: &State) -> String {
        let callers = state.callers.iter().enumerate().filter(|(_, it)| it.local != 0);
        let callers = callers
            .map(|(place, it)| format!("request {place}: {}", self.system.show_local(it.local)));
        let callers: Vec<String> = callers.collect();
        format!("{} | {}", self.system.show_shared(state.shared), callers.join(" | "))
    }

    /// The table has one key. A request inside a compute asks in another order.
    fn left_out(&self, index: usize, record: &Record) -> Option<&'static str> {
        match record.event {
            Event::Cycle(_) => Some("a cycle of computes"),
            Event::Busy(_) if self.is_inside(index) => {
                let caller = self.at(record.task)?;
                let missed = |it: &State| {
                    let place = it.callers.get(caller).map_or("", |it| self.system.place(it.local));
                    place != "wants"
                };
                self.front
                    .states
                    .iter()
                    .map(|(it, _)| it)
                    .all(missed)
                    .then_some("a miss inside a compute")
            }
            _ => None,
        }
    }

    /// Whether the task's request at this record is inside another one, of whatever key.
    fn is_inside(&self, index: usize) -> bool {
        let Some(record) = self.history.records.get(index) else { return false };
        let before = self.history.records.iter().take(index).filter(|it| it.task == record.task);
        let open = before.fold(0_i64, |open, it| match it.event {
            Event::Asked => open + 1,
            Event::Answered(_) | Event::Refused => open - 1,
            _ => open,
        });
        open > 1
    }

    /// The request that a task is at.
    fn at(&self, task: usize) -> Option<usize> {
        self.open.get(&task).and_then(|open| open.last()).map(|it| it.caller)
    }

    fn begins(&mut self, task: usize, asked: bool) -> usize {
        let caller = self.callers;
        self.callers += 1;
        let open = self.open.entry(task).or_default();
        // A look that nobody asked for has no end of its own.
        if open.last().is_some_and(|it| !it.asked) {
            open.pop();
        }
        open.push(Open { caller, asked, looked: !asked });
        for (mut state, trail) in std::mem::take(&mut self.front).states {
            state.callers.push(Caller { local: 0, sent: false, refused: false });
            self.front.add(state, trail);
        }
        caller
    }

    fn after(&mut self, record: &Record) -> Front {
        let task = record.task;
        let is_consequence = self.writer == Some(task);
        match record.event {
            Event::Revoked(_) | Event::Evicted(_) | Event::Put(_) => {}
            _ if is_consequence => self.writer = None,
            _ => {}
        }
        match record.event {
            Event::Asked => {
                self.begins(task, true);
                return std::mem::take(&mut self.front);
            }
            Event::Makes(_) | Event::Put(_) | Event::ShutDown | Event::Tick | Event::Rest => {
                return std::mem::take(&mut self.front);
            }
            Event::Waits => return self.silently(record, self.at(task), WAITS),
            Event::WakesUp => return self.silently(record, self.at(task), ASKS_AGAIN),
            Event::ReadsTheClock => return self.silently(record, self.at(task), JUDGES),
            Event::Reads(lease) => {
                let holder = lease.and_then(|it| self.of_lease.get(&it).copied());
                return self.silently(record, holder.or_else(|| self.at(task)), READS);
            }
            Event::Answered(_) | Event::Refused => {
                let front = self.silent(record.now);
                let closed = self.open.get_mut(&task).and_then(Vec::pop).map(|it| it.caller);
                let done = |state: &State| {
                    let caller = closed.and_then(|it| state.callers.get(it));
                    let refused = record.event == Event::Refused;
                    caller.is_some_and(|it| (it.local == 0 || it.sent) && it.refused == refused)
                };
                return front.that(done);
            }
            Event::Looked(_) => {
                let open = self.open.entry(task).or_default();
                match open.last_mut() {
                    Some(open) if open.asked && !open.looked => open.looked = true,
                    _ => drop(self.begins(task, false)),
                }
            }
            _ => {}
        }
        let front = self.silent(record.now);
        let after = match record.event {
            Event::Revoked(lease) if is_consequence => self.was_revoked(front, lease),
            event => self.step(front, record, event),
        };
        self.front = after;
        self.remember(record);
        std::mem::take(&mut self.front)
    }

    /// The request takes one of these steps, which have no event, or none of them from where it is.
    fn silently(&mut self, record: &Record, caller: Option<usize>, steps: &[&str]) -> Front {
        let Some(caller) = caller else { return std::mem::take(&mut self.front) };
        let mut after = Front::default();
        for (state, trail) in self.silent(record.now).states {
            let own = state.callers.get(caller).map_or(0, |it| it.local);
            let fenced = self.is_fenced(&state, own);
            let mut can = steps == READS && fenced;
            // The thread that has sent its refresh may read the map too, for what it returns.
            let sent = state.callers.get(caller).is_some_and(|it| it.sent);
            let is_its_own = !matches!(record.event, Event::Reads(None)) || !sent;
            for taken in self.system.moves(state.shared, own).iter().filter(|_| is_its_own) {
                let name = self.system.table.steps[taken.step].name.as_str();
                if steps.contains(&name) {
                    can = true;
                    let next = self.take(&state, Some(caller), taken);
                    let trail = self.took(taken.step, state.shared, Some(own), trail);
                    after.add(next, trail);
                }
            }
            let waits_on = steps == WAITS && self.system.place(own) == "waits";
            let may_be_another = steps != WAITS && (!can || !is_its_own || steps == ASKS_AGAIN);
            if waits_on || may_be_another || steps == READS && fenced {
                after.add(state, trail);
            }
        }
        after
    }

    /// Its read finds the fence, and the event for that follows.
    fn is_fenced(&self, state: &State, own: Local) -> bool {
        let moves = self.system.moves(state.shared, own);
        moves.iter().any(|it| self.system.table.steps[it.step].name == "inside-revoked")
    }

    /// The states in which a write has just revoked this lease.
    fn was_revoked(&self, front: Front, lease: LeaseId) -> Front {
        let Some(holder) = self.of_lease.get(&lease) else { return Front::default() };
        let revoked = |state: &State| {
            let Some(caller) = state.callers.get(*holder) else { return false };
            let overtaken = self.system.shared_value(state.shared, "cur") == "overtaken";
            match self.system.local_value(caller.local, "lease") {
                "revoked" | "lost" => true,
                "current" => overtaken,
                _ => false,
            }
        };
        front.that(revoked)
    }

    /// The states after a step with this event.
    fn step(&mut self, front: Front, record: &Record, event: Event) -> Front {
        let (name, whose) = named(event);
        let caller = match whose {
            Whose::World => None,
            Whose::Lease(lease) => match self.of_lease.get(&lease) {
                Some(caller) => Some(*caller),
                None => return Front::default(),
            },
            Whose::Task => match self.at(record.task) {
                Some(caller) => Some(caller),
                None => return Front::default(),
            },
        };
        if let (Event::Leased(lease), Some(caller)) = (event, caller) {
            self.of_lease.insert(lease, caller);
        }
        let mut after = Front::default();
        for (state, trail) in front.states {
            if !self.agrees(&state, caller, event, record.now) {
                continue;
            }
            let own = caller.and_then(|it| state.callers.get(it)).map(|it| it.local);
            let moves = match (caller, own) {
                (None, _) => self.system.world(state.shared),
                (Some(_), Some(own)) => self.system.moves(state.shared, own),
                (Some(_), None) => continue,
            };
            for taken in moves.iter() {
                let step = &self.system.table.steps[taken.step];
                let too_early = step.name == "insert-expired"
                    && record.now < self.inserts.saturating_add(self.history.storage);
                if step.event.as_deref() != Some(name) || too_early {
                    continue;
                }
                let next = self.take(&state, caller, taken);
                let trail = self.took(taken.step, state.shared, own, trail);
                after.add(next, trail);
            }
        }
        after
    }

    fn took(&mut self, step: usize, shared: Shared, own: Option<Local>, before: Trail) -> Trail {
        self.taken.push(Took { step, shared, own, before });
        Some(self.taken.len() - 1)
    }

    /// Whether the numbers of the event are those of the state: the version that a request has read is the one in the
    /// map, or it is not; a lease that is met is the current one.
    fn agrees(&self, state: &State, caller: Option<usize>, event: Event, now: u64) -> bool {
        let local = caller.and_then(|it| state.callers.get(it)).map_or(0, |it| it.local);
        let seen = |version: Option<Version>| {
            let has = self.system.local_value(local, "seen");
            match (version, self.map) {
                (None, _) => has == "none",
                (Some(version), Some((current, _))) if version == current => has == "current",
                (Some(_), _) => has == "older",
            }
        };
        let expired = |version: Version| {
            let put = self.put.get(&version);
            put.is_some_and(|put| now >= put.saturating_add(self.history.storage))
        };
        match event {
            Event::FreshHit(version) | Event::StaleHit(version) if expired(version) => false,
            Event::Looked(version) => version == self.map.map(|(version, _)| version),
            Event::FreshHit(version)
            | Event::StaleHit(version)
            | Event::Nominated(version)
            | Event::SkippedBefore(version)
            | Event::SkippedInside(_, version) => seen(Some(version)),
            Event::ComputeStarted(_, version) => seen(version),
            Event::Busy(lease) => {
                let holder = self.of_lease.get(&lease).and_then(|it| state.callers.get(*it));
                holder.is_some_and(|it| self.system.local_value(it.local, "lease") == "current")
            }
            Event::Evicted(version) | Event::Swept(version) => {
                self.map.is_some_and(|(current, _)| current == version)
            }
            _ => true,
        }
    }

    fn take(&self, state: &State, caller: Option<usize>, taken: &Move) -> State {
        let mut callers = state.callers.clone();
        for (place, it) in callers.iter_mut().enumerate() {
            if caller == Some(place) {
                it.local = taken.own.unwrap_or(it.local);
                it.sent |= self.system.place(it.local) == "queued";
                it.refused |= self.system.table.steps[taken.step].name == "refuse";
            } else if let Some(others) = &taken.others {
                it.local = others[usize::from(it.local)];
            }
        }
        State { shared: taken.shared, callers }
    }

    /// All states that steps without an event lead to.
    fn silent(&mut self, now: u64) -> Front {
        let mut all = std::mem::take(&mut self.front);
        let mut place = 0;
        while let Some((state, trail)) = all.states.get(place).cloned() {
            place += 1;
            let own = state.callers.iter().map(|it| it.local).enumerate();
            let callers = own.filter(|(_, local)| *local != 0).map(|(at, it)| (Some(at), Some(it)));
            for (at, own) in std::iter::once((None, None)).chain(callers) {
                let moves = match own {
                    None => self.system.world(state.shared),
                    Some(own) => self.system.moves(state.shared, own),
                };
                for taken in moves.iter() {
                    if !self.may_pass(taken.step, now) {
                        continue;
                    }
                    let next = self.take(&state, at, taken);
                    if !all.known.contains(&next) {
                        let trail = self.took(taken.step, state.shared, own, trail);
                        all.add(next, trail);
                    }
                }
            }
        }
        all
    }

    /// Whether a step without an event may come now. Time passes no earlier than the records say.
    fn may_pass(&self, step: usize, now: u64) -> bool {
        let step = &self.system.table.steps[step];
        let History { payload, storage, back_off, capacity, .. } = self.history;
        let since = |made: Option<u64>, span: u64| {
            made.is_some_and(|made| now >= made.saturating_add(span))
        };
        let first = self.finished.values().min().copied();
        step.event.is_none()
            && match step.name.as_str() {
                "goes-stale" => since(self.map.map(|it| it.1), *payload),
                "expires" => since(self.map.map(|it| it.1), *storage),
                "product-dies" => since(first, *storage),
                // A full table forgets a failure before its time.
                "back-off-ends" => since(self.failed, *back_off) || *capacity != usize::MAX,
                "ages-stale" | "ages-expired" => now >= *payload,
                "ask-again" => self.history.asks_again && !self.history.says_silent,
                name if WAITS.contains(&name)
                    || READS.contains(&name)
                    || JUDGES.contains(&name) =>
                {
                    !self.history.says_silent
                }
                _ => true,
            }
    }

    /// Whether this lease may be the current one. The failure of another one begins no back-off.
    fn is_current(&self, lease: LeaseId) -> bool {
        let Some(holder) = self.of_lease.get(&lease) else { return false };
        let has = |local: Local| self.system.local_value(local, "lease") == "current";
        let holds = |state: &State| state.callers.get(*holder).is_some_and(|it| has(it.local));
        self.front.states.iter().any(|(state, _)| holds(state))
    }

    fn remember(&mut self, record: &Record) {
        match record.event {
            Event::Published(lease, version) => {
                let made = self.finished.get(&lease).copied().unwrap_or(record.now);
                self.map = Some((version, made));
                self.put.insert(version, record.now);
            }
            Event::Inserted(version) => {
                self.map = Some((version, self.inserts));
                self.put.insert(version, record.now);
                self.writer = Some(record.task);
            }
            Event::Invalidated | Event::Cleared => {
                self.map = None;
                self.writer = Some(record.task);
            }
            Event::Evicted(_) | Event::Swept(_) => self.map = None,
            Event::ComputeFinished(lease, returned) => {
                self.finished.insert(lease, record.now);
                if !returned && self.is_current(lease) {
                    self.failed = Some(record.now);
                }
            }
            _ => {}
        }
    }
}

/// The steps without an event by which a request begins to wait.
const WAITS: &[&str] = &["wait", "wait-in-crowd"];
/// The step without an event of a request that has slept. It may sleep on as well, or an event says why it goes on.
const ASKS_AGAIN: &[&str] = &["ask-again"];
/// The steps without an event that read the map under its lock.
const READS: &[&str] = &["inside", "look-again", "look-after-all"];
/// The steps without an event that read the clock.
const JUDGES: &[&str] = &["found-again", "not-again", "found-after-all", "refuse"];

enum Whose {
    World,
    Task,
    Lease(LeaseId),
}

/// The name that the table has for an event, and whose step it is.
fn named(event: Event) -> (&'static str, Whose) {
    use Whose::{Lease, Task, World};
    match event {
        Event::Looked(_) => ("Looked", Task),
        Event::FreshHit(_) => ("FreshHit", Task),
        Event::StaleHit(_) => ("StaleHit", Task),
        Event::Miss => ("Miss", Task),
        Event::Nominated(_) => ("Nominated", Task),
        Event::StillNeeded => ("StillNeeded", Task),
        Event::SkippedBefore(_) => ("SkippedBefore", Task),
        Event::Leased(_) => ("Leased", Task),
        Event::Busy(_) => ("Busy", Task),
        Event::Waited(_) => ("Waited", Task),
        Event::TimedOut(_) => ("TimedOut", Task),
        Event::BackingOff => ("BackingOff", Task),
        Event::Revoked(_) => ("Revoked", World),
        Event::TakenOver(lease) => ("TakenOver", Lease(lease)),
        Event::SkippedInside(lease, _) => ("SkippedInside", Lease(lease)),
        Event::ComputeStarted(lease, _) => ("ComputeStarted", Lease(lease)),
        Event::ComputeFinished(lease, true) => ("ComputeFinished-value", Lease(lease)),
        Event::ComputeFinished(lease, false) => ("ComputeFinished-error", Lease(lease)),
        Event::Published(lease, _) => ("Published", Lease(lease)),
        Event::Discarded(lease) => ("Discarded", Lease(lease)),
        Event::Released(lease) => ("Released", Lease(lease)),
        Event::Rejected(lease) => ("Rejected", Lease(lease)),
        Event::Dropped(lease) => ("Dropped", Lease(lease)),
        Event::Inserted(_) => ("Inserted", World),
        Event::Invalidated | Event::Cleared => ("Invalidated", World),
        Event::Evicted(_) => ("Evicted", World),
        Event::Swept(_) => ("Swept", World),
        Event::Forgotten => ("Forgotten", World),
        // Notes of the scenario, and what is left out.
        Event::Cycle(_)
        | Event::Asked
        | Event::Makes(_)
        | Event::Answered(_)
        | Event::Refused
        | Event::Put(_)
        | Event::Waits
        | Event::Reads(_)
        | Event::ReadsTheClock
        | Event::WakesUp
        | Event::ShutDown
        | Event::Tick
        | Event::Rest => ("", World),
    }
}
