//! How far a search is.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// An estimate of how far a search is, which another thread reads while the search runs.
#[derive(Debug, Default)]
pub struct Estimate {
    /// The executions that have ended, redundant ones included.
    executions: AtomicU64,
    redundant: AtomicU64,
    /// How many executions are thought to be complete in the end: the bits of a number. 0 as long as nothing is known.
    expected: AtomicU64,
    is_over: AtomicBool,
}

/// How far a search is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// The estimated share of the executions that is explored, 0 to 1. It is no bound:
    /// [`Searched::explored`](super::Searched::explored).
    pub explored: f64,
    /// Between which numbers of executions that are left the truth is, as a rule.
    pub left: (u64, u64),
}

impl Reading {
    /// How many times smaller and larger than the estimate the truth is, as a rule. Measured: see docs/RESUME.md.
    const SLACK: (f64, f64) = (1.5, 2.0);
    /// A search that is not over is never thought to be further than this.
    const MOST: f64 = 0.95;
}

impl Estimate {
    /// What is known. Nothing, until the first samples are over.
    pub fn read(&self) -> Option<Reading> {
        let of = |number: &AtomicU64| number.load(Ordering::Relaxed);
        if self.is_over.load(Ordering::Relaxed) {
            return Some(Reading { explored: 1.0, left: (0, 0) });
        }
        let expected = f64::from_bits(of(&self.expected));
        let executions = of(&self.executions) as f64;
        if expected == 0.0 {
            return None;
        }
        // There will be as many redundant ones for each complete one as so far.
        let complete = (executions - of(&self.redundant) as f64).max(1.0);
        let all = expected * (executions / complete).max(1.0);
        let (below, above) = Reading::SLACK;
        let least = (all / below - executions).max(0.0);
        let likely = all.max(executions / Reading::MOST);
        let most = (all * above).max(likely) - executions;
        let explored = (executions / likely).min(Reading::MOST);
        Some(Reading { explored, left: (least as u64, most as u64) })
    }

    #[cfg(test)]
    pub(super) fn expected(&self) -> f64 {
        f64::from_bits(self.expected.load(Ordering::Relaxed))
    }

    /// A search begins, or goes on after so many executions.
    pub(super) fn begin(&self, complete: u64, redundant: u64) {
        self.executions.store(complete.saturating_add(redundant), Ordering::Relaxed);
        self.redundant.store(redundant, Ordering::Relaxed);
        self.expected.store(0, Ordering::Relaxed);
        self.is_over.store(false, Ordering::Relaxed);
    }

    pub(super) fn count(&self, is_redundant: bool) {
        self.redundant.fetch_add(u64::from(is_redundant), Ordering::Relaxed);
        self.executions.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn expect(&self, complete: f64) {
        self.expected.store(complete.to_bits(), Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}
