//! What an exploration finds out about its scenario on the way. It changes what is announced, so the exploration begins
//! again with it, and a schedule is good only together with it.

use crate::operation::Object;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What is known of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Learned {
    /// The locks that some task tries: their releases can be observed.
    pub(crate) tried: BTreeSet<Object>,
    /// Main does more than spawn and join while there are tasks.
    pub(crate) main_takes_part: bool,
}

/// Something that was not known of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Discovery {
    Tried(Object),
    MainTakesPart,
}

impl Learned {
    pub(crate) fn learn(&mut self, discovery: Discovery) {
        match discovery {
            Discovery::Tried(lock) => drop(self.tried.insert(lock)),
            Discovery::MainTakesPart => self.main_takes_part = true,
        }
    }

    /// Adds what was learned elsewhere. Returns whether that is anything.
    pub(crate) fn add(&mut self, mut other: Self) -> bool {
        let anything = other != Self::default();
        self.tried.append(&mut other.tried);
        self.main_takes_part |= other.main_takes_part;
        anything
    }
}
