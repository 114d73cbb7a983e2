//! One OS thread of a search. It replays the path of its part, extends it, and goes to the next child.

use super::Prefix;
use super::node::{Node, Wanted};
use super::parts::{Part, SPLIT};
use super::races::Order;
use super::sharing::Shared;
use super::symmetry;
use crate::error::Error;
use crate::operation::{Operation, TaskNumber};
use crate::rules::{Rule, on};
use crate::scheduler::{Choice, Driver, Ended, Point};
use shuttle::scheduler::Schedule;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One OS thread's part of the search.
pub(super) struct Worker {
    shared: Arc<Shared>,
    bound: u32,
    /// Whether only the orders are explored that races ask for.
    by_races: bool,
    /// Whether one of several tasks that are alike is enough.
    by_symmetry: bool,
    /// What it explores. Its path has the decisions of the current execution.
    part: Part,
    active: bool,
    /// The races of the steps before the last of so many nodes are known from before this worker took
    /// the part.
    known: usize,
    /// Decisions taken so far in this execution.
    depth: usize,
    /// The tasks to run at first where the path ends, the next one last.
    guide: Vec<TaskNumber>,
    redundant: bool,
    redundant_so_far: u64,
    order: Order,
    /// What the tasks wait for that cannot go on where the current execution is redundant.
    blocked: Vec<(TaskNumber, Operation)>,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            bound: shared.search.preemptions.unwrap_or(u32::MAX),
            by_races: shared.search.by_races(),
            by_symmetry: shared.search.symmetry,
            shared,
            part: Part::default(),
            active: false,
            known: 0,
            depth: 0,
            guide: Vec::new(),
            redundant: false,
            redundant_so_far: 0,
            order: Order::default(),
            blocked: Vec::new(),
        }
    }

    /// Begins a part. `false` if there is none.
    fn take(&mut self) -> bool {
        let Some(part) = self.shared.take() else { return false };
        self.part = part;
        self.known = self.part.path.len();
        self.order.cut(0);
        self.active = true;
        true
    }

    /// Goes to the next child of the last node, or of the nearest node before it that has one.
    fn advance(&mut self) -> bool {
        while self.part.path.len() > self.part.base {
            let Some(node) = self.part.path.last_mut() else { return false };
            if node.advance(self.bound) {
                self.order.cut(self.part.path.len() - 1);
                self.known = self.known.min(self.part.path.len());
                return true;
            }
            self.part.path.pop();
        }
        false
    }

    /// Asks for the other orders of the races of the current execution.
    fn ask(&mut self, waiting: &[(TaskNumber, Operation)]) {
        let mut requests = Vec::new();
        while self.order.len() < self.part.path.len() {
            let is_new = self.order.len() + 1 >= self.known;
            self.order.push(&self.part.path, &mut requests);
            if !is_new {
                // Whoever explored the path to this part first has asked for them.
                requests.clear();
            }
        }
        self.order.waiting(&self.part.path, waiting, &mut requests);
        for request in requests {
            if request.place >= self.part.base {
                self.part.path[request.place].request(request);
            } else if !self.part.requests.contains(&request) {
                self.part.requests.push(request);
            }
        }
    }

    /// Goes on to the next execution of the part, or ends it, or splits it.
    fn go_on(&mut self) {
        self.part.executions += 1;
        let splits = self.part.executions >= SPLIT && self.part.path.len() > self.part.base;
        if !splits && self.advance() {
            return;
        }
        self.active = false;
        let mut part = std::mem::take(&mut self.part);
        if splits {
            self.shared.change(|parts| parts.split(part));
        } else {
            let first = part.base.checked_sub(1).and_then(|place| part.path[place].step.take());
            self.shared.change(|parts| parts.end(part, first));
        }
    }

    fn replay(&mut self, point: &Point) -> Result<Choice, Error> {
        let node = &self.part.path[self.depth];
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

    /// The child to which the guide leads, if it can run.
    fn guided(&mut self, node: &Node) -> Option<usize> {
        let task = self.guide.pop()?;
        let index = node.enabled.iter().position(|other| *other == task);
        let index = index.filter(|index| node.open(*index, self.bound));
        if index.is_none() {
            self.guide.clear();
        }
        index
    }

    /// The choice of the prefix, if this decision belongs to it.
    fn of_prefix(&self, point: &Point) -> Result<Option<usize>, Error> {
        let Some(Prefix { schedule, choices }) = &self.shared.search.below else { return Ok(None) };
        let place = self.part.path.iter().filter(|node| node.enabled.len() > 1).count();
        if place >= *choices {
            return Ok(None);
        }
        let enabled = point.enabled.len();
        match schedule.choice(place) {
            _ if enabled == 1 => Ok(Some(0)),
            choice if (choice as usize) < enabled => Ok(Some(choice as usize)),
            choice => Err(Error::NoSuchChoice { place, choice, enabled }),
        }
    }

    /// A decision of the prefix: its other children are not explored, and nobody sleeps below it.
    fn extend_by(&mut self, point: &Point, chosen: usize) -> Choice {
        let node = Node::new(point, Wanted::Nothing, self.preemptions());
        self.go(Node { chosen, ..node })
    }

    /// Preemptions on the path, without a reduction.
    fn preemptions(&self) -> u32 {
        let of = |node: &Node| node.preemptions + u32::from(node.preempts(node.chosen));
        self.part.path.last().filter(|_| !self.shared.search.reduce).map_or(0, of)
    }

    fn go(&mut self, node: Node) -> Choice {
        let index = node.chosen;
        self.part.path.push(node);
        self.depth += 1;
        Choice { index, redundant: false }
    }

    fn extend(&mut self, point: &Point) -> Choice {
        let above = self.part.path.last().filter(|_| self.shared.search.reduce);
        let (sleep, preemptions) =
            (above.map_or_else(Vec::new, Node::sleepers_below), self.preemptions());
        let mut requests = Vec::new();
        while self.by_symmetry && self.order.len() < self.part.path.len() {
            self.order.push(&self.part.path, &mut requests);
        }
        let groups = if self.by_symmetry {
            symmetry::groups(&self.order, &self.part.path, point.classes, point.pending)
        } else {
            Vec::new()
        };
        let wanted = if self.by_races { Wanted::Of(Vec::new()) } else { Wanted::All };
        let node = Node { sleep, groups, ..Node::new(point, wanted, preemptions) };
        let first = self.guided(&node).or_else(|| node.first(self.bound));
        let Some(first) = first else {
            self.redundant = true;
            let disabled = |(task, _): &&(TaskNumber, Operation)| !point.enabled.contains(task);
            self.blocked = point.pending.iter().filter(disabled).copied().collect();
            return Choice { index: 0, redundant: true };
        };
        self.go(Node { chosen: first, ..node })
    }
}

