//! Progress bars, on the terminal's error stream only.

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

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
