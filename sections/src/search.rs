//! The exhaustive search: depth first, by replay, with sleep sets (Godefroid 1996, chapter 5).
//!
//! A node is a decision. Its children are the steps of the enabled tasks. A task sleeps at a child
//! if its step was explored from this node, or slept here, and commutes with the step that leads to
//! the child: what it would do there has been seen in another order. When everybody who could go on
//! is asleep, the execution is redundant.

use crate::error::Error;
use crate::operation::{Footprint, Object, Operation, TaskNumber};
#[cfg(test)]
use crate::rules;
use crate::rules::{Rule, on};
use crate::schedule::Execution;
use crate::scheduler::{Choice, Driver, Ended, Point, Setup, run};
use shuttle::scheduler::Schedule;
use std::collections::{BTreeSet, VecDeque};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How to search.
#[derive(Clone, Debug)]
pub struct Search {
    /// One execution of each Mazurkiewicz trace, instead of every interleaving; on unless told.
    pub reduce: bool,
    /// Preemptions of an execution, at most; all unless told. Needs a search without reduction.
    pub preemptions: Option<u32>,
    /// Executions at most, redundant ones included. A search that is cut off is not exhausted.
    pub executions: u64,
    /// Time, at most.
    pub time: Duration,
    /// OS threads that search; the number of cores unless told.
    pub workers: usize,
    /// Whether the steps of each execution are written down.
    pub record: bool,
    /// Counts executions while the search is under way, for people who wait.
    pub progress: Option<Arc<AtomicU64>>,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            reduce: true,
            preemptions: None,
            executions: u64::MAX,
            time: Duration::MAX,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            record: false,
            progress: None,
        }
    }
}

/// What a search has covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Executions that were shown.
    pub complete: u64,
    /// Executions that only repeated others, and were not shown.
    pub redundant: u64,
    /// Whether there are no others, within the bound on preemptions if there is one. Never where a
    /// destructor synchronised while its task unwound a panic: nobody chooses there.
    pub exhausted: bool,
}

impl Search {
    /// Runs every execution of `body` and folds those that count into the workers' accumulators.
    ///
    /// `visit` may end the search; it is not exhausted then.
    ///
    /// # Errors
    ///
    /// [`Error`] says why the search means nothing: the scenario is nondeterministic, main takes
    /// part, or the configuration is contradictory.
    pub fn run<T, A, B, V>(&self, body: B, visit: V) -> Result<(Coverage, Vec<A>), Error>
    where
        T: 'static,
        A: Default + Send + 'static,
        B: Fn() -> T + Clone + Send + Sync + 'static,
        V: Fn(&mut A, Execution<T>) -> ControlFlow<()> + Clone + Send + Sync + 'static,
    {
        if self.executions == 0 || self.workers == 0 {
            return Err(Error::NoExecutions);
        }
        if self.reduce && self.preemptions.is_some() {
            return Err(Error::BoundWithReduction);
        }
        let mut tried = BTreeSet::new();
        loop {
            let shared = Arc::new(Shared::new(self, Arc::new(tried.clone())));
            let accumulators = shared.run_workers(&body, &visit);
            let mut queue = shared.lock();
            // Which locks are tried is learned on the way, and changes what is announced.
            let learned = queue.tried.len();
            tried.append(&mut queue.tried);
            if learned > 0 && queue.error.is_none() {
                continue;
            }
            return match queue.error.take() {
                Some(error) => Err(error),
                None => Ok((queue.coverage(&shared), accumulators)),
            };
        }
    }
}

/// A decision on the path that is being explored.
#[derive(Clone)]
struct Node {
    pending: Vec<(TaskNumber, Operation)>,
    enabled: Vec<TaskNumber>,
    stays: bool,
    /// Preemptions before.
    preemptions: u32,
    /// Explored elsewhere, in an order that makes no difference.
    sleep: Vec<(TaskNumber, Footprint)>,
    /// Explored from here.
    done: Vec<(TaskNumber, Footprint)>,
    /// An index into `enabled`.
    chosen: usize,
    /// What the chosen step has touched; known at the next decision.
    step: Option<Footprint>,
    /// The rest of the children belongs to another worker.
    given_away: bool,
}

