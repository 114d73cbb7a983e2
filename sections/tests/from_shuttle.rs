//! Tests of Shuttle's own suite (`tests/basic/` of shuttle 0.9.9), ported by `use` lines alone.
//! `Runner::new(PctScheduler::new(..))` is `check_pct`.
//!
//! Not ported, and why:
//!
//! - What differs from std on purpose: `double_read`, `read_upgrade`, `double_try_read`, `read_try_read` (a second read
//!   lock of a task is refused by Shuttle), `double_lock` (a deadlock here, a panic of its own there),
//!   `thread_park_spuriously_wakeup`, `thread_unpark_after_spurious_wakeup` (no spurious wake-ups here).
//! - Shuttle's own interior: vector clocks, labels, tags, task names and signatures, metrics, annotations, schedules as
//!   text, portfolios, tear-down, tracing; `thread_builder_name` asks for a task's name by Shuttle's number.
//! - Counts of executions, and steps as a bound: `dfs`, `execution`, `pct`. Executions are counted by trace here.
//! - Any panic fails an execution of Shuttle. Here one that somebody joins is that task's result:
//!   `mpsc_oneshot_single_thread_recv_chan_close`, `basic/panic.rs`.
//! - What is shared through std's primitives and seen at a `yield_now`: `mutex_rwlock_interaction`, `async_atomic`. Such
//!   accesses are not announced, and `yield_now` is no section.
//! - Two ways to fail, of which Shuttle finds the one that the test expects first: `notify_one_order`.
//! - Time-outs that never come (`notify_one_timeout`): here they come.
//! - `spawn_local`, whose future is not `Send`, and the batch semaphore. Futures that nobody awaits and that wait for ever
//!   (`join_handle_abort`): a deadlock here.
//! - Primitives that are used outside of an execution: `mpsc_send_from_outside_runtime`.
//!
//! Copyright Amazon.com, Inc. or its affiliates. All Rights Reserved. SPDX-License-Identifier: Apache-2.0

mod mutex {
    use sections::std::sync::{Mutex, TryLockError};
    use sections::std::thread;
    use sections::{check_dfs, check_random};
    use std::collections::HashSet;
    use std::sync::Arc;

    #[test]
    fn basic_lock_test() {
        check_dfs(
            move || {
                let lock = Arc::new(Mutex::new(0usize));
                let lock_clone = Arc::clone(&lock);

                thread::spawn(move || {
                    let mut counter = lock_clone.lock().unwrap();
                    *counter += 1;
                });

                let mut counter = lock.lock().unwrap();
                *counter += 1;
            },
            None,
        );

        // TODO would be cool if we were allowed to smuggle the lock out of the run,
        // TODO so we can assert invariants about it *after* execution ends
    }

    fn deadlock() {
        let lock1 = Arc::new(Mutex::new(0usize));
        let lock2 = Arc::new(Mutex::new(0usize));
        let lock1_clone = Arc::clone(&lock1);
        let lock2_clone = Arc::clone(&lock2);

        thread::spawn(move || {
            let _l1 = lock1_clone.lock().unwrap();
            let _l2 = lock2_clone.lock().unwrap();
        });

        let _l2 = lock2.lock().unwrap();
        let _l1 = lock1.lock().unwrap();
    }

    #[test]
    #[should_panic(expected = "deadlock")]
    fn deadlock_default() {
        check_dfs(deadlock, None);
    }

    #[test]
    #[should_panic(expected = "deadlock")]
    fn deadlock_random() {
        // 200 tries should be enough to find a deadlocking execution
        check_random(deadlock, 200);
    }

    /// Two concurrent threads, one doing two successive atomic increments, the other doing
    /// an atomic multiplication by 2. The multiplication can go before, between, and after
    /// the increments. Thus we expect to see final values
    /// * 2 (`0 * 2 + 1 + 1`),
    /// * 3 (`(0 + 1) * 2 + 1`), and
    /// * 4 (`(0 + 1 + 1) * 2`).
    #[test]
    fn unlock_yields() {
        let observed_values = Arc::new(std::sync::Mutex::new(HashSet::new()));
        let observed_values_clone = Arc::clone(&observed_values);

        check_dfs(
            move || {
                let lock = Arc::new(Mutex::new(0usize));

                let add_thread = {
                    let lock = Arc::clone(&lock);
                    thread::spawn(move || {
                        *lock.lock().unwrap() += 1;
                        *lock.lock().unwrap() += 1;
                    })
                };
                let mul_thread = {
                    let lock = Arc::clone(&lock);
                    thread::spawn(move || {
                        *lock.lock().unwrap() *= 2;
                    })
                };

                add_thread.join().unwrap();
                mul_thread.join().unwrap();

                let value = Arc::try_unwrap(lock).unwrap().into_inner().unwrap();
                observed_values_clone.lock().unwrap().insert(value);
            },
            None,
        );

        let observed_values = Arc::try_unwrap(observed_values).unwrap().into_inner().unwrap();
        assert_eq!(observed_values, HashSet::from([2, 3, 4]));
    }

    /// Two concurrent threads trying to do an atomic increment using `try_lock`.
    /// One `try_lock` must succeed, while the other may or may not succeed.
    /// Thus we expect to see final values 1 and 2.
    #[test]
    fn concurrent_try_increment() {
        let observed_values = Arc::new(std::sync::Mutex::new(HashSet::new()));
        let observed_values_clone = Arc::clone(&observed_values);

        check_dfs(
            move || {
                let lock = Arc::new(Mutex::new(0usize));

                let threads = (0..2)
                    .map(|_| {
                        let lock = Arc::clone(&lock);
                        thread::spawn(move || {
                            match lock.try_lock() {
                                Ok(mut guard) => {
                                    *guard += 1;
                                }
                                Err(TryLockError::WouldBlock) => (),
                                Err(_) => panic!("unexpected TryLockError"),
                            };
                        })
                    })
                    .collect::<Vec<_>>();

                for thd in threads {
                    thd.join().unwrap();
                }

                let value = Arc::try_unwrap(lock).unwrap().into_inner().unwrap();
                observed_values_clone.lock().unwrap().insert(value);
            },
            None,
        );

        let observed_values = Arc::try_unwrap(observed_values).unwrap().into_inner().unwrap();
        assert_eq!(observed_values, HashSet::from([1, 2]));
    }

