//! Programs with tasks that are alike. With symmetry the search shows an execution of every outcome, but for which of
//! these tasks does what.

use super::against_the_oracle::programs;
use super::checkers::{Outcomes, outcome_of};
use super::mixes::mixes;
use super::program::{Op, Program};
use super::random::from_environment;
use super::{announced, log};
use crate::thread::spawn_alike;
use crate::{Coverage, Error, Execution, Outcome, Search};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

/// Programs of each mix; the environment can set another number.
const PROGRAMS: usize = 60;
/// A program that has more executions without symmetry is shortened.
const EXECUTIONS: u64 = 20_000;

fn outcomes(program: &Arc<Program>, symmetry: bool, workers: usize) -> (Coverage, Outcomes) {
    let executions = EXECUTIONS;
    let search = Search { symmetry, sources: false, workers, executions, ..Search::default() };
    let its = Arc::clone(program);
    let body = move || {
        log::clear();
        announced::text::run_alike(&its);
    };
    let visit = |outcomes: &mut Outcomes, execution: Execution<()>| {
        outcomes.insert(outcome_of(&execution));
        ControlFlow::Continue(())
    };
    let (coverage, found) = search.run(body, visit).unwrap();
    (coverage, found.into_iter().flatten().collect())
}

/// Every order of the labels 1 to `tasks` that gives each label one of a task with the same operations.
fn swaps(program: &Program) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for ops in &program.0 {
        let longer = |order: Vec<usize>| {
            let free = (0..program.0.len()).filter(|place| program.0[*place] == *ops);
            let free: Vec<_> = free.filter(|place| !order.contains(place)).collect();
            free.into_iter().map(move |place| [order.clone(), vec![place]].concat())
        };
        all = all.into_iter().flat_map(longer).collect();
    }
    all
}

/// The first of all texts that this outcome has, whichever of the tasks that are alike is called what. The label of a
/// child begins with that of the task: see [`child`](super::program::child).
fn canonical(program: &Program, outcome: &str) -> String {
    let renamed = |order: &Vec<usize>| {
        let word = |word: &str| {
            let Some((label, values)) = word.split_once(':') else { return word.to_owned() };
            let Ok(label) = label.parse::<usize>() else { return word.to_owned() };
            let (mut top, mut unit) = (label, 1);
            while top > 15 {
                (top, unit) = (top / 16, unit * 16);
            }
            let place = top.checked_sub(1).map_or(0, |place| order[place] + 1);
            format!("{:05}:{values}", label + place * unit - top * unit)
        };
        let mut words: Vec<_> = outcome.split(' ').map(word).collect();
        words.sort();
        words.join(" ")
    };
    swaps(program).iter().map(renamed).min().unwrap_or_default()
}

/// Two or three copies of the first task, and the second one if there is room.
fn with_copies(program: &Program, copies: usize) -> Option<Program> {
    let first = program.0.first()?;
    let mut tasks = vec![first.clone(); copies];
    tasks.extend(program.0.get(1).filter(|_| copies < 3).cloned());
    Some(Program(tasks))
}

fn all(program: &Program, outcomes: &Outcomes) -> BTreeSet<String> {
    outcomes.iter().map(|outcome| canonical(program, outcome)).collect()
}

#[derive(Debug, Default)]
struct Tally {
    programs: u64,
    without: u64,
    complete: u64,
    redundant: u64,
    smaller: u64,
}

#[test]
fn with_symmetry_no_outcome_of_a_random_program_is_lost_or_invented() {
    let number = from_environment("SECTIONS_PROGRAMS", PROGRAMS);
    let mut tally = Tally::default();
    for mix in mixes() {
        for (place, program) in programs(&mix).take(number).enumerate() {
            let Some(mut program) = with_copies(&program, 2 + place % 2) else { continue };
            let (shared, (coverage, expected)) = loop {
                let shared = Arc::new(program.clone());
                let found = outcomes(&shared, false, 1);
                if found.0.complete + found.0.redundant < EXECUTIONS {
                    break (shared, found);
                }
                // The copies stay alike.
                let shorter = Program(vec![program.0[0].clone()]).shorter();
                let Some(shorter) = with_copies(&shorter, 2) else { break (shared, found) };
                program = shorter;
            };
            let (with, found) = outcomes(&shared, true, 1 + place % 2);
            assert_eq!(with.exhausted, coverage.exhausted, "{shared:?}");
            assert_eq!(all(&shared, &found), all(&shared, &expected), "{shared:?}");
            assert!(found.is_subset(&expected), "{shared:?}");
            assert!(with.complete <= coverage.complete, "{shared:?}");
            tally.programs += 1;
            tally.without += coverage.complete;
            tally.complete += with.complete;
            tally.redundant += with.redundant;
            tally.smaller += u64::from(with.complete < coverage.complete);
        }
    }
    eprintln!("{tally:?}");
    assert!(tally.smaller * 2 > tally.programs, "most programs have an order less: {tally:?}");
}

/// Each of `n` tasks exchanges one atomic. Without symmetry every order of them is a trace: n!. With symmetry there is one.
#[test]
fn tasks_that_all_do_the_same_to_one_object_have_one_order() {
    let body = || {
        let shared = Arc::new(crate::sync::atomic::AtomicI64::new(0));
        let tasks = [1, 2, 3, 4, 5].map(|_| {
            let shared = Arc::clone(&shared);
            spawn_alike(0, move || shared.swap(1, SeqCst))
        });
        tasks.map(|task| task.join().unwrap()).iter().sum::<i64>()
    };
    for workers in [1, 2] {
        let complete = |symmetry| {
            let search = Search { symmetry, workers, ..Search::default() };
            let visit = |sums: &mut Vec<i64>, execution: Execution<i64>| {
                if let Outcome::Returned(sum) = execution.outcome {
                    sums.push(sum);
                }
                ControlFlow::Continue(())
            };
            let (coverage, sums) = search.run(body, visit).unwrap();
            assert!(coverage.exhausted && sums.concat().iter().all(|sum| *sum == 4));
            coverage.complete
        };
        assert_eq!((complete(false), complete(true)), (120, 1));
    }
}

/// Two tasks are alike, but one has already done something when both could come next: neither stands for the other.
pub fn one_has_begun() -> Program {
    let ops = || vec![Op::FetchAdd(0, 1), Op::CompareExchange(1, 0, 1), Op::Load(0)];
    Program(vec![ops(), ops()])
}

/// Whether symmetry loses an outcome of [`one_has_begun`].
pub fn loses(workers: usize) -> bool {
    let program = Arc::new(one_has_begun());
    let (expected, found) =
        (outcomes(&program, false, workers).1, outcomes(&program, true, workers).1);
    all(&program, &found) != all(&program, &expected)
}

#[test]
fn symmetry_without_the_reduction_is_refused() {
    let search = Search { symmetry: true, reduce: false, ..Search::default() };
    let found = search.run(|| (), |(): &mut (), _| ControlFlow::Continue(()));
    assert_eq!(found.err(), Some(Error::SymmetryWithoutReduction));
}
