//! Condition variables: which waiter is woken, by what, and what happens before it has the mutex again.

use super::{Litmus, Task, join, litmus, race, start};
use crate::litmus::log::note;

pub const CONDVARS: &[Litmus] = &[
    litmus!(notify_without_a_flag, ["1:1", "deadlock"]),
    litmus!(flag_checked_outside, ["1:0 deadlock", "1:0,1", "1:1,1"]),
    litmus!(one_notification_for_two, ["1:1 2:1", "1:1 deadlock", "2:1 deadlock"]),
    litmus!(two_notifications_for_two, ["1:1 2:1", "1:1 deadlock", "2:1 deadlock", "deadlock"]),
    litmus!(two_tokens, ["1:1 2:1"]),
    litmus!(a_late_waiter, ["1:0 deadlock", "1:0,1", "1:1 deadlock"]),
    litmus!(late_for_the_first_of_two, ["1:1 2:1", "1:1 deadlock", "2:1 deadlock", "deadlock"]),
    litmus!(
        a_late_third_waiter,
        [
            "1:1 2:1 deadlock",
            "1:1 3:1 deadlock",
            "1:1 deadlock",
            "2:1 3:1 deadlock",
            "2:1 deadlock",
            "3:1 deadlock",
            "deadlock",
        ]
    ),
    litmus!(notify_all_with_a_flag, ["1:2 2:3", "1:3 2:2"]),
    litmus!(notify_all_without_a_flag, ["1:1 2:1", "1:1 deadlock", "2:1 deadlock", "deadlock"]),
    litmus!(broadcast_then_signal, ["1:1 2:1", "1:1 deadlock", "2:1 deadlock", "deadlock"]),
    litmus!(a_stolen_condition, ["1:0 2:1 deadlock", "1:0,1 2:0", "1:1 2:0", "2:1 deadlock"]),
    litmus!(woken_by_one_locks_again, ["1:1", "deadlock"]),
    litmus!(woken_by_all_locks_again, ["1:1", "deadlock"]),
    litmus!(
        a_thief_of_a_broadcast,
        ["1:1 2:0,2", "1:1 2:1,2", "1:2 2:0,1", "1:2 2:1,1", "2:0,1 deadlock", "2:1,1 deadlock",]
    ),
    litmus!(condvars_do_not_mix, ["deadlock"]),
];

const WAIT_ONCE_1: Task = |o| {
    let a = o.a.lock();
    let _a = o.v.wait(a);
    note(1, 1);
};

const WAIT_ONCE_2: Task = |o| {
    let a = o.a.lock();
    let _a = o.v.wait(a);
    note(2, 1);
};

/// Loses the lost wake-up: a notification before the wait has no effect.
fn notify_without_a_flag() {
    race(&[WAIT_ONCE_1, |o| o.v.notify_one()]);
}

/// Loses the lost wake-up between a check and a wait. A waiter that sees the flag does not wait. One
/// that does not see it is woken if it waits before the notification.
fn flag_checked_outside() {
    race(&[
        |o| {
            let flag = o.x.load();
            note(1, flag);
            if flag == 0 {
                let a = o.a.lock();
                let _a = o.v.wait(a);
            }
            note(1, 1);
        },
        |o| {
            o.x.store(1);
            o.v.notify_one();
        },
    ]);
}

const UNTIL_FLAG_1: Task = |o| {
    let mut a = o.a.lock();
    while *a == 0 {
        a = o.v.wait(a);
    }
    note(1, 1);
};

const UNTIL_FLAG_2: Task = |o| {
    let mut a = o.a.lock();
    while *a == 0 {
        a = o.v.wait(a);
    }
    note(2, 1);
};

/// Loses the choice of the waiter. If both wait, one is woken and the other waits for ever. A task that
/// comes after the flag does not wait.
fn one_notification_for_two() {
    race(&[UNTIL_FLAG_1, UNTIL_FLAG_2, |o| {
        let mut a = o.a.lock();
        *a = 1;
        o.v.notify_one();
    }]);
}

/// Loses or invents a wake-up by the second notification. Any subset of the waiters waits before a
/// notification, and two notifications wake all of these.
fn two_notifications_for_two() {
    race(&[WAIT_ONCE_1, WAIT_ONCE_2, |o| {
        o.v.notify_one();
        o.v.notify_one();
    }]);
}

/// Invents a deadlock. Each token comes with a notification. A waiter that takes a token without
/// waiting leaves its notification to the other.
fn two_tokens() {
    race(&[
        |o| {
            let mut a = o.a.lock();
            while *a == 0 {
                a = o.v.wait(a);
            }
            *a -= 1;
            note(1, 1);
        },
        |o| {
            let mut a = o.a.lock();
            while *a == 0 {
                a = o.v.wait(a);
            }
            *a -= 1;
            note(2, 1);
        },
        |o| {
            for _ in 0..2 {
                *o.a.lock() += 1;
                o.v.notify_one();
            }
        },
    ]);
}

