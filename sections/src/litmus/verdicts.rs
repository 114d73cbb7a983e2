//! Programs that could get a wrong verdict: an error where the search would be blind, or every outcome.

use super::checkers::Outcomes;
use super::switched_off::main_takes_part;
use crate::sync::atomic::{AtomicU32, Ordering::SeqCst};
use crate::sync::{Condvar, Mutex, MutexGuard, RwLock};
use crate::thread::{JoinHandle, spawn};
use crate::{Coverage, Error, Execution, Kind, Outcome, Sample, Schedule, Search, replay};
use shuttle::scheduler::RandomScheduler;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, OnceLock};

/// All outcomes of a body, and what the search covered.
fn search<T: std::fmt::Debug + 'static>(
    body: impl Fn() -> T + Clone + Send + Sync + 'static,
    workers: usize,
) -> Result<(Outcomes, Coverage), Error> {
    let judge = |outcomes: &mut Outcomes, execution: Execution<T>| {
        outcomes.insert(match execution.outcome {
            Outcome::Returned(value) => format!("{value:?}"),
            Outcome::Deadlock(_) => "deadlock".to_owned(),
            Outcome::Panicked(message) => format!("panicked: {message}"),
        });
        ControlFlow::Continue(())
    };
    let (coverage, found) = Search { workers, ..Search::default() }.run(body, judge)?;
    Ok((found.into_iter().flatten().collect(), coverage))
}

fn error<T: std::fmt::Debug + 'static>(
    body: impl Fn() -> T + Clone + Send + Sync + 'static,
) -> Error {
    let errors = [1, 2].map(|workers| search(body.clone(), workers).expect_err("it is refused"));
    assert_eq!(std::mem::discriminant(&errors[0]), std::mem::discriminant(&errors[1]));
    let [error, _] = errors;
    error
}

fn outcomes(texts: &[&str]) -> Outcomes {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// Holds a lock, and takes another one when it is dropped.
struct Again<'a> {
    _held: MutexGuard<'a, ()>,
    other: &'a Mutex<()>,
    even_while_unwinding: bool,
}

impl Drop for Again<'_> {
    fn drop(&mut self) {
        if self.even_while_unwinding || !std::thread::panicking() {
            drop(self.other.lock());
        }
    }
}

/// Two tasks take two locks in opposite orders, and the second one again when they drop the first.
fn crossed(even_while_unwinding: [bool; 2]) {
    let locks = Arc::new([Mutex::new(()), Mutex::new(())]);
    let tasks = [0, 1].map(|first| {
        let locks = Arc::clone(&locks);
        spawn(move || {
            let other = &locks[1 - first];
            let even_while_unwinding = even_while_unwinding[first];
            let _again = Again { _held: locks[first].lock(), other, even_while_unwinding };
            drop(other.lock());
        })
    });
    tasks.into_iter().for_each(|task| drop(task.join()));
}

/// Destructors that lock while a deadlock unwinds change nothing of what a search finds. In the last case each waits
/// for the other for ever.
#[test]
fn a_deadlock_is_shown_whatever_its_destructors_wait_for() {
    for workers in [1, 2] {
        let expected = search(|| crossed([false, false]), workers).unwrap();
        assert_eq!(expected.0, outcomes(&["()", "deadlock"]));
        for which in [[true, false], [false, true], [true, true]] {
            assert_eq!(search(move || crossed(which), workers).unwrap(), expected, "{which:?}");
        }
    }
}

/// A destructor that insists on a result which a given-up task does not have.
#[test]
fn a_deadlock_is_shown_whatever_its_destructors_join() {
    struct Pool(Vec<JoinHandle<()>>);
    impl Drop for Pool {
        fn drop(&mut self) {
            self.0.drain(..).for_each(|task| task.join().unwrap());
        }
    }
    let body = || {
        let locks = Arc::new([Mutex::new(()), Mutex::new(())]);
        let tasks = [0, 1].map(|first| {
            let locks = Arc::clone(&locks);
            spawn(move || {
                let _one = locks[first].lock();
                let _other = locks[1 - first].lock();
            })
        });
        drop(Pool(tasks.into()));
    };
    let (found, coverage) = search(body, 1).unwrap();
    assert_eq!((found, coverage.complete), (outcomes(&["()", "deadlock"]), 3));
    assert!(coverage.exhausted);
}

