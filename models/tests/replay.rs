//! Tokens: every broken cell has a token that is short, small and can be replayed; anything else
//! instead of one is refused in one line.
//!
//! `XFETCH_REPLAY=TOKEN cargo test` runs the token's execution here, and fails if it violates an
//! invariant. Use it with a debugger, or while you repair the code.

use proptest::prelude::*;
use sections::Schedule;
use std::time::Instant;
use xfetch_models::catalogue::{Engine, Invariant, Protocol, Scenario};
use xfetch_models::engine::{Budget, Cell, Example, explore};
use xfetch_models::replay::{Program, Shrunk, replay, smallest};
use xfetch_models::timeline::{Detail, timeline};
use xfetch_models::token::{Malformed, Token};

#[test]
fn the_token_of_the_environment_violates_nothing() {
    let text = std::env::var("XFETCH_REPLAY").unwrap_or_default();
    if text.is_empty() {
        return;
    }
    let token: Token = match text.parse() {
        Ok(token) => token,
        Err(malformed) => panic!("XFETCH_REPLAY={text:?}: {malformed}"),
    };
    let replayed = replay(&token).unwrap_or_else(|stale| panic!("XFETCH_REPLAY={text}: {stale}"));
    let timeline = timeline(&replayed, None, Detail::Folded);
    assert!(
        replayed.verdict.violated.is_empty(),
        "XFETCH_REPLAY={text} is reproduced:\n{timeline}"
    );
}

/// Every violation that a twin is written for.
fn broken() -> impl Iterator<Item = (Protocol, Scenario, Invariant)> {
    let of = |protocol: &Protocol| {
        let protocol = *protocol;
        protocol.breaks().iter().map(move |(scenario, invariant)| (protocol, *scenario, *invariant))
    };
    Protocol::ALL.iter().flat_map(of)
}

/// The smallest schedule of a cell that leads to a violation.
fn example(cell: Cell, executions: u64, invariant: Invariant) -> Option<Example> {
    let budget = Budget { executions, ..Budget::default() };
    let exploration = explore(cell, &budget, None).expect("the cell can be explored");
    let violates = exploration.examples.iter().filter(|(v, _)| v.violated.contains(&invariant));
    violates.map(|(_, example)| example.clone()).min()
}

fn token_of(protocol: Protocol, scenario: Scenario, invariant: Invariant) -> Shrunk {
    let find = |callers| {
        let cell = Cell { scenario, protocol, callers, engine: Engine::Sections };
        let program = Program { scenario, protocol, callers };
        Some(smallest(program, &example(cell, 1_000_000, invariant)?, invariant))
    };
    [2, 3].into_iter().find_map(find).unwrap_or_else(|| panic!("{protocol} keeps {invariant}"))
}

fn check_token(shrunk: &Shrunk, invariant: Invariant) {
    let text = shrunk.token.to_string();
    assert!(text.len() <= 60, "{text} has {} characters", text.len());
    assert_eq!(text.parse::<Token>().as_ref(), Ok(&shrunk.token));
    let replayed = replay(&shrunk.token).expect("the token is not outdated");
    assert!(replayed.verdict.violated.contains(&invariant), "{text} violates {invariant}");
    assert_eq!(replayed.execution.preemptions, shrunk.preemptions);
    assert!(
        shrunk.fewest_preemptions(),
        "{text}: not every schedule with fewer preemptions was searched"
    );
}

/// Tokens that were printed before `sections` had further kinds of operations.
#[test]
fn tokens_of_a_version_before_still_lead_to_their_violation() {
    for (text, invariant) in [
        ("x1:field:release-before-publish:2:5.1:c6422b9ce4", Invariant::OneComputePerWindow),
        ("x1:fail:no-backoff:2:0:103065d6bd", Invariant::FailuresBackOff),
        ("x1:pool:release-on-queue:2:11.1-12.1-18.1:0caa69c979", Invariant::OneComputePerWindow),
        ("x1:sweep:sweep-by-age:2:0.1-9.1:807b6a774d", Invariant::OneInFlight),
    ] {
        let token = text.parse().expect("a token");
        let replayed = replay(&token).expect("the token is not outdated");
        assert!(replayed.verdict.violated.contains(&invariant), "{text} violates {invariant}");
    }
}

