//! Symmetry: of several tasks that are alike and have done alike, one is explored.
//!
//! Tasks are alike by the promise of [`spawn_alike`](crate::thread::spawn_alike). Two of them can be *swapped* at a node
//! if the execution up to there, with the names of the two exchanged, is the same trace. Then the state is the same but
//! for their names, and whatever follows a step of one follows, with the names exchanged, that step of the other.
//! docs/SOUNDNESS.md has the argument.

use super::node::Node;
use super::races::Order;
use crate::operation::{Kind, Operation, TaskNumber, swapped};
use crate::rules::{Rule, on};
use crate::state::Class;

/// Each task that can be swapped with others, and the first of those.
pub(super) type Groups = Vec<(TaskNumber, TaskNumber)>;

/// Groups the tasks of these classes after the last step of the path.
pub(super) fn groups(
    order: &Order,
    path: &[Node],
    classes: &[(TaskNumber, Class)],
    pending: &[(TaskNumber, Operation)],
) -> Groups {
    let mut firsts: Vec<(TaskNumber, Class)> = Vec::new();
    let mut groups = Groups::new();
    for (task, class) in classes.iter().copied() {
        let can_be_swapped = |(first, its): &&(TaskNumber, Class)| {
            *its == class
                && (!on(Rule::SwapsAreChecked)
                    || (waits_alike(pending, *first, task) && are_alike(order, path, *first, task)))
        };
        match firsts.iter().find(can_be_swapped) {
            Some((first, _)) => {
                if !groups.contains(&(*first, *first)) {
                    groups.push((*first, *first));
                }
                groups.push((task, *first));
            }
            None => firsts.push((task, class)),
        }
    }
    groups
}

/// Whether the announcements are the same with the names of the two exchanged. A task that joins the two joins them one
/// after the other, and it makes no difference in which order.
fn waits_alike(pending: &[(TaskNumber, Operation)], one: TaskNumber, other: TaskNumber) -> bool {
    let of = |task| pending.iter().find(|(its, _)| *its == task).map(|(_, operation)| *operation);
    pending.iter().all(|(task, operation)| {
        let joined = operation.object.task().filter(|_| operation.kind == Kind::Join);
        let joins_one = joined.is_some_and(|joined| joined == one || joined == other);
        let object = operation.object.swapped(one, other);
        let image = of(swapped(*task, one, other));
        image == Some(Operation { object, ..*operation })
            || (joins_one && *task != one && *task != other)
    })
}

/// Whether the path is the same trace with the names of the two exchanged.
fn are_alike(order: &Order, path: &[Node], one: TaskNumber, other: TaskNumber) -> bool {
    let (mine, its) = (order.steps_of(one), order.steps_of(other));
    if mine.len() != its.len() {
        return false;
    }
    let Some((last, before)) = path.split_last() else { return true };
    // They were alike before a step of a third task, so only that step is to be looked at.
    let is_of_third = last.task() != one && last.task() != other;
    if is_of_third && last.can_be_swapped(one, other) {
        return is_alike(order, path, before.len(), one, other);
    }
    !is_of_third && (0..path.len()).all(|place| is_alike(order, path, place, one, other))
}

/// Whether the step at this place has its image on the path.
fn is_alike(
    order: &Order,
    path: &[Node],
    place: usize,
    one: TaskNumber,
    other: TaskNumber,
) -> bool {
    let (mine, its) = (order.steps_of(one), order.steps_of(other));
    let at = |steps: &[usize]| steps.binary_search(&place).ok();
    let image = at(mine).map(|at| its[at]).or_else(|| at(its).map(|at| mine[at])).unwrap_or(place);
    let (Some(step), Some(of_image)) = (&path[place].step, &path[image].step) else { return false };
    let mut past = order.past(place).clone();
    mine.iter().zip(its).for_each(|(one, other)| past.swap(*one, *other));
    path[place].operation().kind == path[image].operation().kind
        && step.swapped(one, other).is_like(of_image)
        && past.is(order.past(image))
}

/// How many traces there are like that of the path, which has ended, under all exchanges of names within the classes.
pub(super) fn images(order: &Order, path: &[Node], classes: &[(TaskNumber, Class)]) -> f64 {
    let mut images = 1.0;
    // Tasks that can be swapped, by their first ones.
    let mut groups: Vec<(TaskNumber, Class, f64)> = Vec::new();
    for (index, (task, class)) in classes.iter().enumerate() {
        // n tasks of a class have n! exchanges. Those within a group change nothing.
        images *= classes[..=index].iter().filter(|(_, its)| its == class).count() as f64;
        let is_swapped = |first: TaskNumber| {
            order.steps_of(first).len() == order.steps_of(*task).len()
                && (0..path.len()).all(|place| is_alike(order, path, place, first, *task))
        };
        match groups.iter_mut().find(|(first, its, _)| its == class && is_swapped(*first)) {
            Some((_, _, count)) => {
                *count += 1.0;
                images /= *count;
            }
            None => groups.push((*task, *class, 1.0)),
        }
    }
    images
}
