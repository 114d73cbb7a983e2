//! A log of what the tasks of an execution see.
//!
//! An entry belongs to the step of the operation before it. Entries are kept by task. So an outcome
//! depends only on the order of dependent steps.

use std::cell::RefCell;
use std::collections::BTreeMap;

thread_local! {
    static LOG: RefCell<BTreeMap<u32, Vec<i64>>> = RefCell::default();
    static NAMES: RefCell<BTreeMap<usize, u32>> = RefCell::default();
}

/// A new execution begins on this OS thread.
pub(super) fn clear() {
    LOG.with(|log| log.borrow_mut().clear());
    NAMES.with(|names| names.borrow_mut().clear());
}

/// Task number `task` of this execution is `label` in every execution. If tasks spawn tasks, the
/// numbers depend on the order of spawning.
pub(super) fn name(task: usize, label: u32) {
    NAMES.with(|names| names.borrow_mut().insert(task, label));
}

/// The labels of the tasks, by number.
pub(super) fn names() -> BTreeMap<usize, u32> {
    NAMES.with(|names| names.borrow().clone())
}

/// Task `label` sees `value`.
pub(super) fn note(label: u32, value: i64) {
    LOG.with(|log| log.borrow_mut().entry(label).or_default().push(value));
}

/// The outcome, by label: `1:0,1 2:5`. A task that could not go on has noted less, and `ending` says
/// why.
pub(super) fn outcome(ending: &str) -> String {
    let mut words: Vec<String> = LOG.with(|log| {
        let text = |values: &[i64]| values.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        log.borrow().iter().map(|(label, values)| format!("{label}:{}", text(values))).collect()
    });
    words.extend((!ending.is_empty()).then(|| ending.to_owned()));
    words.join(" ")
}
