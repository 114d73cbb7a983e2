//! The locks: which tasks hold each.

use super::State;
use crate::operation::{Access, Kind, Object, Operation, TaskNumber};
use crate::rules::{Rule, on};
use smallvec::SmallVec;

#[derive(Default)]
pub(crate) struct Owners {
    writer: Option<TaskNumber>,
    readers: SmallVec<[TaskNumber; 2]>,
}

impl State {
    pub(super) fn free(&self, lock: Object, to_read: bool) -> bool {
        self.locks
            .get(lock)
            .is_none_or(|owners| owners.writer.is_none() && (to_read || owners.readers.is_empty()))
    }

    /// Whether the running task holds the lock for reading and is about to read-lock it again. That can lock up in
    /// std, where a writer may come between and have priority; here it cannot.
    pub(super) fn reads_again(&self, operation: Operation) -> bool {
        let owners = self.locks.get(operation.object);
        operation.kind == Kind::ReadLock
            && self.clockwork.is_none()
            && owners.is_some_and(|owners| owners.readers.contains(&self.current))
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
            owners.readers.push(me);
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
            if let Some(place) = owners.readers.iter().position(|reader| *reader == me) {
                owners.readers.swap_remove(place);
            }
        } else {
            owners.writer = None;
        }
    }
}
