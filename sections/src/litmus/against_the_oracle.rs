//! Random programs against the oracle, and the oracle against derived outcomes, Shuttle and mistakes.

use super::checkers::{Choices, Outcomes, by_shuttle, outcome_of};
use super::mixes::{Compared, Mix, Sight, mixes};
use super::oracle::{Fault, explore};
use super::program::{FAILED, FLAG, Op, PANICKED, Program, TIMED_OUT, WOKEN};
use super::random::{from_environment, notes};
use super::{announced, log, native};
use crate::rules::{Rule, without};
use crate::{Execution, Search};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngSeed, TestRunner};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Programs of each mix; the environment can set another number.
const PROGRAMS: usize = 50;
/// A program with more states than this, or with more executions, is shortened, never skipped.
const STATES: usize = 10_000;
const EXECUTIONS: u64 = 5_000;

/// Programs of a mix. The seed is fixed, and the environment can set another one.
pub fn programs(mix: &Mix) -> impl Iterator<Item = Program> {
    let seed = RngSeed::Fixed(from_environment("SECTIONS_SEED", 1));
    let mut runner = TestRunner::new(Config { rng_seed: seed, ..Config::default() });
    let programs = mix.programs.clone();
    std::iter::repeat_with(move || programs.new_tree(&mut runner).unwrap().current())
}

/// The outcomes by this package's search and the number of executions, unless there are more than that.
fn search(program: &Arc<Program>, reduce: bool, at_most: u64) -> Option<(Outcomes, u64)> {
    let search = Search { reduce, workers: 1, executions: at_most, ..Search::default() };
    let its = Arc::clone(program);
    let body = move || {
        log::clear();
        announced::text::run(&its);
    };
    let visit = |outcomes: &mut Outcomes, execution: Execution<()>| {
        outcomes.insert(outcome_of(&execution));
        ControlFlow::Continue(())
    };
    let (coverage, found) =
        search.run(body, visit).unwrap_or_else(|error| panic!("{error} {program:?}"));
    let executions = coverage.complete + coverage.redundant;
    // A search is not exhausted either if a guard of a tried lock is dropped by a panic.
    (executions < at_most).then(|| (found.into_iter().flatten().collect(), executions))
}

#[derive(Debug, Default)]
struct Tally {
    programs: usize,
    shortened: usize,
    outcomes: usize,
    states: usize,
    executions: u64,
    unreduced: usize,
    smaller: usize,
    sights: BTreeMap<Sight, usize>,
    by_oracle: Duration,
    by_search: Duration,
}

impl Tally {
    fn see(&mut self, outcomes: &Outcomes) {
        let noted = |value| outcomes.iter().any(|outcome| notes(outcome, value));
        let sights = [
            (Sight::Choice, outcomes.len() > 1),
            (Sight::Deadlock, outcomes.iter().any(|outcome| outcome.ends_with("deadlock"))),
            (Sight::FailedTry, noted(FAILED)),
            (Sight::WakeUp, noted(WOKEN)),
            (Sight::TimeOut, noted(TIMED_OUT)),
            (Sight::Panic, noted(PANICKED)),
        ];
        for (sight, _) in sights.into_iter().filter(|(_, seen)| *seen) {
            *self.sights.entry(sight).or_default() += 1;
        }
        self.programs += 1;
        self.outcomes += outcomes.len();
    }

    /// Compares a program, which it shortens until it is small enough.
    fn check(&mut self, mut program: Program, compared: Compared) {
        loop {
            let shared = Arc::new(program.clone());
            if let Some((expected, found)) = self.both(&shared) {
                self.see(&expected);
                self.compare(&shared, compared, &expected, &found);
                return;
            }
            self.shortened += 1;
            program = program.shorter();
        }
    }

    fn both(&mut self, program: &Arc<Program>) -> Option<(Outcomes, Outcomes)> {
        let began = Instant::now();
        let explored = explore(program, STATES, None)?;
        self.by_oracle += began.elapsed();
        let began = Instant::now();
        let (found, executions) = search(program, true, EXECUTIONS)?;
        self.by_search += began.elapsed();
        self.states += explored.states;
        self.executions += executions;
        Some((explored.outcomes, found))
    }

