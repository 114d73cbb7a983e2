//! Simulated services: fleets of seeds, runs as data, tokens, and the same bytes each time.

use proptest::prelude::*;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use xfetch_models::catalogue::{Invariant, Protocol};
use xfetch_simulate::case::{Case, DayToken, PLAIN};
use xfetch_simulate::chooser::{Choice, Chooser, Deviation};
use xfetch_simulate::plan::{Fault, Plan, Shape, Wishes};
use xfetch_simulate::report::Report;
use xfetch_simulate::series::promtool;
use xfetch_simulate::shrink::{Effort, shrink};
use xfetch_simulate::workload::{Act, Arrival, Ask, Origin, Sent, Traffic};
use xfetch_simulate::world::{self, Run, Watch};

fn run(wishes: &Wishes) -> Run {
    let plan = Plan::new(wishes);
    let chooser = Chooser::seeded(&plan, 0, false);
    world::run(&plan, Traffic::new(&plan), chooser, Watch::default()).0
}

fn violated(run: &Run) -> Vec<Invariant> {
    run.judge.violations().keys().copied().collect()
}

/// CI runs a hundred others with each commit: `.ci/run`.
#[test]
fn no_seed_of_a_fleet_violates_an_invariant() {
    // In the last one two computes of a key hang for hours, while the compute time-out is 10 ms.
    for seed in (1..=60).chain([605_523, 672_554, 675_701, 675_805, 677_795]) {
        let run = run(&Wishes::fleet(seed, 2_000));
        let violations = run.judge.violations();
        assert!(violations.is_empty(), "simulate --seeds {seed}..{}: {violations:?}", seed + 1);
        assert!(run.books.complete, "seed {seed} did not come to its end");
    }
}

/// A sweep comes while the judge counts the slots of these.
#[test]
fn a_sweep_during_the_last_counts_is_never_taken_for_a_leak() {
    for seed in [33, 614, 922] {
        let run = run(&Wishes {
            shape: Shape::Service,
            length: Some(Duration::from_secs(3_600)),
            faults: Some(Fault::ALL.to_vec()),
            ..Wishes::fleet(seed, 1_000)
        });
        assert!(violated(&run).is_empty(), "seed {seed}: {:?}", run.judge.violations());
    }
}

#[test]
fn the_same_seed_always_gives_the_same_events() {
    for seed in 1..=10 {
        let hash = |seed| run(&Wishes::fleet(seed, 500)).judge.hash();
        assert_eq!(hash(seed), hash(seed), "seed {seed}");
    }
}

#[test]
fn the_ends_of_the_scale_are_never_too_much() {
    let wish = |change: fn(&mut Wishes)| {
        let mut wishes = Wishes::fleet(7, 300);
        change(&mut wishes);
        wishes
    };
    let ends = [
        wish(|it| it.requests = 0),
        wish(|it| it.keys = Some(1)),
        wish(|it| it.keys = Some(100_000)),
        wish(|it| it.callers = Some(1_000)),
        wish(|it| {
            it.payload = Some(Duration::from_millis(1));
            it.storage = Some(Duration::from_millis(1));
        }),
        wish(|it| {
            it.payload = Some(Duration::MAX);
            it.storage = Some(Duration::MAX);
            it.length = Some(Duration::from_secs(60));
        }),
    ];
    for wishes in ends {
        let run = run(&wishes);
        assert!(violated(&run).is_empty(), "{wishes:?}: {:?}", run.judge.violations());
    }
}

/// A twin whose mistake is found, cut down, written as a token, read again, and found again.
#[test]
fn a_failing_seed_always_becomes_a_short_token_that_fails_again() {
    for protocol in [Protocol::BeforeOnly, Protocol::RevokeAll, Protocol::ServeAsLooked] {
        let wishes = |seed| Wishes { protocol, ..Wishes::fleet(seed, 2_000) };
        let fails = |seed: &u64| !violated(&run(&wishes(*seed))).is_empty();
        let seed = (1..=200).find(fails).expect("a seed shows the mistake");
        let invariant = violated(&run(&wishes(seed)))[0];
        let plan = Plan::new(&wishes(seed));
        let effort = Effort { runs: 3_000, time: Duration::from_secs(60) };
        let shrunk = shrink(&plan, invariant, effort).expect("it fails again");
        let text = shrunk.token.to_string();
        assert!(text.len() <= 200, "{protocol}: {} characters", text.len());
        let token: DayToken = text.parse().expect("a token");
        assert_eq!(token, shrunk.token);
        let again = token.case.run(Watch::default());
        assert!(again.judge.violations().contains_key(&invariant), "{protocol}: {text}");
        assert_eq!(token.case.clone().token(&again), token);
    }
}

#[test]
fn a_token_with_a_wrong_character_is_never_read() {
    let case = Case {
        protocol: Protocol::DoubleRecheck,
        options: PLAIN,
        seed: 3,
        pool: Some((1, 4)),
        callers: 2,
        length: Duration::from_secs(10),
        arrivals: vec![Arrival { at: 1_000, act: Act::Sweep }],
        deviations: vec![Deviation { place: 2, choice: Choice::Pass }],
    };
    let text = DayToken { case, hash: 0 }.to_string();
    for place in 3..text.len() {
        for other in ["0", "A", "_", ":"] {
            if &text[place..=place] != other {
                let wrong = format!("{}{other}{}", &text[..place], &text[place + 1..]);
                assert!(wrong.parse::<DayToken>().is_err(), "{wrong}");
            }
        }
    }
}

