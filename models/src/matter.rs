//! Which sections of a failing execution matter.
//!
//! A section matters if one of these holds:
//! 1. The violation happens in it, or a task waits for ever after it, or it is the last one of such a task with an event.
//! 2. It is one of two sections of different tasks in a race, and the violation goes away when they change places. Every
//!    such pair is replayed in the other order, all else as before where it can.
//! 3. It does not come after the violation, and without its events the judge sees none.
//! 4. It takes a lease that nobody releases.
//! 5. A choice in it made the violation certain.
//! 6. It takes a lease that is held when the violation happens.
//! 7. It is the last one before the violation in which the twin takes a step in its own way, if no section of those above
//!    shows that step: the mistake is there.
//!
//! Of an execution of more than 400 sections no race is looked at, and after two seconds no further race and no further
//! section: then [`Matters::is_complete`] is not set.
//!
//! The rest is what the tasks do in every execution. Where none of 2, 4 and 5 holds for any section, and what is violated
//! shows only after all tasks have ended, every section with an event matters: no order of them is to blame.

use crate::catalogue::Invariant;
use crate::checkers;
use crate::code::own_steps;
use crate::history::{Event, History};
use crate::replay::{Program, Replayed};
use crate::timeline::words::say;
use sections::{Outcome, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// The sections that matter, counted from 1, and how they depend on each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matters {
    /// The sections.
    pub sections: BTreeSet<usize>,
    /// The races whose other order passes: the section that came first, and the other one.
    pub races: Vec<(usize, usize)>,
    /// Between sections of different tasks that matter: the first one happens before the other, and none that matters lies
    /// between them.
    pub edges: Vec<(usize, usize)>,
    /// Whether every race and every section was looked at.
    pub is_complete: bool,
}

/// No race and no section is looked at after so long.
const TIME: Duration = Duration::from_secs(2);
/// The most sections of an execution whose races are looked at.
const LONG: usize = 400;

/// What happens before what in an execution.
struct Order {
    /// For each step the steps that happen before it.
    before: Vec<Vec<bool>>,
}

impl Order {
    fn of(steps: &[Step]) -> Self {
        let mut before: Vec<Vec<bool>> = Vec::with_capacity(steps.len());
        for (at, step) in steps.iter().enumerate() {
            let mut mine = vec![false; at];
            for earlier in (0..at).rev().filter(|it| conflict(&steps[*it], step)) {
                mine[earlier] = true;
                let its = &before[earlier];
                mine.iter_mut().zip(its).for_each(|(mine, its)| *mine |= *its);
            }
            before.push(mine);
        }
        Self { before }
    }

    fn has(&self, first: usize, second: usize) -> bool {
        self.before[second].get(first).copied().unwrap_or(false)
    }

    /// Whether one of these lies between the two.
    fn between(&self, first: usize, second: usize, of: impl IntoIterator<Item = usize>) -> bool {
        of.into_iter().any(|it| self.has(first, it) && self.has(it, second))
    }
}

fn conflict(one: &Step, other: &Step) -> bool {
    one.task == other.task || !one.footprint.commutes_with(&other.footprint)
}

/// Finds the sections that matter for this invariant. A choice in section `certain` made its violation certain.
pub fn matters(replayed: &Replayed, invariant: Invariant, certain: Option<usize>) -> Matters {
    let steps = &replayed.execution.steps;
    let until = Instant::now() + TIME;
    let is_short = steps.len() <= LONG;
    let order = is_short.then(|| Order::of(steps));
    let mut found = Matters { is_complete: is_short, ..Matters::default() };
    let place = replayed.violations.iter().find(|(it, _)| *it == invariant);
    let record = place.and_then(|(_, at)| replayed.history.records.get(*at));
    if let Some(record) = record.filter(|it| (1..=steps.len()).contains(&it.step)) {
        found.sections.insert(record.step);
        found.sections.extend(leases_held_in(record.step, &replayed.history));
    }
    if let Outcome::Deadlock(waiting) = &replayed.execution.outcome {
        let last = |task: usize| steps.iter().rposition(|it| it.task == task).map(|it| it + 1);
        let event = |task: usize| {
            let mut of_task = replayed.history.records.iter().filter(|it| it.task == task);
            of_task.rfind(|it| say(it).is_some()).map(|it| it.step)
        };
        found.sections.extend(waiting.iter().filter_map(|(task, _)| last(*task)));
        found.sections.extend(waiting.iter().filter_map(|(task, _)| event(*task)));
    }
    let end = end(replayed, place.map(|(_, at)| *at));
    if let Some(order) = &order {
        found.races = races(replayed, invariant, order, until);
    }
    found.sections.extend(found.races.iter().flat_map(|(one, other)| [*one, *other]));
    found.sections.extend(judged(replayed, invariant, place.map(|(_, at)| *at), until));
    found.is_complete &= Instant::now() < until;
    let kept: BTreeSet<usize> = kept_leases(&replayed.history).collect();
    found.sections.extend(&kept);
    found.sections.extend(certain);
    found.sections.extend(decisions(replayed, &found.sections, end));
    let no_order = found.races.is_empty() && certain.is_none() && kept.is_empty();
    if no_order && found.is_complete && is_at_rest(replayed, place.map(|(_, at)| *at)) {
        found.sections.extend(replayed.history.records.iter().map(|it| it.step));
    }
    found.sections.retain(|it| (1..=steps.len()).contains(it));
    found.edges = order.map_or_else(Vec::new, |order| edges(&found.sections, steps, &order));
    found
}