    /// Two concurrent threads, one doing an atomic increment by 1 using `lock`,
    /// the other trying to do an atomic increment by 1 followed by trying to do
    /// an atomic increment by 2 using `try_lock`. The `lock` must succeed, while
    /// both `try_lock`s may or may not succeed. Thus we expect to see final values
    /// * 1 (both `try_lock`s fail),
    /// * 2 (second `try_lock` fails),
    /// * 3 (first `try_lock` fails), and
    /// * 4 (both `try_lock`s succeed).
    #[test]
    fn concurrent_lock_try_lock() {
        let observed_values = Arc::new(std::sync::Mutex::new(HashSet::new()));
        let observed_values_clone = Arc::clone(&observed_values);

        check_dfs(
            move || {
                let lock = Arc::new(Mutex::new(0usize));

                let lock_thread = {
                    let lock = Arc::clone(&lock);
                    thread::spawn(move || {
                        *lock.lock().unwrap() += 1;
                    })
                };
                let try_lock_thread = {
                    let lock = Arc::clone(&lock);
                    thread::spawn(move || {
                        for n in 1..3 {
                            match lock.try_lock() {
                                Ok(mut guard) => {
                                    *guard += n;
                                }
                                Err(TryLockError::WouldBlock) => (),
                                Err(_) => panic!("unexpected TryLockError"),
                            };
                        }
                    })
                };

                lock_thread.join().unwrap();
                try_lock_thread.join().unwrap();

                let value = Arc::try_unwrap(lock).unwrap().into_inner().unwrap();
                observed_values_clone.lock().unwrap().insert(value);
            },
            None,
        );

        let observed_values = Arc::try_unwrap(observed_values).unwrap().into_inner().unwrap();
        assert_eq!(observed_values, HashSet::from([1, 2, 3, 4]));
    }

    #[test]
    fn double_try_lock() {
        check_dfs(
            || {
                let mutex = Mutex::new(());
                let _guard_1 = mutex.try_lock().unwrap();
                assert!(matches!(mutex.try_lock(), Err(TryLockError::WouldBlock)));
            },
            None,
        )
    }

    #[test]
    fn mutex_into_inner() {
        check_dfs(
            || {
                let lock = Arc::new(Mutex::new(0u64));

                let threads = (0..2)
                    .map(|_| {
                        let lock = lock.clone();
                        thread::spawn(move || {
                            *lock.lock().unwrap() += 1;
                        })
                    })
                    .collect::<Vec<_>>();

                for thread in threads {
                    thread.join().unwrap();
                }

                let lock = Arc::try_unwrap(lock).unwrap();
                assert_eq!(lock.into_inner().unwrap(), 2);
            },
            None,
        )
    }
}

mod rwlock {
    use sections::std::sync::RwLock;
    use sections::std::sync::mpsc::channel;
    use sections::std::thread;
    use sections::{check, check_dfs, check_random};
    use std::collections::HashSet;
    use std::sync::{Arc, TryLockError};

    fn deadlock() {
        let lock1 = Arc::new(RwLock::new(0usize));
        let lock2 = Arc::new(RwLock::new(0usize));
        let lock1_clone = Arc::clone(&lock1);
        let lock2_clone = Arc::clone(&lock2);

        thread::spawn(move || {
            let _l1 = lock1_clone.read().unwrap();
            let _l2 = lock2_clone.read().unwrap();
        });

        let _l2 = lock2.write().unwrap();
        let _l1 = lock1.write().unwrap();
    }

    #[test]
    #[should_panic(expected = "deadlock")]
    fn deadlock_default() {
        // Round-robin should always fail this deadlock test
        check(deadlock);
    }

    #[test]
    #[should_panic(expected = "deadlock")]
    fn deadlock_random() {
        // 200 tries should be enough to find a deadlocking execution
        check_random(deadlock, 200);
    }

    #[test]
    fn rwlock_two_writers() {
        check_random(
            || {
                let lock = Arc::new(RwLock::new(1));
                let lock2 = lock.clone();

                thread::spawn(move || {
                    let mut w = lock.write().unwrap();
                    *w += 1;
                    thread::yield_now();
                });

                thread::spawn(move || {
                    let mut w = lock2.write().unwrap();
                    *w += 1;
                    thread::yield_now();
                });
            },
            100,
        );
    }

    #[test]
    fn rwlock_default() {
        struct Point(u32, u32);
        impl Default for Point {
            fn default() -> Self {
                Self(21, 42)
            }
        }

        check_dfs(
            || {
                let point: RwLock<Point> = Default::default();

                let r = point.read().unwrap();
                assert_eq!(r.0, 21);
                assert_eq!(r.1, 42);
            },
            None,
        );
    }

    #[test]
    fn rwlock_into_inner() {
        check_dfs(
            || {
                let lock = Arc::new(RwLock::new(0u64));

                let threads = (0..2)
                    .map(|_| {
                        let lock = lock.clone();
                        thread::spawn(move || {
                            *lock.write().unwrap() += 1;
                        })
                    })
                    .collect::<Vec<_>>();

                for thread in threads {
                    thread.join().unwrap();
                }

                let lock = Arc::try_unwrap(lock).unwrap();
                assert_eq!(lock.into_inner().unwrap(), 2);
            },
            None,
        )
    }

    /// Two concurrent threads trying to do an atomic increment using `try_write`.
    /// One `try_write` must succeed, while the other may or may not succeed.
    /// Thus we expect to see final values 1 and 2.
    #[test]
    fn concurrent_try_increment() {
        let observed_values = Arc::new(std::sync::Mutex::new(HashSet::new()));
        let observed_values_clone = Arc::clone(&observed_values);

        check_dfs(
            move || {
                let lock = Arc::new(RwLock::new(0usize));

                let threads = (0..2)
                    .map(|_| {
                        let lock = Arc::clone(&lock);
                        thread::spawn(move || {
                            match lock.try_write() {
                                Ok(mut guard) => {
                                    *guard += 1;
                                }
                                Err(TryLockError::WouldBlock) => (),
                                Err(_) => panic!("unexpected TryLockError"),
                            };
                        })
                    })
                    .collect::<Vec<_>>();

                for thd in threads {
                    thd.join().unwrap();
                }

                let value = Arc::try_unwrap(lock).unwrap().into_inner().unwrap();
                observed_values_clone.lock().unwrap().insert(value);
            },
            None,
        );

        let observed_values = Arc::try_unwrap(observed_values).unwrap().into_inner().unwrap();
        assert_eq!(observed_values, HashSet::from([1, 2]));
    }

    /// Three concurrent threads, one doing an atomic increment by 1 using `write`, one trying to do an
    /// atomic increment by 1 followed by trying to do an atomic increment by 2 using `try_write`, and a
    /// third that peeks at the value using `try_read.` The `write` must succeed, while each `try_write`
    /// may or may not succeed.
    #[test]
    fn concurrent_write_try_write_try_read() {
        let observed_values = Arc::new(std::sync::Mutex::new(HashSet::new()));
        let observed_values_clone = Arc::clone(&observed_values);

        check_dfs(
            move || {
                let lock = Arc::new(RwLock::new(0usize));

                let write_thread = {
                    let lock = Arc::clone(&lock);
                    thread::spawn(move || {
                        *lock.write().unwrap() += 1;
                    })
                };
                let try_write_thread = {
                    let lock = Arc::clone(&lock);
                    thread::spawn(move || {
                        for n in 1..3 {
                            match lock.try_write() {
                                Ok(mut guard) => {
                                    *guard += n;
                                }
                                Err(TryLockError::WouldBlock) => (),
                                Err(_) => panic!("unexpected TryLockError"),
                            };
                        }
                    })
                };

                let read_value = match lock.try_read() {
                    Ok(guard) => Some(*guard),
                    Err(TryLockError::WouldBlock) => None,
                    Err(_) => panic!("unexpected TryLockError"),
                };

                write_thread.join().unwrap();
                try_write_thread.join().unwrap();

                let final_value = Arc::try_unwrap(lock).unwrap().into_inner().unwrap();
                observed_values_clone.lock().unwrap().insert((final_value, read_value));
            },
            None,
        );

        let observed_values = Arc::try_unwrap(observed_values).unwrap().into_inner().unwrap();
        // The idea here is that the `try_read` can interleave anywhere between the (successful) writes,
        // but can also just fail.
        let expected_values = HashSet::from([
            // Both `try_write`s fail
            (1, None),
            (1, Some(0)),
            (1, Some(1)),
            // Second `try_write` fails
            (2, None),
            (2, Some(0)),
            (2, Some(1)),
            (2, Some(2)),
            // First `try_write` fails
            (3, None),
            (3, Some(0)),
            (3, Some(1)),
            // (3, Some(2)), // If first `try_write` failed, the value of the lock is never 2
            (3, Some(3)),
            // Both `try_write`s succeed
            (4, None),
            (4, Some(0)),
            (4, Some(1)),
            (4, Some(2)),
            (4, Some(3)),
            (4, Some(4)),
        ]);
        assert_eq!(observed_values, expected_values);
    }