/// The alerts are tested on these series. A name that no service has would keep an alert silent.
#[test]
fn the_series_of_a_run_never_have_another_name_than_those_of_the_service() {
    let names = |text: &str| -> BTreeSet<String> {
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        words.filter(|word| word.starts_with("xfetch_")).map(str::to_owned).collect()
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ops/tests.yml");
    // A test of the service compares these with what it serves.
    let tests = std::fs::read_to_string(path).expect("the tests of the alerts are there");
    let inputs: Vec<_> = tests.lines().filter(|line| line.contains("series: '")).collect();
    let plan = Plan::new(&Wishes::fleet(1, 50));
    let report = Report::of(plan, Watch::default(), String::new());
    assert_eq!(names(&promtool(&report)), names(&inputs.join("\n")));
}

fn milliseconds(most: u64) -> impl Strategy<Value = u64> {
    (0..=most).prop_map(|number| number * 1_000_000)
}

fn act() -> impl Strategy<Value = Act> {
    let key = || 0..3_u64;
    let origin = prop_oneof![4 => Just(Origin::Returns), 1 => Just(Origin::Fails), 1 => Just(Origin::Panics)];
    let executor = prop_oneof![
        4 => Just(Sent::Runs),
        1 => Just(Sent::Refused),
        1 => milliseconds(20_000).prop_map(Sent::Dies)
    ];
    let ask =
        (key(), proptest::option::weighted(0.2, key()), milliseconds(8_000), origin, executor)
            .prop_map(|(key, inner, takes, origin, executor)| {
                Act::Ask(Ask { key, inner, takes, origin, executor })
            });
    prop_oneof![
        12 => ask,
        2 => key().prop_map(Act::Insert),
        1 => key().prop_map(Act::InsertThatAsks),
        2 => key().prop_map(Act::Invalidate),
        1 => Just(Act::InvalidateAll),
        1 => Just(Act::Sweep),
        1 => milliseconds(200_000).prop_map(Act::StepBack),
        1 => milliseconds(200_000).prop_map(Act::StandStill),
        1 => Just(Act::Restart),
    ]
}

fn deviation() -> impl Strategy<Value = (u64, Choice)> {
    let choice = prop_oneof![
        6 => (1..4_usize).prop_map(Choice::Run),
        1 => Just(Choice::Pass),
        2 => (0..3_usize, milliseconds(300_000)).prop_map(|(index, span)| Choice::Stall(index, span)),
    ];
    (1..20_u64, choice)
}

/// The workload, the schedule and the cache as data, so that all of it shrinks together.
fn case(protocol: Protocol) -> impl Strategy<Value = Case> {
    let arrivals = proptest::collection::vec((milliseconds(9_000), act()), 0..40);
    let deviations = proptest::collection::vec(deviation(), 0..40);
    let pool = proptest::option::of((1..3_usize, 1..4_usize));
    let capacity = prop_oneof![Just(usize::MAX), 1..3_usize];
    let timeout = || prop_oneof![Just(Duration::MAX), Just(Duration::from_secs(3))];
    let shards = prop_oneof![Just(1_usize), Just(2)];
    let cache = (pool, capacity, timeout(), timeout(), shards, 0..1_000_u64);
    (arrivals, deviations, 1..5_usize, cache).prop_map(
        move |(arrivals, deviations, callers, cache)| {
            let (pool, capacity, wait_timeout, compute_timeout, shards, seed) = cache;
            let shards = shards.min(capacity);
            let options = xfetch_on_sections::Options {
                capacity,
                wait_timeout,
                compute_timeout,
                shards,
                ..PLAIN
            };
            let mut at = 0;
            let arrivals: Vec<_> = arrivals
                .into_iter()
                .map(|(gap, act)| {
                    at += gap;
                    Arrival { at, act }
                })
                .collect();
            let mut place = 0;
            let deviations = deviations
                .into_iter()
                .map(|(gap, choice)| {
                    place += gap;
                    Deviation { place, choice }
                })
                .collect();
            let length = Duration::from_nanos(at) + Duration::from_secs(400);
            Case { protocol, options, seed, pool, callers, length, arrivals, deviations }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn no_workload_and_no_schedule_violates_an_invariant(case in case(Protocol::DoubleRecheck)) {
        let run = case.run(Watch::default());
        let token = case.token(&run);
        prop_assert!(run.judge.violations().is_empty(), "{token}: {:?}", run.judge.violations());
    }

    #[test]
    fn a_token_always_says_its_whole_case(case in case(Protocol::DefaultConfig)) {
        let token = DayToken { case, hash: 0xab_cdef };
        prop_assert_eq!(token.to_string().parse::<DayToken>(), Ok(token));
    }
}

/// proptest shrinks workload and schedule together: what is left of a twin's mistake is small.
#[test]
fn what_proptest_leaves_of_a_mistake_is_small() {
    use proptest::test_runner::{Config, TestError, TestRunner};
    let config = Config { cases: 2_000, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(Default::default()),
    );
    let left = runner.run(&case(Protocol::UnfencedPublish), |case| {
        let run = case.run(Watch::default());
        let violated = run.judge.violations().contains_key(&Invariant::InvalidationWins);
        if violated { Err(TestCaseError::fail("an old value")) } else { Ok(()) }
    });
    let Err(TestError::Fail(_, case)) = left else { panic!("the mistake was not found: {left:?}") };
    let (arrivals, choices) = (case.arrivals.len(), case.deviations.len());
    assert!(arrivals <= 5 && choices <= 5, "{arrivals} arrivals, {choices} choices: {case:?}");
}