/// Invents a notification for a waiter that waits after it. A task that sees the store waits too late.
/// One that does not see it may wait before or after the notification.
fn a_late_waiter() {
    race(&[
        |o| {
            let a = o.a.lock();
            note(1, o.x.load());
            let _a = o.v.wait(a);
            note(1, 1);
        },
        |o| {
            o.v.notify_one();
            o.x.store(1);
        },
    ]);
}

/// Loses a waiter that can have only the second of two notifications. Any subset of the waiters is
/// woken. Both are woken even if the late waiter runs first, because the first notification is not for
/// it.
fn late_for_the_first_of_two() {
    race(&[
        WAIT_ONCE_1,
        |o| {
            o.v.notify_one();
            WAIT_ONCE_2(o);
        },
        |o| o.v.notify_one(),
    ]);
}

/// Loses or invents a wake-up among three waiters and two notifications. Only the second notification
/// can wake the third waiter. Two of them are woken, or one, or none, but never all.
fn a_late_third_waiter() {
    race(&[WAIT_ONCE_1, WAIT_ONCE_2, |o| {
        o.v.notify_one();
        let third = start(o, |o| {
            let a = o.a.lock();
            let _a = o.v.wait(a);
            note(3, 1);
        });
        o.v.notify_one();
        join(third);
    }]);
}

/// Loses an order of two waiters that a broadcast wakes, or one of the waiters. The flag is 1; the
/// first adds to 2, the second to 3.
fn notify_all_with_a_flag() {
    race(&[
        |o| {
            let mut a = o.a.lock();
            while *a == 0 {
                a = o.v.wait(a);
            }
            *a += 1;
            note(1, *a);
        },
        |o| {
            let mut a = o.a.lock();
            while *a == 0 {
                a = o.v.wait(a);
            }
            *a += 1;
            note(2, *a);
        },
        |o| {
            let mut a = o.a.lock();
            *a = 1;
            o.v.notify_all();
        },
    ]);
}

/// Loses a waiter that waits after a broadcast. Any subset of the waiters waits before it.
fn notify_all_without_a_flag() {
    race(&[WAIT_ONCE_1, WAIT_ONCE_2, |o| o.v.notify_all()]);
}

/// Invents a notification that is spent on a waiter which a broadcast has woken already. Any subset is
/// woken: both by the broadcast, or one by it and the other, which waits between, by the signal.
fn broadcast_then_signal() {
    race(&[WAIT_ONCE_1, WAIT_ONCE_2, |o| {
        o.v.notify_all();
        o.v.notify_one();
    }]);
}

/// Loses the third task, which takes the value for which a waiter was woken. Either the waiter takes
/// it, with or without a wake-up. Or the third task does, and the waiter, woken once or never, waits
/// for ever.
fn a_stolen_condition() {
    race(&[
        |o| {
            let mut a = o.a.lock();
            while *a == 0 {
                a = o.v.wait(a);
                note(1, 0);
            }
            *a -= 1;
            note(1, 1);
        },
        |o| {
            let mut a = o.a.lock();
            note(2, *a);
            *a = 0;
        },
        |o| {
            let mut a = o.a.lock();
            *a = 1;
            o.v.notify_one();
        },
    ]);
}

/// Invents a waiter that runs while the notifier holds the mutex. A woken waiter sees the store.
fn woken_by_one_locks_again() {
    race(&[
        |o| {
            let a = o.a.lock();
            let _a = o.v.wait(a);
            note(1, o.x.load());
        },
        |o| {
            let _a = o.a.lock();
            o.v.notify_one();
            o.x.store(1);
        },
    ]);
}

/// The same with a broadcast.
fn woken_by_all_locks_again() {
    race(&[
        |o| {
            let a = o.a.lock();
            let _a = o.v.wait(a);
            note(1, o.x.load());
        },
        |o| {
            let _a = o.a.lock();
            o.v.notify_all();
            o.x.store(1);
        },
    ]);
}

/// Loses the third task between a broadcast and the woken waiter's lock. It adds before the waiter or
/// after it, and may or may not see the notifier's store. If the waiter waits too late, the third task
/// adds alone.
fn a_thief_of_a_broadcast() {
    race(&[
        |o| {
            let a = o.a.lock();
            let mut a = o.v.wait(a);
            *a += 1;
            note(1, *a);
        },
        |o| {
            let mut a = o.a.lock();
            note(2, o.x.load());
            *a += 1;
            note(2, *a);
        },
        |o| {
            o.v.notify_all();
            o.x.store(1);
        },
    ]);
}

/// Invents a wake-up by another condition variable.
fn condvars_do_not_mix() {
    race(&[WAIT_ONCE_1, |o| {
        o.w.notify_one();
        o.w.notify_all();
    }]);
}