    fn compare(
        &mut self,
        program: &Arc<Program>,
        compared: Compared,
        expected: &Outcomes,
        found: &Outcomes,
    ) {
        let right = |found: &Outcomes| match compared {
            Compared::Equal => found == expected,
            Compared::FailuresOfTriesAreLost => {
                found.is_subset(expected)
                    && expected.difference(found).all(|outcome| notes(outcome, FAILED))
            }
        };
        assert!(right(found), "{program:?}: {}", differences(expected, found));
        self.smaller += usize::from(found != expected);
        if self.programs.is_multiple_of(4)
            && let Some((found, _)) = search(program, false, EXECUTIONS)
        {
            let differences = differences(expected, &found);
            assert!(right(&found), "without reduction {program:?}: {differences}");
            self.unreduced += 1;
        }
    }
}

fn differences(expected: &Outcomes, found: &Outcomes) -> String {
    let lost: Vec<_> = expected.difference(found).collect();
    let invented: Vec<_> = found.difference(expected).collect();
    format!("lost {lost:?}, invented {invented:?}")
}

#[test]
fn random_programs_have_the_outcomes_of_the_explicit_state_oracle() {
    let number = from_environment("SECTIONS_PROGRAMS", PROGRAMS);
    // The name of one mix, to look at it alone.
    let only: String = from_environment("SECTIONS_MIX", String::new());
    for mix in mixes().into_iter().filter(|mix| only.is_empty() || only == mix.name) {
        let mut tally = Tally::default();
        programs(&mix).take(number).for_each(|program| tally.check(program, mix.compared));
        eprintln!("{}: {tally:?}", mix.name);
        for sight in mix.sees {
            let seen = tally.sights.get(sight).copied().unwrap_or_default();
            assert!(seen * 10 >= number, "{}: too few of {sight:?}: {tally:?}", mix.name);
        }
        assert!(tally.shortened * 4 <= number, "{}: too many are shortened: {tally:?}", mix.name);
        assert!(tally.unreduced * 10 >= number, "{}: too few searches: {tally:?}", mix.name);
    }
}

fn outcomes(program: &Program) -> Outcomes {
    explore(program, usize::MAX, None).unwrap().outcomes
}

