//! The estimate of how far a search is: always a share, 1 at the end, and about right where the tree is even.

use super::against_the_oracle::programs;
use super::mixes::mixes;
use super::program::Program;
use super::random::from_environment;
use super::{announced, log};
use crate::search::expected;
use crate::sync::atomic::AtomicI64;
use crate::thread::spawn;
use crate::{Checkpoint, Coverage, Estimate, Execution, Reading, Search, Searched};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// The number of executions of a worker, and what it read of the estimate.
type Read = (u64, Vec<Reading>);

/// Three tasks store so often to one object. Their steps never commute, so every interleaving is an execution.
fn even(stores: usize) -> impl Fn() + Clone + Send + Sync + 'static {
    move || {
        let object = Arc::new(AtomicI64::new(0));
        let task = |value| {
            let object = Arc::clone(&object);
            spawn(move || (0..stores).for_each(|_| object.store(value, SeqCst)))
        };
        [1, 2, 3].map(task).into_iter().for_each(|task| task.join().unwrap());
    }
}

/// Four tasks change an object before another one. Which races there are depends on what comes first.
fn uneven() {
    let objects = Arc::new([(); 3].map(|()| AtomicI64::new(0)));
    let task = |number: usize| {
        let objects = Arc::clone(&objects);
        spawn(move || {
            if objects[0].fetch_max(number as i64, SeqCst) < number as i64 {
                objects[1].store(number as i64, SeqCst);
            }
            _ = objects[1 + number % 2].load(SeqCst);
        })
    };
    [1, 2, 3, 4].map(task).into_iter().for_each(|task| task.join().unwrap());
}

/// Searches with an estimate, and reads it after each execution. The first execution waits for it.
fn watched(
    search: &Search,
    from: Option<Checkpoint>,
    body: impl Fn() + Clone + Send + Sync + 'static,
) -> (Searched<Read>, Arc<Estimate>) {
    let estimate = Arc::new(Estimate::default());
    let (watched, read) = (Arc::clone(&estimate), Arc::clone(&estimate));
    let search = Search { estimate: Some(estimate), ..search.clone() };
    let began = Instant::now();
    let visit = move |(executions, readings): &mut Read, _: Execution<()>| {
        while read.read().is_none() {
            assert!(began.elapsed() < Duration::from_secs(60), "there is never an estimate");
            std::thread::sleep(Duration::from_millis(1));
        }
        *executions += 1;
        readings.extend(read.read());
        ControlFlow::Continue(())
    };
    (search.resume(from, body, visit).unwrap(), watched)
}

fn kinds() -> [Search; 4] {
    let races = Search { workers: 2, ..Search::default() };
    let sleep_sets = Search { sources: false, ..races.clone() };
    let bounded = Search { reduce: false, preemptions: Some(4), ..races.clone() };
    let symmetric = Search { symmetry: true, ..races.clone() };
    [races, sleep_sets, bounded, symmetric]
}

#[test]
fn the_share_is_always_one_of_the_whole_and_all_of_it_at_the_end() {
    for search in kinds() {
        for (found, estimate) in [watched(&search, None, even(3)), watched(&search, None, uneven)] {
            let readings: Vec<_> = found.accumulators.iter().flat_map(|(_, read)| read).collect();
            for Reading { explored, left: (least, most) } in readings.iter().copied().copied() {
                assert!((0.0..=0.95).contains(&explored), "{explored}");
                assert!(least <= most, "{least} {most}");
            }
            assert!(!readings.is_empty(), "{search:?}: {:?}", found.coverage);
            assert_eq!(found.explored, Some(1.0));
            let end = estimate.read().unwrap();
            assert_eq!((end.explored, end.left), (1.0, (0, 0)));
        }
    }
}

/// How much of a search is explored when it is cut off, by the estimate and in truth. It is cut off so often before.
fn cut_off(search: &Search, stores: usize, pieces: u64) -> (f64, f64) {
    let (found, _) = watched(search, None, even(stores));
    let all = found.coverage.complete + found.coverage.redundant;
    let search = Search { executions: all / 5 / pieces, ..search.clone() };
    let mut from = None;
    let mut explored = None;
    for _ in 0..pieces {
        let (found, _) = watched(&search, from, even(stores));
        explored = found.explored;
        from = found.rest.map(|rest| rest.to_string().parse().unwrap());
    }
    (explored.expect("it was waited for"), 0.2)
}

/// A fifth of the executions is found to be between a tenth and two fifths, in one piece and in several.
#[test]
fn the_share_of_an_even_tree_is_right_within_a_factor() {
    for search in kinds() {
        let search = Search { workers: 1, ..search };
        for pieces in [1, 3] {
            let (explored, truth) = cut_off(&search, 4, pieces);
            assert!((truth / 2.0..=truth * 2.0).contains(&explored), "{explored}, {search:?}");
        }
    }
}

#[test]
fn a_search_that_was_cut_off_and_had_no_estimate_has_no_share() {
    let search = Search { executions: 1, workers: 1, ..Search::default() };
    let visit = |(): &mut (), _: Execution<()>| ControlFlow::Continue(());
    assert_eq!(search.resume(None, even(4), visit).unwrap().explored, None);
}

/// Programs of each mix; the environment can set another number.
const PROGRAMS: usize = 3;

/// What is expected and what is found differ by a tenth at most, for every kind of operation and of search, after enough
/// samples. These are the same in every run, if the programs are.
#[test]
fn a_random_program_has_as_many_executions_as_are_expected() {
    let number = from_environment("SECTIONS_PROGRAMS", PROGRAMS);
    let (mut compared, mut more) = (0, 0);
    for mix in mixes() {
        for program in programs(&mix).take(number) {
            let copies = Program(vec![program.0[0].clone(); 2]);
            for search in kinds() {
                let its = Arc::new(if search.symmetry { copies.clone() } else { program.clone() });
                let body = move || {
                    log::clear();
                    announced::text::run_alike(&its);
                };
                let search = Search { workers: 1, executions: 5_000, ..search };
                // If two tasks spawn, the search may show a trace twice: see `judge`. With symmetry both are copies.
                let shows_twice =
                    program.spawning_tasks() > 1 || search.symmetry && program.spawns() > 0;
                let least = if shows_twice { 0.0 } else { 0.9 };
                let ratio = |rounds| {
                    let (coverage, expected) = expected(&search, rounds, body.clone());
                    (coverage, expected / coverage.complete as f64)
                };
                let is_right = |(_, ratio): &(Coverage, f64)| (least..=1.1).contains(ratio);
                let first = ratio(4);
                if !first.0.exhausted {
                    continue;
                }
                let found = if is_right(&first) { first } else { ratio(60) };
                assert!(is_right(&found), "{found:?}: {search:?}, {program:?}");
                compared += 1;
                more += usize::from(found.0.complete > 1);
            }
        }
    }
    eprintln!("{compared} searches, {more} with more than one execution");
    assert!(more > compared / 2);
}
