//! Programs that both backends run.

use super::backend::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use super::backend::sync::mpsc::{channel, sync_channel};
use super::backend::sync::{Barrier, Condvar, Mutex, Once, RwLock};
use super::backend::thread;
use crate::litmus::log::note;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, TryLockError};

pub const PROGRAMS: [(&str, fn()); 22] = [
    ("a panic with the mutex poisons it for the next", poisoned_mutex),
    ("a panic with the read guard poisons nothing", unpoisoned_rwlock),
    ("a panic with the write guard poisons the lock", poisoned_rwlock),
    ("a poisoned mutex can be cleared", cleared),
    ("a wait returns the poison", poisoned_wait),
    ("tries to read against a writer", try_read),
    ("tries to write against a reader", try_write),
    ("wait_while", wait_while),
    ("a barrier for two", barrier),
    ("a barrier with one missing", incomplete_barrier),
    ("two senders", two_senders),
    ("the last sender is dropped", dropped_senders),
    ("the receiver is dropped", dropped_receiver),
    ("a channel for one value", bounded),
    ("a channel for no value", rendezvous),
    ("a channel for no value, whose receiver is dropped", dropped_rendezvous),
    ("try_recv", try_recv),
    ("once", once),
    ("a once that panics", poisoned_once),
    ("a scope", scope),
    ("fetches", fetches),
    ("exchanges of a flag", flag),
];

fn spawn(task: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
    thread::spawn(task)
}

fn join<const N: usize>(tasks: [thread::JoinHandle<()>; N]) {
    for task in tasks {
        task.join().unwrap();
    }
}

/// Panics, without a message on the screen, and catches it.
fn panics(work: impl FnOnce()) {
    let result = catch_unwind(AssertUnwindSafe(|| {
        work();
    }));
    assert!(result.is_err());
}

fn panic() {
    resume_unwind(Box::new("by design"));
}

fn poisoned_mutex() {
    let mutex = Arc::new(Mutex::new(0));
    let its = Arc::clone(&mutex);
    let panicking = spawn(move || {
        panics(|| {
            let mut guard = its.lock().unwrap_or_else(|poison| poison.into_inner());
            *guard += 1;
            panic();
        });
    });
    let looking = spawn(move || match mutex.lock() {
        Ok(guard) => note(2, *guard),
        Err(poison) => note(2, 10 + *poison.into_inner()),
    });
    join([panicking, looking]);
}

fn unpoisoned_rwlock() {
    let lock = Arc::new(RwLock::new(0));
    let its = Arc::clone(&lock);
    let panicking = spawn(move || {
        panics(|| {
            let _guard = its.read().unwrap();
            panic();
        });
    });
    let looking = spawn(move || note(2, i64::from(lock.write().is_ok())));
    join([panicking, looking]);
}

fn poisoned_rwlock() {
    let lock = Arc::new(RwLock::new(0));
    let its = Arc::clone(&lock);
    let panicking = spawn(move || {
        panics(|| {
            let _guard = its.write().unwrap();
            panic();
        });
    });
    let looking = spawn(move || note(2, i64::from(lock.read().is_ok())));
    join([panicking, looking]);
}

fn cleared() {
    let mutex = Arc::new(Mutex::new(0));
    panics(|| {
        let _guard = mutex.lock().unwrap();
        panic();
    });
    let its = Arc::clone(&mutex);
    let clearing = spawn(move || its.clear_poison());
    let looking = spawn(move || {
        note(2, i64::from(mutex.lock().is_err()));
        note(2, i64::from(mutex.lock().is_err()));
    });
    join([clearing, looking]);
}

fn poisoned_wait() {
    let pair = Arc::new((Mutex::new(false), Condvar::new()));
    let its = Arc::clone(&pair);
    let waiting = spawn(move || {
        let (Ok(mut ready) | Err(mut ready)) = its.0.lock().map_err(|poison| poison.into_inner());
        let mut poisoned = 0;
        while !*ready {
            ready = its.1.wait(ready).unwrap_or_else(|poison| {
                poisoned = 1;
                poison.into_inner()
            });
        }
        note(1, poisoned);
    });
    panics(|| {
        let mut ready = pair.0.lock().unwrap();
        *ready = true;
        pair.1.notify_one();
        panic();
    });
    join([waiting]);
}

fn try_read() {
    let lock = Arc::new(RwLock::new(0));
    let (writes, reads) = (Arc::clone(&lock), Arc::clone(&lock));
    let writing = spawn(move || {
        let mut value = writes.write().unwrap();
        *value = 1;
    });
    let reading = spawn(move || drop(reads.read().unwrap()));
    let trying = spawn(move || match lock.try_read() {
        Ok(value) => note(3, *value),
        Err(TryLockError::WouldBlock) => note(3, -1),
        Err(TryLockError::Poisoned(_)) => note(3, -2),
    });
    join([writing, reading, trying]);
}

fn try_write() {
    let lock = Arc::new(RwLock::new(0));
    let seen = Arc::new(AtomicUsize::new(0));
    let (reads, sees) = (Arc::clone(&lock), Arc::clone(&seen));
    let reading = spawn(move || {
        let value = reads.read().unwrap();
        sees.store(1, SeqCst);
        note(1, *value);
    });
    let trying = spawn(move || {
        let before = seen.load(SeqCst) as i64;
        match lock.try_write() {
            Ok(mut value) => {
                *value = 1;
                note(2, before);
            }
            Err(_) => note(2, 10 + before),
        }
    });
    join([reading, trying]);
}

