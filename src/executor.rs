//! Executors run refreshes: on the calling thread, or on a pool. The protocol sends jobs to them.

use crate::error::{ConfigError, MAX_QUEUE, MAX_WORKERS};
use crate::panics::{discard, drop_each};
use crate::sync::{Arc, Mutex, Present, Queue, Roll, Thread};
use std::error::Error as StdError;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// A refresh that waits for a thread. Its drop releases the lease that it carries.
pub struct Job(Box<dyn FnOnce() + Send>);

impl Job {
    pub(crate) fn new(work: impl FnOnce() + Send + 'static) -> Self {
        Self(Box::new(work))
    }

    /// Runs the refresh. A panic of the compute is caught, and is a failure of the refresh. A panic of the
    /// observer, the clock or a key's `Clone` goes on to the caller of this, and frees the lease.
    pub fn run(self) {
        (self.0)();
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Job")
    }
}

/// An executor runs jobs. It may run a job at once, later, on another thread, or drop it.
///
/// ```
/// use std::time::Duration;
/// use xfetch_core::{Cache, Executor, Job};
///
/// /// A thread for each refresh.
/// struct Threads;
///
/// impl Executor for Threads {
///     fn execute(&self, job: Job) -> Result<(), Job> {
///         std::thread::spawn(move || job.run());
///         Ok(())
///     }
/// }
///
/// let builder = Cache::<u32, u32>::builder(Duration::from_secs(5), Duration::from_secs(120));
/// assert!(builder.executor(Threads).build().is_ok());
/// ```
pub trait Executor: Send + Sync + 'static {
    /// Takes the job, or hands it back.
    ///
    /// # Errors
    ///
    /// The job, if the executor is full or closed: the cache drops it, which frees the key.
    fn execute(&self, job: Job) -> Result<(), Job>;

    /// Whether every job has run when `execute` returns. Then no request can meet a queued lease.
    #[doc(hidden)]
    fn runs_at_once(&self) -> bool {
        false
    }
}

impl<X: Executor + ?Sized> Executor for Arc<X> {
    fn execute(&self, job: Job) -> Result<(), Job> {
        X::execute(self, job)
    }

    fn runs_at_once(&self) -> bool {
        X::runs_at_once(self)
    }
}

impl<X: Executor + ?Sized> Executor for Box<X> {
    fn execute(&self, job: Job) -> Result<(), Job> {
        X::execute(self, job)
    }

    fn runs_at_once(&self) -> bool {
        X::runs_at_once(self)
    }
}

/// The thread whose request found the stale entry refreshes it, before its stale value is returned.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallerRuns;

impl Executor for CallerRuns {
    fn execute(&self, job: Job) -> Result<(), Job> {
        job.run();
        Ok(())
    }

    fn runs_at_once(&self) -> bool {
        true
    }
}

/// What a shutdown of a pool does with the jobs that wait for a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// It runs them.
    Run,
    /// It drops them, which frees their keys.
    Drop,
}

/// A pool of threads, `xfetch-refresh-0` and on, with a bounded queue. A full queue refuses a refresh: then
/// the request returns its stale value without one.
///
/// Handles are cheap to clone and share one pool. The drop of the last handle closes the queue, and the
/// threads end as soon as the queue is empty.
///
/// ```
/// use std::time::Duration;
/// use xfetch_core::{Cache, ManualClock, Waiting, WorkerPool};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (pool, clock) = (WorkerPool::new(4, 1_024)?, ManualClock::new());
/// let cache = Cache::builder(Duration::from_secs(5), Duration::from_secs(120))
///     .clock(clock.clone())
///     .executor(pool.clone())
///     .build()?;
/// cache.insert("page", 1);
/// clock.advance(Duration::from_secs(5));
/// assert_eq!(*cache.get_or_compute(&"page", |_| 2)?, 1);
/// pool.shut_down(Waiting::Run);
/// assert_eq!(cache.get(&"page").map(|found| *found), Some(2));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct WorkerPool(Arc<Pool>);

struct Pool {
    jobs: Arc<Queue<Job>>,
    threads: Mutex<Vec<Thread>>,
    roll: Roll,
}