#[test]
fn a_replay_and_a_sample_show_a_deadlock_that_cannot_unwind() {
    let random = || RandomScheduler::new_from_seed(1, 50);
    let judge = |found: &mut Vec<Schedule>, execution: Execution<()>| {
        if let Outcome::Deadlock(_) = execution.outcome {
            found.push(execution.schedule);
        }
        ControlFlow::Continue(())
    };
    let body = || crossed([true, true]);
    let (executions, found) = Sample::default().run(random, body, judge).unwrap();
    assert_eq!(executions, 50);
    assert!(!found.is_empty());
    for schedule in found {
        let again = replay(&schedule, body).unwrap();
        assert!(matches!(again.outcome, Outcome::Deadlock(waiting) if waiting.len() == 2));
        assert_eq!(again.schedule, schedule);
    }
}

/// A panic in the function that judges is reported, also where it runs before a deadlock is given up.
#[test]
fn a_judge_that_panics_ends_the_search() {
    for which in [[false, false], [true, true]] {
        let judge = |seen: &mut u32, execution: Execution<()>| {
            *seen += u32::from(matches!(execution.outcome, Outcome::Deadlock(_)));
            assert!(*seen < 2, "the second deadlock");
            ControlFlow::Continue(())
        };
        let error = Search { workers: 1, reduce: false, ..Search::default() }
            .run(move || crossed(which), judge)
            .expect_err("it panics");
        let Error::Judge { message, schedule } = error else { panic!("{error}") };
        assert_eq!(message, "the second deadlock", "{which:?}");
        let again = replay(&schedule, move || crossed(which)).unwrap();
        assert!(matches!(again.outcome, Outcome::Deadlock(_)), "{which:?}");
    }
}

fn panic_now() -> ! {
    resume_unwind(Box::new("on purpose"))
}

/// The schedule of an error leads to it again.
fn leads_to(error: &Error, body: fn()) {
    let Error::CannotUnwind { schedule, .. } = error else { panic!("{error}") };
    assert_eq!(replay(schedule, body).as_ref().err(), Some(error));
}

#[test]
fn a_destructor_of_a_panic_that_needs_a_taken_lock_is_an_error() {
    let body = || {
        let locks = Arc::new([Mutex::new(()), Mutex::new(())]);
        let its = Arc::clone(&locks);
        let task = spawn(move || {
            let other = &its[1];
            let _again = Again { _held: its[0].lock(), other, even_while_unwinding: true };
            panic_now();
        });
        let holder = spawn(move || {
            let _held = locks[1].lock();
            drop(locks[0].lock());
        });
        drop((task.join(), holder.join()));
    };
    let error = error(body);
    let Error::CannotUnwind { waiting, .. } = &error else { panic!("{error}") };
    let kinds: Vec<_> = waiting.iter().map(|(task, operation)| (*task, operation.kind)).collect();
    assert_eq!(kinds, [(1, Kind::Lock), (0, Kind::Join), (2, Kind::Lock)]);
    leads_to(&error, body);
}

#[test]
fn a_destructor_of_a_panic_that_joins_or_waits_is_an_error() {
    struct Joins(Option<JoinHandle<()>>);
    impl Drop for Joins {
        fn drop(&mut self) {
            self.0.take().map(JoinHandle::join);
        }
    }
    let joins = || {
        let pool = Joins(Some(spawn(|| drop(Mutex::new(()).lock()))));
        let _ = catch_unwind(AssertUnwindSafe(move || {
            let _pool = pool;
            panic_now();
        }));
    };
    leads_to(&error(joins), joins);

    struct Waits(Arc<(Mutex<()>, Condvar)>);
    impl Drop for Waits {
        fn drop(&mut self) {
            drop(self.0.1.wait(self.0.0.lock()));
        }
    }
    let waits = || {
        let shared: Arc<(Mutex<()>, Condvar)> = Arc::default();
        let waits = Waits(Arc::clone(&shared));
        let waiter = spawn(move || {
            let _waits = waits;
            panic_now();
        });
        spawn(move || shared.1.notify_one()).join().unwrap();
        let _ = waiter.join();
    };
    leads_to(&error(waits), waits);
}

