//! Why each twin fails: the first lines of its replay, as a snapshot.

use std::fmt::Write;
use xfetch_models::catalogue::Protocol;
use xfetch_models::explain::{Explained, explain, first_failure};
use xfetch_models::matter::matters;
use xfetch_models::replay::{Replayed, Shrunk, replay};
use xfetch_models::report::page;
use xfetch_models::timeline::{Detail, timeline};
use xfetch_models::token::Token;

/// The smallest failure of a twin, and what is known of it.
fn failure(protocol: Protocol) -> (Shrunk, Replayed, Explained) {
    let shrunk = first_failure(protocol).unwrap_or_else(|| panic!("{protocol} does not fail"));
    let replayed = replay(&shrunk.token).expect("the token is of this build");
    let explained = explain(&replayed).expect("it violates something");
    (shrunk, replayed, explained)
}

#[test]
fn each_twin_fails_for_a_reason_that_its_snapshot_says_in_three_sentences() {
    let mut all = String::new();
    let mut shares = Vec::new();
    for protocol in Protocol::ALL.iter().copied().filter(|it| !it.keeps_all()) {
        let (shrunk, replayed, explained) = failure(protocol);
        let token = shrunk.token.to_string();
        assert!(token.len() <= 60, "{token} has {} characters", token.len());
        assert!(shrunk.fewest_preemptions(), "{token}: a smaller schedule may exist");
        let text = timeline(&replayed, Some(&explained), Detail::Folded);
        let why: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).collect();
        let (shown, sections) = (explained.matters.sections.len(), replayed.execution.steps.len());
        let _ = writeln!(all, "{token}, {shown} of {sections} sections\n{}\n", why.join("\n"));
        shares.push(shown as f64 / sections as f64);
    }
    shares.sort_by(f64::total_cmp);
    let median = shares[shares.len() / 2];
    assert!(median <= 0.4, "half of the twins show more than {median} of their sections");
    insta::assert_snapshot!(all);
}

/// A race matters only if its other order passes: the sections of it are shown, and each pair is of two tasks.
#[test]
fn what_matters_of_the_release_before_the_publication_is_the_release_the_second_lease_and_both_computes()
 {
    let (_, replayed, explained) = failure(Protocol::ReleaseBeforePublish);
    let matters = &explained.matters;
    assert_eq!(matters.races, [(5, 8)]);
    assert_eq!(matters.edges, [(5, 8)]);
    assert_eq!(matters.sections.iter().copied().collect::<Vec<_>>(), [4, 5, 8, 9]);
    let steps = &replayed.execution.steps;
    assert_ne!(steps[4].task, steps[7].task);
}

#[test]
fn the_code_of_the_early_release_is_the_line_of_the_twin() {
    let (_, replayed, _) = failure(Protocol::ReleaseBeforePublish);
    let code = xfetch_models::code::code(&replayed);
    let release = code[4].as_ref().expect("the build has line tables");
    assert_eq!(release.file, "models/text/twins.rs");
    assert_eq!(release.text().as_deref(), Some("drop(lease);"));
}

#[test]
fn the_page_has_the_token_and_the_moment_of_a_failure_and_asks_for_nothing() {
    let (shrunk, replayed, explained) = failure(Protocol::ReleaseBeforePublish);
    let html = page(None, &[(replayed, explained)]);
    assert!(html.contains(&shrunk.token.to_string()) && html.contains("certain from here"));
    assert!(!html.contains("http") && !html.contains("src="), "{html}");
}

/// Continuations are those of one class each, so a longer prefix has no more of them; and once a violation is certain it
/// stays so.
#[test]
fn no_share_grows_back_once_the_violation_is_certain() {
    let token = "x1:field:release-before-publish:2:5.1:c6422b9ce4".parse().expect("a token");
    let replayed = replay(&token).expect("it is of this build");
    let explained = explain(&replayed).expect("it violates something");
    let shares = &explained.shares;
    // One of each class of the whole scenario, as `explore` counts them: 12, of which 4 violate it.
    assert_eq!(shares.first().map(|it| (it.violating, it.all)), Some((4, 12)));
    assert!(shares.iter().all(|it| it.complete));
    assert!(shares.windows(2).all(|it| it[0].all >= it[1].all));
    let certain = explained.certain.expect("some schedule passes");
    assert!(shares.iter().all(|it| (it.section > certain) == it.is_certain()));
}

/// A hundred callers one after the other, and the second one computes during the back-off. There are far too many races to turn
/// each of them round.
#[test]
fn an_execution_of_many_callers_is_explained_as_far_as_the_time_allows_and_says_so() {
    let (_, replayed, explained) = failure(Protocol::NoBackOff);
    let token = Token { callers: 100, checksum: 0, ..replayed.token };
    let refused = replay(&token).expect_err("the checksum is another one").to_string();
    let now = refused.split(", ").nth(1).and_then(|it| it.split(' ').next()).expect("it is named");
    let checksum = u32::from_str_radix(now, 16).expect("it is a number");
    let replayed = replay(&Token { checksum, ..token }).expect("it is of this build");
    let matters = matters(&replayed, explained.invariant, None);
    assert!(!matters.is_complete && !matters.sections.is_empty());
    let explained = Explained { matters, ..explained };
    let text = timeline(&replayed, Some(&explained), Detail::Folded);
    assert!(text.contains("as far as was looked at in the time"), "{text}");
}
