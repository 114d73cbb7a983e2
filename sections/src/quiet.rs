//! Panics inside of a check are not printed: they are the outcomes of executions. The one report is.

use shuttle::scheduler::DfsScheduler;
use shuttle::{Config, FailurePersistence, Runner};
use std::cell::{Cell, RefCell};
use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

type Hook = Arc<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

thread_local! {
    static QUIET: RefCell<Option<Places>> = const { RefCell::new(None) };
    static REPORTS: Cell<bool> = const { Cell::new(false) };
}

/// The messages of an execution's panics, and where each was.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Arc<Mutex<Vec<(String, String)>>>);

impl Places {
    fn list(&self) -> MutexGuard<'_, Vec<(String, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The panics on this OS thread are noted here from now on, and not printed.
    pub(crate) fn collect(&self) {
        self.list().clear();
        QUIET.replace(Some(self.clone()));
    }

    /// Where the panic with this message was.
    pub(crate) fn of(&self, message: &str) -> Option<String> {
        self.list().iter().find(|(other, _)| other == message).map(|(_, place)| place.clone())
    }
}

/// Sets the hook, once. Shuttle sets one in its first run, which prints a schedule that we cannot use. So this lets it do
/// so first, and remembers the hook from before.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before: Hook = take_hook().into();
        let again = Arc::clone(&before);
        set_hook(Box::new(move |panic| again(panic)));
        let mut config = Config::new();
        config.failure_persistence = FailurePersistence::None;
        Runner::new(DfsScheduler::new(Some(1), false), config).run(|| {});
        let shuttles = take_hook();
        set_hook(Box::new(move |panic| {
            let quiet = QUIET.try_with(|quiet| quiet.borrow().clone()).ok().flatten();
            if let Some(places) = quiet {
                let message = panic.payload_as_str().unwrap_or("no message").to_owned();
                let place = panic.location().map(|at| format!("{}:{}", at.file(), at.line()));
                places.list().push((message, place.unwrap_or_default()));
            } else if REPORTS.get() {
                before(panic);
            } else {
                shuttles(panic);
            }
        }));
    });
}

/// Panics with the report.
#[track_caller]
pub(crate) fn report(text: &str) -> ! {
    REPORTS.set(true);
    panic!("{text}")
}
