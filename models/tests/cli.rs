//! The command as a user meets it: bad input is one line and exit code 2, a budget that runs out
//! is exit code 3, and a seed repeats its executions to the byte.

use std::process::{Command, Output};

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
        "explore --scenario nowhere",
        "explore --protocol nothing",
        "explore --engine steam",
        "explore --seed minus",
        "explore --seed -1",
        "explore --seed 18446744073709551616",
        "explore --format yaml",
        "explore --callers 0",
        "explore --callers 1001",
        "explore --callers -3",
        "explore --engine loom --callers 5",
        "explore --budget 0",
        "explore --budget lots",
        "explore --surprise",
        "explore --callers",
    ]
    .iter()
    .map(|arguments| {
        let output = xfetch(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        let line = String::from_utf8(output.stderr).expect("text");
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
fn a_seed_of_the_environment_is_refused() {
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

#[test]
fn a_broken_cell_prints_the_command_that_repeats_it() {
    let output = xfetch("explore --protocol no-lock --callers 10");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("--protocol no-lock --callers 10"));
}