    #[test]
    fn double_try_write() {
        check_dfs(
            || {
                let rwlock = RwLock::new(());
                let _guard_1 = rwlock.try_write().unwrap();
                assert!(matches!(rwlock.try_write(), Err(TryLockError::WouldBlock)));
            },
            None,
        )
    }

    fn two_readers_and_one_writer() {
        let lock1 = Arc::new(RwLock::new(1));

        // Spawn two readers, each tries to acquire both locks
        for _ in 0..2 {
            let rlock1 = lock1.clone();
            thread::spawn(move || {
                let r1 = rlock1.read().unwrap();
                thread::yield_now();
                assert!(*r1 > 0);
            });
        }

        // Writer runs on the main thread
        let mut w = lock1.write().unwrap();
        *w += 1;
    }

    #[test]
    fn rwlock_two_readers_and_one_writer_exhaustive() {
        check_dfs(two_readers_and_one_writer, None);
    }

    #[test]
    fn rwlock_allows_multiple_readers() {
        check_dfs(
            || {
                let lock1 = Arc::new(RwLock::new(1));
                let lock2 = lock1.clone();

                let (s1, r1) = channel::<usize>();
                let (s2, r2) = channel::<usize>();

                thread::spawn(move || {
                    let w = lock1.read().unwrap();
                    s1.send(*w).unwrap(); // Send value to other thread
                    let r = r2.recv().unwrap(); // Wait for value from other thread
                    assert_eq!(r, 1);
                });

                thread::spawn(move || {
                    let w = lock2.read().unwrap();
                    s2.send(*w).unwrap();
                    let r = r1.recv().unwrap();
                    assert_eq!(r, 1);
                });
            },
            None,
        );
    }

    #[test]
    fn write_try_write() {
        check_dfs(
            || {
                let rwlock = RwLock::new(());
                let _guard_1 = rwlock.write().unwrap();
                assert!(matches!(rwlock.try_write(), Err(TryLockError::WouldBlock)));
            },
            None,
        )
    }

    #[test]
    fn try_read_upgrade() {
        check_dfs(
            || {
                let rwlock = RwLock::new(());
                let _guard_1 = rwlock.try_read().unwrap();
                assert!(matches!(rwlock.try_write(), Err(TryLockError::WouldBlock)));
            },
            None,
        )
    }

    #[test]
    fn try_write_downgrade() {
        check_dfs(
            || {
                let rwlock = RwLock::new(());
                let _guard_1 = rwlock.try_write().unwrap();
                assert!(matches!(rwlock.try_read(), Err(TryLockError::WouldBlock)));
            },
            None,
        )
    }
}

mod condvar {
    use sections::check_dfs;
    use sections::std::sync::{Condvar, Mutex};
    use sections::std::thread;
    use std::sync::Arc;

    #[test]
    fn notify_one() {
        check_dfs(
            || {
                let lock = Arc::new(Mutex::new(false));
                let cond = Arc::new(Condvar::new());

                {
                    let lock = Arc::clone(&lock);
                    let cond = Arc::clone(&cond);
                    thread::spawn(move || {
                        let mut guard = lock.lock().unwrap();
                        while !*guard {
                            guard = cond.wait(guard).unwrap();
                        }
                    });
                }

                *lock.lock().unwrap() = true;
                // Note: it's valid to signal a condvar while not holding the corresponding lock
                cond.notify_one();
            },
            None,
        )
    }

    #[test]
    fn notify_one_while() {
        check_dfs(
            || {
                let lock = Arc::new(Mutex::new(false));
                let cond = Arc::new(Condvar::new());

                {
                    let lock = Arc::clone(&lock);
                    let cond = Arc::clone(&cond);
                    thread::spawn(move || {
                        let guard = lock.lock().unwrap();
                        let guard = cond.wait_while(guard, |flag| !*flag).unwrap();
                        assert!(*guard);
                    });
                }

                *lock.lock().unwrap() = true;
                // Note: it's valid to signal a condvar while not holding the corresponding lock
                cond.notify_one();
            },
            None,
        )
    }

    fn two_workers<F>(signal_thread: F)
    where
        F: Fn(Arc<Condvar>),
    {
        let lock = Arc::new(Mutex::new(false));
        let cond = Arc::new(Condvar::new());

        for _ in 0..2 {
            let lock = Arc::clone(&lock);
            let cond = Arc::clone(&cond);
            thread::spawn(move || {
                let mut guard = lock.lock().unwrap();
                while !*guard {
                    guard = cond.wait(guard).unwrap();
                }
            });
        }

        *lock.lock().unwrap() = true;
        signal_thread(cond);
    }

    #[test]
    fn notify_all() {
        check_dfs(|| two_workers(|cond| cond.notify_all()), None)
    }

    #[test]
    fn multiple_notify_one() {
        check_dfs(
            || {
                two_workers(|cond| {
                    cond.notify_one();
                    cond.notify_one();
                })
            },
            None,
        )
    }

    #[test]
    #[should_panic(expected = "deadlock")]
    fn notify_one_deadlock() {
        check_dfs(
            || {
                two_workers(|cond| {
                    cond.notify_one();
                    // only one signal, so there exists an execution where the second worker is never woken
                })
            },
            None,
        )
    }

    #[test]
    fn notify_one_all() {
        check_dfs(
            || {
                two_workers(|cond| {
                    cond.notify_one();
                    cond.notify_all();
                })
            },
            None,
        )
    }

    #[test]
    fn notify_all_one() {
        check_dfs(
            || {
                two_workers(|cond| {
                    cond.notify_all();
                    cond.notify_one();
                })
            },
            None,
        )
    }
}

mod mpsc {
    use sections::check_dfs;
    use sections::std::sync::mpsc::{RecvError, TryRecvError, TrySendError, channel, sync_channel};
    use sections::std::thread;

    /// The number of the running task.
    fn me() -> usize {
        sections::task()
    }

