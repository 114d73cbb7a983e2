//! Races: pairs of steps whose other order has to be explored too (source sets: Abdulla, Aronis,
//! Jonsson and Sagonas 2014).
//!
//! Step i and a later step j of another task race if they conflict and no step is between them in the
//! order of dependence. Then some step that can come first when j comes before i has to be explored
//! from the node of i: an *initial*. docs/SOUNDNESS.md argues why that is enough, and what is
//! different where tasks block each other.

use super::node::Node;
use super::past::Past;
use crate::operation::{Access, Footprint, Kind, Object, Operation, TaskNumber};
use crate::rules::{Rule, on};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The order of dependence of the steps on the current path.
#[derive(Default)]
pub(super) struct Order {
    /// For each step, the steps before which it cannot come.
    pasts: Vec<Past>,
    /// The steps of each task.
    of_task: Vec<Vec<usize>>,
    /// The steps that touch each object.
    touching: HashMap<Object, Vec<(usize, Access)>>,
    /// The steps that changed the announcement of each task, or spawned it.
    changing: Vec<Vec<usize>>,
}

/// The other order of a race, as the node of its first step is asked for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) place: usize,
    /// The tasks whose steps can come first on the way to the second step.
    pub(super) initials: Vec<TaskNumber>,
    /// The task of the second step, if it waits for none of them.
    pub(super) second: Option<TaskNumber>,
    /// What all steps on the way touch.
    pub(super) way: Footprint,
    /// Whether all that can run has to be explored.
    pub(super) all: bool,
    /// The tasks whose steps lead to the other order.
    pub(super) guide: Vec<TaskNumber>,
}

impl Request {
    /// An order of requests that does not depend on who was first.
    pub(super) fn key(&self) -> impl Ord + '_ {
        let way = self.way.objects().map(|(object, access)| (object, access as u8));
        let mut way: Vec<_> = way.collect();
        way.sort_unstable();
        (&self.initials, self.second, self.all, &self.guide, way)
    }
}

/// An announced operation, from its announcement until it is done or changed.
struct Announced {
    task: TaskNumber,
    operation: Operation,
    /// The steps without which it would not have been announced.
    past: Past,
    /// The place of the step that did it, or of the end.
    until: usize,
}

fn row(table: &mut Vec<Vec<usize>>, task: TaskNumber) -> &mut Vec<usize> {
    if table.len() <= task {
        table.resize_with(task + 1, Vec::new);
    }
    &mut table[task]
}

impl Order {
    pub(super) fn len(&self) -> usize {
        self.pasts.len()
    }

    /// The places of the steps of a task.
    pub(super) fn steps_of(&self, task: TaskNumber) -> &[usize] {
        self.of_task.get(task).map_or(&[], Vec::as_slice)
    }

    /// The steps before which the one at this place cannot come.
    pub(super) fn past(&self, place: usize) -> &Past {
        &self.pasts[place]
    }

    /// Forgets the steps from this place on.
    pub(super) fn cut(&mut self, place: usize) {
        if self.pasts.len() <= place {
            return;
        }
        self.pasts.truncate(place);
        let shorten = |steps: &mut Vec<usize>| {
            while steps.last().is_some_and(|step| *step >= place) {
                steps.pop();
            }
        };
        self.of_task.iter_mut().for_each(shorten);
        self.changing.iter_mut().for_each(shorten);
        for steps in self.touching.values_mut() {
            while steps.last().is_some_and(|(step, _)| *step >= place) {
                steps.pop();
            }
        }
    }

    /// The steps without which the task would not be about to do this operation, which it announced
    /// before the step at `until`.
    fn past_of_announcement(
        &self,
        path: &[Node],
        task: TaskNumber,
        operation: Operation,
        until: usize,
    ) -> Past {
        let mut past = Past::default();
        let mine = self.steps_of(task);
        let mine = &mine[..mine.partition_point(|step| *step < until)];
        if let Some(last) = mine.last() {
            past.join(&self.pasts[*last]);
            past.add(*last);
        }
        // A task releases its mutex on the way to its wait whether or not a broadcast came before.
        // What the broadcast changes is the operation after that.
        if operation.kind == Kind::Release {
            return past;
        }
        let is_no_release = |step: &&usize| path[**step].operation().kind != Kind::Release;
        let since = mine.iter().rev().find(is_no_release).map_or(0, |step| step + 1);
        let changing = self.changing.get(task).map_or(&[][..], Vec::as_slice);
        for step in changing.iter().filter(|step| (since..until).contains(*step)) {
            past.join(&self.pasts[*step]);
            past.add(*step);
        }
        past
    }

