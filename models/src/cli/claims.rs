//! The command `claims`: checks each claim of the field report by its evidence.

use super::{Page, keep};
use std::process::ExitCode;
use xfetch_models::claims;

/// Exit code 0: the evidence supports every verdict, and the page is written or unchanged; 1: not.
pub(super) fn run(options: &Page) -> ExitCode {
    let (page, not_supported) = match claims::page() {
        Ok(checked) => checked,
        Err(refused) => return super::refuse(refused),
    };
    for line in &not_supported {
        eprintln!("not supported by its evidence: {line}");
    }
    if !not_supported.is_empty() {
        return ExitCode::FAILURE;
    }
    keep(options, ("claims", "docs/FINDINGS.md"), &page, None)
}
