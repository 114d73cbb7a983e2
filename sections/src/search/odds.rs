//! The odds of a draw between tasks, and how they are learned.
//!
//! The score of a task is a sum of scores of its looks, and its odds grow with the exponential of it (McFadden's conditional
//! logit, 1974). To learn a draw is a step along the slope of its likelihood, which is shorter for scores that have
//! moved much (AdaGrad: Duchi, Hazan and Singer 2011).

use foldhash::fast::FixedState;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::hash::Hash;

/// The number of a score.
pub(super) type Look = u32;

/// The odds of some tasks.
pub(super) type Odds = SmallVec<[f64; 8]>;

/// A draw between several tasks.
pub(super) struct Draw {
    /// The looks of the first task, then those of the second one, and so on: each has as many.
    pub(super) looks: Vec<Look>,
    pub(super) tasks: usize,
    /// The task that was drawn.
    pub(super) drawn: usize,
}

impl Draw {
    fn looks(&self) -> impl Iterator<Item = &[Look]> {
        self.looks.chunks_exact(self.looks.len() / self.tasks)
    }
}

/// Numbers for values, in the order in which they come.
pub(super) struct Numbers<T>(HashMap<T, u32, FixedState>);

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<T: Eq + Hash> Numbers<T> {
    pub(super) fn of(&mut self, value: T) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry(value).or_insert(next)
    }
}

#[derive(Clone, Copy)]
struct Score {
    score: f64,
    /// The sum of the squares of its slopes.
    squares: f64,
}

/// The learned scores.
#[derive(Default)]
pub(super) struct Scores(Vec<Score>);

impl Scores {
    /// How far a score moves at first.
    const RATE: f64 = 0.1;
    /// The share of the odds that is even, whatever was learned.
    const EVEN: f64 = 0.1;

    /// The odds by the scores alone. They add up to 1.
    fn learned(&self, draw: &Draw) -> Odds {
        let score = |look: &Look| self.0.get(*look as usize).map_or(0.0, |score| score.score);
        let mut odds: Odds = draw.looks().map(|looks| looks.iter().map(score).sum()).collect();
        let most = odds.iter().copied().fold(f64::MIN, f64::max);
        odds.iter_mut().for_each(|odds| *odds = (*odds - most).exp());
        let all: f64 = odds.iter().sum();
        odds.iter_mut().for_each(|odds| *odds /= all);
        odds
    }

    /// The odds of a draw. They add up to 1, and each is above 0.
    pub(super) fn odds(&self, draw: &Draw) -> Odds {
        let even = Self::EVEN / draw.tasks as f64;
        self.learned(draw).into_iter().map(|odds| (1.0 - Self::EVEN) * odds + even).collect()
    }

    /// Makes what was drawn more likely.
    pub(super) fn learn(&mut self, draw: &Draw) {
        let most = draw.looks.iter().copied().max().map_or(0, |look| look as usize + 1);
        if self.0.len() < most {
            self.0.resize(most, Score { score: 0.0, squares: 0.1 });
        }
        let odds = self.learned(draw);
        for (index, (looks, odds)) in draw.looks().zip(odds).enumerate() {
            let slope = f64::from(u8::from(index == draw.drawn)) - odds;
            for look in looks {
                let score = &mut self.0[*look as usize];
                score.squares += slope * slope;
                score.score += Self::RATE * slope / score.squares.sqrt();
            }
        }
    }
}
