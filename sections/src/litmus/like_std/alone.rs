//! What Shuttle does not have, or has otherwise: outcomes by hand.

use super::found;
use crate::litmus::checkers::Outcomes;
use crate::litmus::log::note;
use crate::std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use crate::std::sync::mpsc::{RecvTimeoutError, TryRecvError, channel, sync_channel};
use crate::std::sync::{LazyLock, Mutex, Once, OnceLock};
use crate::std::thread;
use crate::{future, spin, tracked};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

fn expected(outcomes: &[&str]) -> Outcomes {
    outcomes.iter().map(|outcome| (*outcome).to_owned()).collect()
}

/// Main sees the store or not, and after that the end or not: the end comes after the store.
#[test]
fn whether_a_task_has_finished_is_seen_apart_from_its_last_store() {
    let outcomes = found(|| {
        let stored = Arc::new(AtomicUsize::new(0));
        let its = Arc::clone(&stored);
        let task = thread::spawn(move || its.store(1, SeqCst));
        note(0, stored.load(SeqCst) as i64);
        note(0, i64::from(task.is_finished()));
        task.join().unwrap();
    });
    assert_eq!(outcomes, expected(&["0:0,0", "0:0,1", "0:1,0", "0:1,1"]));
}

/// A poisoned mutex is poisoned from the release on. The release comes after the store.
#[test]
fn whether_a_mutex_is_poisoned_is_asked_without_taking_it() {
    let outcomes = {
        let body = || {
            let mutex = Arc::new(Mutex::new(()));
            let its = Arc::clone(&mutex);
            let task = thread::spawn(move || {
                drop(catch_unwind(AssertUnwindSafe(|| {
                    let _guard = its.lock();
                    resume_unwind(Box::new("by design"));
                })));
            });
            note(0, i64::from(mutex.is_poisoned()));
            task.join().unwrap();
            note(0, i64::from(mutex.is_poisoned()));
        };
        super::by_sections(super::as_a_task(body), true, 1).unwrap().0
    };
    assert_eq!(outcomes, expected(&["0:0,1", "0:1,1"]));
}

/// The token stays, and there is one only. Park without a token waits for ever.
#[test]
fn a_token_stays_until_the_task_parks() {
    let outcomes = found(|| {
        let task = thread::spawn(|| {
            thread::park();
            note(1, 1);
            thread::park();
            note(1, 2);
        });
        task.thread().unpark();
        task.thread().unpark();
        task.join().unwrap();
    });
    assert_eq!(outcomes, expected(&["1:1 deadlock", "1:1,2"]));
}

/// Nobody unparks, so the time-out comes.
#[test]
fn a_park_with_a_timeout_ends() {
    let outcomes = found(|| {
        let task = thread::spawn(|| {
            thread::park_timeout(Duration::from_secs(1));
            note(1, 1);
        });
        task.join().unwrap();
    });
    assert_eq!(outcomes, expected(&["1:1"]));
}

