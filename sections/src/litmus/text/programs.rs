//! The interpreter of random programs.

use super::super::backend::{JoinHandle, Mutex, introduce, spawn_alike};
use super::{Atomic, Objects};
use crate::litmus::log::note;
use crate::litmus::program::{FAILED, FLAG, Op, PANICKED, Program, TIMED_OUT, WOKEN, child};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Runs the program once. Main notes the final values.
pub fn run(program: &Program) {
    run_named(program, |label| label);
}

/// The same, and tasks with the same operations are alike: what a task leaves in a value does not tell them apart.
// Only the backend of this package makes use of it.
#[allow(dead_code)]
pub fn run_alike(program: &Program) {
    let place = |ops: &Vec<Op>| program.0.iter().position(|others| others == ops);
    let first = |label: u32| program.0.get(label as usize - 1).and_then(place);
    run_named(program, |label| first(label).map_or(label, |place| place as u32 + 1));
}

fn run_named(program: &Program, mark: impl Fn(u32) -> u32) {
    let objects = Objects::new();
    let tasks = program.0.iter().zip(1..);
    let handles: Vec<_> =
        tasks.map(|(ops, label)| start(&objects, ops, label, mark(label))).collect();
    // Main notes nothing before it has joined all: in a deadlock Shuttle's main joins the tasks that
    // have ended, and this package's main joins none.
    let panicked: Vec<_> = handles.into_iter().map(|handle| handle.join().is_err()).collect();
    panicked.into_iter().filter(|panicked| *panicked).for_each(|_| note(0, PANICKED));
    let o = &objects;
    let finals = [*o.a.lock(), *o.b.lock(), *o.c.lock(), *o.r.read(), o.x.load(), o.y.load()];
    finals.into_iter().for_each(|value| note(0, value));
}

fn start(objects: &Arc<Objects>, ops: &[Op], label: u32, mark: u32) -> JoinHandle<()> {
    let (objects, ops) = (Arc::clone(objects), ops.to_vec());
    spawn_alike(mark, move || {
        introduce(label);
        let mut actor = Actor {
            o: &objects,
            label,
            mark,
            mutexes: [false; 3],
            rwlock: false,
            spawned: 0,
            children: VecDeque::new(),
        };
        // A task that panics joins its children too. Main would not wait for them.
        let performed = catch_unwind(AssertUnwindSafe(|| actor.perform_all(&ops)));
        actor.children.into_iter().for_each(|child| join(child, label));
        if let Err(panic) = performed {
            resume_unwind(panic);
        }
    })
}

/// Task `label` joins, and notes a panic.
fn join(task: JoinHandle<()>, label: u32) {
    if task.join().is_err() {
        note(label, PANICKED);
    }
}

/// A task that interprets its operations. It skips a lock that it holds already.
struct Actor<'a> {
    o: &'a Arc<Objects>,
    label: u32,
    /// What tells it from others in a value.
    mark: u32,
    mutexes: [bool; 3],
    rwlock: bool,
    spawned: u32,
    children: VecDeque<JoinHandle<()>>,
}

impl<'a> Actor<'a> {
    fn perform_all(&mut self, ops: &[Op]) {
        ops.iter().for_each(|op| self.perform(op));
    }

    fn note(&self, value: i64) {
        note(self.label, value);
    }

    fn mutex(&self, number: usize) -> &'a Mutex<i64> {
        [&self.o.a, &self.o.b, &self.o.c][number]
    }

    fn atomic(&self, number: usize) -> &'a Atomic {
        [&self.o.x, &self.o.y][number]
    }

    fn perform(&mut self, op: &Op) {
        match op {
            Op::Lock(number, body) => self.lock(*number, body),
            Op::TryLock(number, body) => self.try_lock(*number, body),
            Op::Read(body) => self.read(body),
            Op::Write(body) => self.write(body),
            Op::Load(number) => self.note(self.atomic(*number).load()),
            Op::Store(number, value) => self.atomic(*number).store(*value),
            Op::FetchAdd(number, value) => self.note(self.atomic(*number).fetch_add(*value)),
            Op::Add(number, value) => self.atomic(*number).add(*value),
            Op::CompareExchange(number, from, to) => {
                let found = self.atomic(*number).compare_exchange(*from, *to);
                self.note(found.unwrap_or_else(|found| found));
            }
            Op::Notify { all, flag } => self.notify(*all, *flag),
            Op::Wait { checks, timed } => self.wait(*checks, *timed),
            Op::Spawn(body) => self.spawn(body),
            Op::Join => {
                if let Some(child) = self.children.pop_front() {
                    join(child, self.label);
                }
            }
            Op::Panic => resume_unwind(Box::new("on purpose")),
        }
    }

    fn change(&self, value: &mut i64) {
        self.note(*value);
        *value = 2 * *value + i64::from(self.mark);
    }

    fn lock(&mut self, number: usize, body: &[Op]) {
        if self.mutexes[number] {
            return;
        }
        let mut guard = self.mutex(number).lock();
        self.change(&mut guard);
        self.mutexes[number] = true;
        self.perform_all(body);
        self.mutexes[number] = false;
    }

    fn try_lock(&mut self, number: usize, body: &[Op]) {
        let Some(mut guard) = self.mutex(number).try_lock() else { return self.note(FAILED) };
        self.change(&mut guard);
        self.mutexes[number] = true;
        self.perform_all(body);
        self.mutexes[number] = false;
    }

    fn read(&mut self, body: &[Op]) {
        if std::mem::replace(&mut self.rwlock, true) {
            return;
        }
        let guard = self.o.r.read();
        self.note(*guard);
        self.perform_all(body);
        self.rwlock = false;
    }

    fn write(&mut self, body: &[Op]) {
        if std::mem::replace(&mut self.rwlock, true) {
            return;
        }
        let mut guard = self.o.r.write();
        self.change(&mut guard);
        self.perform_all(body);
        self.rwlock = false;
    }

    fn notify(&self, all: bool, flag: bool) {
        let mut guard = (flag && !self.mutexes[FLAG]).then(|| self.o.c.lock());
        if let Some(flag) = &mut guard {
            **flag += 1;
        }
        if all { self.o.v.notify_all() } else { self.o.v.notify_one() }
    }

    fn wait(&self, checks: bool, timed: bool) {
        if self.mutexes[FLAG] {
            return;
        }
        let flag = self.o.c.lock();
        if checks && *flag > 0 {
            return self.note(*flag);
        }
        let (flag, timed_out) = if timed {
            self.o.v.wait_timeout(flag, Duration::ZERO)
        } else {
            (self.o.v.wait(flag), false)
        };
        self.note(if timed_out { TIMED_OUT } else { WOKEN });
        self.note(*flag);
    }

    fn spawn(&mut self, body: &[Op]) {
        self.spawned += 1;
        let label = child(self.label, self.spawned);
        self.children.push_back(start(self.o, body, label, child(self.mark, self.spawned)));
    }
}
