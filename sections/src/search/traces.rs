//! An estimate of how many complete executions a search will have, by importance sampling.
//!
//! A random execution draws the next task from those that can go on, each with its odds. With the reduction the search
//! has one execution of each trace, so traces are counted. Suppose that the trace T of the execution was known, and one
//! of its orders was drawn with the same odds from the tasks whose next step in T needs no step that is still to come:
//! the *free* tasks. Each order of T would be drawn with some chance r, and these chances add up to 1. So the mean of
//! r / q is the number of traces, where q is the chance of the execution. It is a product over the steps: 1 / (the odds
//! of all free tasks together). Without the reduction the search has every execution, and r is 1.
//!
//! The mean is right with any odds. But with even ones most of it can come from executions that are hardly ever drawn.
//! So the odds are learned in rounds, towards those by which all traces are drawn alike (the cross-entropy method:
//! Rubinstein, *The cross-entropy method for combinatorial and continuous optimization*, 1999). The looks of a task are
//! what it is about to do and how many steps it has done, alone and beside that of each other task.

use super::node::{Node, Wanted};
use super::odds::{Draw, Numbers, Odds, Scores};
use super::races::Order;
use super::sharing::Shared;
use super::symmetry;
use crate::error::Error;
use crate::operation::{Kind, Operation, TaskNumber};
use crate::scheduler::{Choice, Driver, Ended, Point};
use crate::state::Class;
use shuttle::scheduler::Schedule;
use smallvec::SmallVec;
use std::sync::Arc;

/// The executions of a round.
const ROUND: usize = 1_000;
/// The most rounds.
pub(super) const ROUNDS: usize = 100;
/// How many executions are learned from after a round.
const LEARNED: usize = 500;
/// How often each of them.
const PASSES: usize = 6;

/// A random execution.
struct Sampled {
    /// The logarithm of r / q.
    weight: f64,
    draws: Vec<Draw>,
}

/// Draws executions for the estimate of a search.
pub(super) struct Sampler {
    shared: Arc<Shared>,
    bound: u32,
    /// Rounds that are still to come.
    rounds: usize,
    random: fastrand::Rng,
    /// The name of a task, what it is about to do, and how many steps it has done.
    alone: Numbers<(Class, Kind, usize)>,
    /// What is seen of a task beside another one, or beside none.
    pairs: Numbers<(Option<u32>, Option<u32>)>,
    scores: Scores,
    /// The means of the rounds so far.
    means: Vec<f64>,
    round: Vec<Sampled>,
    /// The current execution. Its nodes have no children but the chosen one.
    path: Vec<Node>,
    order: Order,
    /// For each node of the path the odds of the tasks that can go on.
    odds: Vec<Odds>,
    draws: Vec<Draw>,
    /// The number of steps of each task.
    done: Vec<usize>,
    classes: Vec<(TaskNumber, Class)>,
}

impl Sampler {
    pub(super) fn new(shared: Arc<Shared>, rounds: usize) -> Self {
        Self {
            bound: shared.search.preemptions.unwrap_or(u32::MAX),
            shared,
            rounds,
            // Fixed: after as many rounds two runs of a search expect as many executions.
            random: fastrand::Rng::with_seed(1),
            alone: Numbers::default(),
            pairs: Numbers::default(),
            scores: Scores::default(),
            means: Vec::new(),
            round: Vec::new(),
            path: Vec::new(),
            order: Order::default(),
            odds: Vec::new(),
            draws: Vec::new(),
            done: Vec::new(),
            classes: Vec::new(),
        }
    }

    /// The draw between these tasks, of which none is drawn yet.
    fn between(&mut self, node: &Node, tasks: &[usize]) -> Draw {
        let alone = |(task, operation): &(TaskNumber, Operation)| {
            let class = self.classes.iter().find(|(other, _)| other == task);
            let name = class.map_or((*task, u32::MAX), |(_, class)| *class);
            let done = self.done.get(*task).copied().unwrap_or_default();
            (*task, self.alone.of((name, operation.kind, done)))
        };
        let all: SmallVec<[_; 8]> = node.pending.iter().map(alone).collect();
        let mut looks = Vec::with_capacity(tasks.len() * all.len());
        for task in tasks.iter().map(|index| node.enabled[*index]) {
            let mine = all.iter().find(|(other, _)| *other == task).map(|(_, alone)| *alone);
            let beside = |(other, alone): &(TaskNumber, u32)| (*other != task).then_some(*alone);
            looks.extend(all.iter().map(|it| self.pairs.of((mine, beside(it)))));
        }
        Draw { looks, tasks: tasks.len(), drawn: 0 }
    }

    /// Draws the next task.
    fn draw(&mut self, node: &mut Node, preemptions: u32) {
        let is_within =
            |index: &usize| preemptions + u32::from(node.preempts(*index)) <= self.bound;
        let may: SmallVec<[usize; 8]> = (0..node.enabled.len()).filter(is_within).collect();
        let mut odds = Odds::from_elem(0.0, node.enabled.len());
        if let [only] = may[..] {
            (node.chosen, odds[only]) = (only, 1.0);
        } else {
            let mut draw = self.between(node, &may);
            let mut rest = self.random.f64();
            let is_drawn = |odds: &f64| {
                rest -= odds;
                rest < 0.0
            };
            let of_may = self.scores.odds(&draw);
            draw.drawn = of_may.iter().position(is_drawn).unwrap_or(may.len() - 1);
            may.iter().zip(of_may).for_each(|(index, its)| odds[*index] = its);
            node.chosen = may[draw.drawn];
            self.draws.push(draw);
        }
        self.odds.push(odds);
    }

