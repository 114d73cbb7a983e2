//! The command `claims`: checks each claim of the field report by its evidence.

use super::{Format, Page, keep, note, print_json, refuse};
use serde_json::{Value, json};
use std::process::ExitCode;
use xfetch_models::claims::{self, Findings, Judged, Shown};

/// The name of the command, and its page.
const PAGE: (&str, &str) = ("claims", "docs/FINDINGS.md");

/// Exit code 0: the evidence supports every verdict, and the page is written or unchanged; 1: not.
pub(super) fn run(options: &Page) -> ExitCode {
    if let Err(cannot) = options.is_usable(PAGE.1) {
        return refuse(cannot);
    }
    let findings = match claims::page() {
        Ok(findings) => findings,
        Err(refused) => return refuse(refused),
    };
    let not_supported = findings.not_supported();
    if not_supported.is_empty() {
        return keep(options, PAGE, &findings.page, None, json(&findings));
    }
    for line in &not_supported {
        note(format_args!("not supported by its evidence: {line}"));
    }
    if options.format == Format::Json {
        print_json(&json(&findings));
    }
    ExitCode::FAILURE
}

/// The claims with their evidence. `docs/REPORT.md` is the schema.
fn json(findings: &Findings) -> Value {
    let shown = |it: &Shown| {
        json!({
            "shown_by": it.what,
            "result": it.result,
            "again": it.command,
            "supports": it.is_supported,
        })
    };
    let judged = |Judged { claim, shown: evidence }: &Judged| {
        json!({
            "id": claim.id,
            "says": claim.says,
            "verdict": claim.verdict,
            "because": claim.because,
            "evidence": evidence.iter().map(shown).collect::<Vec<_>>(),
        })
    };
    json!({
        "schema": 1,
        "supported": findings.not_supported().is_empty(),
        "claims": findings.claims.iter().map(judged).collect::<Vec<_>>(),
        "page": null,
    })
}

#[cfg(test)]
mod tests {
    use super::{Findings, Judged, Shown, json};
    use xfetch_models::claims::CLAIMS;

    #[test]
    fn evidence_that_does_not_support_its_verdict_is_false_in_the_json() {
        let of = |is_supported| {
            let [what, result, command] = ["what", "result", "command"].map(str::to_owned);
            let shown = vec![Shown { what, result, command, is_supported }];
            let claims = vec![Judged { claim: &CLAIMS[0], shown }];
            json(&Findings { page: String::new(), claims })
        };
        assert_eq!(of(true)["supported"], true);
        assert_eq!(of(false)["supported"], false);
        assert_eq!(of(false)["claims"][0]["id"], CLAIMS[0].id);
        assert_eq!(of(false)["claims"][0]["evidence"][0]["supports"], false);
    }
}