    /// There are no vector clocks.
    fn check_clock(_: impl Fn(usize, u32) -> bool) {}

    #[test]
    fn mpsc_loom_basic_sequential_usage() {
        check_dfs(
            move || {
                let (s, r) = channel();
                s.send(5).unwrap();
                let val = r.recv().unwrap();
                assert_eq!(val, 5);
            },
            None,
        );
    }

    #[test]
    fn mpsc_loom_basic_parallel_usage() {
        check_dfs(
            || {
                let (s, r) = channel();
                thread::spawn(move || {
                    assert_eq!(me(), 1);
                    s.send(5).unwrap();
                });
                check_clock(|i, c| (c > 0) == (i == 0));
                let val = r.recv().unwrap();
                // After receiving a message from thread 1, we have a causal dependency on it
                check_clock(|i, c| (c > 0) == (i == 0 || i == 1));
                assert_eq!(val, 5);
            },
            None,
        );
    }

    fn ignore_result<A, B>(_: Result<A, B>) {}

    #[test]
    #[should_panic(expected = "expected panic: sends can happen in any order")]
    fn mpsc_loom_non_commutative_senders1() {
        check_dfs(
            || {
                let (s, r) = channel();
                let s2 = s.clone();
                thread::spawn(move || {
                    ignore_result(s.send(5));
                });
                thread::spawn(move || {
                    ignore_result(s2.send(6));
                });
                let val = r.recv().unwrap();
                assert_eq!(val, 5, "expected panic: sends can happen in any order");
                ignore_result(r.recv());
            },
            None,
        );
    }

    #[test]
    #[should_panic(expected = "expected panic: sends can happen in any order")]
    fn mpsc_loom_non_commutative_senders2() {
        check_dfs(
            || {
                let (s, r) = channel();
                let s2 = s.clone();
                thread::spawn(move || {
                    ignore_result(s.send(5));
                });
                thread::spawn(move || {
                    ignore_result(s2.send(6));
                });
                let val = r.recv().unwrap();
                assert_eq!(val, 6, "expected panic: sends can happen in any order");
                ignore_result(r.recv());
            },
            None,
        );
    }

    #[test]
    fn mpsc_drop_sender_unbounded() {
        check_dfs(
            || {
                let (tx, rx) = channel::<i32>();
                thread::spawn(move || {
                    drop(tx);
                });
                assert!(rx.recv().is_err());
                // no message was sent, hence no causal dependency
                check_clock(|i, c| (c > 0) == (i == 0));
            },
            None,
        );
    }

    #[test]
    fn mpsc_drop_receiver_unbounded() {
        check_dfs(
            || {
                let (tx, rx) = channel();
                drop(rx);
                assert!(tx.send(1).is_err());
            },
            None,
        );
    }

    #[test]
    fn mpsc_drop_sender_bounded() {
        check_dfs(
            || {
                let (tx, rx) = sync_channel::<i32>(10);
                thread::spawn(move || {
                    assert!(rx.recv().is_err());
                });
                drop(tx);
                check_clock(|i, c| (c > 0) == (i == 0));
            },
            None,
        );
    }

    #[test]
    fn mpsc_drop_receiver_bounded() {
        check_dfs(
            || {
                let (tx, rx) = sync_channel(10);
                drop(rx);
                assert!(tx.send(1).is_err());
            },
            None,
        );
    }

    #[test]
    fn mpsc_drop_sender_rendezvous() {
        check_dfs(
            || {
                let (tx, rx) = sync_channel::<i32>(0);
                drop(tx);
                assert!(rx.recv().is_err());
            },
            None,
        );
    }

    #[test]
    fn mpsc_drop_receiver_rendezvous() {
        check_dfs(
            || {
                let (tx, rx) = sync_channel(0);
                drop(rx);
                assert!(tx.send(1).is_err());
            },
            None,
        );
    }

    #[test]
    fn mpsc_bounded_sender_buffered() {
        check_dfs(
            || {
                let (tx, _rx) = sync_channel::<i32>(10);
                let handle = thread::spawn(move || {
                    for _ in 0..10 {
                        tx.send(1).unwrap();
                    }
                    42
                });
                let r = handle.join().unwrap();
                assert_eq!(r, 42);
            },
            None,
        );
    }

    #[test]
    #[should_panic(expected = "deadlock")]
    fn mpsc_bounded_sender_blocked() {
        check_dfs(
            || {
                let (tx, _rx) = sync_channel::<i32>(10);
                let handle = thread::spawn(move || {
                    for _ in 0..11 {
                        tx.send(1).unwrap();
                    }
                    42
                });
                let r = handle.join().unwrap();
                assert_eq!(r, 42);
            },
            None,
        );
    }

    #[test]
    fn mpsc_rendezvous_channel() {
        check_dfs(
            || {
                let (tx, rx) = sync_channel::<i32>(0);
                thread::spawn(move || {
                    // This will wait for the parent thread to start receiving
                    tx.send(53).unwrap();
                });
                let v = rx.recv().unwrap();
                assert_eq!(v, 53);
            },
            None,
        );
    }

    #[test]
    #[should_panic(expected = "deadlock")]
    fn mpsc_rendezvous_sender_block() {
        check_dfs(
            || {
                let (tx, rx) = sync_channel::<i32>(0);
                tx.send(53).unwrap();
                rx.recv().unwrap();
                rx.recv().unwrap();
            },
            None,
        );
    }

    #[test]
    fn mpsc_rendezvous_two_threads() {
        check_dfs(
            || {
                let (tx1, rx) = sync_channel::<i32>(0);
                let tx2 = tx1.clone();
                thread::spawn(move || {
                    tx1.send(10).unwrap();
                });
                thread::spawn(move || {
                    tx2.send(20).unwrap();
                });
                let v1 = rx.recv().unwrap();
                let v2 = rx.recv().unwrap();
                assert_eq!(v1 + v2, 30);
            },
            None,
        );
    }

    #[test]
    fn mpsc_try_recv() {
        check_dfs(
            || {
                let (tx, rx) = channel::<i32>();
                assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
                tx.send(1).unwrap();
                assert_eq!(rx.try_recv(), Ok(1));
                assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
            },
            None,
        );
    }

    #[test]
    fn mpsc_try_send_buffered() {
        check_dfs(
            || {
                let (tx, rx) = sync_channel::<i32>(1);
                assert_eq!(tx.try_send(1), Ok(()));
                assert_eq!(rx.recv(), Ok(1));
                assert_eq!(tx.try_send(2), Ok(()));
                assert_eq!(rx.recv(), Ok(2));
                drop(rx);
                assert_eq!(tx.try_send(3), Err(TrySendError::Disconnected(3)));
            },
            None,
        );
    }

    #[test]
    fn mpsc_try_send_rendezvous() {
        check_dfs(
            || {
                let (tx, _rx) = sync_channel::<i32>(0);
                assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
            },
            None,
        );
    }

