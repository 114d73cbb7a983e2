//! Mazurkiewicz traces of recorded executions, computed without the search's notion of dependence.

use crate::{Access, Object, Step, TaskNumber};
use std::collections::BTreeMap;

/// A step as a letter: its task, its operation and its objects.
type Letter = (u32, Vec<(Name, String)>);

/// An object: the label of its maker, and its number among the maker's objects.
type Name = (u32, usize);

/// The labels of tasks, by number.
pub type Names = BTreeMap<TaskNumber, u32>;

/// The Foata normal form: every step is at the earliest level after all steps that it depends on. Two
/// executions belong to one trace if and only if their forms are equal.
///
/// Two edges are not dependences of footprints: from a broadcast to the lock of a waiter that it wakes,
/// and from a spawn to the child's first step. No execution has these steps in the opposite order, so
/// the form does not need them.
pub type Trace = Vec<(usize, Letter)>;

pub fn trace(steps: &[Step], names: &Names) -> Trace {
    let mut levels: Vec<usize> = Vec::with_capacity(steps.len());
    for (place, step) in steps.iter().enumerate() {
        let before = steps[..place].iter().zip(&levels);
        let level = before.filter(|(other, _)| dependent(step, other)).map(|(_, level)| level + 1);
        let level = level.max().unwrap_or(0);
        levels.push(level);
    }
    let mut trace: Trace =
        levels.into_iter().zip(steps.iter().map(|step| letter(step, names))).collect();
    trace.sort();
    trace
}

fn letter(step: &Step, names: &Names) -> Letter {
    let label = |task: &TaskNumber| names.get(task).copied().unwrap_or(0);
    let name = |object: Object| {
        let (maker, number) = object.place();
        (label(&maker), number)
    };
    let kind = (name(step.operation.object), format!("{:?}", step.operation.kind));
    let objects = step.footprint.objects();
    let mut words: Vec<_> =
        objects.map(|(object, how)| (name(object), format!("{how:?}"))).collect();
    words.sort();
    words.insert(0, kind);
    (label(&step.task), words)
}

fn dependent(one: &Step, other: &Step) -> bool {
    let mut pairs = one
        .footprint
        .objects()
        .flat_map(|mine| other.footprint.objects().map(move |its| (mine, its)));
    let commute = |one, other| {
        matches!((one, other), (Access::Read, Access::Read) | (Access::Add, Access::Add))
    };
    one.task == other.task
        || pairs.any(|((mine, how), (its, other))| mine == its && !commute(how, other))
}