/// Whether what is violated shows only after all tasks have ended.
fn is_at_rest(replayed: &Replayed, violation: Option<usize>) -> bool {
    let rest = replayed.history.records.iter().position(|it| it.event == Event::Rest);
    rest.is_some_and(|rest| violation.is_none_or(|at| at >= rest))
}

/// The races whose other order passes, by replay.
fn races(
    replayed: &Replayed,
    invariant: Invariant,
    order: &Order,
    until: Instant,
) -> Vec<(usize, usize)> {
    let steps = &replayed.execution.steps;
    let program = Program::of(&replayed.token);
    let passes = |first: usize, second: usize| {
        let (later, sooner): (Vec<usize>, Vec<usize>) =
            (first..second).partition(|it| *it == first || order.has(first, *it));
        // Only if the two did change places, and not if the second one could not come first.
        let begins = first + sooner.len() + 1;
        let reversed = (0..first).chain(sooner).chain([second]).chain(later);
        let all = reversed.chain(second + 1..steps.len());
        let tasks: Vec<_> = all.map(|it| steps[it].task).collect();
        let schedule = &replayed.execution.schedule;
        program.violates_in_order(schedule, &tasks, begins, invariant) == Some(false)
    };
    let mut found = Vec::new();
    for second in 0..steps.len() {
        for first in 0..second {
            let is_race = steps[first].task != steps[second].task
                && conflict(&steps[first], &steps[second])
                && !order.between(first, second, first + 1..second);
            if is_race && Instant::now() < until && passes(first, second) {
                found.push((first + 1, second + 1));
            }
        }
    }
    found
}

/// Of each step that the twin takes in its own way, and that none of these sections shows, the last one up to the end.
fn decisions(replayed: &Replayed, kept: &BTreeSet<usize>, end: usize) -> BTreeSet<usize> {
    let own = own_steps(replayed);
    let shown: BTreeSet<_> =
        own.iter().filter(|(it, _)| kept.contains(it)).flat_map(|(_, it)| it).collect();
    let before =
        own.range(..=end).flat_map(|(section, steps)| steps.iter().map(move |it| (it, *section)));
    let last: BTreeMap<_, _> = before.collect();
    last.into_iter().filter(|(step, _)| !shown.contains(step)).map(|(_, section)| section).collect()
}

/// The section of the violation. Where what is violated shows at rest, no section comes after it.
fn end(replayed: &Replayed, violation: Option<usize>) -> usize {
    let records = &replayed.history.records;
    let rest = records.iter().position(|it| it.event == Event::Rest);
    match violation {
        Some(at) if rest.is_none_or(|rest| at < rest) => records[at].step,
        _ => usize::MAX,
    }
}

/// The sections without whose events the judge sees no violation.
fn judged(
    replayed: &Replayed,
    invariant: Invariant,
    violation: Option<usize>,
    until: Instant,
) -> BTreeSet<usize> {
    let history = &replayed.history;
    let violates =
        |history: &History| checkers::violated(history).iter().any(|(it, _)| *it == invariant);
    if !violates(history) {
        return BTreeSet::new();
    }
    let end = end(replayed, violation);
    let with_events: BTreeSet<usize> = history.records.iter().map(|it| it.step).collect();
    let without = |section: usize| {
        let mut other = history.clone();
        other.records.retain(|it| it.step != section);
        other
    };
    let upto = |it: &usize| (1..=end).contains(it);
    let in_time = with_events.into_iter().take_while(|_| Instant::now() < until);
    in_time.filter(|it| upto(it) && !violates(&without(*it))).collect()
}

/// The sections that take a lease which nobody releases.
fn kept_leases(history: &History) -> impl Iterator<Item = usize> + '_ {
    let released = |lease: u64| {
        history.records.iter().any(|it| matches!(it.event, Event::Released(its) if its == lease))
    };
    history.records.iter().filter_map(move |it| match it.event {
        Event::Leased(lease) if !released(lease) => Some(it.step),
        _ => None,
    })
}

/// The sections that took the leases which are held at the end of this section.
fn leases_held_in(violating: usize, history: &History) -> BTreeSet<usize> {
    let mut held: Vec<(usize, u64, usize)> = Vec::new();
    for record in history.records.iter().filter(|it| it.step <= violating) {
        let (task, event) = (record.task, record.event);
        match event {
            Event::Leased(lease) => held.push((task, lease, record.step)),
            Event::Released(lease) => held.retain(|(by, its, _)| (*by, *its) != (task, lease)),
            _ => {}
        }
    }
    held.into_iter().map(|(_, _, section)| section).collect()
}

fn edges(kept: &BTreeSet<usize>, steps: &[Step], order: &Order) -> Vec<(usize, usize)> {
    let places: Vec<usize> = kept.iter().map(|it| it - 1).collect();
    let mut found = Vec::new();
    for (at, second) in places.iter().enumerate() {
        for first in &places[..at] {
            let direct = order.has(*first, *second)
                && !order.between(*first, *second, places.iter().copied());
            if direct && steps[*first].task != steps[*second].task {
                found.push((first + 1, second + 1));
            }
        }
    }
    found
}