    #[test]
    fn test_nested_recv_iter() {
        check_dfs(
            || {
                let (tx, rx) = sync_channel::<i32>(0);
                let (total_tx, total_rx) = sync_channel::<i32>(0);

                let _t = thread::spawn(move || {
                    let mut acc = 0;
                    for x in rx.iter() {
                        acc += x;
                    }
                    total_tx.send(acc).unwrap();
                });

                tx.send(3).unwrap();
                tx.send(1).unwrap();
                tx.send(2).unwrap();
                drop(tx);
                assert_eq!(total_rx.recv().unwrap(), 6);
            },
            None,
        );
    }

    #[test]
    fn mpsc_oneshot_single_thread_peek_close() {
        check_dfs(
            || {
                let (tx, rx) = channel::<i32>();
                drop(tx);
                assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
                assert_eq!(rx.try_recv(), Err(TryRecvError::Disconnected));
            },
            None,
        );
    }

    fn mpsc_senders_with_blocking_inner(num_senders: usize, channel_size: usize) {
        assert!(num_senders >= channel_size);
        let num_receives = num_senders - channel_size;
        let (tx, rx) = sync_channel::<usize>(channel_size);
        let senders = (0..num_senders)
            .map(move |i| {
                let tx = tx.clone();
                thread::spawn(move || {
                    tx.send(i).unwrap();
                })
            })
            .collect::<Vec<_>>();

        // Receive enough messages to ensure no sender will block
        for _ in 0..num_receives {
            rx.recv().unwrap();
        }
        for sender in senders {
            sender.join().unwrap();
        }
    }

    #[test]
    fn mpsc_some_senders_with_blocking() {
        // Two senders blocked simultaneously on a full channel.
        check_dfs(|| mpsc_senders_with_blocking_inner(3, 1), None);
        // Buffer depth > 1 with one blocked sender.
        check_dfs(|| mpsc_senders_with_blocking_inner(3, 2), None);
    }

    #[test]
    fn mpsc_many_senders_drop_receiver() {
        const NUM_SENDERS: usize = 4;
        const CHANNEL_SIZE: usize = 2;
        check_dfs(
            || {
                let (tx, rx) = sync_channel::<usize>(CHANNEL_SIZE);
                let senders = (0..NUM_SENDERS)
                    .map(move |i| {
                        let tx = tx.clone();
                        thread::spawn(move || {
                            let _ = tx.send(i);
                        })
                    })
                    .collect::<Vec<_>>();

                // Drop the receiver; this will unblock any waiting senders
                drop(rx);

                // Make sure all senders finish
                for sender in senders {
                    sender.join().unwrap();
                }
            },
            None,
        );
    }

    #[test]
    fn mpsc_buffering_behavior() {
        check_dfs(
            || {
                let (send, recv) = channel();
                let handle = thread::spawn(move || {
                    send.send(1u8).unwrap();
                    send.send(2).unwrap();
                    send.send(3).unwrap();
                    drop(send);
                });

                // wait for the thread to join so we ensure the sender is dropped
                handle.join().unwrap();

                // values sent before the sender disconnects are still available afterwards
                assert_eq!(Ok(1), recv.recv());
                assert_eq!(Ok(2), recv.recv());
                assert_eq!(Ok(3), recv.recv());
                // but after the values are exhausted, recv() returns an error
                assert_eq!(Err(RecvError), recv.recv());
            },
            None,
        );
    }
}

mod once {
    use sections::std::sync::Once;
    use sections::std::thread;
    use sections::{check_dfs, check_pct};
    use std::collections::HashSet;
    use std::panic;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn poison() {
        static O: Once = Once::new();

        check_dfs(
            || {
                let result = panic::catch_unwind(panic::AssertUnwindSafe(|| {
                    O.call_once(|| {
                        panic!("expected panic");
                    })
                }));
                assert!(result.is_err(), "`call_once` should panic");

                let result = panic::catch_unwind(panic::AssertUnwindSafe(|| {
                    O.call_once(|| {
                        // no-op
                    });
                }));
                assert!(result.is_err(), "cell should be poisoned");

                let result = panic::catch_unwind(panic::AssertUnwindSafe(|| {
                    O.call_once_force(|state| {
                        assert!(state.is_poisoned());
                    });
                }));
                assert!(result.is_ok(), "`call_once_force` ignores poison");

                let result = panic::catch_unwind(panic::AssertUnwindSafe(|| {
                    O.call_once(|| unreachable!("previous call should have initialized the cell"));
                }));
                assert!(result.is_ok(), "cell should no longer be poisoned");
            },
            None,
        );
    }

