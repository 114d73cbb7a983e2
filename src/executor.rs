//! Where a refresh runs.

use std::fmt;

/// A refresh that waits for its turn. Dropping it releases the lease that it carries.
pub struct Job(Box<dyn FnOnce() + Send>);

impl Job {
    pub(crate) fn new(work: impl FnOnce() + Send + 'static) -> Self {
        Self(Box::new(work))
    }

    /// Does the work. It does not panic: a compute's panic is caught and reported as a failure.
    pub fn run(self) {
        (self.0)();
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Job")
    }
}

/// Runs jobs. It may run one at once, later, on another thread, or drop it.
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
}

/// The thread whose request found the stale entry refreshes it, before its stale value is returned.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallerRuns;

impl Executor for CallerRuns {
    fn execute(&self, job: Job) -> Result<(), Job> {
        job.run();
        Ok(())
    }
}