impl Driver for Worker {
    fn begin(&mut self) -> Option<Schedule> {
        let shared = Arc::clone(&self.shared);
        if !self.active {
            if !self.take() {
                return None;
            }
        } else if shared.is_stopped() {
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
        self.guide = self
            .part
            .path
            .last_mut()
            .map(|node| std::mem::take(&mut node.guide))
            .unwrap_or_default();
        self.guide.reverse();
        Some(Schedule::new(0))
    }

    fn asks_for_classes(&self) -> bool {
        self.by_symmetry
    }

    fn decide(&mut self, point: &Point) -> Result<Choice, Error> {
        // The rest of the execution repeats another one, so nothing is explored.
        if self.redundant {
            return Ok(Choice { index: 0, redundant: true });
        }
        if let Some(before) = self.depth.checked_sub(1) {
            self.part.path[before].step.get_or_insert_with(|| point.step.clone());
        }
        if self.depth < self.part.path.len() {
            return self.replay(point);
        }
        match self.of_prefix(point)? {
            Some(index) => Ok(self.extend_by(point, index)),
            None => Ok(self.extend(point)),
        }
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
        if self.depth < self.part.path.len() && !self.redundant && on(Rule::ReplaysAreCompared) {
            let (decision, now) = (self.depth, Vec::new());
            let before = self.part.path[decision].pending.clone();
            let error = Error::Nondeterministic { decision, before, now };
            self.shared.fail(error);
            return;
        }
        if ended.unexplored {
            self.shared.lock().unexplored = true;
        }
        self.redundant_so_far += u64::from(self.redundant);
        if let Some(estimate) = &self.shared.search.estimate {
            estimate.count(self.redundant);
        }
        if let Some(node) = self.part.path.last_mut().filter(|_| !self.redundant) {
            node.step.get_or_insert(ended.step);
        }
        if self.by_races {
            let blocked = std::mem::take(&mut self.blocked);
            self.ask(if self.redundant { &blocked } else { &ended.waiting });
        }
        self.go_on();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.redundant += self.redundant_so_far;
        if self.active {
            queue.parts.put_back(std::mem::take(&mut self.part));
        }
    }
}