/// Either task makes the value, and both see it.
#[test]
fn a_once_lock_is_made_by_the_first_and_seen_by_both() {
    let outcomes = found(|| {
        let lock = Arc::new(OnceLock::new());
        let tasks = [1, 2].map(|label: u32| {
            let lock = Arc::clone(&lock);
            thread::spawn(move || note(label, i64::from(*lock.get_or_init(|| label))))
        });
        note(0, lock.get().map_or(0, |label| i64::from(*label)));
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
    let all = ["0:0 1:1 2:1", "0:0 1:2 2:2", "0:1 1:1 2:1", "0:2 1:2 2:2"];
    assert_eq!(outcomes, expected(&all));
}

/// A task that looks does not take part: whoever of the two is the first, it sees that before or after. Shuttle lets no task
/// run before a look.
#[test]
fn a_once_is_seen_completed_whoever_completes_it() {
    let outcomes = found(|| {
        let once = Arc::new(Once::new());
        let tasks = [1, 2].map(|label: u32| {
            let once = Arc::clone(&once);
            thread::spawn(move || once.call_once(|| note(label, 1)))
        });
        note(0, i64::from(once.is_completed()));
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
    assert_eq!(outcomes, expected(&["0:0 1:1", "0:0 2:1", "0:1 1:1", "0:1 2:1"]));
}

/// Between the send and the drop of the sender the channel is empty and connected.
#[test]
fn a_channel_is_empty_before_its_last_sender_is_dropped() {
    let outcomes = found(|| {
        let (sender, receiver) = channel();
        let task = thread::spawn(move || sender.send(5).unwrap());
        note(0, receiver.recv().unwrap());
        note(0, i64::from(receiver.try_recv() == Err(TryRecvError::Disconnected)));
        task.join().unwrap();
    });
    assert_eq!(outcomes, expected(&["0:5,0", "0:5,1"]));
}

/// The first `get_or_init` panics, and the lock stays empty: the second one makes the value.
#[test]
fn a_once_lock_whose_closure_panics_is_empty() {
    let outcomes = found(|| {
        let lock = OnceLock::new();
        let first = catch_unwind(AssertUnwindSafe(|| {
            lock.get_or_init(|| resume_unwind(Box::new("by design")));
        }));
        note(0, i64::from(first.is_err()));
        note(0, *lock.get_or_init(|| 7));
    });
    assert_eq!(outcomes, expected(&["0:1,7"]));
}

static COUNTER: LazyLock<Mutex<i64>> = LazyLock::new(|| Mutex::new(0));
static ONCE: Once = Once::new();

/// Each execution begins with 0, and one of the two tasks is the first: whatever other executions and OS threads do.
#[test]
fn a_static_begins_anew_in_each_execution() {
    let body = || {
        let tasks = [1, 2].map(|label: u32| {
            thread::spawn(move || {
                ONCE.call_once(|| note(label, 100));
                let mut counter = COUNTER.lock().unwrap();
                *counter += 1;
                note(label, *counter);
            })
        });
        tasks.into_iter().for_each(|task| task.join().unwrap());
    };
    // Who is the first for the `Once` need not be the first for the counter.
    let all = ["1:1 2:100,2", "1:100,1 2:2", "1:100,2 2:1", "1:2 2:100,1"];
    for workers in [1, 2] {
        for reduce in [false, true] {
            let (outcomes, coverage) =
                super::by_sections(super::as_a_task(body), reduce, workers).unwrap();
            assert_eq!((outcomes, coverage.exhausted), (expected(&all), true));
        }
    }
}

/// Two statics, and two tasks that use them in opposite orders. Either may come first at each, independently, but for the
/// cycle in which each finds the other's first use made already.
#[test]
fn the_order_of_first_uses_of_statics_is_explored() {
    static FIRST: OnceLock<i64> = OnceLock::new();
    static SECOND: OnceLock<i64> = OnceLock::new();
    let outcomes = found(|| {
        let one = thread::spawn(|| {
            note(1, *FIRST.get_or_init(|| 1));
            note(1, *SECOND.get_or_init(|| 1));
        });
        let two = thread::spawn(|| {
            note(2, *SECOND.get_or_init(|| 2));
            note(2, *FIRST.get_or_init(|| 2));
        });
        one.join().unwrap();
        two.join().unwrap();
    });
    assert_eq!(outcomes, expected(&["1:1,1 2:1,1", "1:1,2 2:2,1", "1:2,2 2:2,2"]));
}

/// The time-out comes before the value, or the value before the time-out.
#[test]
fn a_receiver_times_out_or_receives() {
    let outcomes = found(|| {
        let (sender, receiver) = channel();
        let task = thread::spawn(move || sender.send(1).unwrap_or(()));
        note(
            0,
            match receiver.recv_timeout(Duration::from_secs(1)) {
                Ok(number) => number,
                Err(RecvTimeoutError::Timeout) => -1,
                Err(RecvTimeoutError::Disconnected) => -2,
            },
        );
        task.join().unwrap();
    });
    assert_eq!(outcomes, expected(&["0:-1", "0:1"]));
}

/// A value is handed over only to a receiver that waits already.
#[test]
fn a_try_to_send_without_room_needs_a_receiver_that_waits() {
    let outcomes = found(|| {
        let (sender, receiver) = sync_channel(0);
        let task = thread::spawn(move || note(1, receiver.recv().unwrap_or(-1)));
        note(0, i64::from(sender.try_send(7).is_ok()));
        drop(sender);
        task.join().unwrap();
    });
    assert_eq!(outcomes, expected(&["0:0 1:-1", "0:1 1:7"]));
}

/// A task that panics in a scope does not end before the others, and the scope panics after them.
#[test]
fn a_scope_waits_for_its_tasks_when_its_closure_panics() {
    let outcomes = found(|| {
        let done = AtomicUsize::new(0);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            thread::scope(|scope| {
                scope.spawn(|| done.store(1, SeqCst));
                resume_unwind(Box::new("by design"));
            });
        }));
        note(0, i64::from(caught.is_err()));
        note(0, done.load(SeqCst) as i64);
    });
    assert_eq!(outcomes, expected(&["0:1,1"]));
}

/// Each waits for the other, inside of a scope: the execution is given up, and no task outlives the scope.
#[test]
fn a_deadlock_in_a_scope_is_an_outcome() {
    let outcomes = found(|| {
        let locks = [Mutex::new(()), Mutex::new(())];
        thread::scope(|scope| {
            for (first, second) in [(0, 1), (1, 0)] {
                let locks = &locks;
                scope.spawn(move || {
                    let _first = locks[first].lock();
                    let _second = locks[second].lock();
                });
            }
        });
        note(0, 1);
    });
    assert_eq!(outcomes, expected(&["0:1", "deadlock"]));
}

/// `f` loads and adds. Without an operation inside it is one step: both additions are kept. With one inside there is
/// another attempt when the exchange fails: they are kept all the same.
#[test]
fn an_update_loses_no_addition() {
    let outcomes = found(|| {
        let shared = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
        let tasks = [1, 2].map(|label: u32| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.0.update(SeqCst, SeqCst, |value| {
                    if label == 1 {
                        shared.1.load(SeqCst);
                    }
                    value + 1
                });
            })
        });
        tasks.into_iter().for_each(|task| task.join().unwrap());
        note(0, shared.0.load(SeqCst) as i64);
    });
    assert_eq!(outcomes, expected(&["0:2"]));
}

