//! As `std::thread`.

use crate::operation::{Access, Kind, Object, TaskNumber};
use crate::state::{announce, with};
use crate::sync::{Condvar, Mutex};
use crate::thread as tasks;
use std::cell::OnceCell;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

pub use crate::{AccessError, LocalKey};
pub use std::thread::{Result, panicking};

crate::thread_local! {
    static CURRENT: OnceCell<Thread> = OnceCell::new();
}

/// The number of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThreadId(TaskNumber);

impl From<ThreadId> for usize {
    fn from(id: ThreadId) -> Self {
        id.0
    }
}

/// The token of `park`, made of a mutex and a condition variable.
struct Parker {
    token: Mutex<bool>,
    unparked: Condvar,
}

impl Parker {
    #[track_caller]
    fn new() -> Arc<Self> {
        Arc::new(Self { token: Mutex::new(false), unparked: Condvar::new() })
    }
}

/// A task, as others know it.
#[derive(Clone)]
pub struct Thread {
    id: ThreadId,
    name: Option<Arc<str>>,
    parker: Arc<Parker>,
}

impl Thread {
    /// The number of the task.
    pub fn id(&self) -> ThreadId {
        self.id
    }

    /// The name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Gives the task its token: its next `park`, or the one that it is in, returns.
    #[track_caller]
    pub fn unpark(&self) {
        let mut token = self.parker.token.lock();
        *token = true;
        self.parker.unparked.notify_one();
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread").field("id", &self.id).field("name", &self.name()).finish()
    }
}

/// The running task.
#[track_caller]
pub fn current() -> Thread {
    // A task that was not spawned here makes its token itself, so the token has one name in every execution of a trace.
    let new = || Thread { id: ThreadId(crate::task()), name: None, parker: Parker::new() };
    let known = CURRENT.try_with(|current| current.get().cloned()).ok().flatten();
    known.unwrap_or_else(|| {
        let new = new();
        let kept = CURRENT.try_with(|current| current.get_or_init(|| new.clone()).clone());
        kept.unwrap_or(new)
    })
}

/// Waits for the token, and takes it. It does not return without reason.
#[track_caller]
pub fn park() {
    let Parker { token, unparked } = &*current().parker;
    let mut token = token.lock();
    while !*token {
        token = unparked.wait(token);
    }
    *token = false;
}

/// Waits for the token or the time-out, which can come at any moment. Takes the token if it is there.
#[track_caller]
pub fn park_timeout(timeout: Duration) {
    let Parker { token, unparked } = &*current().parker;
    let mut token = token.lock();
    if !*token {
        (token, _) = unparked.wait_timeout(token, timeout);
    }
    *token = false;
}

/// Nothing: every order is explored anyway.
#[track_caller]
pub fn yield_now() {}

/// Nothing in a search, because time does not pass there. In a simulation the task sleeps.
pub fn sleep(duration: Duration) {
    if with(|state| state.clockwork.is_some()) {
        let now = crate::simulation::now();
        crate::simulation::sleep_until(now.saturating_add(duration));
    }
}

/// How many tasks run at a time: as many as you wish.
///
/// # Errors
///
/// None.
pub fn available_parallelism() -> io::Result<std::num::NonZeroUsize> {
    std::thread::available_parallelism()
}

/// Whether the task has finished.
#[track_caller]
pub(crate) fn is_finished(task: TaskNumber) -> bool {
    let object = Object::of_task(task);
    announce(Kind::Load, object);
    with(|state| {
        // Then the task announces its end.
        state.discover(object);
        state.touch(object, Access::Read);
        state.has_finished(task)
    })
}

/// Starts a task.
#[track_caller]
pub fn spawn<F, T>(task: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    spawn_named(None, task)
}

#[track_caller]
fn spawn_named<F, T>(name: Option<Arc<str>>, task: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let (parker, own) = (Parker::new(), name.clone());
    let inner = tasks::spawn(introduced(own, Arc::clone(&parker), task));
    let thread = Thread { id: ThreadId(inner.task()), name, parker };
    JoinHandle { inner, thread }
}

/// The work of a task that knows who it is.
fn introduced<T>(
    name: Option<Arc<str>>,
    parker: Arc<Parker>,
    task: impl FnOnce() -> T,
) -> impl FnOnce() -> T {
    move || {
        let thread = Thread { id: ThreadId(crate::task()), name, parker };
        CURRENT.with(|current| current.set(thread).expect("a task is introduced once"));
        task()
    }
}

/// The handle of a task. Joining it waits for the task's end.
pub struct JoinHandle<T> {
    inner: tasks::JoinHandle<T>,
    thread: Thread,
}

impl<T> JoinHandle<T> {
    /// Waits for the task's end.
    ///
    /// # Errors
    ///
    /// The panic of the task.
    #[track_caller]
    pub fn join(self) -> Result<T> {
        self.inner.join()
    }

    /// Whether the task has finished.
    #[track_caller]
    pub fn is_finished(&self) -> bool {
        is_finished(self.inner.task())
    }