fn wait_while() {
    let pair = Arc::new((Mutex::new(0), Condvar::new()));
    let adding = [1, 2].map(|number| {
        let pair = Arc::clone(&pair);
        spawn(move || {
            *pair.0.lock().unwrap() += number;
            pair.1.notify_one();
        })
    });
    let sum = pair.1.wait_while(pair.0.lock().unwrap(), |sum| *sum < 2).unwrap();
    note(0, *sum);
    drop(sum);
    join(adding);
}

fn barrier() {
    let shared = Arc::new((Barrier::new(2), AtomicUsize::new(0)));
    let arriving = [1, 2].map(|label: u32| {
        let shared = Arc::clone(&shared);
        spawn(move || {
            shared.1.fetch_add(1, SeqCst);
            let leads = shared.0.wait().is_leader();
            note(label, 10 * i64::from(leads) + shared.1.load(SeqCst) as i64);
        })
    });
    join(arriving);
}

fn incomplete_barrier() {
    let barrier = Arc::new(Barrier::new(2));
    let its = Arc::clone(&barrier);
    let first = spawn(move || {
        its.wait();
        its.wait();
    });
    barrier.wait();
    join([first]);
}

fn two_senders() {
    let (sender, receiver) = channel();
    let sending = [1, 2].map(|number| {
        let sender = sender.clone();
        spawn(move || sender.send(number).unwrap())
    });
    drop(sender);
    for number in receiver.iter() {
        note(0, number);
    }
    join(sending);
}

fn dropped_senders() {
    let (sender, receiver) = channel();
    let other = sender.clone();
    let sending = [spawn(move || drop(sender)), spawn(move || other.send(1).unwrap())];
    note(0, receiver.recv().unwrap_or(-1));
    note(0, receiver.recv().unwrap_or(-1));
    join(sending);
}

fn dropped_receiver() {
    let (sender, receiver) = channel();
    let receiving = spawn(move || drop(receiver));
    note(0, i64::from(sender.send(1).is_ok()));
    note(0, i64::from(sender.send(2).is_ok()));
    join([receiving]);
}

fn bounded() {
    let (sender, receiver) = sync_channel(1);
    let sent = Arc::new(AtomicUsize::new(0));
    let its = Arc::clone(&sent);
    let sending = spawn(move || {
        for number in 1..3 {
            sender.send(number).unwrap();
            its.store(number, SeqCst);
        }
    });
    note(0, sent.load(SeqCst) as i64);
    note(0, receiver.recv().unwrap() as i64);
    note(0, receiver.recv().unwrap() as i64);
    join([sending]);
}

fn rendezvous() {
    let (sender, receiver) = sync_channel(0);
    let sent = Arc::new(AtomicUsize::new(0));
    let its = Arc::clone(&sent);
    let sending = spawn(move || {
        sender.send(7).unwrap();
        its.store(1, SeqCst);
    });
    note(0, sent.load(SeqCst) as i64);
    note(0, receiver.recv().unwrap());
    join([sending]);
}

fn dropped_rendezvous() {
    let (sender, receiver) = sync_channel(0);
    let sending = spawn(move || {
        note(1, i64::from(sender.send(7).is_ok()));
        note(1, i64::from(sender.send(7).is_ok()));
    });
    let seen = receiver.recv().unwrap();
    drop(receiver);
    note(0, seen);
    join([sending]);
}

fn try_recv() {
    let (sender, receiver) = channel();
    // Shuttle does not let a task run between the send and the drop of the sender.
    let _other = sender.clone();
    let sending = spawn(move || sender.send(5).unwrap());
    for _ in 0..2 {
        note(
            0,
            match receiver.try_recv() {
                Ok(number) => number,
                Err(error) => -i64::from(error == std::sync::mpsc::TryRecvError::Disconnected),
            },
        );
    }
    join([sending]);
}

fn once() {
    let shared = Arc::new((Once::new(), AtomicUsize::new(0)));
    let calling = [1, 2].map(|label: u32| {
        let shared = Arc::clone(&shared);
        spawn(move || {
            shared.0.call_once(|| {
                shared.1.fetch_add(1, SeqCst);
                note(label, 100);
            });
            note(label, shared.1.load(SeqCst) as i64);
        })
    });
    join(calling);
    note(0, i64::from(shared.0.is_completed()));
}

fn poisoned_once() {
    let once = Arc::new(Once::new());
    let its = Arc::clone(&once);
    let panicking = spawn(move || {
        drop(catch_unwind(AssertUnwindSafe(|| its.call_once_force(|_| panic()))));
    });
    once.call_once_force(|state| note(0, i64::from(state.is_poisoned())));
    join([panicking]);
}

fn scope() {
    let sum = AtomicUsize::new(0);
    let first = thread::scope(|scope| {
        let first = scope.spawn(|| sum.fetch_add(1, SeqCst));
        scope.spawn(|| sum.store(5, SeqCst));
        first.join().unwrap()
    });
    note(0, first as i64);
    note(0, sum.load(SeqCst) as i64);
}

fn fetches() {
    let number = Arc::new(AtomicUsize::new(6));
    let its = [0; 2].map(|_| Arc::clone(&number));
    let [one, two] = its;
    let first = spawn(move || note(1, one.fetch_and(3, SeqCst) as i64));
    let second = spawn(move || {
        note(2, two.fetch_xor(1, SeqCst) as i64);
        note(2, two.fetch_max(5, SeqCst) as i64);
    });
    join([first, second]);
    note(0, number.load(SeqCst) as i64);
}

fn flag() {
    let flag = Arc::new(AtomicBool::new(false));
    let swapping = [1, 2].map(|label: u32| {
        let flag = Arc::clone(&flag);
        spawn(move || {
            note(label, i64::from(flag.fetch_or(true, SeqCst)));
            note(label, i64::from(flag.compare_exchange(true, false, SeqCst, SeqCst).is_ok()));
        })
    });
    join(swapping);
}