/// Each of the two drops its owner. The one that is last runs the destructor, which adds its label: either may be last.
#[test]
fn either_owner_is_the_last_if_the_drop_of_the_value_synchronises() {
    struct Dying(Arc<AtomicUsize>);
    impl Drop for Dying {
        fn drop(&mut self) {
            note(crate::task() as u32, self.0.load(SeqCst) as i64);
        }
    }
    let body = || {
        let counter = Arc::new(AtomicUsize::new(7));
        let first = tracked::Arc::new(Dying(counter));
        let second = first.clone();
        let tasks = [thread::spawn(move || drop(first)), thread::spawn(move || drop(second))];
        tasks.into_iter().for_each(|task| task.join().unwrap());
    };
    // The body is task 1.
    assert_eq!(found(body), expected(&["2:7", "3:7"]));
}

/// The other owner is there, or is gone.
#[test]
fn a_look_at_the_count_sees_every_order_of_drops() {
    let outcomes = found(|| {
        let first = tracked::Arc::new(0);
        let (second, weak) = (first.clone(), tracked::Arc::downgrade(&first));
        let task = thread::spawn(move || drop(second));
        note(0, tracked::Arc::strong_count(&first) as i64);
        note(0, i64::from(tracked::Arc::try_unwrap(first).is_ok()));
        note(0, i64::from(weak.upgrade().is_some()));
        task.join().unwrap();
    });
    // An owner that is not the last is dropped by `try_unwrap`'s caller. Then the other may be there for the upgrade.
    assert_eq!(outcomes, expected(&["0:1,1,0", "0:2,0,0", "0:2,0,1", "0:2,1,0"]));
}

/// Nobody looks, so that no clone and no drop is a section: as many executions as with std's.
#[test]
fn owners_that_nobody_looks_at_cost_nothing() {
    fn executions<S: Clone + Send + 'static>(shared: fn() -> S) -> u64 {
        let body = move || {
            let shared = shared();
            let tasks = [0, 1].map(|_| {
                let shared = shared.clone();
                thread::spawn(move || drop(shared.clone()))
            });
            tasks.into_iter().for_each(|task| task.join().unwrap());
        };
        super::by_sections(body, false, 1).unwrap().1.complete
    }
    assert_eq!(executions(|| tracked::Arc::new(0)), executions(|| Arc::new(0)));
}