    fn basic<F>(num_threads: usize, checker: F)
    where
        F: FnOnce(Box<dyn Fn() + Send + Sync + 'static>),
    {
        let initializer = Arc::new(std::sync::Mutex::new(HashSet::new()));
        let initializer_clone = Arc::clone(&initializer);

        checker(Box::new(move || {
            let once = Arc::new(Once::new());
            let counter = Arc::new(AtomicUsize::new(0));

            assert!(!once.is_completed());

            let threads = (0..num_threads)
                .map(|_| {
                    let once = Arc::clone(&once);
                    let counter = Arc::clone(&counter);
                    let initializer = Arc::clone(&initializer);
                    thread::spawn(move || {
                        once.call_once(|| {
                            counter.fetch_add(1, Ordering::SeqCst);
                            initializer.lock().unwrap().insert(thread::current().id());
                        });

                        assert!(once.is_completed());
                        assert_eq!(counter.load(Ordering::SeqCst), 1);
                    })
                })
                .collect::<Vec<_>>();

            for thread in threads {
                thread.join().unwrap();
            }

            assert!(once.is_completed());
            assert_eq!(counter.load(Ordering::SeqCst), 1);
        }));

        assert_eq!(initializer_clone.lock().unwrap().len(), num_threads);
    }

    #[test]
    fn basic_dfs() {
        basic(2, |f| check_dfs(f, None));
    }

    #[test]
    fn basic_pct() {
        basic(10, |f| check_pct(f, 1000, 3));
    }

    fn basic_static<F>(num_threads: usize, checker: F)
    where
        F: FnOnce(Box<dyn Fn() + Send + Sync + 'static>),
    {
        static O: Once = Once::new();

        let initializer = Arc::new(std::sync::Mutex::new(HashSet::new()));
        let initializer_clone = Arc::clone(&initializer);

        checker(Box::new(move || {
            let counter = Arc::new(AtomicUsize::new(0));

            assert!(!O.is_completed());

            let threads = (0..num_threads)
                .map(|_| {
                    let counter = Arc::clone(&counter);
                    let initializer = Arc::clone(&initializer);
                    thread::spawn(move || {
                        O.call_once(|| {
                            counter.fetch_add(1, Ordering::SeqCst);
                            initializer.lock().unwrap().insert(thread::current().id());
                        });

                        assert!(O.is_completed());
                        assert_eq!(counter.load(Ordering::SeqCst), 1);
                    })
                })
                .collect::<Vec<_>>();

            for thread in threads {
                thread.join().unwrap();
            }

            assert!(O.is_completed());
            assert_eq!(counter.load(Ordering::SeqCst), 1);
        }));

        assert_eq!(initializer_clone.lock().unwrap().len(), num_threads);
    }

    #[test]
    fn basic_static_dfs() {
        basic_static(2, |f| check_dfs(f, None));
    }

    #[test]
    fn multiple() {
        static O1: Once = Once::new();
        static O2: Once = Once::new();

        let initializer = Arc::new(std::sync::Mutex::new(HashSet::new()));
        let initializer_clone = Arc::clone(&initializer);

        check_dfs(
            move || {
                let counter = Arc::new(AtomicUsize::new(0));

                let thd = {
                    let counter = Arc::clone(&counter);
                    thread::spawn(move || {
                        O1.call_once(|| {
                            counter.fetch_add(1, Ordering::SeqCst);
                        });
                        O2.call_once(|| {
                            counter.fetch_add(4, Ordering::SeqCst);
                        });
                    })
                };

                O1.call_once(|| {
                    counter.fetch_add(2, Ordering::SeqCst);
                });
                O2.call_once(|| {
                    counter.fetch_add(8, Ordering::SeqCst);
                });

                thd.join().unwrap();

                let counter = counter.load(Ordering::SeqCst);
                // lower two bits for C1, upper two bits for C2
                assert!(
                    counter & (1 + 2) == 1 || counter & (1 + 2) == 2,
                    "exactly one of the O1 calls should have run"
                );
                assert!(
                    counter & (4 + 8) == 4 || counter & (4 + 8) == 8,
                    "exactly one of the O2 calls should have run"
                );
                initializer.lock().unwrap().insert(counter);
            },
            None,
        );

        let initializer = Arc::try_unwrap(initializer_clone).unwrap().into_inner().unwrap();
        assert_eq!(initializer.len(), 4);
        assert!(initializer.contains(&5));
        assert!(initializer.contains(&6));
        assert!(initializer.contains(&9));
        assert!(initializer.contains(&10));
    }

    fn moved<F>(checker: F)
    where
        F: FnOnce(Box<dyn Fn() + Send + Sync + 'static>),
    {
        checker(Box::new(move || {
            let once = Box::new(Once::new());
            assert!(!once.is_completed());
            once.call_once(|| {});
            assert!(once.is_completed());

            // The `Once` is still completed, even if its moved to another address.
            let once = Box::new(*once);
            assert!(once.is_completed());

            // Other `Once`s are not completed.
            let different_once = Once::new();
            assert!(!different_once.is_completed());
        }));
    }

    #[test]
    fn moved_dfs() {
        moved(|f| check_dfs(f, None));
    }
}

mod barrier {
    use sections::check_dfs;
    use sections::std::sync::Barrier;
    use sections::std::sync::mpsc::channel;
    use sections::std::thread;
    use std::collections::HashSet;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn barrier_test(n: usize, c: usize) {
        let barrier = Arc::new(Barrier::new(c));
        let (tx, rx) = channel();

        let handles = (0..n - 1)
            .map(|_| {
                let barrier = Arc::clone(&barrier);
                let tx = tx.clone();
                thread::spawn(move || {
                    tx.send(barrier.wait().is_leader()).unwrap();
                })
            })
            .collect::<Vec<_>>();

        // At this point, all spawned threads should be blocked,
        // so we shouldn't get anything from the port
        // TODO uncomment this line after we add support for try_recv()
        // assert!(matches!(rx.try_recv(), Err(TryRecvError::Empty)));

        let mut leader_found = barrier.wait().is_leader();

        // Now, the barrier is cleared and we should get data.
        for _ in 0..n - 1 {
            if rx.recv().unwrap() {
                assert!(!leader_found);
                leader_found = true;
            }
        }
        assert!(leader_found);

        // Wait for all threads
        for handle in handles {
            handle.join().unwrap();
        }
    }

    #[test]
    fn barrier_test_one_thread() {
        check_dfs(|| barrier_test(1, 1), None);
    }

    #[test]
    fn barrier_test_reuse_one() {
        check_dfs(
            || {
                let barrier = Barrier::new(1);
                for _ in 0..5 {
                    assert!(barrier.wait().is_leader());
                }
            },
            None,
        );
    }

    #[test]
    fn barrier_test_reuse_different_thread() {
        check_dfs(
            || {
                let barrier = Barrier::new(1);
                assert!(barrier.wait().is_leader());

                let thd = thread::spawn(move || {
                    assert!(barrier.wait().is_leader());
                });

                thd.join().unwrap();
            },
            None,
        );
    }

    #[test]
    fn barrier_simple() {
        // Run two threads, one incrementing and the other decrementing a shared counter,
        // with each one pausing at the barrier after a single operation.
        // Check the invariant that the counter is always within +/- 1 of the starting value.
        check_dfs(
            || {
                let barrier = Arc::new(Barrier::new(2));
                let counter = Arc::new(AtomicUsize::new(100));

                let barrier2 = Arc::clone(&barrier);
                let counter2 = Arc::clone(&counter);

                // incrementer
                thread::spawn(move || {
                    for _ in 0..5 {
                        let old = counter2.fetch_add(1, Ordering::SeqCst);
                        assert!((99..=100).contains(&old));
                        barrier2.wait();
                    }
                });

                // decrementer
                thread::spawn(move || {
                    for _ in 0..5 {
                        let old = counter.fetch_sub(1, Ordering::SeqCst);
                        assert!((100..=101).contains(&old));
                        barrier.wait();
                    }
                });
            },
            None,
        );
    }

    fn barrier_test_nondeterministic_leader(batch_size: usize, num_threads: usize) {
        // Don't test cases that might deadlock; every thread needs to be released eventually
        assert_eq!(num_threads % batch_size, 0);

        let seen_leaders = Arc::new(std::sync::Mutex::new(HashSet::new()));
        {
            let seen_leaders = Arc::clone(&seen_leaders);
            check_dfs(
                move || {
                    let barrier = Arc::new(Barrier::new(batch_size));
                    let leaders = Arc::new(std::sync::Mutex::new(vec![]));
                    let handles = (0..num_threads)
                        .map(|i| {
                            let barrier = Arc::clone(&barrier);
                            let leaders = Arc::clone(&leaders);

                            thread::spawn(move || {
                                let result = barrier.wait();
                                if result.is_leader() {
                                    leaders.lock().unwrap().push(i);
                                }
                            })
                        })
                        .collect::<Vec<_>>();

                    for thd in handles {
                        thd.join().unwrap();
                    }

                    let leaders = Arc::try_unwrap(leaders).unwrap().into_inner().unwrap();
                    seen_leaders.lock().unwrap().insert(leaders);
                },
                None,
            );
        }

        let seen_leaders = Arc::try_unwrap(seen_leaders).unwrap().into_inner().unwrap();
        let num_batches = num_threads / batch_size;
        // Number of ways to unique order `r` distinct elements from list of `n` total elements.
        let perm = |n: usize, r: usize| (n - r + 1..=n).reduce(|acc, i| acc * i).unwrap_or(1);

        // Every execution should have one leader per batch
        assert!(seen_leaders.iter().all(|l| l.len() == num_batches));
        // There should be `num_threads permute num_batches` different leader vectors
        assert_eq!(seen_leaders.len(), perm(num_threads, num_batches));
    }

    #[test]
    fn barrier_test_nondeterministic_leader_1() {
        barrier_test_nondeterministic_leader(1, 4);
    }

    #[test]
    fn barrier_test_nondeterministic_leader_2() {
        barrier_test_nondeterministic_leader(2, 4);
    }
}

mod thread {
    use sections::std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
    use sections::std::sync::{Condvar, Mutex};
    use sections::std::thread;
    use sections::{check_dfs, check_random};
    use std::sync::Arc;

    #[test]
    fn thread_scope() {
        check_dfs(
            || {
                let mut trigger = false;
                thread::scope(|s| {
                    s.spawn(|| {
                        trigger = true;
                    });
                });
                assert!(trigger);
            },
            None,
        );
    }

    #[test]
    fn thread_scope_multiple() {
        check_dfs(
            || {
                let mut data = vec![1, 2, 3, 4, 5, 6];

                thread::scope(|s| {
                    let (left, right) = data.split_at_mut(3);

                    s.spawn(|| {
                        for x in left {
                            *x *= 10;
                        }
                    });

                    s.spawn(|| {
                        for x in right {
                            *x += 100;
                        }
                    });
                });

                assert_eq!(data, vec![10, 20, 30, 104, 105, 106]);
            },
            None,
        );
    }

    #[test]
    fn thread_scope_join() {
        check_dfs(
            || {
                let num = Mutex::new(10);

                thread::scope(|s| {
                    let handle = s.spawn(|| {
                        let mut num_guard = num.lock().unwrap();
                        *num_guard *= 10;
                        *num_guard
                    });

                    assert_eq!(handle.join().unwrap(), 100);

                    let handle = s.spawn(|| {
                        let mut num_guard = num.lock().unwrap();
                        *num_guard += 10;
                        *num_guard
                    });

                    assert_eq!(handle.join().unwrap(), 110);
                });

                assert_eq!(*num.lock().unwrap(), 110);
            },
            None,
        );
    }

    #[test]
    fn thread_join() {
        check_random(
            || {
                let lock = Arc::new(Mutex::new(false));
                let lock_clone = Arc::clone(&lock);
                let handle = thread::spawn(move || {
                    *lock_clone.lock().unwrap() = true;
                    1
                });
                let ret = handle.join();
                assert_eq!(ret.unwrap(), 1);
                assert!(*lock.lock().unwrap());
            },
            100,
        );
    }

    #[test]
    fn thread_join_drop() {
        check_random(
            || {
                let lock = Arc::new(Mutex::new(false));
                let lock_clone = Arc::clone(&lock);
                let handle = thread::spawn(move || {
                    *lock_clone.lock().unwrap() = true;
                    1
                });
                drop(handle);
                *lock.lock().unwrap() = true;
            },
            100,
        );
    }

    #[test]
    fn thread_identity() {
        check_dfs(
            || {
                let lock = std::sync::Arc::new(Mutex::new(None));
                let lock2 = lock.clone();

                let builder = thread::Builder::new().name("producer".into());
                let _handle = builder
                    .spawn(move || {
                        let me = thread::current();
                        assert_eq!(me.name(), Some("producer"));
                        let id = me.id();

                        thread::yield_now();

                        let me = thread::current();
                        assert_eq!(me.name(), Some("producer"));
                        assert_eq!(me.id(), id);

                        *lock2.lock().unwrap() = Some(id);
                    })
                    .unwrap();

                let id = *lock.lock().unwrap();
                if let Some(id) = id {
                    assert_ne!(id, thread::current().id());
                }
            },
            None,
        );
    }

    /// Test the common usage of park where a thread calls park in a loop waiting for a flag to be set.
    #[test]
    fn thread_park() {
        check_dfs(
            || {
                let shared_state = Arc::new(AtomicU8::new(0));
                let wakeup = Arc::new(AtomicBool::new(false));
                let thd = {
                    let shared_state = Arc::clone(&shared_state);
                    let wakeup = Arc::clone(&wakeup);
                    thread::spawn(move || {
                        while !wakeup.load(Ordering::SeqCst) {
                            thread::park();
                        }
                        assert_eq!(shared_state.load(Ordering::SeqCst), 42);
                    })
                };

                shared_state.store(42, Ordering::SeqCst);

                wakeup.store(true, Ordering::SeqCst);
                thd.thread().unpark();
                thd.join().unwrap();
            },
            Some(150), // We can't exhaust all orderings because of the infinite loop in the thread.
        )
    }

    #[test]
    #[should_panic(expected = "deadlock")]
    fn thread_park_deadlock() {
        check_dfs(
            || {
                let thd = thread::spawn(thread::park);
                thread::park();
                thd.join().unwrap();
            },
            None,
        )
    }

    #[test]
    fn thread_unpark_park() {
        check_dfs(
            || {
                thread::current().unpark();
                thread::park();
            },
            None,
        )
    }

    #[test]
    #[should_panic(expected = "deadlock")]
    fn thread_unpark_not_cumulative() {
        check_dfs(
            || {
                thread::current().unpark();
                thread::current().unpark();
                thread::park();
                thread::park();
            },
            None,
        )
    }

    #[test]
    fn thread_unpark_unblock() {
        check_dfs(
            || {
                let lock = Arc::new(Mutex::new(false));
                let condvar = Arc::new(Condvar::new());

                let reader = {
                    let lock = Arc::clone(&lock);
                    let condvar = Arc::clone(&condvar);
                    thread::spawn(move || {
                        let mut guard = lock.lock().unwrap();
                        while !*guard {
                            guard = condvar.wait(guard).unwrap();
                        }
                    })
                };

                let _writer = {
                    let lock = Arc::clone(&lock);
                    let condvar = Arc::clone(&condvar);
                    thread::spawn(move || {
                        let mut guard = lock.lock().unwrap();
                        *guard = true;
                        condvar.notify_one();
                    })
                };

                reader.thread().unpark();
            },
            None,
        )
    }
}

mod lazy_static {
    use sections::std::thread::{self, ThreadId};
    use sections::{check_dfs, check_random, lazy_static};
    use std::collections::{HashMap, HashSet};
    use std::sync::Arc;

    #[test]
    fn basic() {
        sections::lazy_static! {
            static ref HASH_MAP: HashMap<u32, u32> = {
                let mut m = HashMap::new();
                m.insert(1, 1);
                m
            };
        }

        check_dfs(|| assert_eq!(HASH_MAP.get(&1), Some(&1)), None);
    }

    #[test]
    fn racing_init() {
        use std::sync::atomic::{AtomicUsize, Ordering};

        static COUNTER: AtomicUsize = AtomicUsize::new(0);

        sections::lazy_static! {
            static ref HASH_MAP: HashMap<u32, u32> = {
                let mut m = HashMap::new();
                m.insert(1, 1);
                COUNTER.fetch_add(1, Ordering::SeqCst);
                m
            };
        }

        check_dfs(
            || {
                let thds = (0..2)
                    .map(|_| {
                        thread::spawn(move || {
                            assert_eq!(HASH_MAP.get(&1), Some(&1));
                        })
                    })
                    .collect::<Vec<_>>();

                for thd in thds {
                    thd.join().unwrap();
                }

                assert_eq!(COUNTER.swap(0, Ordering::SeqCst), 1);
            },
            None,
        );
    }

    #[test]
    fn chained() {
        sections::lazy_static! {
            static ref S1: Arc<usize> = Default::default();
            static ref S2: Arc<usize> = Arc::new(**S1);
        }

        check_dfs(
            move || {
                let thd = thread::spawn(|| {
                    assert_eq!(**S2, 0);
                });

                assert_eq!(**S1, 0);

                thd.join().unwrap();
            },
            None,
        );
    }

    #[track_caller]
    fn run_mutex_test(num_threads: usize, tester: impl FnOnce(Box<dyn Fn() + Send + Sync>)) {
        use std::sync::Mutex;

        sections::lazy_static! {
            static ref THREADS: Mutex<Vec<ThreadId>> = Mutex::new(Vec::new());
        }

        let initializers = Arc::new(Mutex::new(HashSet::new()));
        let initializers_clone = Arc::clone(&initializers);

        tester(Box::new(move || {
            let thds = (0..num_threads)
                .map(|_| {
                    thread::spawn(|| {
                        THREADS.lock().unwrap().push(thread::current().id());
                    })
                })
                .collect::<Vec<_>>();

            for thd in thds {
                thd.join().unwrap();
            }

            assert_eq!(THREADS.lock().unwrap().len(), num_threads);
            initializers.lock().unwrap().insert(THREADS.lock().unwrap().clone());
        }));

        let initializers = Arc::try_unwrap(initializers_clone).unwrap().into_inner().unwrap();
        assert_eq!(initializers.len(), (1..num_threads + 1).product::<usize>());
    }

    #[test]
    fn mutex_dfs() {
        run_mutex_test(2, |f| check_dfs(f, None));
    }

    #[test]
    fn mutex_random() {
        // Not guaranteed to pass, but should be pretty likely for 4 threads to see all 24 interleavings
        // in 10,000 iterations of a random scheduler
        run_mutex_test(4, |f| check_random(f, 10_000));
    }

    #[test]
    fn racing_init_explicit() {
        use std::sync::atomic::{AtomicUsize, Ordering};

        static COUNTER: AtomicUsize = AtomicUsize::new(0);

        sections::lazy_static! {
            static ref HASH_MAP: HashMap<u32, u32> = {
                let mut m = HashMap::new();
                m.insert(1, 1);
                COUNTER.fetch_add(1, Ordering::SeqCst);
                m
            };
        }

        check_dfs(
            || {
                let thds = (0..2)
                    .map(|_| {
                        thread::spawn(move || {
                            lazy_static::initialize(&HASH_MAP);
                            assert_eq!(HASH_MAP.get(&1), Some(&1));
                        })
                    })
                    .collect::<Vec<_>>();

                for thd in thds {
                    thd.join().unwrap();
                }

                assert_eq!(COUNTER.swap(0, Ordering::SeqCst), 1);
            },
            None,
        );
    }

    #[test]
    fn init_with_yield() {
        sections::lazy_static! {
            static ref THING: Arc<usize> = {
                // check that it's valid to yield in the initializer
                thread::yield_now();
                Default::default()
            };
        }

        check_dfs(
            || {
                let thd = thread::spawn(|| {
                    assert_eq!(**THING, 0);
                });

                assert_eq!(**THING, 0);

                thd.join().unwrap();
            },
            None,
        );
    }
}

mod future {
    use sections::future;
    use sections::std::sync::Mutex;
    use sections::std::thread;
    use sections::{check_dfs, check_random};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    async fn add(a: u32, b: u32) -> u32 {
        a + b
    }

    #[test]
    fn async_fncall() {
        check_dfs(
            move || {
                let sum = add(3, 5);
                future::spawn(async move {
                    let r = sum.await;
                    assert_eq!(r, 8u32);
                });
            },
            None,
        );
    }

    #[test]
    fn async_with_join() {
        check_dfs(
            move || {
                thread::spawn(|| {
                    let join = future::spawn(async move { add(10, 32).await });

                    future::spawn(async move {
                        assert_eq!(join.await.unwrap(), 42u32);
                    });
                });
            },
            None,
        );
    }

    #[test]
    fn async_with_threads() {
        check_dfs(
            move || {
                thread::spawn(|| {
                    let v1 = async { 3u32 };
                    let v2 = async { 2u32 };
                    future::spawn(async move {
                        assert_eq!(5u32, v1.await + v2.await);
                    });
                });
                thread::spawn(|| {
                    let v1 = async { 5u32 };
                    let v2 = async { 6u32 };
                    future::spawn(async move {
                        assert_eq!(11u32, v1.await + v2.await);
                    });
                });
            },
            None,
        );
    }

    #[test]
    fn async_block_on() {
        check_dfs(
            || {
                let v = future::block_on(async { 42u32 });
                assert_eq!(v, 42u32);
            },
            None,
        );
    }

    #[test]
    fn async_spawn() {
        check_dfs(
            || {
                let t = future::spawn(async { 42u32 });
                let v = future::block_on(async { t.await.unwrap() });
                assert_eq!(v, 42u32);
            },
            None,
        );
    }

    #[test]
    fn async_spawn_chain() {
        check_dfs(
            || {
                let t1 = future::spawn(async { 1u32 });
                let t2 = future::spawn(async move { t1.await.unwrap() });
                let v = future::block_on(async move { t2.await.unwrap() });
                assert_eq!(v, 1u32);
            },
            None,
        );
    }

    #[test]
    fn async_thread_yield() {
        // This tests if thread::yield_now can be called from within an async block
        check_dfs(
            || {
                future::spawn(async move {
                    thread::yield_now();
                });
                future::spawn(async move {});
            },
            None,
        )
    }

    #[test]
    fn async_mutex() {
        // This test checks that futures can acquire Shuttle sync mutexes.
        // The future should only block on acquiring a lock when
        // another task holds the lock.
        check_dfs(
            move || {
                let lock = Arc::new(Mutex::new(0u64));

                let t1 = {
                    let lock = Arc::clone(&lock);
                    future::spawn(async move {
                        let mut l = lock.lock().unwrap();
                        *l += 1;
                    })
                };

                let t2 = future::block_on(async move {
                    t1.await.unwrap();
                    *lock.lock().unwrap()
                });

                assert_eq!(t2, 1);
            },
            None,
        )
    }

    #[test]
    fn async_yield() {
        check_dfs(
            || {
                let v = future::block_on(async {
                    future::yield_now().await;
                    42u32
                });
                assert_eq!(v, 42u32);
            },
            None,
        )
    }

    fn async_counter() {
        let counter = Arc::new(AtomicUsize::new(0));

        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let counter = Arc::clone(&counter);
                future::spawn(async move {
                    let c = counter.load(Ordering::SeqCst);
                    future::yield_now().await;
                    counter.fetch_add(c, Ordering::SeqCst);
                })
            })
            .collect();

        future::block_on(async move {
            for t in tasks {
                t.await.unwrap();
            }
        });
    }

    #[test]
    fn async_counter_random() {
        check_random(async_counter, 5000)
    }
}
