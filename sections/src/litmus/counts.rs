//! Exact numbers of executions of straight-line programs.
//!
//! A task is a list of sections of one step, each an access to one object. Without reduction there is
//! one execution for each interleaving: a multinomial coefficient of the lengths. With sleep sets there
//! is one for each trace: an order of every pair of dependent steps.

use crate::sync::atomic::AtomicI64;
use crate::thread::spawn;
use crate::{Access, Coverage, Search};
use Access::{Add, Read, Write};
use proptest::prelude::{Just, Strategy, prop_oneof};
use proptest::test_runner::{Config, RngSeed, TestRunner};
use proptest::{collection::vec, prop_assert_eq};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

/// Objects of a program.
const OBJECTS: usize = 3;

type Section = (usize, Access);
type Tasks = Vec<Vec<Section>>;

/// (n₁ + n₂ + …)! / (n₁! n₂! …): every interleaving of tasks with so many steps.
fn interleavings(tasks: &Tasks) -> u64 {
    let mut ways = 1;
    let mut steps = 0;
    for task in tasks {
        for step in 1..=task.len() as u64 {
            steps += 1;
            ways = ways * steps / step;
        }
    }
    ways
}

/// The number of different orders of the dependent pairs, over all interleavings.
fn traces(tasks: &Tasks) -> u64 {
    let mut orders = BTreeSet::new();
    interleave(tasks, &mut vec![0; tasks.len()], &mut Vec::new(), &mut |steps| {
        orders.insert(order(tasks, steps));
    });
    orders.len() as u64
}

/// A step: a task, and the number of its section.
type Place = (usize, usize);

fn interleave(
    tasks: &Tasks,
    done: &mut Vec<usize>,
    steps: &mut Vec<Place>,
    visit: &mut impl FnMut(&[Place]),
) {
    let mut over = true;
    for task in 0..tasks.len() {
        if done[task] < tasks[task].len() {
            over = false;
            steps.push((task, done[task]));
            done[task] += 1;
            interleave(tasks, done, steps, visit);
            done[task] -= 1;
            steps.pop();
        }
    }
    if over {
        visit(steps);
    }
}

fn order(tasks: &Tasks, steps: &[Place]) -> BTreeSet<(Place, Place)> {
    let section = |(task, number): Place| tasks[task][number];
    let pairs = steps
        .iter()
        .enumerate()
        .flat_map(|(place, first)| steps[place + 1..].iter().map(move |second| (*first, *second)));
    let dependent = |(first, second): &(Place, Place)| {
        let ((one, how), (other, its)) = (section(*first), section(*second));
        first.0 != second.0 && one == other && (how != its || how == Write)
    };
    pairs.filter(dependent).collect()
}

fn access(objects: &[AtomicI64], (object, access): Section) {
    match access {
        Read => {
            objects[object].load(SeqCst);
        }
        Add => objects[object].add(1, SeqCst),
        Write => objects[object].store(1, SeqCst),
    }
}

fn run(tasks: &Tasks) {
    let objects: Arc<[AtomicI64]> = (0..OBJECTS).map(|_| AtomicI64::new(0)).collect();
    let handles: Vec<_> = tasks
        .iter()
        .cloned()
        .map(|task| {
            let objects = Arc::clone(&objects);
            spawn(move || task.into_iter().for_each(|section| access(&objects, section)))
        })
        .collect();
    handles.into_iter().for_each(|handle| handle.join().unwrap());
}

fn complete(tasks: &Tasks, reduce: bool) -> u64 {
    let search = Search { reduce, workers: 1, ..Search::default() };
    let tasks = tasks.clone();
    let visit = |(): &mut (), _| ControlFlow::Continue(());
    let (Coverage { complete, redundant, exhausted }, _) =
        search.run(move || run(&tasks), visit).unwrap();
    assert!(exhausted && (reduce || redundant == 0));
    complete
}

/// `of_traces` is derived in a comment, so it checks the counter too.
fn check(tasks: &[&[Section]], executions: u64, of_traces: u64) {
    let tasks: Tasks = tasks.iter().map(|task| task.to_vec()).collect();
    assert_eq!((interleavings(&tasks), traces(&tasks)), (executions, of_traces));
    assert_eq!((complete(&tasks, false), complete(&tasks, true)), (executions, of_traces));
}

#[test]
fn writes_to_one_object_have_a_trace_for_each_interleaving() {
    check(&[&[(0, Write); 3], &[(0, Write); 3]], 20, 20);
    check(&[&[(0, Write)], &[(0, Write)], &[(0, Write)], &[(0, Write)]], 24, 24);
}

#[test]
fn independent_tasks_have_one_trace() {
    check(&[&[(0, Write); 3], &[(1, Write); 3]], 20, 1);
    check(&[&[(0, Read); 2], &[(0, Read); 2], &[(0, Read); 2]], 90, 1);
    check(&[&[(0, Add); 2], &[(0, Add); 2]], 6, 1);
}

/// Two pairs of a store and a load have two orders each, and one of the four combinations is cyclic.
#[test]
fn store_buffering_has_three_traces() {
    check(&[&[(0, Write), (1, Read)], &[(1, Write), (0, Read)]], 6, 3);
}

/// Each of n additions comes before the load or after it: 2ⁿ.
#[test]
fn additions_and_a_load_have_a_trace_for_each_subset() {
    check(&[&[(0, Add)], &[(0, Add)], &[(0, Add)], &[(0, Read)]], 24, 8);
}

/// Four pairs of a store and a load have two orders each, and one of the sixteen combinations is
/// cyclic.
#[test]
fn independent_reads_have_fifteen_traces() {
    let readers: [&[Section]; 2] = [&[(0, Read), (1, Read)], &[(1, Read), (0, Read)]];
    check(&[&[(0, Write)], &[(1, Write)], readers[0], readers[1]], 180, 15);
}

/// An addition does not commute with a load or a store, so three mixed accesses have every order.
#[test]
fn different_accesses_to_one_object_have_every_order() {
    check(&[&[(0, Add)], &[(0, Read)], &[(0, Write)]], 6, 6);
}

fn tasks() -> impl Strategy<Value = Tasks> {
    let section = (0..OBJECTS, prop_oneof![Just(Read), Just(Add), Just(Write)]);
    vec(vec(section, 0..=3), 1..=4)
        .prop_filter("not too many interleavings", |tasks| interleavings(tasks) <= 2_000)
}

#[test]
fn random_programs_have_the_counted_executions() {
    let seed = RngSeed::Fixed(1);
    let config =
        Config { cases: 300, failure_persistence: None, rng_seed: seed, ..Config::default() };
    let result = TestRunner::new(config).run(&tasks(), |tasks| {
        prop_assert_eq!(complete(&tasks, false), interleavings(&tasks));
        prop_assert_eq!(complete(&tasks, true), traces(&tasks));
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_search_that_is_told_to_stop_begins_no_execution_and_is_not_exhausted() {
    for before in [0, 2] {
        let stop = Arc::new(AtomicBool::new(before == 0));
        let told = Arc::clone(&stop);
        let visit = move |ran: &mut u64, _| {
            *ran += 1;
            told.store(*ran == before, SeqCst);
            ControlFlow::Continue(())
        };
        let search = Search { stop: Some(stop), workers: 1, ..Search::default() };
        let tasks: Tasks = vec![vec![(0, Write)]; 3];
        let (coverage, _) = search.run(move || run(&tasks), visit).unwrap();
        assert_eq!(coverage, Coverage { complete: before, redundant: 0, exhausted: false });
    }
}