    /// The task.
    pub fn thread(&self) -> &Thread {
        &self.thread
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinHandle").field(&self.thread).finish()
    }
}

/// A task with a name.
#[derive(Debug, Default)]
pub struct Builder {
    name: Option<Arc<str>>,
}

impl Builder {
    /// A task without a name.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names it.
    #[must_use]
    pub fn name(self, name: String) -> Self {
        Self { name: Some(name.into()) }
    }

    /// Nothing: all tasks have stacks of Shuttle's default size.
    #[must_use]
    pub fn stack_size(self, _: usize) -> Self {
        self
    }

    /// Starts the task.
    ///
    /// # Errors
    ///
    /// None.
    #[track_caller]
    pub fn spawn<F, T>(self, task: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        Ok(spawn_named(self.name, task))
    }

    /// Starts the task in a scope.
    ///
    /// # Errors
    ///
    /// None.
    #[track_caller]
    pub fn spawn_scoped<'scope, 'env, F, T>(
        self,
        scope: &'scope Scope<'scope, 'env>,
        task: F,
    ) -> io::Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        Ok(scope.spawn_named(self.name, task))
    }
}

/// The tasks of a scope that nobody has joined.
type Open = Arc<std::sync::Mutex<Vec<TaskNumber>>>;

fn list(open: &Open) -> std::sync::MutexGuard<'_, Vec<TaskNumber>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A scope of tasks that may borrow from outside of it.
pub struct Scope<'scope, 'env: 'scope> {
    inner: &'scope shuttle::thread::Scope<'scope, 'env>,
    open: Open,
}

impl<'scope> Scope<'scope, '_> {
    /// Starts a task.
    #[track_caller]
    pub fn spawn<F, T>(&'scope self, task: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        self.spawn_named(None, task)
    }

    #[track_caller]
    fn spawn_named<F, T>(&self, name: Option<Arc<str>>, task: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let parker = Parker::new();
        let (task, slot) = tasks::work(introduced(name.clone(), Arc::clone(&parker), task));
        with(|state| state.asks = true);
        let number = self.inner.spawn(task).thread().id().into();
        with(|state| state.spawned(number, None));
        list(&self.open).push(number);
        let thread = Thread { id: ThreadId(number), name, parker };
        let (inner, open) = (tasks::JoinHandle::of(number, slot), Arc::clone(&self.open));
        ScopedJoinHandle { inner, thread, open, scope: PhantomData }
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

/// Joins the tasks that nobody has joined. Whether one of them has panicked.
#[track_caller]
fn join_all(open: &Open) -> bool {
    let mut panicked = false;
    loop {
        let last = list(open).pop();
        let Some(task) = last else { return panicked };
        tasks::wait_for(task);
        panicked |= with(|state| state.run.panics.iter().any(|panic| panic.task == task));
    }
}

/// Calls `f` with a scope, and waits for the tasks that were started in it.
///
/// The scope itself, a few words, stays behind in memory: without `unsafe` it cannot be a local that lives for `'scope`.
///
/// # Panics
///
/// If `f` panics, or a task that was not joined. And in a simulation, which has no scopes.
#[track_caller]
pub fn scope<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let me = crate::task();
    assert!(with(|state| state.clockwork.is_none()), "sections: a simulation has no scoped tasks");
    let open = Open::default();
    let its = Arc::clone(&open);
    // Nothing may unwind out of Shuttle's scope before every task has ended: Shuttle would not wait for them.
    let (returned, joined) = shuttle::thread::scope(move |inner| {
        let scope = Box::leak(Box::new(Scope { inner, open: its }));
        let returned = catch_unwind(AssertUnwindSafe(|| f(scope)));
        let joined = catch_unwind(AssertUnwindSafe(|| join_all(&open)));
        with(|state| state.asks = true);
        (returned, joined)
    });
    // If the execution is given up, Shuttle has waited for the tasks itself.
    with(|state| state.current = me);
    match (returned, joined) {
        (Err(panic), _) | (_, Err(panic)) => resume_unwind(panic),
        (Ok(_), Ok(true)) => panic!("a scoped thread panicked"),
        (Ok(value), Ok(false)) => value,
    }
}

/// The handle of a task in a scope.
pub struct ScopedJoinHandle<'scope, T> {
    inner: tasks::JoinHandle<T>,
    thread: Thread,
    open: Open,
    scope: PhantomData<&'scope T>,
}

impl<T> ScopedJoinHandle<'_, T> {
    /// Waits for the task's end.
    ///
    /// # Errors
    ///
    /// The panic of the task.
    #[track_caller]
    pub fn join(self) -> Result<T> {
        let task = self.inner.task();
        list(&self.open).retain(|other| *other != task);
        self.inner.join()
    }

    /// Whether the task has finished.
    #[track_caller]
    pub fn is_finished(&self) -> bool {
        is_finished(self.inner.task())
    }

    /// The task.
    pub fn thread(&self) -> &Thread {
        &self.thread
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScopedJoinHandle").field(&self.thread).finish()
    }
}