/// Two tasks that can run in two orders.
fn two_executions() {
    let one = Arc::new(AtomicU32::new(0));
    let other = Arc::clone(&one);
    let tasks = [spawn(move || one.store(1, SeqCst)), spawn(move || other.store(2, SeqCst))];
    tasks.into_iter().for_each(|task| task.join().unwrap());
}

/// The error of an object that does not belong to its execution: the task, what it was about to do, and the line.
fn outlived(body: fn()) -> (usize, Kind, u32) {
    match error(body) {
        Error::Outlived { task, kind, made_at } => (task, kind, made_at.line()),
        other => panic!("{other}"),
    }
}

#[test]
fn an_object_of_an_execution_before_is_an_error_that_names_its_line() {
    static LOCK: OnceLock<Mutex<u32>> = OnceLock::new();
    const LINE: u32 = line!() + 3;
    let body = || {
        spawn(|| {
            let lock = LOCK.get_or_init(|| Mutex::new(0));
            *lock.lock() += 1;
        })
        .join()
        .unwrap();
        two_executions();
    };
    assert_eq!(outlived(body), (1, Kind::Lock, LINE));
}

#[test]
fn an_object_that_no_execution_made_is_an_error_that_names_its_line() {
    static NUMBER: OnceLock<(AtomicU32, RwLock<()>, Condvar)> = OnceLock::new();
    const LINE: u32 = line!() + 1;
    NUMBER.get_or_init(|| (AtomicU32::new(0), RwLock::new(()), Condvar::new()));
    fn in_a_task(body: fn(&(AtomicU32, RwLock<()>, Condvar))) {
        let _ = spawn(move || body(NUMBER.get().unwrap())).join();
    }
    assert_eq!(outlived(|| in_a_task(|o| o.0.add(1, SeqCst))), (1, Kind::Add, LINE));
    assert_eq!(outlived(|| in_a_task(|o| drop(o.1.read()))), (1, Kind::ReadLock, LINE));
    assert_eq!(outlived(|| in_a_task(|o| o.2.notify_all())), (1, Kind::NotifyAll, LINE));
    assert_eq!(outlived(|| NUMBER.get().unwrap().2.notify_one()), (0, Kind::NotifyOne, LINE));
    // In a destructor of a panic.
    struct Locks;
    impl Drop for Locks {
        fn drop(&mut self) {
            drop(NUMBER.get().unwrap().1.write());
        }
    }
    let unwinds = || {
        let _locks = Locks;
        panic_now();
    };
    assert_eq!(outlived(unwinds), (0, Kind::WriteLock, LINE));
}

/// A guard that outlives its execution releases nothing in the next one, where another lock may have its name.
#[test]
fn a_guard_of_an_execution_before_is_an_error() {
    thread_local! {
        static HELD: std::cell::RefCell<Vec<MutexGuard<'static, u32>>> = const { std::cell::RefCell::new(Vec::new()) };
    }
    let body = || {
        let before = HELD.take();
        let lock: &'static Mutex<u32> = Box::leak(Box::new(Mutex::new(0)));
        HELD.with(|held| held.borrow_mut().push(lock.lock()));
        drop(before);
        two_executions();
    };
    let found = search(body, 1).expect_err("it is refused");
    assert!(matches!(found, Error::Outlived { kind: Kind::Release, .. }), "{found}");
}

