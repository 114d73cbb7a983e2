//! The report as one HTML file: by itself, and at the end of the main command.

use super::{Report, can_write, heed_ctrl_c, name, note, print, refuse, write};
use std::path::Path;
use std::process::ExitCode;
use xfetch_models::catalogue::Protocol;
use xfetch_models::report::{Checked, failures, page};
use xfetch_models::stop;

/// Exit code 0: the file has every twin; 3: it was stopped before that.
pub(super) fn run(options: &Report) -> ExitCode {
    if let Err(cannot) = can_write(&options.output) {
        return refuse(cannot);
    }
    heed_ctrl_c();
    match put(&options.output, None) {
        Ok(()) => ExitCode::from(if stop::is_set() { 3 } else { 0 }),
        Err(cannot) => refuse(cannot),
    }
}

/// Writes the file.
pub(super) fn put(path: &Path, checked: Option<&Checked>) -> Result<(), String> {
    let failures = failures();
    let is_there = |twin: &Protocol| failures.iter().any(|(it, _)| it.token.protocol == *twin);
    for twin in Protocol::ALL.iter().filter(|it| !it.keeps_all() && !is_there(it)) {
        note(format_args!("{twin}: no failing execution of two or three callers"));
    }
    let html = page(checked, &failures);
    write(path, &html)?;
    print(&format!("{} twins, {} KiB: {}", failures.len(), html.len() / 1024, name(path)));
    Ok(())
}
