//! A search that is cut off and goes on, once or often, sees what a search in one piece sees. So does a
//! search by several workers.

use super::announced::text;
use super::checkers::outcome_of;
use super::log;
use crate::sync::atomic::AtomicI64;
use crate::thread::spawn;
use crate::{Checkpoint, Coverage, Error, Execution, Search, Searched};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

/// Each outcome, with the number of its executions.
type Seen = BTreeMap<String, u64>;

fn visit(seen: &mut Seen, execution: Execution<()>) -> ControlFlow<()> {
    *seen.entry(outcome_of(&execution)).or_default() += 1;
    ControlFlow::Continue(())
}

fn body(litmus: fn()) -> impl Fn() + Clone + Send + Sync {
    move || {
        log::clear();
        litmus();
    }
}

fn add(all: &mut Seen, accumulators: Vec<Seen>) {
    for (outcome, times) in accumulators.into_iter().flatten() {
        *all.entry(outcome).or_default() += times;
    }
}

/// The result in one piece.
fn whole(search: &Search, litmus: fn()) -> (Coverage, Seen) {
    let (coverage, accumulators) = search.run(body(litmus), visit).unwrap();
    let mut seen = Seen::new();
    add(&mut seen, accumulators);
    (coverage, seen)
}

/// The result in pieces of so many executions, each of which goes on from the text of the one before.
fn in_pieces(search: &Search, litmus: fn(), executions: u64) -> (Coverage, Seen) {
    let search = Search { executions, ..search.clone() };
    let (mut from, mut seen) = (None::<Checkpoint>, Seen::new());
    loop {
        let found: Searched<Seen> = search.resume(from.take(), body(litmus), visit).unwrap();
        if found.begins_again {
            seen.clear();
        }
        add(&mut seen, found.accumulators);
        assert!(found.explored.is_none() || found.rest.is_none(), "nobody asked for it");
        match found.rest {
            Some(rest) => from = Some(rest.to_string().parse().unwrap()),
            None => return (found.coverage, seen),
        }
    }
}

fn litmus(name: &str) -> fn() {
    let all = text::litmuses().chain(text::TIMEOUTS.iter().copied());
    let mut found = all.into_iter().filter(|litmus| litmus.name == name);
    found.next().expect("a litmus has this name").body
}

/// Programs with locks, tries, waits and children, and searches of every kind.
fn searches() -> Vec<(Search, fn())> {
    let one = Search { workers: 1, ..Search::default() };
    let kinds = [
        one.clone(),
        Search { sources: false, ..one.clone() },
        Search { reduce: false, ..one.clone() },
        Search { reduce: false, preemptions: Some(1), ..one },
    ];
    let names = ["independent_reads", "a_stolen_condition", "try_against_a_holder"];
    let both = |kind: &Search| names.map(|name| (kind.clone(), litmus(name)));
    kinds.iter().flat_map(both).collect()
}

#[test]
fn a_search_in_pieces_sees_what_a_search_in_one_piece_sees() {
    for (search, litmus) in searches() {
        let whole = whole(&search, litmus);
        for executions in [1, 2, 7] {
            assert_eq!(in_pieces(&search, litmus, executions), whole, "{search:?} {executions}");
        }
    }
}

/// Two tasks add three times to one object, and one twice before it stores where another loads.
fn large() {
    let objects = Arc::new([AtomicI64::new(0), AtomicI64::new(0)]);
    let add = |times| {
        let objects = Arc::clone(&objects);
        move || (0..times).for_each(|_| _ = objects[0].fetch_add(1, SeqCst))
    };
    let (last, stored, loaded) = (add(2), Arc::clone(&objects), Arc::clone(&objects));
    let store = move || {
        last();
        stored[1].store(1, SeqCst);
    };
    let load = move || log::note(4, loaded[1].load(SeqCst));
    let tasks = [spawn(add(3)), spawn(add(3)), spawn(store), spawn(load)];
    tasks.into_iter().for_each(|task| task.join().unwrap());
}

/// The tree has several hundred times as many executions as a part, so it is split often.
#[test]
fn the_counts_do_not_depend_on_the_number_of_workers_or_pieces() {
    for (sources, reduce) in [(true, true), (false, true), (false, false)] {
        let of = |workers| Search { sources, reduce, workers, ..Search::default() };
        let whole = whole(&of(1), large);
        // 8! / (3! 3! 2!) orders of the additions, times two for the store and the load.
        if reduce {
            assert_eq!(whole.0.complete, 1_120);
        }
        for workers in [2, 3] {
            assert_eq!(self::whole(&of(workers), large), whole, "{workers} workers");
            assert_eq!(in_pieces(&of(workers), large, 300), whole, "{workers} workers");
        }
    }
}

/// A destructor that synchronises.
struct Adds(Arc<AtomicI64>);

impl Drop for Adds {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// A task panics if it comes before the other one.
fn panics_in_some_orders() {
    let [stored, added] = [(); 2].map(|()| Arc::new(AtomicI64::new(0)));
    let (loaded, adds) = (Arc::clone(&stored), Adds(Arc::clone(&added)));
    let load = move || {
        let _adds = adds;
        if loaded.load(SeqCst) == 0 {
            resume_unwind(Box::new("by design"));
        }
    };
    let tasks = [spawn(load), spawn(move || stored.store(1, SeqCst))];
    tasks.into_iter().for_each(|task| drop(task.join()));
}

/// The scheduler cannot choose while a task unwinds, so such a search is not exhausted. That is so too if the piece that
/// saw it is not the last.
#[test]
fn no_piece_is_exhausted_after_one_in_which_the_scheduler_could_not_choose() {
    let search = Search { workers: 1, ..Search::default() };
    let whole = whole(&search, panics_in_some_orders);
    assert!(whole.0.complete > 1 && !whole.0.exhausted, "{whole:?}");
    for executions in [1, 2] {
        assert_eq!(in_pieces(&search, panics_in_some_orders, executions), whole);
    }
}

#[test]
fn a_search_with_other_options_cannot_go_on_with_it() {
    let search = Search { workers: 1, executions: 1, ..Search::default() };
    let rest = search.resume(None, body(litmus("independent_reads")), visit).unwrap().rest;
    let other = Search { sources: false, ..search };
    let error = other.resume(rest, body(litmus("independent_reads")), visit).unwrap_err();
    assert_eq!(error, Error::OtherOptions);
}

#[test]
fn a_checkpoint_of_another_scenario_is_an_error_and_no_panic() {
    let search = Search { workers: 1, executions: 2, ..Search::default() };
    let rest = search.resume(None, body(litmus("independent_reads")), visit).unwrap().rest;
    let error = search.resume(rest, body(litmus("lost_update")), visit).unwrap_err();
    assert!(matches!(error, Error::Nondeterministic { .. }), "{error}");
}

#[test]
fn a_text_that_is_no_checkpoint_is_refused() {
    let search = Search { workers: 1, executions: 3, ..Search::default() };
    let rest = search.resume(None, body(litmus("independent_reads")), visit).unwrap().rest;
    let text = rest.unwrap().to_string();
    for (from, to) in
        [("\"format\":4", "\"format\":9"), ("\"chosen\":0", "\"chosen\":77"), ("{", "[")]
    {
        let wrong = text.replacen(from, to, 1);
        assert!(wrong.parse::<Checkpoint>().is_err(), "{from} {to}");
    }
}
