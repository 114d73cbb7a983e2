//! An estimate of how many executions are left.
//!
//! The children of a decision are not alike in size, so to give each the same share of it is far off: most of the
//! tree is below a few of them. But a child is often as large as another one that looks like it, wherever that is in
//! the tree. So the children are divided into classes, by their depth and by what all tasks are about to do. An open
//! child counts as the mean of the explored ones of its class. The classes are the strata of Chen (*Heterogeneous
//! sampling: a method for predicting the performance of tree searching programs*, SIAM J. Comput. 21, 1992). Children
//! for which races have asked count, though the search has not come back to their decision. Nothing is known of a
//! class of which no child is explored: such a child counts as the mean of its siblings so far.

use super::node::Node;
use super::parts::{Joint, Part, Parts};
use crate::operation::{Operation, TaskNumber};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

/// What a child looks like from its decision: a hash.
pub(super) type Class = u64;

impl Node {
    /// The class of the chosen child. The node is at this place of its path.
    pub(super) fn class(&self, place: usize, bound: u32) -> Class {
        self.classes(place, bound)[0]
    }

    /// The classes of the chosen child and of the unexplored ones.
    pub(super) fn classes(&self, place: usize, bound: u32) -> Vec<Class> {
        let mut asleep: Vec<_> = self.sleep.iter().chain(&self.done).map(|(it, _)| *it).collect();
        let others = self.unexplored(bound).map(|index| self.enabled[index]);
        let mut classes = Vec::new();
        for task in std::iter::once(self.task()).chain(others) {
            // Without names: the callers of a scenario do much the same.
            let looks = |(it, operation): &(TaskNumber, Operation)| {
                (operation.kind as u8, self.enabled.contains(it), asleep.contains(it), task == *it)
            };
            let mut all: Vec<_> = self.pending.iter().map(looks).collect();
            all.sort_unstable();
            let preemptions = if bound == u32::MAX { 0 } else { self.preemptions };
            let mut hasher = DefaultHasher::new();
            (place, all, preemptions).hash(&mut hasher);
            classes.push(hasher.finish());
            asleep.push(task);
        }
        classes
    }
}

/// The children of a class that are explored, and the executions below them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    children: u64,
    executions: u64,
}

/// How large the explored children of each class are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sizes(BTreeMap<Class, Seen>);

impl Sizes {
    pub(super) fn add(&mut self, class: Class, executions: u64) {
        let seen = self.0.entry(class).or_default();
        seen.children = seen.children.saturating_add(1);
        seen.executions = seen.executions.saturating_add(executions);
    }

    pub(super) fn mean(&self, class: Class) -> Option<f64> {
        self.0.get(&class).map(|seen| seen.executions as f64 / seen.children.max(1) as f64)
    }
}

/// An estimate of how far a search is, which another thread reads while the search runs.
#[derive(Debug, Default)]
pub struct Estimate(Mutex<Option<Reading>>);

impl Estimate {
    /// What is known. Nothing, until the first few hundred executions are over.
    pub fn read(&self) -> Option<Reading> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, reading: Option<Reading>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = reading;
    }
}

/// How far a search is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// The estimated share of the executions that is explored, 0 to 1. It may be far off, and it is no bound:
    /// [`Searched::explored`](super::Searched::explored).
    pub explored: f64,
    /// Between which numbers of executions that are left the truth is, as a rule. There is no upper one before it is
    /// known how the estimate grows.
    pub left: (u64, Option<u64>),
}

impl Reading {
    /// The search is over.
    pub(super) const END: Self = Self { explored: 1.0, left: (0, Some(0)) };
    /// The limits are so many times further than the estimates. Measured: see docs/RESUME.md.
    const SLACK: (f64, f64) = (2.0, 3.0);
}

/// The executions so far and what is thought to be left.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    executions: u64,
    /// If every child of an unknown class has one execution.
    least: f64,
    /// If it has as many as its siblings have so far, on average.
    likely: f64,
}

impl Size {
    fn total(self) -> f64 {
        self.executions as f64 + self.likely
    }

    pub(super) fn explored(self) -> f64 {
        if self.executions == 0 { 0.0 } else { self.executions as f64 / self.total() }
    }
}

/// The estimates of the total so far. The numbers of executions at which they were made grow by a tenth at least.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trend(Vec<(u64, u64)>);

impl Trend {
    /// Races that are still to be found make the estimate grow. If it has grown since half as many executions, it is
    /// thought to grow once more by as much.
    pub(super) fn read(&mut self, size: Size) -> Reading {
        let (executions, total) = (size.executions, size.total());
        if self.0.last().is_none_or(|(last, _)| last.saturating_add(last / 10) < executions) {
            self.0.push((executions, total as u64));
        }
        let (below, above) = Reading::SLACK;
        let half = self.0.iter().rev().find(|(then, _)| *then <= executions / 2);
        let most = half.map(|(_, before)| {
            let growth = (total / (*before).max(1) as f64).max(1.0);
            (above * (total * growth - executions as f64)) as u64
        });
        Reading { explored: size.explored(), left: ((size.least / below) as u64, most) }
    }
}

impl Parts {
    /// Adds the open children of a decision, of which so many are begun, with these executions.
    fn add_open(&self, size: &mut Size, classes: &[Class], begun: usize, executions: u64) {
        for class in classes {
            let mean = self.sizes.mean(*class);
            let of_siblings = (executions as f64 / begun.max(1) as f64).max(1.0);
            size.least += mean.unwrap_or(1.0);
            size.likely += mean.unwrap_or(of_siblings);
        }
    }

    /// Adds a part that was begun and put back.
    fn add_part(&self, size: &mut Size, part: &Part) {
        size.executions = size.executions.saturating_add(part.executions);
        // The next execution has not run.
        size.least += 1.0;
        size.likely += 1.0;
        for (place, node) in part.path.iter().enumerate().skip(part.base) {
            let classes = node.classes(place, self.bound);
            self.add_open(size, &classes[1..], node.done.len() + 1, part.below(place));
        }
    }

    /// Adds what is open at a joint. A part that was put back counts by itself.
    fn add_joint(&self, size: &mut Size, joint: &Joint, is_put_back: bool) {
        let mut node = joint.node.clone();
        joint.requests.iter().cloned().for_each(|request| node.request(request));
        let classes = node.classes(joint.place(), self.bound);
        let begun = node.done.len() + usize::from(!joint.under_way);
        let first = usize::from(!joint.under_way || is_put_back);
        self.add_open(size, &classes[first..], begun, joint.executions);
    }

    /// The executions of the parts that no worker has, and what is thought to be left in all parts.
    pub(super) fn size(&self) -> Size {
        let mut size = Size { executions: self.executions, ..Size::default() };
        let begun = || self.queue.iter().filter(|part| part.executions > 0);
        begun().for_each(|part| self.add_part(&mut size, part));
        let put_back: Vec<_> = begun().filter_map(|part| part.joint).collect();
        for (number, joint) in self.joints.iter().enumerate() {
            let Some(joint) = joint else { continue };
            self.add_joint(&mut size, joint, put_back.contains(&number));
        }
        size
    }
}