#[test]
fn every_violation_has_a_short_token_with_the_fewest_preemptions() {
    for (protocol, scenario, invariant) in broken() {
        let began = Instant::now();
        let shrunk = token_of(protocol, scenario, invariant);
        println!(
            "{invariant}: {} ({} preemptions, {:?})",
            shrunk.token,
            shrunk.preemptions,
            began.elapsed()
        );
        check_token(&shrunk, invariant);
    }
}

#[test]
fn a_violation_found_by_chance_has_the_same_token() {
    let mut found = 0;
    for (protocol, scenario, invariant) in broken() {
        let expected = token_of(protocol, scenario, invariant).token;
        for (engine, executions) in [(Engine::Random, 50), (Engine::Pct, 100), (Engine::Urw, 50)] {
            let cell = Cell { scenario, protocol, callers: 100, engine };
            let Some(example) = example(cell, executions, invariant) else { continue };
            let program = Program { scenario, protocol, callers: 100 };
            let shrunk = smallest(program, &example, invariant);
            assert_eq!(shrunk.token, expected, "found by {engine}");
            found += 1;
        }
    }
    println!("{found} violations of a hundred callers, by chance");
    assert!(found > broken().count());
}

/// The second caller has to look before the first one publishes, which takes one preemption. Without it
/// the callers run one after the other. `always-skip` needs only one caller.
#[test]
fn a_phase_is_broken_with_one_preemption_and_two_callers() {
    for (protocol, expected) in [
        (Protocol::NoLock, (1, 2)),
        (Protocol::LockOnly, (1, 2)),
        (Protocol::BeforeOnly, (1, 2)),
        (Protocol::ReleaseBeforePublish, (1, 2)),
        (Protocol::AlwaysSkip, (0, 1)),
    ] {
        let invariant = protocol.breaks_in(Scenario::Field).expect("a broken twin");
        let shrunk = token_of(protocol, Scenario::Field, invariant);
        assert_eq!((shrunk.preemptions, shrunk.token.callers), expected, "{protocol}");
    }
}

/// Shrinks a schedule of twenty callers by replays alone, without the search for fewer preemptions. The
/// result is a local minimum: no choice can be dropped, lowered or moved to an earlier decision.
#[test]
fn a_long_schedule_shrinks_by_replays() {
    for protocol in [Protocol::NoLock, Protocol::LockOnly, Protocol::ReleaseBeforePublish] {
        let invariant = protocol.breaks_in(Scenario::Field).expect("a broken twin");
        let program = Program { scenario: Scenario::Field, protocol, callers: 20 };
        let cell =
            Cell { engine: Engine::Random, callers: 20, scenario: Scenario::Field, protocol };
        let budget = Budget { executions: 50, ..Budget::default() };
        let exploration = explore(cell, &budget, None).expect("the cell can be explored");
        let violates = exploration.examples.iter().filter(|(v, _)| v.violated.contains(&invariant));
        let start = violates.map(|(_, example)| example).max().expect("chance finds it");
        let least = program.shrink(start, invariant);
        let deviations =
            |schedule: &Schedule| schedule.choices().iter().filter(|c| **c > 0).count();
        println!("{protocol}: from {} preemptions to {}", start.preemptions, least.token);
        assert!(start.preemptions > 20);
        assert_eq!((least.preemptions, deviations(&least.token.schedule)), (1, 1));
    }
}

fn a_token() -> Token {
    token_of(Protocol::LockOnly, Scenario::Field, Invariant::NoWastedCompute).token
}

#[test]
fn a_token_of_another_scenario_is_outdated() {
    let token = a_token();
    let stale = Token { checksum: token.checksum ^ 1, ..token.clone() };
    let message = replay(&stale).expect_err("another checksum").to_string();
    assert!(message.starts_with("scenario changed since the token was made"), "{message}");
    let longer = Token { schedule: Schedule::new(vec![0, 0, 9]), ..token };
    let message = replay(&longer).expect_err("too few can run").to_string();
    assert!(message.contains("choice 2 of the schedule is 9"), "{message}");
}

#[test]
fn a_token_with_a_character_wrong_or_missing_is_refused() {
    let text = a_token().to_string();
    for place in 0..text.len() {
        let mut missing = text.clone();
        missing.remove(place);
        assert!(missing.parse::<Token>().is_err(), "{missing}");
        assert!(text[..place].parse::<Token>().is_err(), "{}", &text[..place]);
        for other in ["0", "9", "a", ":", "-", "é"] {
            let mut wrong = text.clone();
            wrong.replace_range(place..=place, other);
            assert!(wrong == text || wrong.parse::<Token>().is_err(), "{wrong}");
        }
    }
}