/// The threads of a pool that had not ended within the limit of a shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StillRunning {
    /// How many there are.
    pub threads: usize,
    /// The limit.
    pub limit: Duration,
}

impl fmt::Display for StillRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { threads, limit } = self;
        write!(f, "{threads} threads of the pool have not ended within {limit:?}")
    }
}

impl StdError for StillRunning {}

impl WorkerPool {
    /// A pool of `threads` threads, with `queue` places for jobs that wait for one.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Workers`] if `threads` or `queue` is zero or above its limit;
    /// [`ConfigError::NoThread`] if the system has no thread left.
    pub fn new(threads: usize, queue: usize) -> Result<Self, ConfigError> {
        if !(1..=MAX_WORKERS).contains(&threads) || !(1..=MAX_QUEUE).contains(&queue) {
            return Err(ConfigError::Workers { threads, queue });
        }
        let jobs = Arc::new(Queue::new(queue));
        let roll = Roll::default();
        let start = |number| {
            let (jobs, present) = (Arc::clone(&jobs), roll.enter());
            Thread::spawn(format!("xfetch-refresh-{number}"), move || work(&jobs, present))
        };
        match (0..threads).map(start).collect::<Result<Vec<_>, _>>() {
            Ok(threads) => Ok(Self(Arc::new(Pool { jobs, threads: Mutex::new(threads), roll }))),
            Err(error) => {
                jobs.close();
                Err(ConfigError::NoThread { kind: error.kind() })
            }
        }
    }

    /// Closes the queue and waits until the threads have ended, unless another call waits for them already.
    /// A running job always runs to its end.
    ///
    /// A call from a thread of the pool itself waits for none of them.
    pub fn shut_down(&self, waiting: Waiting) {
        self.close(waiting);
        let mut threads = self.0.threads.lock();
        // The threads stay in the list, so that a call from outside finds them and waits.
        if threads.iter().any(Thread::is_current) {
            return;
        }
        let ending = std::mem::take(&mut *threads);
        drop(threads);
        ending.into_iter().for_each(Thread::join);
    }

    /// As [`shut_down`](Self::shut_down), and waits for the threads no longer than `limit`, by the machine's clock. A
    /// thread that is late ends when its job does, and runs the jobs that wait before that, unless they were dropped.
    /// They are dropped by this call, before it waits.
    ///
    /// ```
    /// use std::time::Duration;
    /// use xfetch_core::{Waiting, WorkerPool};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = WorkerPool::new(4, 1_024)?;
    /// pool.shut_down_within(Waiting::Drop, Duration::from_secs(60))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`StillRunning`]: how many threads had not ended. A thread of the pool that calls this waits for no thread, and
    /// is one of them.
    pub fn shut_down_within(&self, waiting: Waiting, limit: Duration) -> Result<(), StillRunning> {
        self.close(waiting);
        let is_own = self.0.threads.lock().iter().any(Thread::is_current);
        let roll = &self.0.roll;
        match if is_own { roll.present() } else { roll.wait(limit) } {
            0 => Ok(()),
            threads => Err(StillRunning { threads, limit }),
        }
    }

    // INVARIANT(shutdown-drains): the queue is closed before it is emptied, so that no job comes later.
    fn close(&self, waiting: Waiting) {
        self.0.jobs.close();
        if waiting == Waiting::Drop {
            while let Some(job) = self.0.jobs.try_pop() {
                drop_each(Some(job));
            }
        }
    }
}

/// Runs jobs until the queue is closed and empty.
///
/// The observer and the clock of a job may panic: the thread goes on.
fn work(jobs: &Queue<Job>, _until_it_ends: Present) {
    while let Some(job) = jobs.pop() {
        discard(catch_unwind(AssertUnwindSafe(|| job.run())));
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.jobs.close();
    }
}

impl Executor for WorkerPool {
    fn execute(&self, job: Job) -> Result<(), Job> {
        self.0.jobs.try_push(job)
    }
}

impl fmt::Debug for WorkerPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerPool").finish_non_exhaustive()
    }
}
