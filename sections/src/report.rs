//! What a failing execution looks like: its message, its steps in lanes, and how to run it again.

use crate::check::REPLAY;
use crate::operation::{Object, TaskNumber};
use crate::quiet::Places;
use crate::schedule::{Execution, Outcome, Step, TaskPanic};
use crate::{Kind, Operation};
use std::collections::{BTreeMap, BTreeSet};
use std::mem::discriminant;

/// Why an execution fails a check.
pub(crate) enum Failure {
    Panicked(String),
    /// Nobody joined the task.
    TaskPanicked(TaskPanic),
    Deadlock(Vec<(TaskNumber, Operation)>),
}

impl Failure {
    pub(crate) fn of<T>(execution: &Execution<T>) -> Option<Self> {
        match &execution.outcome {
            Outcome::Panicked(message) => Some(Self::Panicked(message.clone())),
            Outcome::Deadlock(waiting) => Some(Self::Deadlock(waiting.clone())),
            Outcome::Returned(_) => {
                let unseen = execution.panics.iter().find(|panic| !panic.seen);
                unseen.cloned().map(Self::TaskPanicked)
            }
        }
    }

    /// Whether a smaller execution with this one will do.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        discriminant(self) == discriminant(other)
    }
}

fn name(object: Object, names: &BTreeMap<Object, String>) -> String {
    names.get(&object).map_or_else(|| object.to_string(), |name| format!("`{name}`"))
}

fn operation(Operation { kind, object }: Operation, names: &BTreeMap<Object, String>) -> String {
    match kind {
        Kind::Load | Kind::Release if object.task().is_some() => {
            format!("{kind} the end of {object}")
        }
        _ => format!("{kind} {}", name(object, names)),
    }
}

/// The report.
pub(crate) fn text(failure: &Failure, execution: &Execution<()>, places: &Places) -> String {
    let mut text = String::from("sections: ");
    let names = &execution.names;
    let at =
        |message: &str| places.of(message).map(|place| format!(" at {place}")).unwrap_or_default();
    match failure {
        Failure::Panicked(message) => text.push_str(&format!("panicked{}: {message}", at(message))),
        Failure::TaskPanicked(TaskPanic { task, message, .. }) => {
            text.push_str(&format!(
                "task {task} panicked{}, and nobody joined it: {message}",
                at(message)
            ));
        }
        Failure::Deadlock(waiting) => {
            text.push_str("deadlock");
            for (task, waits) in waiting {
                text.push_str(&format!("\n  task {task} is about to {}", operation(*waits, names)));
            }
        }
    }
    let said = |panic: &&TaskPanic| {
        matches!(failure, Failure::Panicked(message) | Failure::TaskPanicked(TaskPanic { message, .. })
            if *message == panic.message)
    };
    for TaskPanic { task, message, .. } in execution.panics.iter().filter(|panic| !said(panic)) {
        text.push_str(&format!("\n  task {task} panicked{}: {message}", at(message)));
    }
    text.push_str("\n\n");
    text.push_str(&lanes(&execution.steps, names));
    text.push_str(&made(execution));
    let test = std::thread::current().name().unwrap_or("<the test>").to_owned();
    let schedule = &execution.schedule;
    text.push_str(&format!(
        "\nschedule: {schedule}\nreplay: {REPLAY}='{schedule}' cargo test {test}\n"
    ));
    text
}

/// A line for each step: the lane of its task, the operation, its place, the values that it saw. `*` marks a preemption.
fn lanes(steps: &[Step], names: &BTreeMap<Object, String>) -> String {
    let tasks: BTreeSet<TaskNumber> = steps.iter().map(|step| step.task).collect();
    let lane = |task: TaskNumber| 2 * tasks.iter().take_while(|other| **other < task).count();
    let cells: Vec<String> = steps
        .iter()
        .map(|step| {
            let what = operation(step.operation, names);
            format!("{}task {}: {what}", " ".repeat(lane(step.task)), step.task)
        })
        .collect();
    let width = cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (number, (step, cell)) in steps.iter().zip(cells).enumerate() {
        let mark = if step.preempts { '*' } else { ' ' };
        let place = step.place.map(|at| format!("{}:{}", at.file(), at.line())).unwrap_or_default();
        let values = step.values.join(", ");
        let line = format!("{:>4}{mark} {cell:width$}  {place}  {values}", number + 1);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Where the objects were made that have no name.
fn made(execution: &Execution<()>) -> String {
    let seen: BTreeSet<Object> = execution.steps.iter().map(|step| step.operation.object).collect();
    let mut text = String::new();
    for object in seen.iter().filter(|object| !execution.names.contains_key(object)) {
        if let Some(at) = execution.made_at.get(object) {
            text.push_str(&format!("      {object} was made at {}:{}\n", at.file(), at.line()));
        }
    }
    text
}
