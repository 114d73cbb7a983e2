//! What is left of a search that was cut off, as text, so that another process can go on with it.

use super::Search;
use super::node::Node;
use super::parts::{Joint, Part, Parts, Stem};
use super::races::Request;
use super::sharing::Queue;
use crate::learned::Learned;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The format. A change of what is saved, or of how a search goes on, changes it.
const FORMAT: u32 = 4;

/// The rest of a search that was cut off: [`Search::resume`] goes on with it. Its text, by `to_string` and `parse`, can
/// be kept in a file. It is good for the same scenario, built from the same code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    format: u32,
    reduce: bool,
    sources: bool,
    symmetry: bool,
    preemptions: Option<u32>,
    pub(super) learned: Learned,
    pub(super) complete: u64,
    pub(super) redundant: u64,
    pub(super) unexplored: bool,
    tree: Tree,
}

/// The parts and the joints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Tree {
    queue: Vec<Part>,
    joints: Vec<Option<SavedJoint>>,
    free: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SavedJoint {
    node: Node,
    above: Option<usize>,
    /// From the root.
    stem: Vec<Node>,
    under_way: bool,
    below: usize,
    requests: Vec<Request>,
}

impl SavedJoint {
    fn of(joint: &Joint) -> Self {
        let Joint { above, under_way, below, .. } = *joint;
        let (node, requests) = (joint.node.clone(), joint.requests.clone());
        let stem = joint.stem();
        Self { node, above, stem, under_way, below, requests }
    }

    fn load(self) -> Joint {
        let Self { node, above, stem, under_way, below, requests } = self;
        let on = |above, node| Some(Arc::new(Stem { node, above }));
        let stem = stem.into_iter().fold(None, on);
        Joint { node, above, stem, under_way, below, requests }
    }
}

impl Checkpoint {
    pub(super) fn new(search: &Search, learned: &Learned, queue: &Queue) -> Self {
        let Queue { parts, complete, redundant, unexplored, .. } = queue;
        let (complete, redundant, unexplored) = (*complete, *redundant, *unexplored);
        let joints = parts.joints.iter().map(|joint| joint.as_ref().map(SavedJoint::of)).collect();
        let tree = Tree { queue: parts.queue.clone(), joints, free: parts.free.clone() };
        let learned = learned.clone();
        let Search { reduce, sources, symmetry, preemptions, .. } = *search;
        let format = FORMAT;
        Self {
            format,
            reduce,
            sources,
            symmetry,
            preemptions,
            learned,
            complete,
            redundant,
            unexplored,
            tree,
        }
    }

    /// Whether a search with these options can go on with it.
    pub(super) fn fits(&self, search: &Search) -> bool {
        (self.reduce, self.sources, self.symmetry, self.preemptions)
            == (search.reduce, search.sources, search.symmetry, search.preemptions)
    }

    pub(super) fn parts(&self, bound: u32) -> Parts {
        let Tree { queue, joints, free } = self.tree.clone();
        let joints = joints.into_iter().map(|joint| joint.map(SavedJoint::load)).collect();
        Parts { bound, queue, joints, free }
    }

    /// The executions that were shown before.
    pub fn complete(&self) -> u64 {
        self.complete
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// Why a text is not a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotACheckpoint(String);

impl fmt::Display for NotACheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a checkpoint: {}", self.0)
    }
}

impl std::error::Error for NotACheckpoint {}

impl FromStr for Checkpoint {
    type Err = NotACheckpoint;

    fn from_str(text: &str) -> Result<Self, NotACheckpoint> {
        let checkpoint: Self =
            serde_json::from_str(text).map_err(|error| NotACheckpoint(error.to_string()))?;
        if checkpoint.format != FORMAT {
            let format = checkpoint.format;
            return Err(NotACheckpoint(format!(
                "its format is {format}, and this version reads {FORMAT}"
            )));
        }
        if !checkpoint.tree.is_sound() {
            return Err(NotACheckpoint("its parts do not belong together".into()));
        }
        Ok(checkpoint)
    }
}

impl Tree {
    /// Whether every number in it leads somewhere. The file may have been written by anybody.
    fn is_sound(&self) -> bool {
        let is_joint = |number: &usize| self.joints.get(*number).is_some_and(Option::is_some);
        let is_node = |node: &Node| node.is_sound();
        let is_part = |part: &Part| {
            part.joint.as_ref().is_none_or(is_joint)
                && part.base <= part.path.len()
                && part.joint.is_some() == (part.base > 0)
                && part.path.iter().all(is_node)
                && part.joint.is_none_or(|joint| self.depth(joint) == Some(part.base))
        };
        self.queue.iter().all(is_part)
            && self.free.iter().all(|number| self.joints.get(*number).is_some_and(Option::is_none))
            && self.joints.iter().enumerate().all(|(number, joint)| {
                joint.as_ref().is_none_or(|joint| {
                    is_node(&joint.node)
                        && joint.stem.iter().all(is_node)
                        && self.depth(number) == Some(joint.stem.len() + 1)
                })
            })
    }

    /// The number of joints from the root to this one.
    fn depth(&self, number: usize) -> Option<usize> {
        let mut depth = 0;
        let mut at = Some(number);
        while let Some(number) = at {
            depth += 1;
            if depth > self.joints.len() {
                return None;
            }
            at = self.joints.get(number)?.as_ref()?.above;
        }
        Some(depth)
    }
}
