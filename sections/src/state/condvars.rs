//! The condition variables: the waiters of each, and the notifications that each waiter could consume.

use super::{State, Status};
use crate::operation::{Access, Kind, Object, Operation, TaskNumber};
use crate::rules::{Rule, on};
use std::collections::VecDeque;

pub(super) struct Waiter {
    pub(super) task: TaskNumber,
    pub(super) mutex: Object,
    /// The notifications of `notify_one` that it can consume, the oldest first.
    pub(super) notifications: VecDeque<u64>,
    /// Whether it has released the mutex and waits.
    pub(super) parked: bool,
}

impl State {
    pub(super) fn notified(&self, condvar: Object, task: TaskNumber) -> bool {
        let waiters = self.condvars.get(condvar);
        waiters.is_some_and(|waiters| {
            waiters.iter().any(|waiter| waiter.task == task && !waiter.notifications.is_empty())
        })
    }

    /// The running task waits on the condition variable and has released its mutex.
    pub(crate) fn wait(&mut self, condvar: Object, mutex: Object) {
        let task = self.current;
        self.touch(condvar, Access::Write);
        let notifications = VecDeque::new();
        self.condvars.of(condvar).push(Waiter { task, mutex, notifications, parked: false });
    }

    /// The running task was woken by a notification or a time-out, not by a broadcast.
    pub(crate) fn woken(&mut self, condvar: Object) {
        let me = self.current;
        self.touch(condvar, Access::Write);
        let waiters = self.condvars.of(condvar);
        let Some(place) = waiters.iter().position(|waiter| waiter.task == me) else { return };
        let notification = waiters.remove(place).notifications.pop_front();
        if let Some(notification) = notification {
            for waiter in waiters.iter_mut() {
                waiter.notifications.retain(|other| *other != notification);
            }
        }
        self.task(me).timed_out = notification.is_none();
    }

    pub(crate) fn take_timed_out(&mut self) -> bool {
        let me = self.current;
        std::mem::take(&mut self.task(me).timed_out)
    }

    pub(crate) fn notify_one(&mut self, condvar: Object) {
        self.touch(condvar, Access::Write);
        self.notifications += 1;
        let notification = self.notifications;
        for waiter in self.condvars.of(condvar) {
            waiter.notifications.push_back(notification);
        }
    }

    /// A broadcast has nothing to consume: the tasks that it wakes are about to lock again.
    pub(crate) fn notify_all(&mut self, condvar: Object) {
        self.touch(condvar, Access::Write);
        for Waiter { task, mutex, parked, .. } in std::mem::take(self.condvars.of(condvar)) {
            // A task that was unwound did not stop waiting.
            if self.finished(task) {
                continue;
            }
            if self.takes_steps() {
                self.step.change(task);
            }
            if !parked {
                continue;
            }
            let about_to_lock = Operation { kind: Kind::Lock, object: mutex };
            self.needs_no_timer(task);
            self.task(task).status = if on(Rule::WokenWaitersAreChosen) {
                Status::Announced(about_to_lock)
            } else {
                Status::New
            };
        }
    }
}
