//! What a simulation does with time, with tasks that wait, and with its chooser.

use super::*;
use crate::sync::{Condvar, Mutex};
use crate::thread::spawn;
use std::sync::Arc;

const SECOND: Duration = Duration::from_secs(1);

fn run<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> Simulated<T> {
    Simulation::default().run(|_| Move::Run(0), body)
}

fn returned<T>(simulated: Simulated<T>) -> T {
    match simulated.outcome {
        Some(Outcome::Returned(value)) => value,
        Some(Outcome::Deadlock(waiting)) => panic!("a deadlock: {waiting:?}"),
        Some(Outcome::Panicked(message)) => panic!("a panic: {message}"),
        None => panic!("it was stopped"),
    }
}

#[test]
fn a_task_never_goes_on_before_its_moment() {
    let simulated = run(|| {
        let woken = Arc::new(std::sync::Mutex::new(Vec::new()));
        let sleepers = [3, 1, 2].map(|seconds| {
            let woken = Arc::clone(&woken);
            spawn(move || {
                sleep_until(SECOND * seconds);
                woken.lock().expect("no panic").push((seconds, now()));
            })
        });
        sleepers.into_iter().for_each(|it| it.join().expect("no panic"));
        woken.lock().expect("no panic").clone()
    });
    assert_eq!(simulated.now, SECOND * 3);
    assert_eq!(returned(simulated), [1, 2, 3].map(|seconds| (seconds, SECOND * seconds)));
}

#[test]
fn a_wait_always_times_out_at_its_time_and_never_before() {
    let simulated = run(|| {
        let (mutex, condvar) = (Mutex::new(()), Condvar::new());
        let (guard, timed_out) = condvar.wait_timeout(mutex.lock(), SECOND * 5);
        drop(guard);
        (timed_out, now())
    });
    assert_eq!(returned(simulated), (true, SECOND * 5));
}

#[test]
fn a_notification_always_comes_before_a_later_time_out() {
    let simulated = run(|| {
        let shared = Arc::new((Mutex::new(()), Condvar::new()));
        let waits = Arc::clone(&shared);
        let waiter = spawn(move || {
            let (guard, timed_out) = waits.1.wait_timeout(waits.0.lock(), SECOND * 5);
            drop(guard);
            (timed_out, now())
        });
        sleep_until(SECOND * 2);
        drop(shared.0.lock());
        shared.1.notify_all();
        let woken = waiter.join().expect("no panic");
        sleep_until(SECOND * 9);
        (woken, now())
    });
    assert_eq!(returned(simulated), ((false, SECOND * 2), SECOND * 9));
}

#[test]
fn tasks_that_wait_for_ever_are_always_a_deadlock() {
    let told = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let tells = Arc::clone(&told);
    let chooser = move |of: &Alternatives| {
        tells.store(of.tasks.is_empty(), std::sync::atomic::Ordering::Relaxed);
        Move::Run(0)
    };
    let simulated = Simulation::default().run(chooser, || {
        let (mutex, condvar) = (Mutex::new(()), Condvar::new());
        drop(condvar.wait(mutex.lock()));
    });
    assert!(matches!(simulated.outcome, Some(Outcome::Deadlock(waiting)) if waiting.len() == 1));
    assert!(
        told.load(std::sync::atomic::Ordering::Relaxed),
        "the chooser learns of it before tasks unwind"
    );
}

#[test]
fn a_stalled_task_never_goes_on_before_its_stall_is_over() {
    let mut stalled = false;
    let chooser = move |of: &Alternatives| match of.tasks {
        [1, ..] if !std::mem::replace(&mut stalled, true) => Move::Stall(0, SECOND * 60),
        _ => Move::Run(0),
    };
    let simulated = Simulation { record: true }.run(chooser, || {
        drop(Mutex::new(()).lock());
        now()
    });
    assert_eq!(simulated.steps.len(), 1);
    assert_eq!(returned(simulated), SECOND * 60);
}

/// Time passes before the lock is taken, though its task could have taken it.
#[test]
fn time_passes_while_a_task_could_go_on_if_the_chooser_says_so() {
    let mut passed = false;
    let chooser = move |of: &Alternatives| match of.next {
        Some(_) if !std::mem::replace(&mut passed, true) => Move::Pass,
        _ => Move::Run(0),
    };
    let simulated = Simulation::default().run(chooser, || {
        let sleeper = spawn(|| sleep_until(SECOND));
        drop(Mutex::new(()).lock());
        let then = now();
        sleeper.join().expect("no panic");
        then
    });
    assert_eq!(returned(simulated), SECOND);
}