/// A program and the outcomes that its comment derives. Main notes the values of the mutexes, of the
/// read-write lock and of the atomics.
type Derived = (&'static str, Vec<Vec<Op>>, &'static [&'static str]);

const NOTIFY_ONE: Op = Op::Notify { all: false, flag: false };
const WAIT: Op = Op::Wait { checks: false, timed: false };

fn derived() -> Vec<Derived> {
    let lock = |mutex, body: &[Op]| Op::Lock(mutex, body.to_vec());
    let try_lock = |mutex| Op::TryLock(mutex, Vec::new());
    vec![
        // One of the stores comes first, so the other task sees it.
        (
            "store buffering",
            vec![vec![Op::Store(0, 1), Op::Load(1)], vec![Op::Store(1, 1), Op::Load(0)]],
            &["0:0,0,0,0,1,1 1:0 2:1", "0:0,0,0,0,1,1 1:1 2:0", "0:0,0,0,0,1,1 1:1 2:1"],
        ),
        // 0 becomes 1 and then 2·1+2 in both mutexes, or 2 and then 2·2+1. Or each task holds one.
        (
            "opposite orders",
            vec![vec![lock(0, &[lock(1, &[])])], vec![lock(1, &[lock(0, &[])])]],
            &["0:4,4,0,0,0,0 1:0,0 2:1,1", "0:5,5,0,0,0,0 1:2,2 2:0,0", "1:0 2:0 deadlock"],
        ),
        // The try comes before the other task's lock, while it is held, or after it.
        (
            "a try against a holder",
            vec![vec![lock(0, &[])], vec![try_lock(0)]],
            &["0:1,0,0,0,0,0 1:0 2:-1", "0:4,0,0,0,0,0 1:0 2:1", "0:5,0,0,0,0,0 1:2 2:0"],
        ),
        // The second task tries what it holds itself. The sum of the additions is 3 in any order.
        (
            "a try of an own lock",
            vec![vec![Op::Add(0, 1)], vec![lock(0, &[try_lock(0)]), Op::Add(0, 2)]],
            &["0:2,0,0,0,3,0 2:0,-1"],
        ),
        // Only two readers at the same time can both see the other's store. They never write.
        (
            "readers overlap",
            vec![
                vec![Op::Read(vec![Op::Store(0, 1), Op::Load(1)])],
                vec![Op::Read(vec![Op::Store(1, 1), Op::Load(0)])],
            ],
            &[
                "0:0,0,0,0,1,1 1:0,0 2:0,1",
                "0:0,0,0,0,1,1 1:0,1 2:0,0",
                "0:0,0,0,0,1,1 1:0,1 2:0,1",
            ],
        ),
        // The writer that comes first sees no store, and the other one sees it.
        (
            "writers exclude",
            vec![
                vec![Op::Write(vec![Op::Store(0, 1), Op::Load(1)])],
                vec![Op::Write(vec![Op::Store(1, 1), Op::Load(0)])],
            ],
            &["0:0,0,0,4,1,1 1:0,0 2:1,1", "0:0,0,0,5,1,1 1:2,1 2:0,0"],
        ),
    ]
}

fn derived_of_condvars_and_tasks() -> Vec<Derived> {
    let timed = Op::Wait { checks: false, timed: true };
    let children = vec![Op::Spawn(vec![Op::Store(0, 1)]), Op::Load(0), Op::Join, Op::Load(0)];
    let panics = vec![Op::Spawn(vec![Op::Lock(0, vec![Op::Panic])]), Op::Join];
    vec![
        // A notification wakes one of the tasks that wait. If none waits, it has no effect.
        (
            "one notification for two",
            vec![vec![WAIT], vec![WAIT], vec![NOTIFY_ONE]],
            &["1:-2,0 deadlock", "2:-2,0 deadlock", "deadlock"],
        ),
        // The task that notifies waits after its notification. Only the other one can have it.
        (
            "a late waiter",
            vec![vec![WAIT], vec![NOTIFY_ONE, WAIT]],
            &["1:-2,0 deadlock", "deadlock"],
        ),
        // Both are woken by two notifications if both wait before the first. If only one waits before the
        // first, the second is for the other one, if it waits by then. Any subset is woken.
        (
            "two notifications for two",
            vec![vec![WAIT], vec![WAIT], vec![NOTIFY_ONE, NOTIFY_ONE]],
            &["0:0,0,0,0,0,0 1:-2,0 2:-2,0", "1:-2,0 deadlock", "2:-2,0 deadlock", "deadlock"],
        ),
        // The first is notified. Or it times out, and the second is notified, or waits too late.
        (
            "a time-out beside a waiter",
            vec![vec![timed], vec![WAIT], vec![NOTIFY_ONE]],
            &["0:0,0,0,0,0,0 1:-3,0 2:-2,0", "1:-2,0 deadlock", "1:-3,0 deadlock"],
        ),
        // Before the join the store is seen or not, after it it is seen.
        ("a child", vec![children], &["0:0,0,0,0,1,0 1:0,1", "0:0,0,0,0,1,0 1:1,1"]),
        // The child's mutex is 1·16+1 = 17 after its panic, and free.
        (
            "a panic with a lock",
            vec![panics, vec![Op::Lock(0, vec![])]],
            &["0:21,0,0,0,0,0 1:-4 2:0 17:2", "0:36,0,0,0,0,0 1:-4 2:17 17:0"],
        ),
        // The parent holds the lock for which its child waits.
        (
            "a join with a lock",
            vec![vec![Op::Lock(0, vec![Op::Spawn(vec![Op::Lock(0, vec![])]), Op::Join])]],
            &["1:0 deadlock"],
        ),
        // Notifier: holds the flag's mutex, so the woken task waits for it and sees the change.
        (
            "a woken task locks again",
            vec![vec![WAIT], vec![Op::Lock(FLAG, vec![NOTIFY_ONE])]],
            &["0:0,0,2,0,0,0 1:-2,2 2:0", "2:0 deadlock"],
        ),
    ]
}

#[test]
fn the_oracle_and_the_search_have_exactly_the_derived_outcomes() {
    for (name, tasks, expected) in derived().into_iter().chain(derived_of_condvars_and_tasks()) {
        let expected: Outcomes = expected.iter().map(|outcome| (*outcome).to_owned()).collect();
        let program = Program(tasks);
        assert_eq!(outcomes(&program), expected, "{name}");
        let (found, _) = search(&Arc::new(program), true, EXECUTIONS).unwrap();
        assert_eq!(found, expected, "{name}");
    }
}

/// Shuttle's executions of a program. It has a scheduling point more often than this package.
const EXECUTIONS_OF_SHUTTLE: usize = 2_000;
const INTERLEAVINGS: f64 = 20_000.0;

/// Compares `number` programs that Shuttle's search can finish. Returns how many have several outcomes.
fn against_shuttle(mix: &Mix, number: usize) -> usize {
    let few = programs(mix).filter(|program| program.interleavings() < INTERLEAVINGS);
    let both = few.filter_map(|program| {
        let its = Arc::new(program.clone());
        let body = move || native::text::run(&its);
        let found = by_shuttle(body, Choices::ThatMatter, EXECUTIONS_OF_SHUTTLE);
        found.exhausted.then_some((program, found.outcomes))
    });
    let compared = both.take(number).map(|(program, found)| {
        let expected = outcomes(&program);
        assert_eq!(found, expected, "{}: {program:?}", mix.name);
        usize::from(found.len() > 1)
    });
    compared.sum()
}

#[test]
fn the_oracle_has_the_outcomes_that_shuttle_finds() {
    for mix in mixes().iter().filter(|mix| mix.on_shuttle) {
        let number = if mix.name == "as against Shuttle" { 200 } else { 30 };
        let began = Instant::now();
        let with_choice = against_shuttle(mix, number);
        eprintln!("{}: {with_choice} of {number} in {:?}", mix.name, began.elapsed());
        assert!(with_choice * 5 >= number, "{}: too few have a choice", mix.name);
    }
}

/// The most programs of each mix until a mistake has to be noticed.
const PATIENCE: usize = 100;
/// The most states of these programs.
const FEW_STATES: usize = 2_500;

/// The first program whose outcomes differ, by its mix and its place there. The mixes take turns.
fn first_difference(
    differs: impl Fn(&Arc<Program>, &Outcomes) -> bool,
) -> Option<(&'static str, usize)> {
    let mixes = mixes();
    let exact = mixes.iter().filter(|mix| mix.compared == Compared::Equal);
    let mut all: Vec<_> = exact.map(|mix| (mix.name, programs(mix).map(Arc::new))).collect();
    (0..PATIENCE).find_map(|place| {
        let shows = all.iter_mut().find_map(|(name, programs)| {
            let program = programs.next()?;
            let right = explore(&program, FEW_STATES, None)?;
            differs(&program, &right.outcomes).then_some(*name)
        });
        shows.map(|name| (name, place))
    })
}

#[test]
fn a_mistake_in_the_oracle_is_noticed() {
    for fault in Fault::ALL {
        let noticed = first_difference(|program, _| {
            let wrong = explore(program, FEW_STATES, Some(*fault));
            let found = search(program, true, EXECUTIONS);
            wrong.zip(found).is_some_and(|(wrong, (found, _))| wrong.outcomes != found)
        });
        eprintln!("{fault:?}: {noticed:?}");
        assert!(noticed.is_some(), "{fault:?}: no program shows it");
    }
}

/// The rules that change outcomes. The others change counts and errors, or ledgers, or let locks have two
/// owners, which is an assertion.
const RULES: [Rule; 6] = [
    Rule::FootprintHasReleases,
    Rule::SleepersAreFiltered,
    Rule::TriedLocksAnnounceReleases,
    Rule::TimeoutsAreEnabled,
    Rule::NewTasksRunFirst,
    Rule::UpdatesAreNotAdditions,
];

#[test]
fn the_oracle_notices_every_rule_that_is_switched_off() {
    for rule in RULES {
        let noticed = first_difference(|program, right| {
            let found = without(Some(rule), || search(program, true, EXECUTIONS));
            found.is_some_and(|(found, _)| found != *right)
        });
        eprintln!("{rule:?}: {noticed:?}");
        assert!(noticed.is_some(), "{rule:?}: no program shows it");
    }
}