    /// The logarithm of r / q of the execution that has ended.
    fn weight(&mut self) -> f64 {
        let of_drawn = |(node, odds): (&Node, &Odds)| odds[node.chosen].ln();
        if !self.shared.search.reduce {
            return -self.path.iter().zip(&self.odds).map(of_drawn).sum::<f64>();
        }
        while self.order.len() < self.path.len() {
            self.order.push(&self.path, &mut Vec::new());
        }
        let of_free = |(place, (node, odds)): (usize, (&Node, &Odds))| {
            let is_free = |task: &TaskNumber| {
                let steps = self.order.steps_of(*task);
                let next = steps.get(steps.partition_point(|step| *step < place));
                next.is_some_and(|next| self.order.past(*next).is_before(place))
            };
            let free = node.enabled.iter().zip(odds).filter(|(task, _)| is_free(task));
            free.map(|(_, odds)| odds).sum::<f64>().ln()
        };
        let weight = -self.path.iter().zip(&self.odds).enumerate().map(of_free).sum::<f64>();
        if self.shared.search.symmetry {
            weight - symmetry::images(&self.order, &self.path, &self.classes).ln()
        } else {
            weight
        }
    }

    fn end_round(&mut self) {
        let weights = self.round.iter().map(|sampled| sampled.weight.exp());
        self.means.push(weights.sum::<f64>() / ROUND as f64);
        self.rounds -= 1;
        if let Some(estimate) = &self.shared.search.estimate {
            estimate.expect(expected(&self.means));
        }
        self.learn();
        self.round.clear();
    }

    /// Learns from the executions of the round, each as often as its weight says. If a few of them have nearly all of the
    /// weight, a power of it is taken, so that a tenth counts.
    fn learn(&mut self) {
        let most = self.round.iter().map(|sampled| sampled.weight).fold(f64::MIN, f64::max);
        let weights = |power: f64| -> Vec<f64> {
            self.round.iter().map(|sampled| (power * (sampled.weight - most)).exp()).collect()
        };
        let enough = |power: f64| effective(&weights(power)) >= ROUND as f64 / 10.0;
        let (mut low, mut high) = (0.0, 1.0);
        if enough(high) {
            low = high;
        }
        for _ in 0..20 {
            let middle = f64::midpoint(low, high);
            *(if enough(middle) { &mut low } else { &mut high }) = middle;
        }
        let weights = weights(low);
        let apart = weights.iter().sum::<f64>() / LEARNED as f64;
        let mut chosen = Vec::with_capacity(LEARNED);
        let (mut sum, mut next) = (0.0, self.random.f64() * apart);
        for (sampled, weight) in self.round.iter().zip(weights) {
            sum += weight;
            while next < sum {
                chosen.push(sampled);
                next += apart;
            }
        }
        self.random.shuffle(&mut chosen);
        for _ in 0..PASSES {
            chosen.iter().flat_map(|sampled| &sampled.draws).for_each(|it| self.scores.learn(it));
        }
    }
}

/// The effective number of samples with these weights (Kish 1965).
fn effective(weights: &[f64]) -> f64 {
    let sum: f64 = weights.iter().sum();
    sum * sum / weights.iter().map(|weight| weight * weight).sum::<f64>()
}

/// What is expected after rounds with these means: the mean of the later half, for the earlier ones had yet to learn. One
/// execution that is hardly ever drawn can make a round far too large, so none counts as more than three times the median.
fn expected(means: &[f64]) -> f64 {
    let mut later = means[means.len() / 2..].to_vec();
    later.sort_by(f64::total_cmp);
    let most = 3.0 * later[later.len() / 2];
    later.iter().map(|mean| mean.min(most)).sum::<f64>() / later.len() as f64
}

impl Driver for Sampler {
    fn begin(&mut self) -> Option<Schedule> {
        if self.round.len() == ROUND {
            self.end_round();
        }
        if self.rounds == 0 || self.shared.is_stopped() {
            return None;
        }
        self.path.clear();
        self.order.cut(0);
        self.odds.clear();
        self.draws.clear();
        self.done.clear();
        self.classes.clear();
        Some(Schedule::new(0))
    }

    fn asks_for_classes(&self) -> bool {
        true
    }

    fn decide(&mut self, point: &Point) -> Result<Choice, Error> {
        let mut preemptions = 0;
        if let Some(before) = self.path.last_mut() {
            before.step = Some(point.step.clone());
            preemptions = before.preemptions + u32::from(before.preempts(before.chosen));
        }
        for (task, class) in point.classes {
            if !self.classes.iter().any(|(other, _)| other == task) {
                self.classes.push((*task, *class));
            }
        }
        let mut node = Node::new(point, Wanted::Nothing, preemptions);
        self.draw(&mut node, preemptions);
        let (index, task) = (node.chosen, node.task());
        if self.done.len() <= task {
            self.done.resize(task + 1, 0);
        }
        self.done[task] += 1;
        self.path.push(node);
        Ok(Choice { index, redundant: false })
    }

    fn end(&mut self, ended: Ended) {
        if let Some(last) = self.path.last_mut() {
            last.step = Some(ended.step);
        }
        if ended.error.is_some() || ended.discovered.is_some() {
            // The search finds that, too, and says what it is.
            self.rounds = 0;
            return;
        }
        let weight = self.weight();
        self.round.push(Sampled { weight, draws: std::mem::take(&mut self.draws) });
    }
}