#[test]
fn the_text_of_an_object_does_not_depend_on_its_value() {
    let body = || {
        let number = AtomicU32::new(5);
        let before = format!("{number:?}");
        number.store(6, SeqCst);
        assert_eq!(before, format!("{number:?}"));
    };
    assert_eq!(search(body, 1).unwrap().0, outcomes(&["()"]));
}

#[test]
fn a_task_that_reads_a_lock_twice_at_once_is_an_error_that_names_both() {
    let recursive = |nested: fn(&RwLock<u32>, &RwLock<u32>)| {
        move || {
            let locks = Arc::new([RwLock::new(0), RwLock::new(0)]);
            let its = Arc::clone(&locks);
            let reader = spawn(move || nested(&its[0], &its[1]));
            let writer = spawn(move || *locks[0].write() = 1);
            drop((reader.join(), writer.join()));
        }
    };
    let twice = recursive(|one, _| {
        let first = one.read();
        assert_eq!(*one.read(), *first);
    });
    let Error::RecursiveRead { task, lock } = error(twice) else { panic!("it reads twice") };
    assert_eq!((task, lock.to_string().as_str()), (1, "object 0.1"));
    // One after the other, and two locks at once, are no recursion.
    for right in [
        recursive(|one, _| {
            drop(one.read());
            drop(one.read());
        }),
        recursive(|one, other| assert_eq!(*one.read() / 2, *other.read())),
    ] {
        assert_eq!(search(right, 1).unwrap().0, outcomes(&["()"]));
    }
}

/// The task and the place of a foreign scheduling point.
fn foreign<T: std::fmt::Debug + 'static>(
    body: impl Fn() -> T + Clone + Send + Sync + 'static,
) -> (usize, String) {
    match error(body) {
        Error::ForeignSchedulingPoint { task, place } => (task, place.unwrap_or_default()),
        other => panic!("{other}"),
    }
}

/// Runs a task, and another one of ours next to it.
fn beside_a_task(task: fn()) -> impl Fn() + Clone + Send + Sync + 'static {
    move || {
        let shared = Arc::new(Mutex::new(0));
        let tasks = [spawn(move || *shared.lock() += 1), spawn(task)];
        tasks.into_iter().for_each(|task| drop(task.join()));
    }
}

#[test]
fn a_task_that_uses_shuttles_primitives_is_an_error_that_names_it_and_the_place() {
    use shuttle::sync::atomic::AtomicU32 as Foreign;
    use shuttle::sync::{Barrier, Mutex as ForeignMutex, mpsc};
    // The value keeps the compiler from a jump, which would leave no frame.
    macro_rules! uses {
        ($($use_it:expr,)*) => { [$(|| { std::hint::black_box($use_it); }),*] };
    }
    let uses: &[fn()] = &uses![
        shuttle::thread::yield_now(),
        Foreign::new(0).fetch_add(1, SeqCst),
        drop(ForeignMutex::new(0).lock()),
        mpsc::channel().0.send(1).is_ok(),
        shuttle::thread::spawn(|| ()).thread().id(),
        // These block.
        mpsc::channel::<u32>().1.recv().is_ok(),
        Barrier::new(2).wait().is_leader(),
        shuttle::thread::park(),
        // After an operation of ours.
        (drop(Mutex::new(()).lock()), shuttle::thread::yield_now()),
    ];
    for (number, task) in uses.iter().enumerate() {
        let (task, place) = foreign(beside_a_task(*task));
        assert_eq!(task, 2, "{number}");
        assert!(place.contains("verdicts"), "{number}: {place:?}");
    }
}

#[test]
fn main_that_uses_shuttles_primitives_is_an_error() {
    let (task, place) = foreign(|| {
        let lock = shuttle::sync::Mutex::new(0);
        *lock.lock().unwrap() += 1;
    });
    assert_eq!(task, 0);
    assert!(place.contains("verdicts"), "{place:?}");
    // While tasks live, and where it waits for one of Shuttle's.
    assert_eq!(foreign(|| drop((spawn(|| ()), shuttle::thread::yield_now()))).0, 0);
    // In a destructor of a panic, which cannot be unwound either.
    struct Foreign;
    impl Drop for Foreign {
        fn drop(&mut self) {
            shuttle::thread::yield_now();
        }
    }
    let unwinds = || {
        let _foreign = Foreign;
        panic_now();
    };
    assert_eq!(foreign(unwinds).0, 0);
}

