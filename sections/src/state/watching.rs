//! What a task that waits in a loop has read, and whether it has changed since.

use super::State;
use crate::operation::{Access, Object, TaskNumber};
use std::panic::Location;

/// What the task has done since it came to the end of an iteration.
pub(super) struct Watch {
    /// The end of the iteration.
    place: &'static Location<'static>,
    reads: Vec<Object>,
    /// It has only read.
    pure: bool,
    /// Another task has changed something that it has read.
    changed: bool,
}

impl State {
    /// The running task comes to the end of an iteration at this place. `true` if the iteration has only read.
    pub(crate) fn ends_iteration(&mut self, place: &'static Location<'static>) -> bool {
        let me = self.current;
        let watch = self.task(me).watch.as_ref();
        if watch.is_some_and(|it| it.place == place && it.pure && !it.reads.is_empty()) {
            return true;
        }
        self.begin_iteration(place);
        false
    }

    fn begin_iteration(&mut self, place: &'static Location<'static>) {
        let me = self.current;
        self.watching = true;
        let watch = Watch { place, reads: Vec::new(), pure: true, changed: false };
        self.task(me).watch = Some(watch);
    }

    /// The running task was chosen, because something has changed: this step has read it.
    pub(crate) fn begin_next_iteration(&mut self, place: &'static Location<'static>) {
        let me = self.current;
        let watch = self.task(me).watch.take();
        for object in watch.into_iter().flat_map(|watch| watch.reads) {
            self.touch(object, Access::Read);
        }
        self.begin_iteration(place);
    }

    /// The running task has accessed an object, and has changed it unless it only read.
    pub(super) fn watched(&mut self, object: Object, access: Access) {
        let me = self.current;
        for (task, state) in self.tasks.iter_mut().enumerate() {
            let Some(watch) = &mut state.watch else { continue };
            if task != me {
                watch.changed |= access != Access::Read && watch.reads.contains(&object);
            } else if access != Access::Read {
                watch.pure = false;
            } else if !watch.reads.contains(&object) {
                watch.reads.push(object);
            }
        }
    }

    /// Whether a task that waits for a change has one.
    pub(super) fn sees_a_change(&self, task: TaskNumber) -> bool {
        let watch = self.tasks.get(task).and_then(|task| task.watch.as_ref());
        watch.is_none_or(|watch| watch.changed)
    }
}
