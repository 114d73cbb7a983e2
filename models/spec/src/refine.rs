//! Executions of the shipped code, held against the table event by event (refinement).
//!
//! A caller of the table is one request with the refresh that it sends. An event belongs to the request that has the
//! lease which it names, or else to the request that its task is at. Between two events the table may take steps that
//! have no event: sections in which the code emits nothing. So the check follows every state that the events allow, and
//! fails if none is left.
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

use crate::table::{Local, Move, Shared, System};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use xfetch_vocabulary::history::{Event, History, LeaseId, Record, Version};

/// The steps of the table that an execution took, by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// The steps.
    pub steps: BTreeSet<usize>,
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
    /// The execution is one of the table's.
    Refines(BTreeSet<usize>),
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
            Verdict::Refines(steps) => {
                taken.keys += 1;
                taken.steps.extend(steps);
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

type Steps = u128;

struct Replay<'a> {
    system: &'a System,
    history: &'a History,
    key: u64,
    states: HashMap<State, Steps>,
    /// The requests that each task is at, the inner ones last, with whether the request was asked and has looked.
    open: HashMap<usize, Vec<Open>>,
    of_lease: HashMap<LeaseId, usize>,
    callers: usize,
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
        let first = State { shared: 0, callers: Vec::new() };
        Self {
            system,
            history,
            key,
            states: HashMap::from([(first, 0)]),
            open: HashMap::new(),
            of_lease: HashMap::new(),
            callers: 0,
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
            if record.key != self.key && record.event != Event::Cleared {
                continue;
            }
            if let Some(why) = self.left_out(index, record) {
                return Ok(Verdict::LeftOut(why));
            }
            let before = self.states.clone();
            self.states = self.after(record);
            if self.states.is_empty() {
                let states = before.keys().take(3).map(|it| self.show(it)).collect();
                return Err(Mismatch { key: self.key, index, record: *record, states });
            }
        }
        // All have returned: no lease is held any more.
        let before = std::mem::take(&mut self.states);
        let free = |state: &State| {
            let shared = |name| self.system.shared_value(state.shared, name);
            shared("cur") == "free" && shared("revoked") == "none"
        };
        self.states =
            before.iter().filter(|(it, _)| free(it)).map(|(it, n)| (it.clone(), *n)).collect();
        if self.states.is_empty()
            && let Some(record) = history.records.last()
        {
            let states = before.keys().take(3).map(|it| self.show(it)).collect();
            let index = history.records.len();
            return Err(Mismatch { key: self.key, index, record: *record, states });
        }
        let steps = self.states.values().next().copied().unwrap_or(0);
        let steps = (0..self.system.table.steps.len()).filter(|it| steps >> it & 1 == 1).collect();
        Ok(Verdict::Refines(steps))
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
                self.states.keys().all(missed).then_some("a miss inside a compute")
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
        let states = std::mem::take(&mut self.states);
        self.states = states
            .into_iter()
            .map(|(mut state, steps)| {
                state.callers.push(Caller { local: 0, sent: false, refused: false });
                (state, steps)
            })
            .collect();
        caller
    }

    fn after(&mut self, record: &Record) -> HashMap<State, Steps> {
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
                return std::mem::take(&mut self.states);
            }
            Event::Makes(_) | Event::Put(_) | Event::ShutDown | Event::Tick | Event::Rest => {
                return std::mem::take(&mut self.states);
            }
            Event::Answered(_) | Event::Refused => {
                let states = self.silent(record.now);
                let closed = self.open.get_mut(&task).and_then(Vec::pop).map(|it| it.caller);
                let done = |state: &State| {
                    let caller = closed.and_then(|it| state.callers.get(it));
                    let refused = record.event == Event::Refused;
                    caller.is_some_and(|it| (it.local == 0 || it.sent) && it.refused == refused)
                };
                return states.into_iter().filter(|(state, _)| done(state)).collect();
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
        let states = self.silent(record.now);
        let after = match record.event {
            Event::Revoked(lease) if is_consequence => self.was_revoked(states, lease),
            event => self.step(states, record, event),
        };
        self.remember(record);
        after
    }

    /// The states in which a write has just revoked this lease.
    fn was_revoked(&self, states: HashMap<State, Steps>, lease: LeaseId) -> HashMap<State, Steps> {
        let Some(holder) = self.of_lease.get(&lease) else { return HashMap::new() };
        let revoked = |state: &State| {
            let Some(caller) = state.callers.get(*holder) else { return false };
            let overtaken = self.system.shared_value(state.shared, "cur") == "overtaken";
            match self.system.local_value(caller.local, "lease") {
                "revoked" | "lost" => true,
                "current" => overtaken,
                _ => false,
            }
        };
        states.into_iter().filter(|(state, _)| revoked(state)).collect()
    }

    /// The states after a step with this event.
    fn step(
        &mut self,
        states: HashMap<State, Steps>,
        record: &Record,
        event: Event,
    ) -> HashMap<State, Steps> {
        let (name, whose) = named(event);
        let caller = match whose {
            Whose::World => None,
            Whose::Lease(lease) => match self.of_lease.get(&lease) {
                Some(caller) => Some(*caller),
                None => return HashMap::new(),
            },
            Whose::Task => match self.at(record.task) {
                Some(caller) => Some(caller),
                None => return HashMap::new(),
            },
        };
        if let (Event::Leased(lease), Some(caller)) = (event, caller) {
            self.of_lease.insert(lease, caller);
        }
        let mut after = HashMap::new();
        for (state, steps) in states {
            if !self.agrees(&state, caller, event, record.now) {
                continue;
            }
            let moves = match caller {
                Some(caller) => match state.callers.get(caller) {
                    Some(it) => self.system.moves(state.shared, it.local),
                    None => continue,
                },
                None => self.system.world(state.shared),
            };
            for taken in moves.iter() {
                let step = &self.system.table.steps[taken.step];
                if step.event.as_deref() == Some(name) {
                    let next = self.take(&state, caller, taken);
                    let steps = steps | 1 << taken.step;
                    if let (Event::Miss, Some(caller)) = (event, caller)
                        && let Some(in_time) = self.on_the_deadline(&next, caller, record.now)
                    {
                        after.entry(in_time).or_insert(steps);
                    }
                    after.entry(next).or_insert(steps);
                }
            }
        }
        after
    }

    /// At the very moment of a storage deadline the code hands a value on (`Found::expired_before` compares with `<`) that
    /// a look at that moment refuses (`Entry::freshness` compares with `>=`). The table refuses it. So at that moment
    /// both are allowed.
    fn on_the_deadline(&self, state: &State, caller: usize, now: u64) -> Option<State> {
        let storage = self.history.storage;
        let is_now = self.finished.values().any(|made| made.saturating_add(storage) == now);
        let local = state.callers.get(caller)?.local;
        if !is_now || self.system.local_value(local, "late") != "yes" {
            return None;
        }
        let mut state = state.clone();
        state.callers.get_mut(caller)?.local = self.system.with(local, "late", "no")?;
        Some(state)
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
    fn silent(&mut self, now: u64) -> HashMap<State, Steps> {
        let mut all = std::mem::take(&mut self.states);
        let mut queue: Vec<State> = all.keys().cloned().collect();
        let mut seen: HashSet<State> = queue.iter().cloned().collect();
        while let Some(state) = queue.pop() {
            let steps = all.get(&state).copied().unwrap_or(0);
            let mut next = Vec::new();
            for taken in self.system.world(state.shared).iter() {
                if self.may_pass(taken.step, &state, now) {
                    next.push((self.take(&state, None, taken), taken.step));
                }
            }
            for (place, it) in state.callers.iter().enumerate().filter(|(_, it)| it.local != 0) {
                for taken in self.system.moves(state.shared, it.local).iter() {
                    if self.may_pass(taken.step, &state, now) {
                        next.push((self.take(&state, Some(place), taken), taken.step));
                    }
                }
            }
            for (after, step) in next {
                if seen.insert(after.clone()) {
                    all.insert(after.clone(), steps | 1 << step);
                    queue.push(after);
                }
            }
        }
        all
    }

    /// Whether a step without an event may come now. Time passes no earlier than the records say.
    fn may_pass(&self, step: usize, _: &State, now: u64) -> bool {
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
                // No scenario has a compute time-out.
                "ask-again" => false,
                _ => true,
            }
    }

    fn remember(&mut self, record: &Record) {
        match record.event {
            Event::Published(lease, version) => {
                let made = self.finished.get(&lease).copied().unwrap_or(record.now);
                self.map = Some((version, made));
                self.put.insert(version, record.now);
            }
            Event::Inserted(version) => {
                self.map = Some((version, record.now));
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
                if !returned {
                    self.failed = Some(record.now);
                }
            }
            _ => {}
        }
    }
}

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
        | Event::ShutDown
        | Event::Tick
        | Event::Rest => ("", World),
    }
}