impl Node {
    fn task(&self) -> TaskNumber {
        self.enabled[self.chosen]
    }

    fn preempts(&self, index: usize) -> bool {
        self.stays && index > 0
    }

    fn open(&self, index: usize, bound: u32) -> bool {
        let task = self.enabled[index];
        let known = |list: &[(TaskNumber, Footprint)]| list.iter().any(|(other, _)| *other == task);
        !known(&self.sleep)
            && !known(&self.done)
            && self.preemptions + u32::from(self.preempts(index)) <= bound
    }

    /// The next child that is to be explored, after the chosen one.
    fn next(&self, bound: u32) -> Option<usize> {
        if self.given_away {
            return None;
        }
        (self.chosen + 1..self.enabled.len()).find(|index| self.open(*index, bound))
    }

    fn first(&self, bound: u32) -> Option<usize> {
        (0..self.enabled.len()).find(|index| self.open(*index, bound))
    }

    /// Those who sleep below the chosen step.
    fn sleepers_below(&self) -> Vec<(TaskNumber, Footprint)> {
        let Some(step) = &self.step else { return Vec::new() };
        let stay = |(task, footprint): &&(TaskNumber, Footprint)| {
            *task != self.task()
                && (footprint.commutes_with(step) || !on(Rule::SleepersAreFiltered))
        };
        self.sleep.iter().chain(&self.done).filter(stay).cloned().collect()
    }

    fn close_chosen(&mut self) {
        let footprint = self.step.take().unwrap_or_default();
        self.done.push((self.task(), footprint));
    }
}

/// A part of the tree: the last node's open children.
type Part = Vec<Node>;

struct Queue {
    parts: VecDeque<Part>,
    /// Workers that wait for one.
    idle: usize,
    begun: bool,
    stop: bool,
    cut: bool,
    error: Option<Error>,
    tried: BTreeSet<Object>,
    complete: u64,
    redundant: u64,
}

impl Queue {
    fn coverage(&self, shared: &Shared) -> Coverage {
        let exhausted = !self.cut && shared.executions.load(Ordering::Relaxed) > 0;
        Coverage { complete: self.complete, redundant: self.redundant, exhausted }
    }
}

struct Shared {
    search: Search,
    tried: Arc<BTreeSet<Object>>,
    began: Instant,
    executions: AtomicU64,
    queue: Mutex<Queue>,
    changed: Condvar,
    /// Workers that wait, for a look without the lock.
    hungry: AtomicUsize,
}

