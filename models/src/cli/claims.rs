//! The claims of the field report, judged.

use super::{Page, keep};
use std::process::ExitCode;
use xfetch_models::claims;

/// 0 if every verdict is borne out and the page is written, or is as it was; 1 if not.
pub(super) fn run(options: &Page) -> ExitCode {
    let (page, not_borne_out) = match claims::page() {
        Ok(judged) => judged,
        Err(refused) => return super::refuse(refused),
    };
    for line in &not_borne_out {
        eprintln!("not borne out, {line}");
    }
    if !not_borne_out.is_empty() {
        return ExitCode::FAILURE;
    }
    keep(options, ("claims", "docs/FINDINGS.md"), &page, None)
}