/// Shuttle's scheduler is asked at the beginning and at the end of a task, at a spawn, and at the end of main too.
#[test]
fn what_asks_shuttle_for_a_task_and_is_ours_is_no_error() {
    let body = || {
        let shared = Arc::new((Mutex::new(0), Condvar::new()));
        let its = Arc::clone(&shared);
        let parent = spawn(move || {
            let child = spawn(|| spawn(|| ()).join().unwrap());
            *its.0.lock() = 1;
            its.1.notify_all();
            child.join().unwrap();
        });
        let waiter = spawn(move || {
            let mut value = shared.0.lock();
            while *value == 0 {
                value = shared.1.wait(value);
            }
        });
        spawn(|| panic_now());
        drop(spawn(|| ()));
        parent.join().unwrap();
        waiter.join().unwrap();
        // The judge may use it.
        Mutex::new(5)
    };
    for workers in [1, 2] {
        let judge = |(): &mut (), execution: Execution<Mutex<u32>>| {
            let Outcome::Returned(value) = execution.outcome else { panic!("it returns") };
            assert_eq!(*value.lock(), 5);
            ControlFlow::Continue(())
        };
        let search = Search { workers, ..Search::default() };
        assert!(search.run(body, judge).unwrap().0.exhausted);
    }
}

/// Locks and adds when it is dropped.
struct Adds(Arc<Mutex<Vec<u32>>>, u32);

impl Drop for Adds {
    fn drop(&mut self) {
        self.0.lock().push(self.1);
    }
}

/// Two tasks keep a value whose drop locks. Whichever of them comes first, both have come before they are joined.
fn both_orders(keep: fn(Adds)) -> Result<(Outcomes, Coverage), Error> {
    let body = move || {
        let list: Arc<Mutex<Vec<u32>>> = Arc::default();
        let tasks = [1, 2].map(|label| {
            let adds = Adds(Arc::clone(&list), label);
            spawn(move || keep(adds))
        });
        tasks.into_iter().for_each(|task| task.join().unwrap());
        list.lock().clone()
    };
    search(body, 1)
}

#[test]
fn a_thread_local_of_ours_is_dropped_in_every_order() {
    crate::thread_local! {
        static KEPT: std::cell::RefCell<Vec<Adds>> = std::cell::RefCell::default();
    }
    let (found, coverage) =
        both_orders(|adds| KEPT.with(|kept| kept.borrow_mut().push(adds))).unwrap();
    assert_eq!(found, outcomes(&["[1, 2]", "[2, 1]"]));
    assert_eq!((coverage.complete, coverage.exhausted), (2, true));
}

#[test]
fn a_thread_local_of_shuttles_whose_drop_locks_is_an_error() {
    shuttle::thread_local! {
        static KEPT: std::cell::RefCell<Vec<Adds>> = std::cell::RefCell::default();
    }
    let found = both_orders(|adds| KEPT.with(|kept| kept.borrow_mut().push(adds)));
    assert!(matches!(found, Err(Error::ForeignSchedulingPoint { task: 1, .. })), "{found:?}");
    struct Yields;
    impl Drop for Yields {
        fn drop(&mut self) {
            shuttle::thread::yield_now();
        }
    }
    shuttle::thread_local! {
        static YIELDS: Yields = Yields;
    }
    assert_eq!(foreign(beside_a_task(|| YIELDS.with(|_| ()))).0, 2);
}

