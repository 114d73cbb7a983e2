//! Progress bars, on the terminal's error stream only.

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The cells that are finished, and the executions so far. The second number moves during a long cell
/// too.
pub(super) fn of_cells(cells: usize, executions: &Arc<AtomicU64>) -> ProgressBar {
    let template = "{bar:30} {pos}/{len} cells  {executions} executions  {elapsed}";
    moving(ProgressBar::new(cells as u64), template, executions)
}

/// The executions of one cell so far.
pub(super) fn of_one(executions: &Arc<AtomicU64>) -> ProgressBar {
    moving(ProgressBar::new_spinner(), "{spinner} {executions} executions  {elapsed}", executions)
}

fn moving(bar: ProgressBar, template: &str, executions: &Arc<AtomicU64>) -> ProgressBar {
    let style = ProgressStyle::with_template(template);
    let ran = Arc::clone(executions);
    let show = move |_: &ProgressState, to: &mut dyn Write| {
        let _ = write!(to, "{}", ran.load(Ordering::Relaxed));
    };
    bar.set_style(
        style.unwrap_or_else(|_| ProgressStyle::default_bar()).with_key("executions", show),
    );
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// How often a line is written where there is no terminal.
const QUIET: Duration = Duration::from_secs(10);

/// The progress of a run. Where there is no terminal it is a line from time to time.
pub(super) struct Shown {
    bar: ProgressBar,
    over: Sender<()>,
}

/// A line that says how far a run is, after so much time.
pub(super) fn of_run(line: impl Fn(Duration) -> String + Clone + Send + Sync + 'static) -> Shown {
    let bar = ProgressBar::new_spinner();
    let (over, is_over) = channel();
    let style = ProgressStyle::with_template("{spinner} {line}");
    let text = line.clone();
    let show = move |state: &ProgressState, to: &mut dyn Write| {
        let _ = to.write_str(&text(state.elapsed()));
    };
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).with_key("line", show));
    if bar.is_hidden() {
        let began = Instant::now();
        thread::spawn(move || {
            while is_over.recv_timeout(QUIET) == Err(RecvTimeoutError::Timeout) {
                super::note(line(began.elapsed()));
            }
        });
    } else {
        bar.enable_steady_tick(Duration::from_millis(200));
    }
    Shown { bar, over }
}

impl Shown {
    /// Prints something above the line.
    pub(super) fn above(&self, prints: impl FnOnce()) {
        self.bar.suspend(prints);
    }

    /// The run is over.
    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
        // The thread that writes the lines has ended if nobody can hear this.
        let _ = self.over.send(());
    }
}