    /// Adds the step of the next node of the path, and what it races with.
    pub(super) fn push(&mut self, path: &[Node], requests: &mut Vec<Request>) {
        let place = self.pasts.len();
        let node = &path[place];
        let Some(step) = &node.step else { return };
        let (task, operation) = (node.task(), node.operation());
        let announced = self.past_of_announcement(path, task, operation, place);
        let mut conflicting: Vec<usize> = Vec::new();
        for (object, access) in step.objects() {
            let touching = self.touching.get(&object).map_or(&[][..], Vec::as_slice);
            let conflicts = |(_, its): &&(usize, Access)| !access.commutes_with(*its);
            conflicting.extend(touching.iter().filter(conflicts).map(|(step, _)| *step));
        }
        conflicting.sort_unstable();
        conflicting.dedup();
        let mut past = announced.clone();
        let mut racing = Vec::new();
        for first in conflicting.into_iter().rev().filter(|first| path[*first].task() != task) {
            if past.has(first) {
                continue;
            }
            if on(Rule::RacesAsk) && reversible(&path[first], task, operation) {
                racing.push(first);
            }
            past.join(&self.pasts[first]);
            past.add(first);
        }
        for (object, access) in step.objects() {
            self.touching.entry(object).or_default().push((place, access));
        }
        row(&mut self.of_task, task).push(place);
        for changed in step.changed() {
            row(&mut self.changing, *changed).push(place);
        }
        self.pasts.push(past);
        if operation.kind == Kind::Release && on(Rule::ReleasesBeforeWaitsAsk) {
            self.woken_before_the_release(path, &announced, requests);
        }
        let second = Announced { task, operation, past: announced, until: place };
        for first in racing {
            requests.push(self.reversal(path, first, &second));
        }
        self.blocked(path, &second, requests);
        for changed in step.changed() {
            self.changed(path, place, *changed, requests);
        }
    }

    /// A broadcast that came while the last step releases a mutex on the way to a wait took from that
    /// task the chance to be woken by something else.
    fn woken_before_the_release(
        &self,
        path: &[Node],
        announced: &Past,
        requests: &mut Vec<Request>,
    ) {
        let place = self.pasts.len() - 1;
        let (task, operation) = (path[place].task(), path[place].operation());
        let mut past = announced.clone();
        past.add(place);
        let second = Announced { task, operation, past, until: place + 1 };
        let mine = self.steps_of(task);
        let since = mine.iter().rev().nth(1).map_or(0, |step| step + 1);
        let changing = self.changing.get(task).map_or(&[][..], Vec::as_slice);
        for broadcast in changing.iter().filter(|step| **step >= since) {
            requests.push(self.reversal(path, *broadcast, &second));
        }
    }

    /// The step at `place` changed what this task is about to do: it could have done it before.
    fn changed(&self, path: &[Node], place: usize, task: TaskNumber, requests: &mut Vec<Request>) {
        let Some(operation) = path[place].pending_of(task) else { return };
        let past = self.past_of_announcement(path, task, operation, place);
        let announced = Announced { task, operation, past, until: place + 1 };
        self.blocked(path, &announced, requests);
    }

    /// The tasks that cannot go on when the execution ends.
    pub(super) fn waiting(
        &self,
        path: &[Node],
        waiting: &[(TaskNumber, Operation)],
        requests: &mut Vec<Request>,
    ) {
        let until = self.pasts.len();
        for (task, operation) in waiting.iter().copied() {
            let past = self.past_of_announcement(path, task, operation, until);
            self.blocked(path, &Announced { task, operation, past, until }, requests);
        }
    }

    /// What has to be explored from the node of `first`, so that the task can take its step before it.
    /// Everything from there until the second step that does not need `first` may come before both.
    fn reversal(&self, path: &[Node], first: usize, second: &Announced) -> Request {
        let mut before = Past::default();
        let (mut initials, mut guide) = (Vec::new(), Vec::new());
        let mut way = Footprint::default();
        let free = (first + 1..second.until).filter(|step| !self.pasts[*step].has(first));
        for step in free {
            let task = path[step].task();
            let needed = second.past.has(step);
            if !self.pasts[step].meets_after(&before, first) {
                initials.push(task);
                if needed {
                    initials.rotate_right(1);
                }
            }
            if needed {
                guide.push(task);
            }
            if let Some(step) = &path[step].step {
                step.objects().for_each(|(object, access)| way.touch(object, access));
            }
            before.add(step);
        }
        let second = guide.is_empty().then_some(second.task);
        guide.extend(second);
        Request { place: first, initials, second, way, all: false, guide }
    }