/// The value of a task without a handle is dropped by the task, before its end.
#[test]
fn a_result_that_nobody_wants_is_dropped_in_every_order() {
    let body = || {
        let list: Arc<Mutex<Vec<u32>>> = Arc::default();
        let parents = [1, 2].map(|label| {
            let adds = Adds(Arc::clone(&list), label);
            spawn(move || drop(spawn(move || adds)))
        });
        parents.into_iter().for_each(|task| task.join().unwrap());
        list
    };
    let judge = |found: &mut Outcomes, execution: Execution<Arc<Mutex<Vec<u32>>>>| {
        let Outcome::Returned(list) = execution.outcome else { panic!("it returns") };
        found.insert(format!("{:?}", *list.lock()));
        ControlFlow::Continue(())
    };
    let (_, found) = Search { workers: 1, ..Search::default() }.run(body, judge).unwrap();
    assert_eq!(found.into_iter().flatten().collect::<Outcomes>(), outcomes(&["[1, 2]", "[2, 1]"]));
}

/// A body in which main takes part has the outcomes and the numbers of a body in which another task does the same.
fn main_is_like_a_task<T: std::fmt::Debug + Send + 'static>(
    body: impl Fn() -> T + Clone + Send + Sync + 'static,
) -> (Outcomes, Coverage) {
    let as_a_task = {
        let body = body.clone();
        move || spawn(body.clone()).join().unwrap()
    };
    let [found, expected] = [search(body.clone(), 1).unwrap(), search(as_a_task, 1).unwrap()];
    assert_eq!(found, expected);
    assert_eq!(search(body.clone(), 2).unwrap(), found);
    let judge = |found: &mut Vec<(Outcome<String>, Schedule)>, execution: Execution<T>| {
        let outcome = match execution.outcome {
            Outcome::Returned(value) => Outcome::Returned(format!("{value:?}")),
            Outcome::Deadlock(waiting) => Outcome::Deadlock(waiting),
            Outcome::Panicked(message) => Outcome::Panicked(message),
        };
        found.push((outcome, execution.schedule));
        ControlFlow::Continue(())
    };
    let every = Search { reduce: false, workers: 1, ..Search::default() };
    let (_, all) = every.run(body.clone(), judge).unwrap();
    let random = || RandomScheduler::new_from_seed(7, 20);
    let (_, sampled) = Sample::default().run(random, body.clone(), judge).unwrap();
    for (outcome, schedule) in all.into_iter().flatten().chain(sampled) {
        let body = body.clone();
        let again = replay(&schedule, move || format!("{:?}", body())).unwrap();
        assert_eq!((again.outcome, &again.schedule), (outcome, &schedule));
    }
    found
}

#[test]
fn main_that_locks_while_a_task_lives_is_explored() {
    let (found, coverage) = main_is_like_a_task(main_takes_part);
    assert_eq!((found, coverage.complete), (outcomes(&["0", "1"]), 2));
}

#[test]
fn main_against_a_childs_child_without_a_handle_is_explored() {
    let body = || {
        let shared = Arc::new(Mutex::new(0));
        let its = Arc::clone(&shared);
        let parent = spawn(move || drop(spawn(move || *its.lock() += 1)));
        parent.join().unwrap();
        *shared.lock()
    };
    let (found, coverage) = main_is_like_a_task(body);
    assert_eq!((found, coverage.complete), (outcomes(&["0", "1"]), 2));
}

/// Main joins the first of two tasks and spawns a third, which may overlap with the second.
#[test]
fn main_that_spawns_after_a_join_is_explored() {
    let body = || {
        let list: Arc<Mutex<Vec<u32>>> = Arc::default();
        let spawn = |label| {
            let list = Arc::clone(&list);
            spawn(move || list.lock().push(label))
        };
        let (first, second) = (spawn(1), spawn(2));
        first.join().unwrap();
        let third = spawn(3);
        [second, third].into_iter().for_each(|task| task.join().unwrap());
        list.lock().clone()
    };
    let (found, coverage) = main_is_like_a_task(body);
    let expected = outcomes(&["[1, 2, 3]", "[1, 3, 2]", "[2, 1, 3]"]);
    assert_eq!((found, coverage.complete), (expected, 3));
}

