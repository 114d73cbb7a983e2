//! All interleavings of a scenario as one graph, for the explorer of the page.
//!
//! Interleavings that have the same future share it: what can be done from there, what it does, and what it violates.

use crate::catalogue::{Invariant, Protocol, Scenario};
use crate::checkers;
use crate::history::History;
use crate::replay::Program;
use crate::timeline::Section;
use crate::timeline::known::Known;
use crate::timeline::names::{Objects, TaskNames};
use crate::timeline::why::does;
use crate::timeline::words::say;
use sections::{Execution, Outcome, Search};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use xfetch_on_sections::check;

/// The most interleavings of a graph. A scenario with more has none.
pub const MOST: u64 = 1_000;

/// Texts, each once.
#[derive(Default)]
pub(super) struct Texts {
    all: Vec<String>,
    places: HashMap<String, usize>,
}

impl Texts {
    fn place(&mut self, text: String) -> usize {
        let next = self.all.len();
        let place = *self.places.entry(text.clone()).or_insert(next);
        if place == next {
            self.all.push(text);
        }
        place
    }

    pub(super) fn json(&self) -> Value {
        json!(self.all)
    }
}

/// A step: the task, what it does, the state after it, and what it violates. Texts are places in the list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Step {
    task: usize,
    does: usize,
    state: usize,
    violates: Vec<usize>,
}

/// A moment of an execution: the steps that some task can take, each with the moment after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Moment {
    steps: Vec<(Step, usize)>,
    /// The tasks that have not ended, and that cannot go on.
    wait: Vec<usize>,
    /// At the end of an execution, what it has violated.
    violated: Option<Vec<usize>>,
}

/// The interleavings of a scenario on a protocol at two callers.
pub struct Tree {
    /// The scenario.
    pub scenario: Scenario,
    /// The protocol.
    pub protocol: Protocol,
    /// How many interleavings there are.
    pub paths: u64,
    /// How many of them violate something.
    pub violating: u64,
    tasks: TaskNames,
    before: usize,
    /// The last one is the beginning.
    moments: Vec<Moment>,
}

/// The callers of every tree.
pub const CALLERS: usize = 2;

/// Nothing if there are too many interleavings, or the search fails.
pub(super) fn tree(scenario: Scenario, protocol: Protocol, texts: &mut Texts) -> Option<Tree> {
    let program = Program { scenario, protocol, callers: CALLERS };
    let search =
        Search { reduce: false, record: true, executions: MOST, workers: 1, ..Search::default() };
    let visit = |all: &mut Vec<Execution<History>>, execution| {
        all.push(execution);
        ControlFlow::Continue(())
    };
    let (coverage, found) = search.run(program.body(), visit).ok()?;
    if !coverage.exhausted {
        return None;
    }
    let tasks = TaskNames::of_callers(scenario.workers(protocol), CALLERS);
    let mut grown = Grown { nodes: vec![Node::default()] };
    let mut before = 0;
    let (mut paths, mut violating) = (0, 0);
    for execution in found.into_iter().flatten() {
        let violated = check(&execution.outcome).violated;
        paths += 1;
        violating += u64::from(!violated.is_empty());
        before = grown.add(&execution, &violated, &tasks, texts);
    }
    let moments = grown.moments();
    Some(Tree { scenario, protocol, paths, violating, tasks, before, moments })
}

/// The interleavings as a tree: each beginning once.
struct Grown {
    nodes: Vec<Node>,
}

#[derive(Default)]
struct Node {
    /// By task.
    steps: BTreeMap<usize, (Step, usize)>,
    violated: Option<Vec<usize>>,
}

impl Grown {
    /// Adds an execution. Returns the state before its first step.
    fn add(
        &mut self,
        execution: &Execution<History>,
        violated: &BTreeSet<Invariant>,
        tasks: &TaskNames,
        texts: &mut Texts,
    ) -> usize {
        let unfinished = History::default();
        let history = match &execution.outcome {
            Outcome::Returned(history) => history,
            _ => &unfinished,
        };
        let violations = checkers::violated(history);
        let objects = Objects::of(&execution.made_at);
        let sections = Section::all(&execution.steps, &history.records, &[], say);
        let mut known = Known::default();
        history.records.iter().filter(|it| it.step == 0).for_each(|it| known.learn(it));
        let before = texts.place(state(&known, history, tasks));
        let mut at = 0;
        for section in &sections {
            section.records.iter().for_each(|it| known.learn(it));
            let here = violations.iter().filter(|(_, place)| {
                history.records.get(*place).is_some_and(|it| it.step == section.number)
            });
            let step = Step {
                task: section.step.task,
                does: texts.place(does(section, tasks, &objects)),
                state: texts.place(state(&known, history, tasks)),
                violates: here.map(|(it, _)| texts.place(it.slug().into())).collect(),
            };
            let next = self.nodes.len();
            let (_, to) = self.nodes[at].steps.entry(step.task).or_insert((step, next));
            at = *to;
            if at == next {
                self.nodes.push(Node::default());
            }
        }
        let all = violated.iter().map(|it| texts.place(it.slug().into())).collect();
        self.nodes[at].violated = Some(all);
        before
    }

