//! Initialisation that happens once, made of an atomic, a mutex and a condition variable.

use super::lazily::Identity;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Condvar, Mutex};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

/// As `std::sync::Once`. A static begins anew in each execution.
#[derive(Debug)]
pub struct Once(Identity);

/// Tells the closure of [`Once::call_once_force`] what happened before.
#[derive(Debug)]
pub struct OnceState {
    poisoned: bool,
}

impl OnceState {
    /// Whether an earlier closure has panicked.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    New,
    Running,
    Poisoned,
    Done,
}

/// What a panic of the closure leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Later calls panic.
    Poison,
    /// The next call begins anew.
    Retry,
}

/// What belongs to a `Once` in one execution.
pub(super) struct Run {
    stage: Mutex<Stage>,
    changed: Condvar,
    done: AtomicBool,
    /// The tasks that know that it is done. This is never undone, so their looking again would see nothing new, and would
    /// conflict with nothing: it is not announced.
    know: RefCell<BTreeSet<usize>>,
    /// The value of a static, from its second execution on.
    pub(super) value: Cell<Option<&'static dyn Any>>,
}

impl Run {
    #[track_caller]
    fn new() -> Self {
        Self {
            stage: Mutex::new(Stage::New),
            changed: Condvar::new(),
            done: AtomicBool::new(false),
            know: RefCell::default(),
            value: Cell::new(None),
        }
    }

    fn knows(&self) {
        self.know.borrow_mut().insert(crate::task());
    }

    #[track_caller]
    fn is_done(&self) -> bool {
        if self.know.borrow().contains(&crate::task()) {
            return true;
        }
        let done = self.done.load(Ordering::SeqCst);
        if done {
            self.knows();
        }
        done
    }

    /// Becomes the task that runs the closure. `None` if it is done.
    #[track_caller]
    fn begin(&self, force: bool) -> Option<OnceState> {
        let mut stage = self.stage.lock();
        while *stage == Stage::Running {
            stage = self.changed.wait(stage);
        }
        match *stage {
            Stage::Done => {
                self.knows();
                None
            }
            Stage::Poisoned if !force => {
                drop(stage);
                panic!("Once instance has previously been poisoned")
            }
            before => {
                *stage = Stage::Running;
                Some(OnceState { poisoned: before == Stage::Poisoned })
            }
        }
    }

    #[track_caller]
    fn end(&self, end: Stage) {
        if end == Stage::Done {
            self.done.store(true, Ordering::SeqCst);
            self.knows();
        }
        let mut stage = self.stage.lock();
        *stage = end;
        self.changed.notify_all();
    }
}

impl Once {
    /// One that has not run.
    #[expect(clippy::new_without_default, reason = "std's has none")]
    pub const fn new() -> Self {
        Self(Identity::new())
    }

    #[track_caller]
    pub(super) fn run(&self) -> Rc<Run> {
        self.0.made(Run::new)
    }

    #[track_caller]
    pub(super) fn call(&self, force: bool, after: After, f: impl FnOnce(&OnceState)) {
        let run = self.run();
        if run.is_done() {
            return;
        }
        let Some(state) = run.begin(force) else { return };
        // The panic is caught, because what a task does while it unwinds is not explored.
        match catch_unwind(AssertUnwindSafe(|| f(&state))) {
            Ok(()) => run.end(Stage::Done),
            Err(panic) => {
                let retry = after == After::Retry;
                run.end(if retry { Stage::New } else { Stage::Poisoned });
                resume_unwind(panic)
            }
        }
    }

    /// Runs `f` if no closure has run. Waits for one that is running.
    ///
    /// # Panics
    ///
    /// If an earlier closure has panicked.
    #[track_caller]
    pub fn call_once(&self, f: impl FnOnce()) {
        self.call(false, After::Poison, |_| f());
    }

    /// As [`call_once`](Self::call_once), and runs `f` also if an earlier closure has panicked.
    #[track_caller]
    pub fn call_once_force(&self, f: impl FnOnce(&OnceState)) {
        self.call(true, After::Poison, f);
    }

    /// Whether a closure has run to its end.
    #[track_caller]
    pub fn is_completed(&self) -> bool {
        self.run().is_done()
    }

    /// Waits until a closure has run to its end.
    ///
    /// # Panics
    ///
    /// If a closure has panicked.
    #[track_caller]
    pub fn wait(&self) {
        let run = self.run();
        if run.is_done() {
            return;
        }
        let mut stage = run.stage.lock();
        while matches!(*stage, Stage::New | Stage::Running) {
            stage = run.changed.wait(stage);
        }
        let end = *stage;
        drop(stage);
        assert!(end == Stage::Done, "Once instance has previously been poisoned");
        run.knows();
    }
}
