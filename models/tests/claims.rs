//! The claims of the field report: the evidence supports every verdict, and docs/FINDINGS.md has the
//! results.

use std::path::Path;
use xfetch_models::claims::{CLAIMS, page};

#[test]
fn the_evidence_supports_every_verdict_and_the_page_is_up_to_date() {
    let findings = page().expect("every search ends");
    assert_eq!(findings.not_supported(), [""; 0]);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/FINDINGS.md");
    let written = std::fs::read_to_string(path).expect("the page is there");
    assert!(
        written == findings.page,
        "`cargo run --release -- claims` writes docs/FINDINGS.md anew"
    );
}

/// C13 is not a question about the interleavings of one process.
#[test]
fn every_claim_about_interleavings_has_a_verdict() {
    let with_verdict: Vec<_> = CLAIMS.iter().map(|claim| claim.id).collect();
    let mut claims: Vec<_> = (1..=16).map(|number| format!("C{number}")).collect();
    claims.retain(|claim| claim != "C13");
    claims.insert(3, "C3b".into());
    assert_eq!(with_verdict, claims);
    assert!(CLAIMS.iter().all(|claim| !claim.evidence.is_empty()));
}
