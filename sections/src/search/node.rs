//! A decision on the current path: its children, and which of them are still unexplored.

use super::races::Request;
use super::symmetry::Groups;
use crate::operation::{Footprint, Operation, TaskNumber};
use crate::rules::{Rule, on};
use crate::scheduler::Point;
use serde::{Deserialize, Serialize};

/// A decision on the path that is being explored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Node {
    pub(super) pending: Vec<(TaskNumber, Operation)>,
    pub(super) enabled: Vec<TaskNumber>,
    pub(super) stays: bool,
    /// Preemptions before this decision.
    pub(super) preemptions: u32,
    /// Tasks that need not run here: their steps were explored in another order that makes no
    /// difference.
    pub(super) sleep: Vec<(TaskNumber, Footprint)>,
    /// Tasks whose steps were explored from here.
    pub(super) done: Vec<(TaskNumber, Footprint)>,
    /// The other children that are explored.
    pub(super) wanted: Wanted,
    /// The tasks of which one is enough: each with the first of its group. Empty without symmetry.
    pub(super) groups: Groups,
    /// Requests that wait until it is known what a step touches here.
    pub(super) deferred: Vec<Request>,
    /// An index into `enabled`.
    pub(super) chosen: usize,
    /// The tasks to run after the chosen step at first.
    pub(super) guide: Vec<TaskNumber>,
    /// What the chosen step touched. Known at the next decision.
    pub(super) step: Option<Footprint>,
}

/// Which children of a node are explored after the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Wanted {
    /// All of them.
    All,
    /// Those that races have asked for.
    Of(Vec<Child>),
    /// None: the search is below the first.
    Nothing,
}

/// A child that is to be explored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Child {
    task: TaskNumber,
    /// The tasks to run after it, for the order for which it was asked. It is a hint: it saves
    /// executions that turn out to be redundant.
    guide: Vec<TaskNumber>,
}

fn known(list: &[(TaskNumber, Footprint)], task: TaskNumber) -> bool {
    list.iter().any(|(other, _)| *other == task)
}

impl Node {
    /// The first child of a decision, of which nothing is known yet.
    pub(super) fn new(point: &Point, wanted: Wanted, preemptions: u32) -> Self {
        Self {
            pending: point.pending.to_vec(),
            enabled: point.enabled.to_vec(),
            stays: point.stays,
            preemptions,
            sleep: Vec::new(),
            done: Vec::new(),
            wanted,
            groups: Vec::new(),
            deferred: Vec::new(),
            chosen: 0,
            guide: Vec::new(),
            step: None,
        }
    }

    pub(super) fn task(&self) -> TaskNumber {
        self.enabled[self.chosen]
    }

    /// Whether its numbers lead somewhere.
    pub(super) fn is_sound(&self) -> bool {
        let is_pending = |task: &TaskNumber| self.pending_of(*task).is_some();
        self.chosen < self.enabled.len() && self.enabled.iter().all(is_pending)
    }

    /// The operation of the chosen step.
    pub(super) fn operation(&self) -> Operation {
        let operation = self.pending_of(self.task());
        operation.expect("a task that is enabled has announced an operation")
    }

    /// What the task is about to do here.
    pub(super) fn pending_of(&self, task: TaskNumber) -> Option<Operation> {
        let pending = self.pending.iter().find(|(other, _)| *other == task);
        pending.map(|(_, operation)| *operation)
    }

    fn group(&self, task: TaskNumber) -> Option<TaskNumber> {
        let group = self.groups.iter().find(|(other, _)| *other == task);
        group.map(|(_, first)| *first)
    }

    /// Whether two tasks have the same history but for their names.
    pub(super) fn can_be_swapped(&self, one: TaskNumber, other: TaskNumber) -> bool {
        self.group(one).is_some_and(|group| self.group(other) == Some(group))
    }

