//! A decision on the current path: its children, and which of them are still unexplored.

use crate::operation::{Footprint, Operation, TaskNumber};
use crate::rules::{Rule, on};

/// A decision on the path that is being explored.
#[derive(Clone)]
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
    /// An index into `enabled`.
    pub(super) chosen: usize,
    /// What the chosen step touched. Known at the next decision.
    pub(super) step: Option<Footprint>,
    /// Whether another worker explores the remaining children.
    pub(super) given_away: bool,
}

impl Node {
    pub(super) fn task(&self) -> TaskNumber {
        self.enabled[self.chosen]
    }

    pub(super) fn preempts(&self, index: usize) -> bool {
        self.stays && index > 0
    }

    pub(super) fn open(&self, index: usize, bound: u32) -> bool {
        let task = self.enabled[index];
        let known = |list: &[(TaskNumber, Footprint)]| list.iter().any(|(other, _)| *other == task);
        !known(&self.sleep)
            && !known(&self.done)
            && self.preemptions + u32::from(self.preempts(index)) <= bound
    }

    /// The next unexplored child after the chosen one.
    pub(super) fn next(&self, bound: u32) -> Option<usize> {
        if self.given_away {
            return None;
        }
        (self.chosen + 1..self.enabled.len()).find(|index| self.open(*index, bound))
    }

    pub(super) fn first(&self, bound: u32) -> Option<usize> {
        (0..self.enabled.len()).find(|index| self.open(*index, bound))
    }

    /// The tasks that still sleep after the chosen step.
    pub(super) fn sleepers_below(&self) -> Vec<(TaskNumber, Footprint)> {
        let Some(step) = &self.step else { return Vec::new() };
        let stay = |(task, footprint): &&(TaskNumber, Footprint)| {
            *task != self.task()
                && (footprint.commutes_with(step) || !on(Rule::SleepersAreFiltered))
        };
        self.sleep.iter().chain(&self.done).filter(stay).cloned().collect()
    }

    pub(super) fn close_chosen(&mut self) {
        let footprint = self.step.take().unwrap_or_default();
        self.done.push((self.task(), footprint));
    }
}

/// A part of the tree: a path whose last node has unexplored children.
pub(super) type Part = Vec<Node>;
