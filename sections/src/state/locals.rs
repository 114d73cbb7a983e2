//! The thread-locals of the tasks.

use super::{State, with};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// The thread-locals of a task, each with the address of its declaration, in the order of their first use.
#[derive(Default)]
pub(super) struct Locals {
    values: Vec<(usize, Rc<dyn Any>)>,
    ended: bool,
}

impl Locals {
    /// A task that was dropped as it was has values, and nothing could run their destructors.
    pub(super) fn forget(self) {
        self.values.into_iter().for_each(std::mem::forget);
    }
}

/// A thread-local of the running task.
pub(crate) enum Local {
    /// It is there.
    Is(Rc<dyn Any>),
    /// It was not used yet.
    Unused,
    /// The task is ending.
    Gone,
}

impl State {
    pub(crate) fn local(&mut self, declaration: usize) -> Local {
        let me = self.current;
        let Locals { values, ended } = &self.task(me).locals;
        let found = values.iter().find(|(of, _)| *of == declaration);
        match found {
            Some((_, value)) => Local::Is(Rc::clone(value)),
            None if *ended => Local::Gone,
            None => Local::Unused,
        }
    }

    pub(crate) fn set_local(&mut self, declaration: usize, value: Rc<dyn Any>) {
        let me = self.current;
        self.task(me).locals.values.push((declaration, value));
    }
}

/// Drops the thread-locals of the running task, outside of the state: their drops may synchronise. Returns the first
/// panic.
pub(crate) fn end() -> std::thread::Result<()> {
    let mut ended = Ok(());
    loop {
        let last = with(|state| {
            let me = state.current;
            let locals = &mut state.task(me).locals;
            locals.ended = true;
            locals.values.pop()
        });
        let Some(last) = last else { return ended };
        ended = ended.and(catch_unwind(AssertUnwindSafe(|| drop(last))));
    }
}