    /// The other tasks that can be swapped with this one.
    fn like(&self, task: TaskNumber) -> impl Iterator<Item = TaskNumber> + '_ {
        let group = self.group(task);
        let of_group = self.groups.iter().filter(move |(_, first)| group == Some(*first));
        of_group.map(|(other, _)| *other).filter(move |other| *other != task)
    }

    pub(super) fn preempts(&self, index: usize) -> bool {
        self.stays && index > 0
    }

    pub(super) fn open(&self, index: usize, bound: u32) -> bool {
        let task = self.enabled[index];
        let explored = |task| known(&self.sleep, task) || known(&self.done, task);
        !explored(task)
            && !self.like(task).any(explored)
            && self.preemptions + u32::from(self.preempts(index)) <= bound
    }

    pub(super) fn first(&self, bound: u32) -> Option<usize> {
        (0..self.enabled.len()).find(|index| self.open(*index, bound))
    }

    fn wants(&self, task: TaskNumber) -> bool {
        match &self.wanted {
            Wanted::All => true,
            Wanted::Nothing => false,
            Wanted::Of(children) => children.iter().any(|child| child.task == task),
        }
    }

    /// The wanted children that no worker has begun.
    pub(super) fn unexplored(&self, bound: u32) -> impl Iterator<Item = usize> + '_ {
        let chosen = self.task();
        let is_other = move |index: &usize| {
            self.enabled[*index] != chosen && !self.can_be_swapped(chosen, self.enabled[*index])
        };
        let others = (0..self.enabled.len()).filter(is_other);
        others.filter(move |index| self.wants(self.enabled[*index]) && self.open(*index, bound))
    }

    /// The next unexplored child after the chosen one.
    fn next(&self, bound: u32) -> Option<usize> {
        self.unexplored(bound).next()
    }

    /// Goes on to the next unexplored child, if there is one.
    pub(super) fn advance(&mut self, bound: u32) -> bool {
        let chosen = self.task();
        let known = |request: &mut Request| request.second == Some(chosen);
        let known: Vec<_> = self.deferred.extract_if(.., known).collect();
        known.into_iter().for_each(|request| self.request(request));
        let Some(next) = self.next(bound) else { return false };
        let footprint = self.step.take().unwrap_or_default();
        self.done.push((self.task(), footprint));
        self.chosen = next;
        let task = self.task();
        self.guide = match &mut self.wanted {
            Wanted::All | Wanted::Nothing => Vec::new(),
            Wanted::Of(children) => {
                let child = children.iter_mut().find(|child| child.task == task);
                child.map(|child| std::mem::take(&mut child.guide)).unwrap_or_default()
            }
        };
        true
    }

    /// A race asks for another order.
    pub(super) fn request(&mut self, request: Request) {
        if matches!(self.wanted, Wanted::All | Wanted::Nothing)
            || request.initials.iter().any(|task| self.explores(*task))
        {
            return;
        }
        if request.all {
            let all = self.enabled.clone();
            all.into_iter().for_each(|task| self.want(task, Vec::new()));
            return;
        }
        match request.second {
            // Its step is on the way to the other order only if it is the step that it will be there.
            Some(task) if self.can_run(task) => match self.footprint(task) {
                Some(footprint)
                    if footprint.commutes_with(&request.way) || !on(Rule::SecondStepsCommute) => {}
                Some(_) => self.want_one_of(&request),
                None => {
                    self.want(task, request.guide.clone());
                    if !request.initials.is_empty() {
                        self.deferred.push(request);
                    }
                }
            },
            _ => self.want_one_of(&request),
        }
    }

    fn can_run(&self, task: TaskNumber) -> bool {
        self.enabled.contains(&task)
    }

    fn want_one_of(&mut self, request: &Request) {
        match request.initials.iter().find(|task| self.can_run(**task)) {
            Some(task) => self.want(*task, request.guide.clone()),
            // All of them are enough in any case.
            None => self.request(Request { all: true, ..request.clone() }),
        }
    }

    fn want(&mut self, task: TaskNumber, mut guide: Vec<TaskNumber>) {
        if self.explores(task) {
            return;
        }
        if let Some(place) = guide.iter().position(|other| *other == task) {
            guide.remove(place);
        }
        if let Wanted::Of(wanted) = &mut self.wanted {
            wanted.push(Child { task, guide });
        }
    }

    /// Whether the task's step is explored from here, or sleeps here.
    fn explores(&self, task: TaskNumber) -> bool {
        self.wants(task)
            || task == self.task()
            || known(&self.done, task)
            || known(&self.sleep, task)
    }

    /// What the task's step touches here, if it was explored or sleeps.
    fn footprint(&self, task: TaskNumber) -> Option<&Footprint> {
        if task == self.task() {
            return self.step.as_ref();
        }
        let mut known = self.done.iter().chain(&self.sleep);
        known.find(|(other, _)| *other == task).map(|(_, footprint)| footprint)
    }

    /// The tasks that still sleep after the chosen step.
    pub(super) fn sleepers_below(&self) -> Vec<(TaskNumber, Footprint)> {
        let Some(step) = &self.step else { return Vec::new() };
        let stay = |(task, footprint): &&(TaskNumber, Footprint)| {
            *task != self.task()
                && (footprint.commutes_with(step) || !on(Rule::SleepersAreFiltered))
        };
        let explored = || self.sleep.iter().chain(&self.done);
        if self.groups.is_empty() {
            return explored().filter(stay).cloned().collect();
        }
        // What follows a step of the others has been explored with the names exchanged.
        let is_new = |task: TaskNumber| !explored().any(|(other, _)| *other == task);
        let images = explored().flat_map(|(task, footprint)| {
            let swapped = move |other| (other, footprint.swapped(*task, other));
            self.like(*task).map(swapped)
        });
        let images: Vec<_> = images.filter(|(task, _)| is_new(*task)).collect();
        let mut sleepers: Vec<_> = explored().chain(&images).filter(stay).cloned().collect();
        sleepers.sort_by_key(|(task, _)| *task);
        sleepers.dedup_by_key(|(task, _)| *task);
        sleepers
    }
}
