//! The report as one HTML file: by itself, and at the end of the main command.

use super::{Report, can_write, heed_ctrl_c, name, note, print, refuse, write};
use std::path::Path;
use std::process::ExitCode;
use xfetch_models::catalogue::Protocol;
use xfetch_models::report::{Checked, failures, page};
use xfetch_models::stop;

/// Exit code 0: the file has every twin; 1: it has not; 3: it was stopped before that.
pub(super) fn run(options: &Report) -> ExitCode {
    if let Err(cannot) = can_write(&options.output) {
        return refuse(cannot);
    }
    heed_ctrl_c();
    match put(&options.output, None) {
        Ok(_) if stop::is_set() => ExitCode::from(3),
        Ok(has_every_twin) => ExitCode::from(u8::from(!has_every_twin)),
        Err(cannot) => refuse(cannot),
    }
}

/// Writes the file. Returns whether it has every twin.
pub(super) fn put(path: &Path, checked: Option<&Checked>) -> Result<bool, String> {
    let failures = failures();
    let is_there = |twin: &Protocol| failures.iter().any(|(it, _)| it.token.protocol == *twin);
    let missing: Vec<_> =
        Protocol::ALL.iter().filter(|it| !it.keeps_all() && !is_there(it)).collect();
    for twin in &missing {
        note(format_args!("{twin}: no failing execution of two or three callers"));
    }
    let html = page(checked, &failures);
    write(path, &html)?;
    print(&format!("{} twins, {} KiB: {}", failures.len(), html.len() / 1024, name(path)));
    Ok(missing.is_empty())
}
