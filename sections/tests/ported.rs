//! What docs/FROM_SHUTTLE.md and docs/FROM_LOOM.md claim, each claim run.

use sections::std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use sections::std::sync::{Arc, Condvar, Mutex, RwLock, mpsc};
use sections::std::thread;
use sections::{Coverage, Error, Execution, Outcome, Sample, Schedule, Search};
use sections::{check, check_dfs, replay, spin};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::panic::catch_unwind;
use std::time::Duration;

fn outcomes<T: Ord + Send + 'static>(
    body: impl Fn() -> T + Clone + Send + Sync + 'static,
) -> Result<(Coverage, BTreeSet<T>), Error> {
    let visit = |all: &mut BTreeSet<T>, execution: Execution<T>| {
        if let Outcome::Returned(value) = execution.outcome {
            all.insert(value);
        }
        ControlFlow::Continue(())
    };
    let (coverage, all) = Search::default().run(body, visit)?;
    Ok((coverage, all.into_iter().flatten().collect()))
}

fn error(body: impl Fn() + Clone + Send + Sync + 'static) -> Error {
    outcomes(body).expect_err("no result")
}

/// loom's README, with `use` lines and the name of the function changed.
#[test]
#[should_panic(expected = "left: 2")]
fn buggy_concurrent_inc() {
    check(|| {
        let num = Arc::new(AtomicUsize::new(0));

        let ths: Vec<_> = (0..2)
            .map(|_| {
                let num = num.clone();
                thread::spawn(move || {
                    let curr = num.load(Acquire);
                    num.store(curr + 1, Release);
                })
            })
            .collect();

        for th in ths {
            th.join().unwrap();
        }

        assert_eq!(2, num.load(Relaxed));
    });
}

/// loom finds both loads 0. It does so with `SeqCst` too, which it treats as `AcqRel`.
#[test]
fn weak_memory_is_not_explored() {
    let (coverage, seen) = outcomes(|| {
        let shared = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
        let its = Arc::clone(&shared);
        let other = thread::spawn(move || {
            its.0.store(1, Relaxed);
            its.1.load(Relaxed)
        });
        shared.1.store(1, Relaxed);
        (shared.0.load(Relaxed), other.join().unwrap())
    })
    .unwrap();
    assert_eq!(seen, BTreeSet::from([(0, 1), (1, 0), (1, 1)]));
    assert_eq!((coverage.complete, coverage.exhausted), (3, true));
}

/// loom's `basic_usage` in tests/arc.rs: the loop that waits says so.
#[test]
fn a_loop_that_waits_ends_with_the_yield_of_spin_and_not_with_that_of_std() {
    let wait_with = |pause: fn()| {
        move || {
            let ready = Arc::new(AtomicBool::new(false));
            let its = Arc::clone(&ready);
            thread::spawn(move || its.store(true, Release));
            while !ready.load(Acquire) {
                pause();
            }
        }
    };
    assert!(outcomes(wait_with(spin::yield_now)).unwrap().0.exhausted);
    assert!(matches!(error(wait_with(thread::yield_now)), Error::Endless { .. }));
}

#[test]
fn more_tasks_than_loom_has_and_more_preemptions_than_one_allows() {
    check(|| {
        let counter = Arc::new(AtomicUsize::new(0));
        let add = || {
            let counter = Arc::clone(&counter);
            thread::spawn(move || counter.add(1, Relaxed))
        };
        let tasks: Vec<_> = (0..20).map(|_| add()).collect();
        tasks.into_iter().for_each(|task| task.join().unwrap());
        assert_eq!(counter.load(Relaxed), 20);
    });
}

/// A bound as `LOOM_MAX_PREEMPTIONS` has, and a limit as `check_dfs` has.
#[test]
fn a_bound_needs_a_search_without_reduction() {
    let body = || drop(thread::spawn(|| ()));
    let visit = |(): &mut (), _| ControlFlow::Continue(());
    let bounded = Search { preemptions: Some(2), reduce: false, ..Search::default() };
    assert!(bounded.run(body, visit).unwrap().0.exhausted);
    let reduced = Search { preemptions: Some(2), ..Search::default() };
    assert_eq!(reduced.run(body, visit).unwrap_err(), Error::BoundWithReduction);
    check_dfs(body, Some(100));
}

#[test]
fn shuttles_own_primitives_and_random_numbers_are_errors() {
    let mixed = || {
        let lock = Arc::new(shuttle::sync::Mutex::new(0));
        let its = Arc::clone(&lock);
        thread::spawn(move || *its.lock().unwrap() += 1);
        *lock.lock().unwrap() += 1;
    };
    assert!(matches!(error(mixed), Error::ForeignSchedulingPoint { .. }));
    let random = || {
        let _: bool = shuttle::rand::Rng::r#gen(&mut shuttle::rand::thread_rng());
    };
    assert_eq!(error(random), Error::RandomNumber);
}

