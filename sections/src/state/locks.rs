//! The locks: which tasks hold each.

use super::State;
use crate::operation::{Access, Object, TaskNumber};
use crate::rules::{Rule, on};

#[derive(Clone, Copy, Default)]
pub(crate) struct Owners {
    writer: Option<TaskNumber>,
    readers: u32,
}

impl State {
    pub(super) fn free(&self, lock: Object, to_read: bool) -> bool {
        let owners = self.locks.get(lock).copied().unwrap_or_default();
        owners.writer.is_none() && (to_read || owners.readers == 0)
    }

    /// Takes a lock. `false` if it is held.
    pub(crate) fn acquire(&mut self, lock: Object, shared: bool) -> bool {
        self.touch(lock, if shared { Access::Read } else { Access::Write });
        if !self.free(lock, shared) {
            return false;
        }
        let me = self.current;
        if self.takes_steps() {
            self.step.take(lock);
        }
        self.task(me).holds += 1;
        let owners = self.locks.of(lock);
        if shared {
            owners.readers += 1;
        } else {
            owners.writer = Some(me);
        }
        true
    }

    pub(crate) fn release(&mut self, lock: Object, shared: bool) {
        if on(Rule::FootprintHasReleases) {
            self.touch(lock, if shared { Access::Read } else { Access::Write });
        }
        if self.takes_steps() {
            self.step.free(lock);
        }
        self.acquiring = false;
        let me = self.current;
        let holds = &mut self.task(me).holds;
        *holds = holds.saturating_sub(1);
        let owners = self.locks.of(lock);
        if shared {
            owners.readers = owners.readers.saturating_sub(1);
        } else {
            owners.writer = None;
        }
    }
}
