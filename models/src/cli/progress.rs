//! Progress bars, on the error stream only.

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use sections::Reading;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};
use xfetch_simulate::text::{grouped, span};

/// The cells that are finished, and the executions so far. The second number moves during a long cell
/// too.
pub(super) fn of_cells(cells: usize, executions: &Arc<AtomicU64>) -> ProgressBar {
    let template = "{bar:30} {pos}/{len} cells  {executions} executions  {elapsed}";
    moving(ProgressBar::new(cells as u64), template, executions)
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

/// What an exploration of one cell has done so far, in a line. Of these executions earlier parts of the search have run
/// the first ones.
pub(super) fn of_exploration(
    before: u64,
    executions: u64,
    estimate: Option<Reading>,
    elapsed: Duration,
) -> String {
    let ran = executions.saturating_sub(before);
    let begun = format!("{} executions, {}", grouped(executions), speed(ran, elapsed));
    let Some(Reading { explored, left: (least, most) }) = estimate else { return begun };
    // A search that has hardly begun could be thought to last longer than any `Duration`.
    let seconds = |left: u64| left as f64 * elapsed.as_secs_f64() / ran.max(1) as f64;
    let time = |left| span(Duration::from_secs(seconds(left).min(1e9).round() as u64));
    let left = format!("{} to {} left", time(least), time(most));
    format!("{begun}, about {} explored, {left}", share(explored))
}

/// A share of 0 to 1, with two digits. What is explored is more than nothing, and less than all.
pub(super) fn share(share: f64) -> String {
    let percent = (share * 100.0).clamp(1e-6, 99.9);
    let places = if percent > 99.0 { 1.0 } else { (1.0 - percent.log10().floor()).clamp(0.0, 7.0) };
    format!("{percent:.*} %", places as usize)
}

pub(super) fn speed(executions: u64, elapsed: Duration) -> String {
    format!("{}/s", grouped((executions as f64 / elapsed.as_secs_f64().max(0.001)) as u64))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_explored_is_never_nothing_or_all() {
        let shown = [0.0, 0.000_012_34, 0.078, 0.5, 0.994, 1.0].map(share);
        assert_eq!(shown, ["0.0000010 %", "0.0012 %", "7.8 %", "50 %", "99.4 %", "99.9 %"]);
    }

    #[test]
    fn the_time_left_is_the_executions_left_at_the_speed_of_this_part() {
        let line = |left| {
            let reading = Reading { explored: 0.25, left };
            of_exploration(1_000, 3_000, Some(reading), Duration::from_secs(10))
        };
        let begun = "3,000 executions, 200/s";
        let estimated = format!("{begun}, about 25 % explored, ");
        assert_eq!(line((400, 18_000)), format!("{estimated}2s to 1m30s left"));
        assert!(line((u64::MAX, u64::MAX)).ends_with("277777h46m left"));
        assert_eq!(of_exploration(1_000, 3_000, None, Duration::from_secs(10)), begun);
        assert_eq!(of_exploration(0, 0, None, Duration::ZERO), "0 executions, 0/s");
    }
}
