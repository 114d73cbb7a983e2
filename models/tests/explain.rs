//! Why each twin fails: the first lines of its replay, as a snapshot.

use std::fmt::Write;
use xfetch_models::catalogue::Protocol;
use xfetch_models::explain::{explain, first_token};
use xfetch_models::replay::replay;
use xfetch_models::timeline::{Detail, page, timeline};

#[test]
fn each_twin_fails_for_a_reason_that_its_snapshot_says_in_two_sentences() {
    let mut all = String::new();
    for protocol in Protocol::ALL.iter().copied().filter(|it| !it.keeps_all()) {
        let token = first_token(protocol).unwrap_or_else(|| panic!("{protocol} does not fail"));
        let replayed = replay(&token).expect("the token is of this build");
        let explained = explain(&replayed).expect("it violates something");
        let text = timeline(&replayed, Some(&explained), Detail::Folded);
        let why: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).collect();
        let _ = writeln!(all, "{token}\n{}\n", why.join("\n"));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn the_page_has_the_token_and_the_moment_of_a_failure_and_asks_for_nothing() {
    let token = first_token(Protocol::ReleaseBeforePublish).expect("it fails");
    let replayed = replay(&token).expect("the token is of this build");
    let explained = explain(&replayed).expect("it violates something");
    let html = page(&[(replayed, explained)]);
    assert!(html.contains(&token.to_string()) && html.contains("certain from here"));
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
