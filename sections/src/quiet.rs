//! Panics inside of a check are not printed: they are the outcomes of executions. The one report is.

use shuttle::scheduler::DfsScheduler;
use shuttle::{Config, FailurePersistence, Runner};
use std::cell::{Cell, RefCell};
use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::sync::{Arc, Once};

type Hook = Arc<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static REPORTS: Cell<bool> = const { Cell::new(false) };
    /// The messages of this execution's panics, and where each was.
    static PLACES: RefCell<Vec<(String, String)>> = const { RefCell::new(Vec::new()) };
}

/// Whether panics on this OS thread are kept quiet from now on.
pub(crate) fn set(quiet: bool) {
    QUIET.set(quiet);
    PLACES.take();
}

/// Where the quiet panic with this message was, in the last execution on this OS thread.
pub(crate) fn place(message: &str) -> Option<String> {
    PLACES.with_borrow(|places| {
        places.iter().find(|(other, _)| other == message).map(|(_, place)| place.clone())
    })
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
            if QUIET.get() {
                let message = panic.payload_as_str().unwrap_or("no message").to_owned();
                let place = panic.location().map(|at| format!("{}:{}", at.file(), at.line()));
                PLACES.with_borrow_mut(|places| places.push((message, place.unwrap_or_default())));
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
