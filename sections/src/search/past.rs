//! A set of steps, by their places in an execution.

use smallvec::SmallVec;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Past(SmallVec<[u64; 2]>);

impl Past {
    pub(super) fn has(&self, place: usize) -> bool {
        self.0.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1)
    }

    /// Whether all of its steps are before this place.
    pub(super) fn is_before(&self, place: usize) -> bool {
        let of_word = |(at, word): (usize, &u64)| match at.cmp(&(place / 64)) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => word >> (place % 64) == 0,
            std::cmp::Ordering::Greater => *word == 0,
        };
        self.0.iter().enumerate().all(of_word)
    }

    pub(super) fn add(&mut self, place: usize) {
        if self.0.len() <= place / 64 {
            self.0.resize(place / 64 + 1, 0);
        }
        self.0[place / 64] |= 1 << (place % 64);
    }

    /// The set in which these two places have changed places.
    pub(super) fn swap(&mut self, one: usize, other: usize) {
        if self.has(one) == self.has(other) {
            return;
        }
        let (gone, come) = if self.has(one) { (one, other) } else { (other, one) };
        self.0[gone / 64] &= !(1 << (gone % 64));
        self.add(come);
    }

    /// Whether both have the same steps.
    pub(super) fn is(&self, other: &Self) -> bool {
        let word = |of: &Self, at: usize| of.0.get(at).copied().unwrap_or(0);
        (0..self.0.len().max(other.0.len())).all(|at| word(self, at) == word(other, at))
    }

    pub(super) fn join(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (mine, its) in self.0.iter_mut().zip(&other.0) {
            *mine |= its;
        }
    }

    /// Whether they have a step after `place` in common.
    pub(super) fn meets_after(&self, other: &Self, place: usize) -> bool {
        let words = self.0.iter().zip(&other.0).enumerate().skip(place / 64);
        words.into_iter().any(|(at, (mine, its))| {
            let both = mine & its;
            let both = if at == place / 64 { both & (!1 << (place % 64)) } else { both };
            both != 0
        })
    }
}
