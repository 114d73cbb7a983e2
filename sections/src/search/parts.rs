//! How the OS threads of a search share the tree.
//!
//! A worker explores a *part*: everything below one child of a node. When a part has taken a number of
//! executions, it is split: each node on its path becomes a *joint*, and every child that is still
//! wanted becomes a part of its own. A joint takes in what races below it ask for, and looks at it only
//! when everything below it has been explored. So which parts there are, and what is counted in them,
//! does not depend on the number of workers or on their speed.

use super::node::Node;
use super::races::Request;
use crate::operation::Footprint;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The executions after which a part is split.
pub(super) const SPLIT: u64 = 256;

/// The nodes from the root to a joint, each with the child that leads there.
pub(super) struct Stem {
    pub(super) node: Node,
    pub(super) above: Option<Arc<Stem>>,
}

pub(super) type JointNumber = usize;

/// A node whose children are parts.
pub(super) struct Joint {
    pub(super) node: Node,
    pub(super) above: Option<JointNumber>,
    pub(super) stem: Option<Arc<Stem>>,
    /// Whether a worker has the chosen child, or it is in the queue.
    pub(super) under_way: bool,
    /// The joints directly below that are not finished.
    pub(super) below: usize,
    /// What races ask for, until everything below is explored.
    pub(super) requests: Vec<Request>,
}

/// A part of the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) joint: Option<JointNumber>,
    /// The path to the next execution. That to the first one ends with the chosen child of the joint.
    pub(super) path: Vec<Node>,
    /// The nodes before this index are joints: other workers explore their other children.
    pub(super) base: usize,
    /// The executions so far.
    pub(super) executions: u64,
    /// What races ask of joints.
    pub(super) requests: Vec<Request>,
}

/// The parts that no worker has, and the joints above all parts.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) bound: u32,
    pub(super) queue: Vec<Part>,
    pub(super) joints: Vec<Option<Joint>>,
    pub(super) free: Vec<JointNumber>,
}

impl Parts {
    /// One part: the whole tree.
    pub(super) fn new(bound: u32) -> Self {
        Self { bound, queue: vec![Part::default()], ..Self::default() }
    }

    pub(super) fn take(&mut self) -> Option<Part> {
        self.queue.pop()
    }

    /// A worker explores no more of this part for now.
    pub(super) fn put_back(&mut self, part: Part) {
        self.queue.push(part);
    }

    fn joint(&mut self, number: JointNumber) -> &mut Joint {
        self.joints[number].as_mut().expect("a joint lives until everything below it is explored")
    }

    fn add(&mut self, joint: Joint) -> JointNumber {
        match self.free.pop() {
            Some(number) => {
                self.joints[number] = Some(joint);
                number
            }
            None => {
                self.joints.push(Some(joint));
                self.joints.len() - 1
            }
        }
    }

    /// What races in a part below this joint ask of the nodes above the part.
    fn deliver(&mut self, lowest: Option<JointNumber>, base: usize, requests: Vec<Request>) {
        let mut at = lowest;
        let mut chain = Vec::with_capacity(base);
        while let Some(number) = at {
            chain.push(number);
            at = self.joint(number).above;
        }
        for request in requests {
            let waiting = &mut self.joint(chain[base - 1 - request.place]).requests;
            if !waiting.contains(&request) {
                waiting.push(request);
            }
        }
    }

    /// The part has been explored. `first` is what its first step touched.
    pub(super) fn end(&mut self, mut part: Part, first: Option<Footprint>) {
        self.deliver(part.joint, part.base, std::mem::take(&mut part.requests));
        let Some(joint) = part.joint else { return };
        self.joint(joint).under_way = false;
        self.joint(joint).node.step = first;
        self.settle(joint);
    }

    /// The part is to be explored by anybody: each node of its own becomes a joint.
    pub(super) fn split(&mut self, mut part: Part) {
        let (base, path) = (part.base, std::mem::take(&mut part.path));
        self.deliver(part.joint, base, std::mem::take(&mut part.requests));
        let mut stem = None;
        if let Some(above) = part.joint {
            let joint = self.joint(above);
            joint.under_way = false;
            joint.below += 1;
            joint.node.step.clone_from(&path[base - 1].step);
            stem = Some(joint.child_stem());
        }
        let mut above = part.joint;
        let mut new = Vec::with_capacity(path.len() - base);
        for (place, node) in path.iter().enumerate().skip(base) {
            let below = usize::from(place + 1 < path.len());
            let joint = Joint {
                node: node.clone(),
                above,
                stem: stem.clone(),
                under_way: false,
                below,
                requests: Vec::new(),
            };
            stem = Some(joint.child_stem());
            let number = self.add(joint);
            new.push(number);
            above = Some(number);
        }
        // The lowest first: settling it can finish it, and then the one above.
        part.joint.into_iter().chain(new).rev().for_each(|joint| self.settle(joint));
    }

    /// Puts the next child of a joint into the queue, or finishes the joint, and those above it.
    fn settle(&mut self, number: JointNumber) {
        let mut at = Some(number);
        while let Some(number) = at.take() {
            let bound = self.bound;
            let Some(joint) = self.joints[number].as_mut() else { return };
            if joint.under_way {
                return;
            }
            let mut has_next = joint.node.advance(bound);
            if !has_next && joint.below == 0 {
                let mut requests = std::mem::take(&mut joint.requests);
                // Which worker was first must not matter.
                requests.sort_by(|one, other| one.key().cmp(&other.key()));
                for request in requests {
                    joint.node.request(request);
                }
                has_next = joint.node.advance(bound);
            }
            if has_next {
                joint.under_way = true;
                let path = joint.path();
                let base = path.len();
                self.queue.push(Part { joint: Some(number), path, base, ..Part::default() });
            } else if joint.below == 0 {
                at = joint.above;
                self.joints[number] = None;
                self.free.push(number);
                if let Some(above) = at {
                    self.joint(above).below -= 1;
                }
            }
        }
    }
}

impl Joint {
    /// The stem of what is below the chosen child.
    fn child_stem(&self) -> Arc<Stem> {
        let mut node = self.node.clone();
        // What is below needs to know the decision and its step, not the other children.
        node.sleep.clear();
        node.done.clear();
        node.deferred.clear();
        Arc::new(Stem { node, above: self.stem.clone() })
    }

    /// The nodes above, from the root.
    pub(super) fn stem(&self) -> Vec<Node> {
        let mut nodes = Vec::new();
        let mut stem = self.stem.as_ref();
        while let Some(Stem { node, above }) = stem.map(AsRef::as_ref) {
            nodes.push(node.clone());
            stem = above.as_ref();
        }
        nodes.reverse();
        nodes
    }

    /// The path to the chosen child.
    fn path(&self) -> Vec<Node> {
        let mut path = self.stem();
        path.push(self.node.clone());
        path
    }
}
