//! The command `report`: one HTML file that shows why each broken twin fails.

use super::{Report, can_write, name, note, print, refuse, write};
use std::process::ExitCode;
use xfetch_models::catalogue::Protocol;
use xfetch_models::explain::{explain, first_failure};
use xfetch_models::replay::replay;
use xfetch_models::stop;
use xfetch_models::timeline;

/// Exit code 0: the file has every twin; 3: it was stopped before that.
pub(super) fn run(options: &Report) -> ExitCode {
    if let Err(cannot) = can_write(&options.output) {
        return refuse(cannot);
    }
    let mut failures = Vec::new();
    for protocol in Protocol::ALL.iter().copied().filter(|it| !it.keeps_all()) {
        let failure = first_failure(protocol).and_then(|shrunk| {
            let replayed = replay(&shrunk.token).ok()?;
            let explained = explain(&replayed)?;
            Some((replayed, explained))
        });
        match failure {
            Some(failure) => failures.push(failure),
            None => note(format_args!("{protocol}: no failing execution of two or three callers")),
        }
    }
    let page = timeline::page(&failures);
    if let Err(cannot) = write(&options.output, &page) {
        return refuse(cannot);
    }
    print(&format!(
        "{} twins, {} KiB: {}",
        failures.len(),
        page.len() / 1024,
        name(&options.output)
    ));
    ExitCode::from(if stop::is_set() { 3 } else { 0 })
}