#[test]
fn main_that_produces_for_a_condition_variable_is_explored() {
    let producer = |checks_under_the_lock: bool| {
        move || {
            let shared = Arc::new((Mutex::new(0), Condvar::new()));
            let its = Arc::clone(&shared);
            let consumer = spawn(move || {
                let mut value = its.0.lock();
                if *value == 0 && !checks_under_the_lock {
                    // Between the check and the wait main may come.
                    drop(value);
                    value = its.1.wait(its.0.lock());
                }
                while *value == 0 {
                    value = its.1.wait(value);
                }
            });
            *shared.0.lock() = 1;
            shared.1.notify_one();
            consumer.join().unwrap();
        }
    };
    assert_eq!(main_is_like_a_task(producer(true)).0, outcomes(&["()"]));
    assert_eq!(main_is_like_a_task(producer(false)).0, outcomes(&["()", "deadlock"]));
}

#[test]
fn a_deadlock_of_main_and_a_task_is_found_and_names_both() {
    let body = || {
        let locks = Arc::new([Mutex::new(()), Mutex::new(())]);
        let its = Arc::clone(&locks);
        let task = spawn(move || {
            let _one = its[0].lock();
            let _other = its[1].lock();
        });
        {
            let _other = locks[1].lock();
            let _one = locks[0].lock();
        }
        task.join().unwrap();
    };
    assert_eq!(main_is_like_a_task(body).0, outcomes(&["()", "deadlock"]));
    let judge = |found: &mut Vec<usize>, execution: Execution<()>| {
        if let Outcome::Deadlock(waiting) = execution.outcome {
            found.extend(waiting.into_iter().map(|(task, _)| task));
        }
        ControlFlow::Continue(())
    };
    let (_, found) = Search { workers: 1, ..Search::default() }.run(body, judge).unwrap();
    assert_eq!(found.concat(), [0, 1]);
}

/// Main tries a lock, panics while a task lives, and keeps a thread-local whose drop locks.
#[test]
fn main_is_like_a_task_in_what_it_tries_and_drops() {
    crate::thread_local! {
        static KEPT: std::cell::RefCell<Vec<Adds>> = std::cell::RefCell::default();
    }
    let tries = || {
        let shared = Arc::new(Mutex::new(0));
        let its = Arc::clone(&shared);
        let task = spawn(move || *its.lock() += 1);
        let seen = shared.try_lock().map(|value| *value);
        task.join().unwrap();
        seen
    };
    assert_eq!(main_is_like_a_task(tries).0, outcomes(&["None", "Some(0)", "Some(1)"]));
    let drops = || {
        let list: Arc<Mutex<Vec<u32>>> = Arc::default();
        KEPT.with(|kept| kept.borrow_mut().push(Adds(Arc::clone(&list), 0)));
        let its = Adds(Arc::clone(&list), 1);
        drop(spawn(move || drop(its)));
    };
    assert_eq!(main_is_like_a_task(drops).1.complete, 2);
    let panics = || {
        let shared = Arc::new(Mutex::new(0));
        let its = Arc::clone(&shared);
        let _task = spawn(move || *its.lock() += 1);
        let seen = *shared.lock();
        assert_eq!(seen, 0, "the task came first");
    };
    let (found, _) = search(panics, 1).unwrap();
    assert_eq!(found.len(), 2, "{found:?}");
}

