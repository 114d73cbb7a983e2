//! What a `const fn` made: a static, perhaps. Its objects are made at its first use in each execution.
//!
//! An object is named by the task that makes it and a count. So the first use decides about a name, and which task that
//! is depends on the schedule. The trace has to fix it. Therefore each such first use writes [`Object::NAMES`]: two of
//! them conflict, and their order is a part of the trace. A task that sleeps with the footprint of a first use is woken
//! by any other. So whatever names a footprint contains, they are the same for as long as it is kept.
//!
//! A task that comes to such an object for the first time, and finds it made, reads [`Object::NAMES`]: had it come before
//! the first use, it would have made it. Without the read that would be no race, and a search by races would lose orders.
//!
//! The write belongs to the step in which the task comes to its announcement. It changes no value that a program could
//! see, so it moves both ways, and the step stays atomic.

use crate::operation::{Access, Object, TaskNumber};
use crate::state::with;
use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

thread_local! {
    /// What the current execution has made, by identity. Several executions run at a time, one on each OS thread.
    static MADE: RefCell<HashMap<usize, Made>> = RefCell::default();
}

struct Made {
    value: Rc<dyn Any>,
    /// The tasks that have come to it.
    users: BTreeSet<TaskNumber>,
}

/// Tells statics and the like apart, also when they are moved. The number is in no name.
#[derive(Debug)]
pub(super) struct Identity(AtomicUsize);

impl Identity {
    pub(super) const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    fn get(&self) -> usize {
        static LAST: AtomicUsize = AtomicUsize::new(0);
        let known = self.0.load(Ordering::Relaxed);
        if known > 0 {
            return known;
        }
        let new = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        let won = self.0.compare_exchange(0, new, Ordering::Relaxed, Ordering::Relaxed);
        won.map_or_else(|known| known, |_| new)
    }

    /// What belongs to it in this execution.
    pub(super) fn made<T: 'static>(&self, make: impl FnOnce() -> T) -> Rc<T> {
        let identity = self.get();
        let me = crate::task();
        let found = MADE.with_borrow_mut(|made| {
            made.get_mut(&identity).map(|made| (Rc::clone(&made.value), made.users.insert(me)))
        });
        let value = match found {
            Some((value, is_new_to_me)) => {
                if is_new_to_me {
                    with(|state| state.touch(Object::NAMES, Access::Read));
                }
                value
            }
            None => {
                with(|state| state.touch(Object::NAMES, Access::Write));
                let value: Rc<dyn Any> = Rc::new(make());
                let made = Made { value: Rc::clone(&value), users: BTreeSet::from([me]) };
                MADE.with_borrow_mut(|all| all.insert(identity, made));
                value
            }
        };
        match value.downcast() {
            Ok(made) => made,
            Err(_) => unreachable!("an identity belongs to values of one type"),
        }
    }
}

/// The execution has ended.
pub(crate) fn end() {
    // What is dropped here may use the map.
    drop(MADE.take());
}