#[test]
fn a_second_read_lock_of_a_task_is_an_error() {
    let body = || {
        let lock = RwLock::new(0);
        let _one = lock.read();
        let _two = lock.read();
    };
    assert!(matches!(error(body), Error::RecursiveRead { .. }));
}

/// Shuttle fails each execution in which a task panics.
#[test]
fn a_panic_that_is_joined_is_a_result() {
    check(|| assert!(thread::spawn(|| panic!("expected")).join().is_err()));
}

/// Shuttle's `wait_timeout` never times out.
#[test]
fn a_time_out_can_always_come() {
    let (_, seen) = outcomes(|| {
        let shared = Arc::new((Mutex::new(false), Condvar::new()));
        let its = Arc::clone(&shared);
        thread::spawn(move || {
            *its.0.lock().unwrap() = true;
            its.1.notify_one();
        });
        let ready = shared.0.lock().unwrap();
        let wait = |ready: &mut bool| !*ready;
        let second = Duration::from_secs(1);
        shared.1.wait_timeout_while(ready, second, wait).unwrap().1.timed_out()
    })
    .unwrap();
    assert_eq!(seen, BTreeSet::from([false, true]));
}

#[test]
fn a_primitive_that_is_made_outside_of_the_body_is_an_error() {
    let outside = Arc::new(AtomicUsize::new(0));
    assert!(catch_unwind(move || check(move || outside.store(1, SeqCst))).is_err());
}

#[test]
fn channels_are_as_in_std() {
    let (_, seen) = outcomes(|| {
        let (sender, receiver) = mpsc::channel();
        for number in [1, 2] {
            let sender = sender.clone();
            thread::spawn(move || sender.send(number).unwrap());
        }
        drop(sender);
        receiver.iter().collect::<Vec<_>>()
    })
    .unwrap();
    assert_eq!(seen, BTreeSet::from([vec![1, 2], vec![2, 1]]));
}

/// Three tasks take a lock each: 3! orders of the lock. Shuttle chooses also where no other order can be told apart.
#[test]
fn shuttles_depth_first_search_runs_more_executions_of_one_program() {
    let executions = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&executions);
    shuttle::check_dfs(
        move || {
            counted.fetch_add(1, SeqCst);
            let lock = Arc::new(shuttle::sync::Mutex::new(0));
            let tasks = [(), (), ()].map(|()| {
                let lock = Arc::clone(&lock);
                shuttle::thread::spawn(move || *lock.lock().unwrap() += 1)
            });
            tasks.into_iter().for_each(|task| task.join().unwrap());
        },
        None,
    );
    let (coverage, _) = outcomes(|| {
        let lock = Arc::new(Mutex::new(0));
        let tasks = [(), (), ()].map(|()| {
            let lock = Arc::clone(&lock);
            thread::spawn(move || *lock.lock().unwrap() += 1)
        });
        tasks.into_iter().for_each(|task| task.join().unwrap());
    })
    .unwrap();
    let shuttles = executions.load(SeqCst);
    println!("Shuttle: {shuttles}, sections: {}", coverage.complete);
    assert_eq!(coverage.complete, 6);
    assert!(shuttles > 100 * 6);
}

/// `Runner::new(scheduler, config)` is a sample. What it finds is replayed from its text.
#[test]
fn any_scheduler_of_shuttles_can_choose_and_its_schedules_are_texts() {
    use shuttle::scheduler::RoundRobinScheduler;
    let body = || {
        let counter = Arc::new(AtomicUsize::new(0));
        let tasks = [(), ()].map(|()| {
            let counter = Arc::clone(&counter);
            thread::spawn(move || counter.store(counter.load(SeqCst) + 1, SeqCst))
        });
        tasks.into_iter().for_each(|task| task.join().unwrap());
        counter.load(SeqCst)
    };
    let judge = |lost: &mut Option<String>, execution: Execution<usize>| {
        if execution.outcome == Outcome::Returned(1) {
            *lost = Some(execution.schedule.to_string());
        }
        ControlFlow::Continue(())
    };
    let in_turns = || RoundRobinScheduler::new(1);
    let (executions, lost) = Sample::default().run(in_turns, body, judge).unwrap();
    assert_eq!(executions, 1);
    let schedule: Schedule = lost.expect("turns lose an addition").parse().unwrap();
    assert_eq!(replay(&schedule, body).unwrap().outcome, Outcome::Returned(1));
}

#[test]
fn a_task_that_locks_a_mutex_which_it_holds_is_a_deadlock() {
    let body = || {
        let task = thread::spawn(|| {
            let lock = Mutex::new(0);
            let _one = lock.lock();
            let _two = lock.lock();
        });
        task.join().unwrap();
    };
    let execution = replay(&Schedule::default(), body).unwrap();
    assert!(matches!(execution.outcome, Outcome::Deadlock(_)), "{:?}", execution.outcome);
}