/// The future of the other is polled before or after the abort. The abort is too late if it has ended.
#[test]
fn an_aborted_future_has_run_to_an_await_or_not_at_all() {
    let outcomes = found(|| {
        let other = future::spawn(async {
            note(1, 1);
            future::yield_now().await;
            note(1, 2);
            5
        });
        other.abort();
        note(0, future::block_on(other).unwrap_or(-1));
    });
    assert_eq!(outcomes, expected(&["0:-1", "0:-1 1:1", "0:5 1:1,2"]));
}

/// Each waits for the other's result, which is passed on by hand. No order loses the wake-up.
#[test]
fn a_future_that_waits_is_woken_whatever_comes_first() {
    let outcomes = found(|| {
        let (sender, receiver) = channel();
        let one = future::spawn(async move { sender.send(1).is_ok() });
        let two = future::spawn(async move { i64::from(one.await.unwrap()) });
        note(0, future::block_on(async { two.await.unwrap() }));
        note(0, receiver.recv().unwrap());
    });
    assert_eq!(outcomes, expected(&["0:1,1"]));
}

/// Nobody wakes it.
#[test]
fn a_future_without_a_waker_is_a_deadlock() {
    let outcomes = found(|| {
        future::block_on(std::future::pending::<()>());
    });
    assert_eq!(outcomes, expected(&["deadlock"]));
}

/// The flag is set before the loop or during it. Without the wait the loop could go on for ever.
#[test]
fn a_loop_that_waits_for_a_store_ends() {
    let outcomes = found(|| {
        let shared = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
        let its = Arc::clone(&shared);
        let task = thread::spawn(move || {
            its.1.store(7, SeqCst);
            its.0.store(1, SeqCst);
        });
        while shared.0.load(SeqCst) == 0 {
            spin::yield_now();
        }
        note(0, shared.1.load(SeqCst) as i64);
        task.join().unwrap();
    });
    assert_eq!(outcomes, expected(&["0:7"]));
}

/// A lock that spins: both orders, and no addition is lost, though failed exchanges are waits.
#[test]
fn a_lock_that_spins_excludes_and_ends() {
    let outcomes = found(|| {
        let shared = Arc::new((AtomicBool::new(false), AtomicUsize::new(0)));
        let tasks = [1, 2].map(|label: u32| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                while shared.0.compare_exchange(false, true, SeqCst, SeqCst).is_err() {
                    spin::spin_loop();
                }
                let before = shared.1.load(SeqCst);
                shared.1.store(before + 1, SeqCst);
                shared.0.store(false, SeqCst);
                note(label, before as i64);
            })
        });
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
    assert_eq!(outcomes, expected(&["1:0 2:1", "1:1 2:0"]));
}

/// Nobody stores what the loop waits for: if the other store comes last, or if it comes first.
#[test]
fn a_loop_that_nobody_ends_is_a_deadlock() {
    let outcomes = found(|| {
        let shared = Arc::new(AtomicUsize::new(0));
        let its = Arc::clone(&shared);
        let task = thread::spawn(move || its.store(1, SeqCst));
        while shared.load(SeqCst) < 2 {
            spin::yield_now();
        }
        task.join().unwrap();
    });
    assert_eq!(outcomes, expected(&["deadlock"]));
}

/// The loop reads two numbers, and either may change between its reads or after them: no change is missed.
#[test]
fn a_change_between_two_reads_of_an_iteration_is_seen() {
    let outcomes = found(|| {
        let shared = Arc::new([0; 2].map(AtomicUsize::new));
        let tasks = [0, 1].map(|place: usize| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared[place].store(1, SeqCst))
        });
        while shared[0].load(SeqCst) + shared[1].load(SeqCst) < 2 {
            spin::yield_now();
        }
        note(0, 1);
        tasks.into_iter().for_each(|task| task.join().unwrap());
    });
    assert_eq!(outcomes, expected(&["0:1"]));
}