/// A text alone, given to another program, leads to the same execution.
#[test]
fn the_text_of_a_schedule_leads_to_the_same_execution() {
    fn replayed_from_text<T: std::fmt::Debug + PartialEq + Send + 'static>(
        body: impl Fn() -> T + Clone + Send + Sync + 'static,
        marks: &[&str],
    ) {
        let judge = |all: &mut Vec<Execution<T>>, execution: Execution<T>| {
            all.push(execution);
            ControlFlow::Continue(())
        };
        for reduce in [false, true] {
            let search = Search { reduce, workers: 1, record: true, ..Search::default() };
            let (coverage, all) = search.run(body.clone(), judge).unwrap();
            assert!(coverage.exhausted && coverage.complete > 2);
            for execution in all.into_iter().flatten() {
                let text = execution.schedule.to_string();
                assert!(marks.iter().all(|mark| text.contains(mark)), "{text}");
                let again = replay(&text.parse().unwrap(), body.clone()).unwrap();
                assert_eq!(again.schedule, execution.schedule, "{text}");
                assert_eq!(again.checksum, execution.checksum, "{text}");
                assert_eq!(again.outcome, execution.outcome, "{text}");
            }
        }
    }
    let tries = |main_too: bool| {
        move || {
            let shared = Arc::new([Mutex::new(0), Mutex::new(0)]);
            let tasks = [0, 1].map(|own| {
                let shared = Arc::clone(&shared);
                spawn(move || {
                    let mut mine = shared[own].lock();
                    *mine += 1;
                    shared[1 - own].try_lock().is_some_and(|other| *other == *mine)
                })
            });
            let seen = main_too.then(|| *shared[0].lock());
            (seen, tasks.map(|task| task.join().unwrap()))
        }
    };
    replayed_from_text(tries(false), &[";tried=0.1,0.2"]);
    replayed_from_text(tries(true), &[";tried=0.1,0.2;main"]);
    replayed_from_text(|| crossed([false, false]), &[]);
}

/// A worker that survives whatever its jobs do. When a deadlock is given up, that is not another job.
#[test]
fn a_task_that_catches_every_panic_ends_with_the_deadlock() {
    let body = || {
        let locks = Arc::new([Mutex::new(()), Mutex::new(())]);
        let tasks = [0, 1].map(|first| {
            let locks = Arc::clone(&locks);
            spawn(move || {
                let job = || {
                    let _one = locks[first].lock();
                    let _other = locks[1 - first].lock();
                };
                while catch_unwind(AssertUnwindSafe(job)).is_err() {}
            })
        });
        tasks.into_iter().for_each(|task| task.join().unwrap());
    };
    let (found, coverage) = search(body, 1).unwrap();
    assert_eq!((found, coverage.complete), (outcomes(&["()", "deadlock"]), 3));
    assert!(coverage.exhausted);
}

/// A simulation has the state of its OS thread to itself.
#[test]
fn a_simulation_inside_of_a_search_is_refused() {
    use crate::simulation::{Move, Simulation};
    let body = || drop(Simulation::default().run(|_| Move::Run(0), || ()));
    let (found, _) = search(body, 1).unwrap();
    assert_eq!(
        found,
        outcomes(&["panicked: sections: a simulation inside of another exploration"])
    );
}

/// A search and a replay have OS threads of their own.
#[test]
fn a_judge_can_replay_and_search() {
    let judge = move |(): &mut (), execution: Execution<i32>| {
        assert_eq!(
            replay(&execution.schedule, main_takes_part).unwrap().outcome,
            execution.outcome
        );
        assert_eq!(search(main_takes_part, 1).unwrap().1.complete, 2);
        ControlFlow::Continue(())
    };
    let (coverage, _) =
        Search { workers: 1, ..Search::default() }.run(main_takes_part, judge).unwrap();
    assert_eq!((coverage.complete, coverage.exhausted), (2, true));
}

/// What std's thread-locals keep is shared by the tasks of an OS thread, and dropped when its executions are over.
#[test]
fn a_thread_local_of_stds_whose_drop_locks_ends_no_process() {
    thread_local! {
        static KEPT: std::cell::RefCell<Vec<Adds>> = const { std::cell::RefCell::new(Vec::new()) };
    }
    let body = || {
        let list: Arc<Mutex<Vec<u32>>> = Arc::default();
        let adds = Adds(Arc::clone(&list), 1);
        spawn(move || KEPT.with(|kept| kept.borrow_mut().push(adds))).join().unwrap();
        two_executions();
        list.lock().clone()
    };
    for workers in [1, 2] {
        let (found, coverage) = search(body, workers).unwrap();
        assert_eq!((found, coverage.complete), (outcomes(&["[]"]), 2));
    }
}