#[test]
fn a_simulation_that_is_stopped_always_unwinds_every_task() {
    struct Counts(Arc<std::sync::atomic::AtomicUsize>);
    impl Drop for Counts {
        fn drop(&mut self) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
    let dropped = Arc::default();
    let counts = Arc::clone(&dropped);
    let mut steps = 0;
    let chooser = move |_: &Alternatives| {
        steps += 1;
        if steps > 100 { Move::Stop } else { Move::Run(0) }
    };
    let simulated = Simulation::default().run(chooser, move || {
        let tasks = [(); 3].map(|()| {
            let counts = Counts(Arc::clone(&counts));
            spawn(move || {
                let _counts = counts;
                loop {
                    sleep_until(now() + SECOND);
                }
            })
        });
        tasks.into_iter().for_each(|it: crate::thread::JoinHandle<()>| drop(it.join()));
    });
    assert!(simulated.outcome.is_none());
    assert_eq!(dropped.load(std::sync::atomic::Ordering::Relaxed), 3);
}

/// Two runs with the same choices take the same steps, whatever the choices are.
#[test]
fn the_same_choices_always_lead_to_the_same_steps() {
    let steps = |seed: u64| {
        let mut state = seed;
        let chooser = move |of: &Alternatives| {
            // Knuth's MMIX generator: good enough to choose with.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let drawn = (state >> 33) as usize;
            match drawn % 10 {
                0 => Move::Pass,
                1 => Move::Stall(drawn % of.tasks.len(), SECOND),
                _ => Move::Run(drawn % of.tasks.len()),
            }
        };
        let simulated = Simulation { record: true }.run(chooser, || {
            let shared = Arc::new((Mutex::new(0), Condvar::new()));
            let tasks: Vec<_> = (0..4)
                .map(|number: u32| {
                    let shared = Arc::clone(&shared);
                    spawn(move || {
                        for round in 0..50 {
                            *shared.0.lock() += 1;
                            shared.1.notify_all();
                            sleep_until(now() + SECOND * number);
                            let guard = shared.0.lock();
                            drop(shared.1.wait_timeout(guard, SECOND * round).0);
                        }
                    })
                })
                .collect();
            tasks.into_iter().for_each(|it| it.join().expect("no panic"));
            *shared.0.lock()
        });
        let steps = simulated.steps.clone();
        assert_eq!(returned(simulated), 200);
        steps
    };
    for seed in 0..20 {
        assert_eq!(steps(seed), steps(seed), "seed {seed}");
    }
    assert_ne!(steps(1), steps(2));
}

crate::thread_local! {
    static OWN: std::cell::Cell<u32> = std::cell::Cell::new(7);
    static LAST: Drops = Drops(std::cell::RefCell::default());
}

/// Says, when it is dropped, whether the task's other thread-local is still there.
struct Drops(std::cell::RefCell<Option<Arc<std::sync::Mutex<Vec<bool>>>>>);

impl Drop for Drops {
    fn drop(&mut self) {
        if let Some(said) = self.0.borrow().as_ref() {
            said.lock().expect("no panic").push(OWN.try_with(|_| ()).is_ok());
        }
    }
}

#[test]
fn no_task_sees_the_thread_local_of_another_one_or_of_one_that_has_ended() {
    let said = Arc::default();
    let says = Arc::clone(&said);
    let values = returned(run(move || {
        OWN.with(|own| own.set(1));
        let tasks = [2, 3].map(|value| {
            let says = Arc::clone(&says);
            spawn(move || {
                LAST.with(|last| *last.0.borrow_mut() = Some(says));
                let before = OWN.with(|own| own.replace(value));
                sleep_until(SECOND);
                (before, OWN.with(std::cell::Cell::get))
            })
        });
        let others = tasks.map(|task| task.join().expect("no panic"));
        (OWN.with(std::cell::Cell::get), others)
    }));
    assert_eq!(values, (1, [(7, 2), (7, 3)]));
    // The last one that was used is dropped first, and the other one with it or after it is gone for good.
    assert_eq!(*said.lock().expect("no panic"), [false, false]);
}

/// A condition variable that is gone leaves nothing behind, however many there were.
#[test]
fn a_condition_variable_that_is_gone_never_keeps_its_name() {
    let simulated = Simulation { record: true }.run(
        |_| Move::Run(0),
        || {
            for _ in 0..1_000 {
                Condvar::new().notify_all();
            }
        },
    );
    assert_eq!(simulated.steps.len(), 1_000);
    assert_eq!(simulated.made_at.len(), 1);
}
