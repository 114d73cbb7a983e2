//! The claims of the field report: every verdict is borne out by its evidence, and docs/FINDINGS.md says what
//! came out.

use std::path::Path;
use xfetch_models::claims::{CLAIMS, page};

#[test]
fn every_verdict_is_borne_out_and_the_page_says_so() {
    let (page, not_borne_out) = page().expect("every search comes to its end");
    assert_eq!(not_borne_out, [""; 0]);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/FINDINGS.md");
    let written = std::fs::read_to_string(path).expect("the page is there");
    assert!(written == page, "`cargo run --release -- claims` writes docs/FINDINGS.md anew");
}

/// C12 and C13 are for later.
#[test]
fn every_claim_that_models_can_decide_is_judged() {
    let judged: Vec<_> = CLAIMS.iter().map(|claim| claim.id).collect();
    let mut claims: Vec<_> = (1..=16).map(|number| format!("C{number}")).collect();
    claims.retain(|claim| !["C12", "C13"].contains(&claim.as_str()));
    claims.insert(3, "C3b".into());
    assert_eq!(judged, claims);
    assert!(CLAIMS.iter().all(|claim| !claim.evidence.is_empty()));
}
