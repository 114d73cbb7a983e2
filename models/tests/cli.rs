//! The command as a user meets it. Bad input is one line and exit code 2, a budget that runs out is
//! exit code 3, and a seed repeats its executions to the byte.

use sections::Schedule;
use std::process::{Command, Output};
use xfetch_models::catalogue::{Protocol, Scenario};
use xfetch_models::token::Token;

fn xfetch(arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xfetch"))
        .args(arguments.split_whitespace())
        .output()
        .expect("the command was built")
}

#[test]
fn bad_input_is_one_line_that_names_the_value_and_the_limit() {
    let lines: Vec<_> = [
        "frobnicate",
        "--budget lots",
        "--shard 0/4",
        "--shard 5/4",
        "--shard 1/1001",
        "--shard half",
        "--budget quick --shard 1000/1000",
        "explore --scenario nowhere",
        "explore --protocol nothing",
        "explore --engine steam",
        "explore --seed minus",
        "explore --seed -1",
        "explore --seed 18446744073709551616",
        "explore --format yaml",
        "explore --callers many",
        "explore --callers 0",
        "explore --callers 1001",
        "explore --callers -3",
        "explore --engine loom --callers 5",
        "explore --time 0",
        "explore --time long",
        "explore --time 604801",
        "explore --preemptions -1",
        "explore --engine pct --preemptions 1",
        "explore --budget 0",
        "explore --budget lots",
        "explore --surprise",
        "explore --callers",
        "explore --engine sections --callers 17",
        "explore --engine pct --callers 1",
        "certificate --seeds 0",
        "certificate --seeds 10001",
        "certificate --threads 4",
        "performance --seconds 0",
        "performance --seconds 3601",
        "performance --seconds long",
        "replay",
        "replay x",
        "replay x1:field:lock-only:2:1.1:8f75ad120",
        "replay x1:field:lock-only:2:1.1",
        "replay x9:field:lock-only:2:1.1:8f75ad1203",
        "replay 91029ac9a0d5e9f3f9bd01",
        "replay {\"scenario\":\"field\"}",
        "field-test --threads 0",
        "field-test --threads 1001",
        "field-test --threads -1",
        "field-test --threads many",
        "field-test --threads 99999",
        "field-test --format yaml",
        "soak --seconds 0",
        "soak --seconds 86401",
        "soak --seconds 1.5",
        "soak --seconds",
    ]
    .iter()
    .map(|arguments| {
        let output = xfetch(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        let line = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(line.lines().count(), 1, "{line}");
        format!("{arguments}\n  {line}")
    })
    .collect();
    insta::assert_snapshot!(lines.concat());
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let line = "explore --engine random --protocol lock-only --callers 20 --budget 200 --seed 7 --format json";
    let (one, two) = (xfetch(line), xfetch(line));
    assert_eq!(one.stdout, two.stdout);
    assert_eq!(one.status.code(), Some(1), "lock-only is broken");
    assert!(one.stdout.len() > 100);
}

#[test]
fn a_seed_in_the_environment_is_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_xfetch"))
        .args(["explore", "--engine", "random"])
        .env("SHUTTLE_RANDOM_SEED", "5")
        .output()
        .expect("the command was built");
    let line = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(line.contains("SHUTTLE_RANDOM_SEED=5") && line.lines().count() == 1, "{line}");
}

#[test]
fn a_budget_that_runs_out_is_incomplete() {
    let output = xfetch("explore --engine loom --budget 100");
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stdout).contains("incomplete"));
}

/// The token that a search prints for a violation of this protocol.
fn token(protocol: &str) -> String {
    let line = format!("explore --engine sections --protocol {protocol}");
    let output = String::from_utf8(xfetch(&line).stdout).expect("UTF-8");
    let token = output.split_whitespace().find(|word| word.starts_with("x1:"));
    token.expect("a broken protocol has a token").to_owned()
}

#[test]
fn a_token_is_replayed_as_a_timeline() {
    let output = xfetch(&format!("replay {}", token("release-before-publish")));
    assert_eq!(output.status.code(), Some(0), "reproduced");
    insta::assert_snapshot!(String::from_utf8(output.stdout).expect("UTF-8"));
}

/// The twin's token, with the shipped protocol in its place: the sections are the same up to the lease, the violation
/// is gone.
#[test]
fn a_token_without_a_violation_exits_with_1() {
    let (scenario, callers) = (Scenario::Field, 2);
    let body = move || xfetch_on_sections::run(scenario, Protocol::DoubleRecheck, callers);
    let execution = sections::replay(&Schedule::new(vec![0, 1]), body).expect("two tasks can run");
    let checksum = execution.checksum & 0xff_ffff;
    let schedule = execution.schedule;
    let protocol = Protocol::DoubleRecheck;
    let token = Token { scenario, protocol, callers, schedule, checksum };
    let output = xfetch(&format!("replay {token}"));
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("nothing is violated"));

    let stale = Token { checksum: checksum ^ 1, ..token };
    let output = xfetch(&format!("replay {stale}"));
    assert_eq!(output.status.code(), Some(2));
    let line = String::from_utf8_lossy(&output.stderr);
    assert!(line.contains("scenario changed") && line.lines().count() == 1, "{line}");
}

#[test]
fn a_broken_cell_prints_the_command_that_repeats_it() {
    let output = xfetch("explore --engine random --protocol no-lock --callers 10");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("--protocol no-lock --callers 10"));
}

#[test]
fn the_old_name_of_the_default_configuration_is_explored() {
    let output = xfetch("explore --protocol as-built --engine random --budget 10");
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("field on default-config"));
}
