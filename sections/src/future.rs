//! Futures, as `shuttle::future`: each one that is spawned is a task.
//!
//! A waker is a mutex and a condition variable of this package, and so is the result that a [`JoinHandle`] waits for. So
//! futures need no argument of their own.
//!
//! A task that nobody waits for is not cut off when the body returns. If it waits for ever, that is a deadlock.

use crate::std::thread::is_finished;
use crate::sync::{Condvar, Mutex};
use crate::thread as tasks;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// What wakes the task of a future.
struct Signal {
    state: Mutex<Signalled>,
    changed: Condvar,
}

#[derive(Clone, Copy)]
struct Signalled {
    woken: bool,
    aborted: bool,
}

impl Signal {
    #[track_caller]
    fn new(woken: bool) -> Arc<Self> {
        let state = Mutex::new(Signalled { woken, aborted: false });
        Arc::new(Self { state, changed: Condvar::new() })
    }

    #[track_caller]
    fn set(&self, aborted: bool) {
        let mut state = self.state.lock();
        state.woken = true;
        state.aborted |= aborted;
        self.changed.notify_one();
    }

    /// Waits until the future is to be polled again. `false` if it was aborted.
    #[track_caller]
    fn wait(&self) -> bool {
        let mut state = self.state.lock();
        while !state.woken {
            state = self.changed.wait(state);
        }
        state.woken = false;
        !state.aborted
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.set(false);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.set(false);
    }
}

/// Runs a future on the running task.
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    let signal = Signal::new(false);
    let waker = Waker::from(Arc::clone(&signal));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        signal.wait();
    }
}

struct Pending<T> {
    result: Option<Result<T, JoinError>>,
    waker: Option<Waker>,
}

type Slot<T> = Arc<Mutex<Pending<T>>>;

/// Starts a task that runs a future. Whether it was aborted is looked at before each poll: the first poll is the second
/// section of the task.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let signal = Signal::new(true);
    let slot: Slot<F::Output> = Arc::new(Mutex::new(Pending { result: None, waker: None }));
    let (its, result) = (Arc::clone(&signal), Arc::clone(&slot));
    let task = tasks::spawn(move || {
        // Whoever awaits a future that panics goes on. The panic is the task's, and nobody joins that one.
        let returned = catch_unwind(AssertUnwindSafe(|| run(&its, future)));
        let (value, panic) = match returned {
            Ok(value) => (value, None),
            Err(panic) => (Err(JoinError::Cancelled), Some(panic)),
        };
        finish(result, value);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    });
    JoinHandle { slot, abort: AbortHandle { task: task.task(), signal } }
}

/// Polls the future until it is ready or aborted. It is dropped here.
fn run<F: Future>(signal: &Arc<Signal>, future: F) -> Result<F::Output, JoinError> {
    let waker = Waker::from(Arc::clone(signal));
    let mut future = pin!(future);
    while signal.wait() {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Ok(value);
        }
    }
    Err(JoinError::Cancelled)
}

fn finish<T>(slot: Slot<T>, value: Result<T, JoinError>) {
    // Without a handle nobody can have the value.
    let value = (Arc::strong_count(&slot) > 1).then_some(value);
    let mut pending = slot.lock();
    pending.result = value;
    let waker = pending.waker.take();
    drop(pending);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// The handle of a spawned future. It is a future that waits for the other's end.
pub struct JoinHandle<T> {
    slot: Slot<T>,
    abort: AbortHandle,
}

impl<T> JoinHandle<T> {
    /// The future is dropped instead of being polled again. If it has ended, this does nothing.
    #[track_caller]
    pub fn abort(&self) {
        self.abort.abort();
    }

    /// Whether the task has finished.
    #[track_caller]
    pub fn is_finished(&self) -> bool {
        self.abort.is_finished()
    }

    /// What can abort it.
    pub fn abort_handle(&self) -> AbortHandle {
        self.abort.clone()
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut pending = self.slot.lock();
        if let Some(result) = pending.result.take() {
            return Poll::Ready(result);
        }
        pending.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinHandle").field(&self.abort.task).finish()
    }
}

/// What can abort a spawned future.
#[derive(Clone)]
pub struct AbortHandle {
    task: crate::TaskNumber,
    signal: Arc<Signal>,
}

impl AbortHandle {
    /// See [`JoinHandle::abort`].
    #[track_caller]
    pub fn abort(&self) {
        self.signal.set(true);
    }

    /// Whether the task has finished.
    #[track_caller]
    pub fn is_finished(&self) -> bool {
        is_finished(self.task)
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AbortHandle").field(&self.task).finish()
    }
}

/// Why a future has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinError {
    /// It was aborted, or has panicked.
    Cancelled,
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("task was cancelled")
    }
}

impl std::error::Error for JoinError {}

/// Lets the task be polled once more.
pub async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
