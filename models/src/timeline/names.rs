//! Names of tasks and of the objects that they share.

use crate::token::Token;
use sections::{Kind, Object, Operation, Step};
use std::collections::BTreeMap;
use std::panic::Location;

/// The tasks that have a column.
pub(crate) struct TaskNames(BTreeMap<usize, String>);

impl TaskNames {
    /// The tasks of a token.
    pub(crate) fn of(token: &Token) -> Self {
        Self::of_callers(token.scenario.workers(token.protocol), token.callers)
    }

    /// The tasks of a scenario: workers first, then the callers, then the one that shuts the pool down.
    pub(crate) fn of_callers(workers: usize, callers: usize) -> Self {
        let name = |task: usize| match task {
            task if task <= workers => format!("worker {task}"),
            task if task <= workers + callers => format!("caller {}", task - workers),
            _ => "last".into(),
        };
        let last = workers + callers + usize::from(workers > 0);
        Self((1..=last).map(|task| (task, name(task))).collect())
    }

    /// The tasks of a simulated day that have taken a step.
    pub(crate) fn of_day(names: &BTreeMap<usize, String>, steps: &[Step]) -> Self {
        let task = |step: &Step| {
            let name = names.get(&step.task).cloned();
            (step.task, name.unwrap_or_else(|| format!("task {}", step.task)))
        };
        Self(steps.iter().map(task).collect())
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = usize> {
        self.0.keys().copied()
    }

    pub(crate) fn name(&self, task: usize) -> String {
        match self.0.get(&task) {
            Some(name) => name.clone(),
            None if task == 0 => "main".into(),
            None => format!("task {task}"),
        }
    }
}

/// What each file of the core and of the scenarios makes, as the documents call it. No file makes two
/// things of one kind.
const MADE_IN: [(&str, &str); 11] = [
    ("store.rs", "map"),
    ("leases.rs", "lease table"),
    ("waiting.rs", "release of a lease"),
    ("waits.rs", "graph of waits"),
    ("queue.rs", "queue"),
    ("sweep.rs", "sweeper's flag"),
    ("clock.rs", "clock"),
    ("counts.rs", "counters"),
    ("executor.rs", "pool"),
    ("locks.rs", "twin's lock table"),
    ("day_clock.rs", "clock"),
];

/// The objects of an execution.
pub(crate) struct Objects(BTreeMap<Object, &'static Location<'static>>);

impl Objects {
    pub(crate) fn of(made_at: &BTreeMap<Object, &'static Location<'static>>) -> Self {
        Self(made_at.clone())
    }

    /// What the documents call the object; the line that made it, if they do not mention it.
    fn name(&self, object: Object) -> String {
        let Some(place) = self.0.get(&object) else { return object.to_string() };
        let file = place.file().rsplit('/').next().unwrap_or_default();
        let Some((_, name)) = MADE_IN.iter().find(|(made_in, _)| *made_in == file) else {
            return format!("{object} of {file}:{}", place.line());
        };
        // Several objects that one line made: the shards of a table, or the tables of a twin.
        let before = self.0.iter().filter(|(other, at)| **other < object && *at == place).count();
        if before == 0 { (*name).into() } else { format!("{name} {}", before + 1) }
    }

    /// The operation in words: `lock the lease table`.
    pub(crate) fn operation(&self, operation: Operation, tasks: &TaskNames) -> String {
        let Operation { kind, object } = operation;
        if kind == Kind::Ledger {
            return "begin or end a compute".into();
        }
        match object.task() {
            Some(task) => format!("{kind} {}", tasks.name(task)),
            None => format!("{kind} the {}", self.name(object)),
        }
    }

    /// What the section did; the operation it began with, if no event tells.
    pub(crate) fn phrase(&self, step: &Step, notes: &[String], tasks: &TaskNames) -> String {
        if notes.is_empty() {
            return self.operation(step.operation, tasks);
        }
        let what = match step.operation.kind {
            Kind::Ledger => "compute".into(),
            Kind::Wait | Kind::Woken | Kind::WokenOrTimeout => "wait".into(),
            Kind::NotifyOne | Kind::NotifyAll => "notify".into(),
            Kind::WriteLock => format!("{}, write", self.name(step.operation.object)),
            Kind::Join => "join".into(),
            _ => self.name(step.operation.object),
        };
        format!("{what}: {}", notes.join(", "))
    }

    /// Several sections of one task in which nothing of interest happened: `3 sections: queue, clock`.
    pub(crate) fn folded<'a>(&self, steps: impl Iterator<Item = &'a Step>) -> String {
        let mut names = Vec::new();
        let mut number = 0;
        for step in steps {
            number += 1;
            let object = step.operation.object;
            let name = object.task().map_or_else(|| self.name(object), |_| "join".into());
            if !names.contains(&name) {
                names.push(name);
            }
        }
        format!("{}: {}", super::counted(number, "section"), names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::MADE_IN;
    use std::path::Path;

    /// A file that was renamed would lose its name in every timeline, and nothing else would fail.
    #[test]
    fn every_file_that_names_an_object_is_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let folders = [
            "src",
            "src/observe",
            "src/protocol",
            "src/sync",
            "src/tables",
            "models/text",
            "models/simulate/src",
        ];
        for (file, name) in MADE_IN {
            let found = folders.iter().filter(|folder| root.join(folder).join(file).exists());
            assert_eq!(found.count(), 1, "{file}, for the {name}");
        }
    }
}