impl Shared {
    fn new(search: &Search, tried: Arc<BTreeSet<Object>>) -> Self {
        let queue = Queue {
            parts: VecDeque::from([Part::new()]),
            idle: 0,
            begun: false,
            stop: false,
            cut: false,
            error: None,
            tried: BTreeSet::new(),
            complete: 0,
            redundant: 0,
        };
        Self {
            search: search.clone(),
            tried,
            began: Instant::now(),
            executions: AtomicU64::new(0),
            queue: Mutex::new(queue),
            changed: Condvar::new(),
            hungry: AtomicUsize::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self, change: impl FnOnce(&mut Queue)) {
        let mut queue = self.lock();
        queue.stop = true;
        change(&mut queue);
        drop(queue);
        self.changed.notify_all();
    }

    fn fail(&self, error: Error) {
        self.stop(|queue| {
            queue.error.get_or_insert(error);
        });
    }

    /// Waits for a part of the tree; `None` when nobody has any left.
    fn take(&self) -> Option<Part> {
        let mut queue = self.lock();
        queue.idle += 1;
        self.hungry.fetch_add(1, Ordering::Relaxed);
        let part = loop {
            if queue.stop {
                break None;
            }
            if let Some(part) = queue.parts.pop_front() {
                break Some(part);
            }
            if queue.begun && queue.idle == self.search.workers {
                queue.stop = true;
                self.changed.notify_all();
                break None;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        };
        queue.begun |= part.is_some();
        queue.idle -= 1;
        self.hungry.fetch_sub(1, Ordering::Relaxed);
        part
    }

    fn give(&self, part: Part) {
        self.lock().parts.push_back(part);
        self.changed.notify_one();
    }

    fn run_workers<T, A, B, V>(self: &Arc<Self>, body: &B, visit: &V) -> Vec<A>
    where
        T: 'static,
        A: Default + Send + 'static,
        B: Fn() -> T + Clone + Send + Sync + 'static,
        V: Fn(&mut A, Execution<T>) -> ControlFlow<()> + Clone + Send + Sync + 'static,
    {
        #[cfg(test)]
        let off = rules::off();
        std::thread::scope(|scope| {
            let work = || {
                #[cfg(test)]
                return rules::without(off, || self.work(body.clone(), visit.clone()));
                #[cfg(not(test))]
                self.work(body.clone(), visit.clone())
            };
            let others: Vec<_> = (1..self.search.workers).map(|_| scope.spawn(work)).collect();
            let mut accumulators = vec![work()];
            accumulators.extend(others.into_iter().filter_map(|other| other.join().ok()));
            accumulators
        })
    }

    /// What one OS thread does.
    fn work<T, A, B, V>(self: &Arc<Self>, body: B, visit: V) -> A
    where
        T: 'static,
        A: Default + Send + 'static,
        B: Fn() -> T + Send + Sync + 'static,
        V: Fn(&mut A, Execution<T>) -> ControlFlow<()> + Send + Sync + 'static,
    {
        let accumulator = Arc::new(Mutex::new((A::default(), 0)));
        let (kept, shared) = (Arc::clone(&accumulator), Arc::clone(self));
        let see = move |execution| {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.1 += 1;
            if visit(&mut kept.0, execution).is_break() {
                shared.stop(|queue| queue.cut = true);
            }
        };
        let setup = Setup { tried: Arc::clone(&self.tried), recording: self.search.record };
        let worker = Worker {
            shared: Arc::clone(self),
            bound: self.search.preemptions.unwrap_or(u32::MAX),
            path: Part::new(),
            base: 0,
            depth: 0,
            active: false,
            redundant: false,
            redundant_so_far: 0,
        };
        if let Err(error) = run(worker, setup, body, see) {
            self.fail(error);
        }
        let mut kept = accumulator.lock().unwrap_or_else(PoisonError::into_inner);
        self.lock().complete += kept.1;
        std::mem::take(&mut kept.0)
    }
}

/// One OS thread's part of the search.
struct Worker {
    shared: Arc<Shared>,
    bound: u32,
    /// The decisions of the execution under way.
    path: Vec<Node>,
    /// Nodes before belong to others.
    base: usize,
    /// Decisions taken in this execution.
    depth: usize,
    active: bool,
    redundant: bool,
    redundant_so_far: u64,
}

impl Worker {
    /// The last node's next child, or that of the nearest one before it that has any.
    fn advance(&mut self) -> bool {
        while self.path.len() > self.base {
            let Some(node) = self.path.last_mut() else { return false };
            if let Some(next) = node.next(self.bound) {
                node.close_chosen();
                node.chosen = next;
                return true;
            }
            self.path.pop();
        }
        false
    }

    /// Gives the open children of the first node that has any to those who wait.
    fn share(&mut self) {
        if self.shared.hungry.load(Ordering::Relaxed) == 0 {
            return;
        }
        let open = (self.base..self.path.len())
            .find_map(|place| Some((place, self.path[place].next(self.bound)?)));
        // The last one is about to be explored here.
        let Some((place, next)) = open.filter(|(place, _)| place + 1 < self.path.len()) else {
            return;
        };
        let mut part: Part = self.path[..=place].to_vec();
        self.path[place].given_away = true;
        let node = &mut part[place];
        let footprint = node.step.take().unwrap_or_default();
        node.done.push((node.task(), footprint));
        node.chosen = next;
        self.shared.give(part);
    }

    fn replay(&mut self, point: &Point) -> Result<Choice, Error> {
        let node = &self.path[self.depth];
        if on(Rule::ReplaysAreCompared)
            && (node.pending != point.pending || node.enabled != point.enabled)
        {
            return Err(Error::Nondeterministic {
                decision: self.depth,
                before: node.pending.clone(),
                now: point.pending.to_vec(),
            });
        }
        let index = node.chosen.min(point.enabled.len() - 1);
        self.depth += 1;
        Ok(Choice { index, redundant: false })
    }

    fn extend(&mut self, point: &Point) -> Choice {
        let (sleep, preemptions) = match self.path.last() {
            Some(node) if self.shared.search.reduce => (node.sleepers_below(), 0),
            Some(node) => (Vec::new(), node.preemptions + u32::from(node.preempts(node.chosen))),
            None => (Vec::new(), 0),
        };
        let mut node = Node {
            pending: point.pending.to_vec(),
            enabled: point.enabled.to_vec(),
            stays: point.stays,
            preemptions,
            sleep,
            done: Vec::new(),
            chosen: 0,
            step: None,
            given_away: false,
        };
        let Some(first) = node.first(self.bound) else {
            self.redundant = true;
            return Choice { index: 0, redundant: true };
        };
        node.chosen = first;
        self.path.push(node);
        self.depth += 1;
        Choice { index: first, redundant: false }
    }
}

impl Driver for Worker {
    fn begin(&mut self) -> Option<Schedule> {
        let shared = Arc::clone(&self.shared);
        if !self.active {
            let path = shared.take()?;
            self.base = path.len().saturating_sub(1);
            self.path = path;
            self.active = true;
        } else if shared.lock().stop {
            return None;
        }
        let over = shared.began.elapsed() > shared.search.time;
        if over || shared.executions.fetch_add(1, Ordering::Relaxed) >= shared.search.executions {
            shared.stop(|queue| queue.cut = true);
            return None;
        }
        if let Some(progress) = &shared.search.progress {
            progress.fetch_add(1, Ordering::Relaxed);
        }
        self.depth = 0;
        self.redundant = false;
        Some(Schedule::new(0))
    }

    fn decide(&mut self, point: &Point) -> Result<Choice, Error> {
        // From here on nothing is explored: the execution is only run to its end.
        if self.redundant {
            return Ok(Choice { index: 0, redundant: true });
        }
        if let Some(before) = self.depth.checked_sub(1) {
            self.path[before].step.get_or_insert_with(|| point.step.clone());
        }
        if self.depth < self.path.len() { self.replay(point) } else { Ok(self.extend(point)) }
    }

    fn end(&mut self, ended: Ended) {
        if let Some(error) = ended.error {
            self.shared.fail(error);
            return;
        }
        if let Some(tried) = ended.discovered {
            self.shared.stop(|queue| {
                queue.tried.insert(tried);
            });
            return;
        }
        if self.depth < self.path.len() && !self.redundant && on(Rule::ReplaysAreCompared) {
            let (decision, now) = (self.depth, Vec::new());
            let before = self.path[decision].pending.clone();
            let error = Error::Nondeterministic { decision, before, now };
            self.shared.fail(error);
            return;
        }
        if ended.unexplored {
            self.shared.lock().cut = true;
        }
        self.redundant_so_far += u64::from(self.redundant);
        if let Some(node) = self.path.last_mut().filter(|_| !self.redundant) {
            node.step.get_or_insert(ended.step);
        }
        self.share();
        if !self.advance() {
            self.active = false;
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.shared.lock().redundant += self.redundant_so_far;
    }
}