    /// The steps that took from the task the chance to do what it had announced, though it did not
    /// have to be so: from their nodes it could have come first.
    fn blocked(&self, path: &[Node], announced: &Announced, requests: &mut Vec<Request>) {
        let Operation { kind, object } = announced.operation;
        match kind {
            Kind::Lock | Kind::WriteLock | Kind::ReadLock if !on(Rule::HoldersAreAsked) => {}
            Kind::Lock | Kind::WriteLock => {
                self.held(path, announced, object, Access::Write, requests);
            }
            Kind::ReadLock => self.held(path, announced, object, Access::Read, requests),
            Kind::Woken | Kind::WokenOrTimeout if on(Rule::MissedWakeUpsAsk) => {
                self.missed(path, announced, object, requests);
            }
            _ => {}
        }
    }

    /// Who held the lock when the task wanted it.
    fn held(
        &self,
        path: &[Node],
        announced: &Announced,
        lock: Object,
        access: Access,
        requests: &mut Vec<Request>,
    ) {
        let touching = self.touching.get(&lock).map_or(&[][..], Vec::as_slice);
        let before = touching.iter().rev().filter(|(step, _)| *step < announced.until);
        let mut in_hold = false;
        for (step, its) in before.copied() {
            let Some(footprint) = &path[step].step else { continue };
            let (took, freed) = (footprint.took(lock), footprint.freed(lock));
            if took && !freed && !its.commutes_with(access) && path[step].task() != announced.task {
                self.could_come_before(path, announced, lock, step, requests);
            }
            let failed_try = path[step].operation().kind == Kind::TryLock && !took && !freed;
            in_hold = freed || (in_hold && !took);
            if its != Access::Read && !in_hold && !failed_try {
                return;
            }
        }
    }

    /// The task could have taken the lock before this step did, once the others that shared it had
    /// released it.
    fn could_come_before(
        &self,
        path: &[Node],
        announced: &Announced,
        lock: Object,
        step: usize,
        requests: &mut Vec<Request>,
    ) {
        if announced.past.has(step) {
            return;
        }
        let mut shared = false;
        for release in self.releases_of_holders(path, lock, step) {
            match release {
                Some(release) if !self.pasts[release].has(step) && release != step => shared = true,
                _ => return,
            }
        }
        let mut request = self.reversal(path, step, announced);
        // Readers may need each other to go on. All that can run is enough in any case.
        request.all = shared;
        requests.push(request);
    }

    /// For each task that holds the lock before this step, the later step that releases it.
    fn releases_of_holders(&self, path: &[Node], lock: Object, place: usize) -> Vec<Option<usize>> {
        let touching = self.touching.get(&lock).map_or(&[][..], Vec::as_slice);
        let mut holders: Vec<TaskNumber> = Vec::new();
        for (step, _) in touching.iter().take_while(|(step, _)| *step < place) {
            let Some(footprint) = &path[*step].step else { continue };
            let task = path[*step].task();
            if footprint.freed(lock) {
                holders.retain(|holder| *holder != task);
            }
            if footprint.took(lock) {
                holders.push(task);
            }
        }
        let release = |holder: &TaskNumber| {
            let frees = |step: &usize| {
                path[*step].task() == *holder
                    && path[*step].step.as_ref().is_some_and(|step| step.freed(lock))
            };
            touching.iter().map(|(step, _)| *step).filter(|step| *step >= place).find(frees)
        };
        holders.iter().map(release).collect()
    }

    /// The last step on the condition variable before which the task could have been woken.
    fn missed(
        &self,
        path: &[Node],
        announced: &Announced,
        condvar: Object,
        requests: &mut Vec<Request>,
    ) {
        let touching = self.touching.get(&condvar).map_or(&[][..], Vec::as_slice);
        let before = touching.iter().rev().map(|(step, _)| *step);
        let possible = |step: &usize| {
            let node = &path[*step];
            node.pending_of(announced.task) != Some(announced.operation)
                || node.enabled.contains(&announced.task)
        };
        let mut before = before
            .filter(|step| *step < announced.until && path[*step].task() != announced.task)
            .take_while(|step| !announced.past.has(*step));
        if let Some(step) = before.find(possible) {
            requests.push(self.reversal(path, step, announced));
        }
    }
}

/// Whether the task could have done the operation without the step of this node, if it conflicts.
fn reversible(first: &Node, task: TaskNumber, operation: Operation) -> bool {
    let Operation { kind, object } = operation;
    let Some(step) = &first.step else { return false };
    match kind {
        // Its holder releases it. What matters is where the holder took it: see `held`.
        Kind::Lock | Kind::WriteLock => !step.freed(object),
        // Readers do not keep each other out.
        Kind::ReadLock => !step.freed(object) || step.only_reads(object),
        // The joined task ends in it.
        Kind::Join => step.only_reads(object),
        // One that waits for a change may have another one: it is not here.
        Kind::Woken => first.pending_of(task) != Some(operation) || first.enabled.contains(&task),
        _ => true,
    }
}