    /// Joins what has the same future. A node comes after all below it, as its number is smaller than theirs.
    fn moments(self) -> Vec<Moment> {
        let mut moments: Vec<Moment> = Vec::new();
        let mut places: HashMap<Moment, usize> = HashMap::new();
        let mut of_node = vec![0; self.nodes.len()];
        let mut live: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); self.nodes.len()];
        for (number, node) in self.nodes.into_iter().enumerate().rev() {
            let mut can = BTreeSet::new();
            let mut below = BTreeSet::new();
            let mut steps = Vec::new();
            for (task, (step, to)) in node.steps {
                can.insert(task);
                below.extend(std::mem::take(&mut live[to]));
                steps.push((step, of_node[to]));
            }
            let wait = below.difference(&can).copied().collect();
            below.extend(can);
            live[number] = below;
            let moment = Moment { steps, wait, violated: node.violated };
            let next = moments.len();
            let place = *places.entry(moment.clone()).or_insert(next);
            if place == next {
                moments.push(moment);
            }
            of_node[number] = place;
        }
        moments
    }
}

impl Tree {
    /// The graph for the page; `article` leads to why it fails.
    pub(super) fn json(&self, article: Option<String>) -> Value {
        let tasks: BTreeMap<String, String> =
            self.tasks.all().map(|it| (it.to_string(), self.tasks.name(it))).collect();
        let moment = |moment: &Moment| {
            let steps: Vec<Value> = moment
                .steps
                .iter()
                .map(|(it, to)| json!([it.task, it.does, it.state, it.violates, to]))
                .collect();
            match &moment.violated {
                Some(violated) => json!([steps, moment.wait, violated]),
                None => json!([steps, moment.wait]),
            }
        };
        json!({
            "scenario": self.scenario.slug(),
            "protocol": self.protocol.slug(),
            "shipped": self.protocol.is_shipped(),
            "article": article,
            "tasks": tasks,
            "before": self.before,
            "moments": self.moments.iter().map(moment).collect::<Vec<_>>(),
        })
    }
}

/// The state in words, its parts joined by semicolons.
fn state(known: &Known, history: &History, tasks: &TaskNames) -> String {
    let (begun, under_way) = known.computes();
    let holders = known.holders(tasks);
    let held = if holders.is_empty() { "none held" } else { &holders };
    format!(
        "entry: {}; lease: {held}; computes: {begun} begun, {under_way} under way",
        known.entry(history)
    )
}

#[cfg(test)]
mod tests {
    use super::{Texts, tree};
    use crate::catalogue::{Protocol, Scenario};

    /// How many ways lead from each moment to an end, and how many of them violate something.
    fn counts(tree: &super::Tree) -> (u64, u64) {
        let mut of: Vec<(u64, u64)> = Vec::new();
        for moment in &tree.moments {
            let end = moment.violated.iter().map(|it| (1, u64::from(!it.is_empty())));
            let below = moment.steps.iter().map(|(_, to)| of[*to]);
            of.push(end.chain(below).fold((0, 0), |all, it| (all.0 + it.0, all.1 + it.1)));
        }
        of.last().copied().unwrap_or_default()
    }

    /// 134 and 274 are the interleavings of two callers, as `explore --preemptions 100` counts them.
    #[test]
    fn the_ways_through_the_graph_are_the_interleavings() {
        for (protocol, paths) in
            [(Protocol::DoubleRecheck, 134), (Protocol::ReleaseBeforePublish, 274)]
        {
            let found =
                tree(Scenario::Field, protocol, &mut Texts::default()).expect("it is small");
            assert_eq!(found.paths, paths);
            assert_eq!(counts(&found), (found.paths, found.violating));
            assert!(found.moments.len() < paths as usize, "nothing is shared");
        }
    }

    #[test]
    fn a_caller_that_waits_for_ever_is_at_an_end_that_violates_something() {
        let twin = Protocol::ReleaseWithoutNotify;
        let found = tree(Scenario::Miss, twin, &mut Texts::default()).expect("it is small");
        assert!(found.violating > 0);
        assert_eq!(counts(&found), (found.paths, found.violating));
    }
}
