//! The keys, the value and the order in which keys are drawn.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Zipf};
use std::borrow::Borrow;
use std::fmt::Debug;
use std::hash::Hash;

/// Every value has 64 bytes.
pub type Value = [u8; 64];

/// The value of every key.
pub const VALUE: Value = [7; 64];

/// How many keys most groups have.
pub const KEYS: u64 = 10_000;

/// How many keys are drawn beforehand, at least.
pub const DRAWS: u64 = 1 << 16;

/// The exponent of Zipf's law.
pub const ZIPF: f64 = 0.99;

const SEED: u64 = 0x5eed;

/// A key, and what a caller that has no owned key looks it up by.
pub trait Key:
    Hash + Eq + Ord + Clone + Debug + Send + Sync + 'static + Borrow<<Self as Key>::Sought>
{
    type Sought: Hash + Eq + ToOwned<Owned = Self> + Send + Sync + ?Sized;

    fn of(number: u64) -> Self;

    fn sought(&self) -> &Self::Sought {
        self.borrow()
    }
}

impl Key for u64 {
    type Sought = u64;

    fn of(number: u64) -> Self {
        number
    }
}

impl Key for String {
    type Sought = str;

    fn of(number: u64) -> Self {
        format!("/articles/{number:08}")
    }
}

/// In which order the keys are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Zipf,
    Uniform,
    OneKey,
}

impl Order {
    /// The drawn numbers of keys, the same in every run. There are as many draws as keys, or more.
    pub fn draws(self, keys: u64) -> Vec<u64> {
        let mut random = StdRng::seed_from_u64(SEED);
        (0..keys.max(DRAWS)).map(|_| self.draw(keys, &mut random)).collect()
    }

    fn draw(self, keys: u64, random: &mut StdRng) -> u64 {
        match self {
            Self::Zipf => zipf(keys, random),
            Self::Uniform => random.random_range(0..keys),
            Self::OneKey => 0,
        }
    }
}

/// A number below `keys` by Zipf's law; low ones are popular.
pub fn zipf(keys: u64, random: &mut StdRng) -> u64 {
    let law = Zipf::new(keys as f64, ZIPF).expect("there are keys");
    law.sample(random) as u64 - 1
}

/// The source of random numbers of a trace.
pub fn seeded() -> StdRng {
    StdRng::seed_from_u64(SEED)
}
