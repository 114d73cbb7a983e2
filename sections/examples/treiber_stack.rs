//! Treiber's stack, with nodes that are used again: the ABA problem. The top is read, then the node after it, and then the
//! top is exchanged. In between other tasks can pop two nodes and push the first one again.
//!
//! Nodes are numbers here, as in stacks that keep their nodes in an array. 0 is the end of the stack. The repaired version
//! has a tag beside the top, which every exchange changes.
//!
//! `cargo run --release -p sections --example treiber_stack`

mod demonstrate;

use demonstrate::demonstrate;
use sections::std::sync::Arc;
use sections::std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use sections::std::thread;
use sections::{Coverage, Error, named};

const NODES: usize = 3;

struct Stack {
    /// The node in the lower half, the tag above.
    top: AtomicU64,
    next: [AtomicU64; NODES + 1],
    /// What an exchange adds to the tag.
    step: u64,
}

fn node_of(top: u64) -> u64 {
    top & u64::from(u32::MAX)
}

impl Stack {
    /// With the nodes 1, 2 and 3, and 1 at the top.
    fn new(step: u64) -> Self {
        let stack = Self { top: AtomicU64::new(1), next: [0, 2, 3, 0].map(AtomicU64::new), step };
        named(&stack.top, "top");
        stack
            .next
            .iter()
            .enumerate()
            .for_each(|(node, next)| named(next, &format!("next of {node}")));
        stack
    }

    fn exchange(&self, top: u64, node: u64) -> bool {
        let tag = (top >> 32).wrapping_add(self.step);
        self.top.compare_exchange(top, tag << 32 | node, SeqCst, SeqCst).is_ok()
    }

    fn pop(&self) -> Option<u64> {
        loop {
            let top = self.top.load(SeqCst);
            let node = node_of(top);
            let next = self.next.get(node as usize).filter(|_| node > 0)?.load(SeqCst);
            if self.exchange(top, next) {
                return Some(node);
            }
        }
    }

    fn push(&self, node: u64) {
        loop {
            let top = self.top.load(SeqCst);
            self.next[node as usize].store(node_of(top), SeqCst);
            if self.exchange(top, node) {
                return;
            }
        }
    }
}

/// One task pops a node. The other pops two and pushes the first of them again. No node may have two owners.
fn scenario(step: u64) {
    let stack = Arc::new(Stack::new(step));
    let (one, other) = (Arc::clone(&stack), Arc::clone(&stack));
    let one = thread::spawn(move || one.pop());
    let other = thread::spawn(move || {
        let first = other.pop();
        let second = other.pop();
        first.into_iter().for_each(|node| other.push(node));
        second
    });
    let mut nodes: Vec<_> =
        [one.join().unwrap(), other.join().unwrap()].into_iter().flatten().collect();
    nodes.extend(std::iter::from_fn(|| stack.pop()).take(NODES + 1));
    nodes.sort_unstable();
    assert_eq!(nodes, [1, 2, 3], "each node has one owner");
}

fn main() -> Result<(), Error> {
    show().map(drop)
}

fn show() -> Result<Coverage, Error> {
    demonstrate(|| scenario(0), || scenario(1))
}

#[test]
fn a_node_that_is_back_at_the_top_is_told_apart_by_a_tag() {
    let coverage = show().unwrap();
    assert!(coverage.exhausted && coverage.complete > 1);
}
