//! One OS thread of a search. It replays the path of its part, extends it, and goes to the next child.

use super::node::{Node, Part};
use super::sharing::Shared;
use crate::error::Error;
use crate::rules::{Rule, on};
use crate::scheduler::{Choice, Driver, Ended, Point};
use shuttle::scheduler::Schedule;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One OS thread's part of the search.
pub(super) struct Worker {
    shared: Arc<Shared>,
    bound: u32,
    /// The decisions of the current execution.
    path: Vec<Node>,
    /// The nodes before this index belong to other workers.
    base: usize,
    /// Decisions taken so far in this execution.
    depth: usize,
    active: bool,
    redundant: bool,
    redundant_so_far: u64,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            bound: shared.search.preemptions.unwrap_or(u32::MAX),
            shared,
            path: Part::new(),
            base: 0,
            depth: 0,
            active: false,
            redundant: false,
            redundant_so_far: 0,
        }
    }

    /// Goes to the next child of the last node, or of the nearest node before it that has one.
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

    /// Gives the unexplored children of the first node that has any to the idle workers.
    fn share(&mut self) {
        if self.shared.idle.load(Ordering::Relaxed) == 0 {
            return;
        }
        let open = (self.base..self.path.len())
            .find_map(|place| Some((place, self.path[place].next(self.bound)?)));
        // This worker is about to explore the last node itself.
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
        let is_set = |stop: &Arc<AtomicBool>| stop.load(Ordering::Relaxed);
        let over = shared.began.elapsed() > shared.search.time
            || shared.search.stop.as_ref().is_some_and(is_set);
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
        // The rest of the execution repeats another one, so nothing is explored.
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
        if let Some(discovery) = ended.discovered {
            self.shared.stop(|queue| queue.learned.learn(discovery));
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
