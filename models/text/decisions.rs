//! Which steps of its own a twin takes, and where: for the one who explains its failure.
//!
//! It is kept beside the history, and not in it: what is judged is the same whether anybody asks or not.

use super::{current_step, current_task};
use std::cell::RefCell;
use xfetch_vocabulary::catalogue::Step;

/// The section, the task, and the step.
pub type Decision = (usize, usize, Step);

thread_local! {
    /// What the twin did on this OS thread in its own way; nothing unless somebody asks.
    static TAKEN: RefCell<Option<Vec<Decision>>> = const { RefCell::new(None) };
}

/// From now on the steps are kept.
pub(super) fn keep() {
    TAKEN.set(Some(Vec::new()));
}

/// The steps so far. No more are kept.
pub(super) fn taken() -> Vec<Decision> {
    TAKEN.take().unwrap_or_default()
}

/// The twin takes this step in its own way.
pub(super) fn note(step: Step) {
    TAKEN.with_borrow_mut(|taken| {
        if let Some(taken) = taken {
            taken.push((current_step(), current_task(), step));
        }
    });
}