/// Adds a token's own check, computed independently, so that the other fields of a bad token are read.
fn with_check(text: &str) -> String {
    let mut digest = crc32fast::Hasher::new();
    digest.update(text.as_bytes());
    format!("{text}{:04x}", digest.finalize() & 0xffff)
}

#[test]
fn a_field_that_cannot_be_read_is_refused_by_its_name() {
    let refused = |text: &str| with_check(text).parse::<Token>().expect_err(text).to_string();
    assert!(refused("x1:nowhere:lock-only:2:1.1:000000").starts_with("unknown scenario"));
    assert!(refused("x1:field:nothing:2:1.1:000000").starts_with("unknown protocol"));
    for callers in ["0", "1001", "-1", "99999999999999999999", ""] {
        let message = refused(&format!("x1:field:lock-only:{callers}:1.1:000000"));
        assert_eq!(message, format!("callers {callers:?}: write a number from 1 to 1000"));
    }
    for choices in ["", "1", "1.0", "2.1-1.1", "1.1-1.1", "1000000.1", "1.4294967296", "1.1-", "."]
    {
        let message = refused(&format!("x1:field:lock-only:2:{choices}:000000"));
        assert!(message.starts_with(&format!("choices {choices:?}")), "{message}");
    }
    assert_eq!("x2:field".parse::<Token>(), Err(Malformed::Version("x2".into())));
    assert_eq!("91029ac9".parse::<Token>(), Err(Malformed::Foreign));
    assert_eq!("x1:field:lock-only:2".parse::<Token>(), Err(Malformed::Fields(4)));
    let long = format!("x1:{}", "a".repeat(70_000));
    assert_eq!(long.parse::<Token>(), Err(Malformed::TooLong(70_003)));
}

#[test]
fn a_token_with_the_old_name_of_the_default_configuration_is_read() {
    let read = |text: &str| with_check(text).parse::<Token>();
    let old = read("x1:field:as-built:2:1.1:000000").expect("the old name is read");
    assert_eq!(read("x1:field:default-config:2:1.1:000000"), Ok(old.clone()));
    assert_eq!(old.protocol, Protocol::DefaultConfig);
    assert!(old.to_string().starts_with("x1:field:default-config:"), "{old}");
}

fn quiet(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(quiet(100_000))]

    /// Any text, and texts that look like tokens.
    #[test]
    fn no_text_makes_the_reader_panic(
        text in prop_oneof![
            ".{0,80}",
            "x1:field:(lock-only|no-lock|.{0,8}):[0-9]{1,5}:([0-9]{1,9}\\.[0-9]{1,11}-?){0,6}:[0-9a-f]{10}",
            "x[0-9]{0,3}(:[a-z0-9.-]{0,12}){0,7}",
        ],
        checked: bool,
    ) {
        let text = if checked { with_check(&text) } else { text };
        match text.parse::<Token>() {
            Ok(token) => prop_assert_eq!(token.to_string().parse::<Token>(), Ok(token)),
            Err(malformed) => prop_assert_eq!(malformed.to_string().lines().count(), 1),
        }
    }
}

proptest! {
    #![proptest_config(quiet(3_000))]

    /// Well-formed tokens that no search has printed.
    #[test]
    fn no_token_makes_the_replay_panic(
        choices in prop::collection::vec(0..4_u32, 0..12),
        callers in 1..5_usize,
        protocol in prop::sample::select(Protocol::ALL),
        checksum in 0..0x100_0000_u32,
        fresh: bool,
    ) {
        let (scenario, schedule) = (Scenario::Field, Schedule::new(choices));
        let mut token = Token { scenario, protocol, callers, schedule, checksum };
        if fresh {
            let body = move || xfetch_on_sections::run(scenario, protocol, callers);
            let Ok(execution) = sections::replay(&token.schedule, body) else { return Ok(()) };
            token.checksum = execution.checksum & 0xff_ffff;
        }
        let replayed = replay(&token);
        prop_assert!(!fresh || replayed.is_ok());
        if let Ok(replayed) = replayed {
            prop_assert!(timeline(&replayed, None, Detail::All).lines().count() > 5);
        }
    }
}
