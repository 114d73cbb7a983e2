//! The command `claims`: checks each claim of the field report by its evidence.

use super::{Page, keep, note, refuse};
use std::process::ExitCode;
use xfetch_models::claims;

/// The name of the command, and its page.
const PAGE: (&str, &str) = ("claims", "docs/FINDINGS.md");

/// Exit code 0: the evidence supports every verdict, and the page is written or unchanged; 1: not.
pub(super) fn run(options: &Page) -> ExitCode {
    if let Err(cannot) = options.is_usable(PAGE.1) {
        return refuse(cannot);
    }
    let (page, not_supported) = match claims::page() {
        Ok(checked) => checked,
        Err(refused) => return refuse(refused),
    };
    for line in &not_supported {
        note(format_args!("not supported by its evidence: {line}"));
    }
    if !not_supported.is_empty() {
        return ExitCode::FAILURE;
    }
    keep(options, PAGE, &page, None)
}
