//! A state of a program.

use crate::litmus::program::{Op, PANICKED};
use std::collections::BTreeMap;
use std::rc::Rc;

/// What a task knows of its wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Waiting {
    #[default]
    No,
    Registered,
    Notified,
    TimedOut,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Task {
    pub code: usize,
    pub place: usize,
    pub waiting: Waiting,
    pub panicked: bool,
    pub spawned: u32,
    /// The labels of the children that are not joined, the oldest first.
    pub children: Vec<u32>,
    pub notes: Vec<i64>,
}

/// A state of the program. A task is named by its label, so the order of spawns by different tasks
/// leaves no mark.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    pub tasks: BTreeMap<u32, Rc<Task>>,
    written: [bool; 4],
    readers: [u8; 4],
    pub values: [i64; 4],
    atomics: [i64; 2],
}

impl State {
    pub fn task(&mut self, label: u32) -> &mut Task {
        Rc::make_mut(self.tasks.entry(label).or_default())
    }

    pub fn free(&self, lock: usize, shared: bool) -> bool {
        !self.written[lock] && (shared || self.readers[lock] == 0)
    }

    pub fn take(&mut self, lock: usize, shared: bool) {
        if shared {
            self.readers[lock] += 1;
        } else {
            self.written[lock] = true;
        }
    }

    pub fn release(&mut self, lock: usize, shared: bool) {
        if shared {
            self.readers[lock] -= 1;
        } else {
            self.written[lock] = false;
        }
    }

    /// Returns what the task notes.
    pub fn access(&mut self, op: &Op) -> Option<i64> {
        let atomics = &mut self.atomics;
        match *op {
            Op::Load(atomic) => return Some(atomics[atomic]),
            Op::Store(atomic, value) => atomics[atomic] = value,
            Op::Add(atomic, value) => atomics[atomic] += value,
            Op::FetchAdd(atomic, value) => {
                atomics[atomic] += value;
                return Some(atomics[atomic] - value);
            }
            Op::CompareExchange(atomic, from, to) => {
                let found = atomics[atomic];
                if found == from {
                    atomics[atomic] = to;
                }
                return Some(found);
            }
            _ => unreachable!("not an atomic access: {op:?}"),
        }
        None
    }

    pub fn registered(&self) -> impl Iterator<Item = u32> {
        let tasks = self.tasks.iter().filter(|(_, task)| task.waiting == Waiting::Registered);
        tasks.map(|(label, _)| *label)
    }

    /// The outcome of a state in which no task can go on.
    pub fn outcome(mut self, programs: u32, over: bool) -> String {
        if over {
            let panicked = (1..=programs).filter(|label| self.tasks[label].panicked);
            let mut notes: Vec<_> = panicked.map(|_| PANICKED).collect();
            notes.extend(self.values.into_iter().chain(self.atomics));
            self.task(0).notes = notes;
        }
        let noted = self.tasks.iter().filter(|(_, task)| !task.notes.is_empty());
        let mut words: Vec<_> = noted
            .map(|(label, task)| {
                let notes: Vec<_> = task.notes.iter().map(i64::to_string).collect();
                format!("{label}:{}", notes.join(","))
            })
            .collect();
        words.extend((!over).then(|| "deadlock".to_owned()));
        words.join(" ")
    }
}
