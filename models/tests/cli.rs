//! The command as a user meets it. Bad input is one line and exit code 2, a budget that runs out is
//! exit code 3, and a seed repeats its executions to the byte.

use quick_junit::Report;
use sections::Schedule;
use serde_json::Value;
use std::fs;
use std::io::{Write, pipe};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;
use xfetch_models::catalogue::{Engine, Invariant, Protocol, Scenario};
use xfetch_models::plan::{Extent, Plan, PlanShard};
use xfetch_models::token::Token;

fn command(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xfetch"));
    command.args(arguments.split_whitespace());
    command
}

fn xfetch(arguments: &str) -> Output {
    command(arguments).output().expect("the command was built")
}

/// A command that prints JSON: its exit code, and all of its standard output.
fn json(arguments: &str) -> (Option<i32>, Value) {
    let output = xfetch(&format!("{arguments} --format json"));
    let json = serde_json::from_slice(&output.stdout);
    (output.status.code(), json.unwrap_or_else(|error| panic!("{arguments}: {error}")))
}

/// What a command prints for people.
fn text(arguments: &str) -> String {
    String::from_utf8(xfetch(arguments).stdout).expect("UTF-8")
}

/// The texts in a list of objects, or in a list of texts.
fn all<'a>(list: &'a Value, of: &str) -> Vec<&'a str> {
    let list = list.as_array().expect("a list").iter();
    let text = |it: &'a Value| it.get(of).unwrap_or(it).as_str().expect("a text");
    list.map(text).collect()
}

fn of_junit(path: &Path) -> Report {
    let xml = fs::read_to_string(path).expect("it was written");
    Report::deserialize_from_str(&xml).unwrap_or_else(|error| panic!("{xml}: {error}"))
}

/// A file of this test.
fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
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
        "explore --engine loom --callers 3 --scenario pool",
        "explore --engine loom --callers 3 --protocol default-config",
        "explore --time 0",
        "explore --time long",
        "explore --time 604801",
        "explore --preemptions -1",
        "explore --engine pct --preemptions 1",
        "explore --budget 0",
        "explore --budget lots",
        "explore --surprise",
        "explore --callers",
        "explore --engine loom --resume search.json",
        "explore --resume",
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
        "soak --time 0",
        "soak --seconds 86401",
        "soak --seconds 1.5",
        "soak --seconds",
        "simulate --capacity 0",
        "simulate --hours 0",
        "simulate --hours -1",
        "simulate --callers 1001",
        "simulate --keys 0",
        "simulate --jitter 1.5",
        "simulate --payload 10s --storage 5s",
        "simulate --payload 1000y",
        "simulate --payload 5",
        "simulate --faults nonsense",
        "simulate --seeds 5..5",
        "simulate --seeds 1..9 --shard 5/4",
        "simulate --requests -1",
        "--junit",
        "--output same.xml --junit same.xml",
        "list --format yaml",
        "prove --smt --format json",
        "replay d1:double-recheck:AAAA:0000000000",
        "replay d1:double-recheck",
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
fn two_processes_always_write_the_same_events_for_a_seed() {
    let log = |name: &str| {
        let path = file(name);
        let line = format!("simulate --seed 5 --requests 3000 --hours 2 --log {}", path.display());
        let output = xfetch(&line);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read(&path).expect("it was written")
    };
    let (one, two) = (log("one.log"), log("two.log"));
    assert!(one == two, "the logs differ");
    assert!(one.len() > 100_000);
}

#[test]
fn a_violated_day_always_ends_with_a_token_that_replays() {
    let output =
        xfetch("simulate --protocol unfenced-publish --shape any --seed 4 --requests 2000");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let token = text.split_whitespace().find(|word| word.starts_with("d1:"));
    let replayed = xfetch(&format!("replay {}", token.expect("there is a token")));
    assert_eq!(replayed.status.code(), Some(0));
    let timeline = String::from_utf8_lossy(&replayed.stdout).into_owned();
    assert!(timeline.contains("<- violates "), "{timeline}");
}

#[test]
fn a_seed_in_the_environment_is_refused() {
    let output = command("explore --engine random")
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

/// A user's text can have any length.
#[test]
fn a_long_text_is_not_repeated_whole() {
    let long = "\u{e9}".repeat(50_000);
    for arguments in [
        "LONG",
        "--LONG",
        "--budget LONG",
        "--shard LONG",
        "--output /LONG",
        "explore --scenario LONG",
        "explore --protocol=LONG",
        "explore --engine LONG",
        "explore --callers LONG",
        "explore --format LONG",
        "explore --LONG=1",
        "replay LONG",
        "replay x1:field:LONG",
        "replay --all=LONG",
        "claims --check --output LONG",
    ] {
        let output = xfetch(&arguments.replace("LONG", &long));
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        let line = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(line.lines().count(), 1, "{arguments}: {line}");
        assert!(line.contains("...") && !line.contains(&long[..200]), "{arguments}: {line}");
    }
}

/// The searches would take hours, or minutes.
#[test]
fn a_file_that_cannot_be_written_is_refused_before_the_search() {
    let folder = file("folder");
    fs::create_dir_all(&folder).expect("the target directory can be written");
    let below_a_file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml/report");
    for path in [&folder.display().to_string(), below_a_file] {
        let report = format!("--budget deep --output {} --junit", no_file("never.json").display());
        for begin in [
            "--budget deep --output",
            &report,
            "certificate --output",
            "certificate --check --output",
            "claims --format json --output",
            "prove --format json --output",
            "expiry --format json --output",
        ] {
            let output = xfetch(&format!("{begin} {path}"));
            assert_eq!(output.status.code(), Some(2), "{begin}");
            let line = String::from_utf8(output.stderr).expect("UTF-8");
            assert_eq!(line.lines().count(), 1, "{line}");
            assert!(output.stdout.is_empty() && line.starts_with("error: cannot "), "{line}");
            assert!(line.contains(path), "{line}");
        }
    }
}

/// Short commands that print, and exit with 0.
fn that_print() -> [String; 4] {
    let report = file("printed.json");
    [
        "list".into(),
        "explore".into(),
        format!("replay {}", token("lock-only")),
        format!("--budget quick --shard 100/1000 --output {}", report.display()),
    ]
}

#[cfg(target_os = "linux")]
#[test]
fn a_command_whose_output_is_lost_exits_with_1() {
    for arguments in that_print() {
        let full = fs::File::options().write(true).open("/dev/full").expect("it is there");
        let output = command(&arguments).stdout(full).output().expect("the command was built");
        assert_eq!(output.status.code(), Some(1), "{arguments}");
        let lines = String::from_utf8_lossy(&output.stderr);
        let lost = lines.lines().filter(|line| line.contains("cannot write")).count();
        assert_eq!(lost, 1, "{arguments}: {lines}");
    }
}

#[test]
fn a_reader_who_goes_away_is_no_error() {
    for arguments in that_print() {
        let closed = || pipe().expect("there are pipes").1;
        let output = command(&arguments).stdout(closed()).output().expect("the command was built");
        assert_eq!(output.status.code(), Some(0), "{arguments}");
        let lines = String::from_utf8_lossy(&output.stderr);
        assert!(!lines.contains("error") && !lines.contains("panic"), "{arguments}: {lines}");
        let status = command(&arguments).stdout(closed()).stderr(closed()).status();
        assert_eq!(status.expect("the command was built").code(), Some(0), "{arguments}");
    }
}

/// The first shard has loom's cells and those of Shuttle.
#[test]
fn the_main_command_prints_only_its_progress_on_the_error_stream() {
    let report = file("quiet.json");
    let output = xfetch(&format!("--budget quick --shard 1/40 --output {}", report.display()));
    let (table, lines) = (output.stdout, String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8_lossy(&table);
    assert!(["loom", "sections", "pct"].iter().all(|engine| table.contains(engine)), "{table}");
    assert!(lines.lines().all(|line| line.contains(" cells, ")), "{lines}");
}

#[test]
fn a_twin_that_is_not_seen_is_named_with_what_it_was_to_violate() {
    let output = xfetch("explore --protocol captured-recheck --callers 1");
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8_lossy(&output.stdout);
    let line = "captured-recheck is written to violate no-wasted-compute in field: not violated";
    assert!(text.contains("holds") && text.lines().any(|it| it == line), "{text}");
    let seen = xfetch("explore --protocol captured-recheck");
    assert!(!String::from_utf8_lossy(&seen.stdout).contains("is written to violate"));
}

/// Starts a command, and waits until it searches: its second thread is there, which it starts after it has made
/// ready for signals.
#[cfg(target_os = "linux")]
fn begun(command: &mut Command) -> Child {
    let mut child = command.spawn().expect("the command was built");
    let status = format!("/proc/{}/status", child.id());
    let threads = || -> Option<u32> {
        let status = fs::read_to_string(&status).ok()?;
        status.lines().find_map(|line| line.strip_prefix("Threads:"))?.trim().parse().ok()
    };
    while threads().is_none_or(|threads| threads < 2) {
        assert!(child.try_wait().expect("it is our child").is_none(), "it is over already");
        thread::sleep(Duration::from_millis(5));
    }
    child
}

#[cfg(target_os = "linux")]
fn interrupt(child: &Child) {
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.expect("there is a `kill`").success());
}

/// What a command does that is interrupted while it searches.
#[cfg(target_os = "linux")]
fn interrupted(arguments: &str) -> Output {
    let mut command = command(arguments);
    let child = begun(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    interrupt(&child);
    child.wait_with_output().expect("it is our child")
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_the_search_of_every_engine_and_leaves_it_incomplete() {
    for engine in Engine::ALL {
        let callers = if *engine == Engine::Loom { 3 } else { 5 };
        let output = interrupted(&format!(
            "explore --engine {engine} --scenario straggler --callers {callers} --budget {} --time 3600",
            u32::MAX
        ));
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(3), "{engine}: {text}");
        assert!(text.contains("incomplete") && !text.contains("holds"), "{engine}: {text}");
    }
}

/// What was explored, and that it is not all. There is a share as soon as the first samples are over, in a small part of
/// these seconds.
#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_leaves_the_explored_share_of_the_search() {
    let arguments = "explore --scenario straggler --callers 5 --time 3600 --format json";
    let mut command = command(arguments);
    let child = begun(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    thread::sleep(Duration::from_secs(5));
    interrupt(&child);
    let output = child.wait_with_output().expect("it is our child");
    assert_eq!(output.status.code(), Some(3));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["coverage"], "incomplete");
    let explored = report["explored"].as_f64().expect("a number");
    assert!((0.0..1.0).contains(&explored), "{explored}");
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_leaves_a_report_that_says_which_cells_were_not_run() {
    let (report, junit) = (file("interrupted.json"), file("interrupted.xml"));
    let (json, xml) = (report.display(), junit.display());
    let output = interrupted(&format!("--budget deep --output {json} --junit {xml}"));
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.starts_with("incomplete") && text.contains("not run"), "{text}");
    let report = fs::read_to_string(report).expect("it was written");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let of = |list: &str| report[list].as_array().expect("a list").clone();
    let (ran, not_run) = (of("cells"), of("not_run"));
    assert_eq!(ran.len() + not_run.len(), Plan::of(Extent::Deep).0.len());
    assert!(!not_run.is_empty());
    let is_fair = |cell: &Value| cell["coverage"] != "incomplete" || cell["conclusion"] != "holds";
    assert!(ran.iter().all(is_fair), "{ran:?}");
    let junit = of_junit(&junit);
    assert_eq!((junit.tests, junit.skipped), (ran.len() + not_run.len(), not_run.len()));
    let cut_off = ran.iter().filter(|cell| cell["conclusion"] == "incomplete").count();
    assert_eq!((junit.errors, junit.failures), (cut_off, 0));
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_always_leaves_the_report_of_a_day_incomplete() {
    let output = interrupted("simulate --requests 100000000");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("incomplete"), "{text}");
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_leaves_the_page_of_the_certificate_as_it_was() {
    let page = file("CERTIFICATE.md");
    fs::write(&page, "as it was").expect("the target directory can be written");
    let output = interrupted(&format!("certificate --output {}", page.display()));
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("incomplete"));
    assert_eq!(fs::read_to_string(&page).expect("it is there"), "as it was");
}

/// The first one would end the search, but the command cannot print its result: the pipe is full, and nobody reads.
#[cfg(target_os = "linux")]
#[test]
fn a_second_ctrl_c_ends_the_command_at_once() {
    let (reader, writer) = pipe().expect("there are pipes");
    let mut filler = writer.try_clone().expect("a pipe");
    let fills = thread::spawn(move || while filler.write_all(&[b'\n'; 4_096]).is_ok() {});
    let mut child = begun(command("explore --scenario straggler --callers 5").stdout(writer));
    let status = loop {
        interrupt(&child);
        thread::sleep(Duration::from_millis(50));
        if let Some(status) = child.try_wait().expect("it is our child") {
            break status;
        }
    };
    assert_eq!(status.code(), Some(130));
    drop(reader);
    fills.join().expect("it ends with the pipe");
}

/// Explores with a file to go on from. The error stream has what is said about the file.
fn resumed(arguments: &str, path: &Path) -> (Option<i32>, String, String) {
    let output = xfetch(&format!("explore {arguments} --resume {}", path.display()));
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// A file of this test that is not there.
fn no_file(name: &str) -> PathBuf {
    let path = file(name);
    drop(fs::remove_file(&path));
    path
}

/// What a search finds. The command has the budget of its part.
fn found(json: &str) -> Value {
    let mut found: Value = serde_json::from_str(json).expect("JSON");
    found.as_object_mut().expect("a cell").remove("reproduce");
    found
}

#[test]
fn a_search_in_parts_always_ends_with_what_one_in_one_piece_finds() {
    for (cell, budget) in [
        ("--scenario counted --callers 3", 200),
        ("--protocol no-lock --callers 4", 300),
        ("--callers 3 --preemptions 1", 20),
        ("--scenario panic --callers 3", 9),
    ] {
        let line = format!("{cell} --format json");
        let whole = xfetch(&format!("explore {line}"));
        let path = no_file("parts.json");
        let mut parts = 0;
        let (code, json) = loop {
            parts += 1;
            assert!(parts < 500, "{cell}: no part is the last");
            let (code, json, notes) = resumed(&format!("{line} --budget {budget}"), &path);
            let cut_off = notes.contains("cut off; to go on: cargo run --release -- explore");
            assert_eq!(path.exists(), cut_off, "{cell}: {notes}");
            if !cut_off {
                break (code, json);
            }
            let share = found(&json)["explored"].as_f64();
            assert!(share.is_none_or(|share| (0.0..1.0).contains(&share)), "{cell}: {share:?}");
        };
        assert!(parts > 2, "{cell}: {parts} parts");
        assert_eq!(code, whole.status.code(), "{cell}");
        assert_eq!(found(&json), found(&String::from_utf8_lossy(&whole.stdout)), "{cell}");
    }
}

/// The first samples are there after a fraction of a second. So many executions take seconds.
#[test]
fn a_search_of_seconds_that_was_cut_off_prints_the_share_that_it_explored() {
    let output = xfetch("explore --scenario miss --callers 6 --budget 60000");
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("explored share: ") && text.contains("an estimate"), "{text}");
}

#[test]
fn a_search_that_was_cut_off_prints_the_command_that_ends_it() {
    let path = no_file("with a space.json");
    let mut begin = command("explore --scenario counted --callers 3 --budget 50");
    let output = begin.arg("--resume").arg(&path).output().expect("the command was built");
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("incomplete"), "{text}");
    let notes = String::from_utf8_lossy(&output.stderr);
    assert_eq!(notes.lines().count(), 1, "{notes}");
    let again = notes.trim().strip_prefix("cut off; to go on: cargo run --release -- ");
    let again = again.expect("there is a command").replace("--budget 50 ", "");
    let line = format!("{} {again}", env!("CARGO_BIN_EXE_xfetch"));
    let ended = Command::new("sh").args(["-c", &line]).output().expect("there is a shell");
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(!path.exists());
}

#[test]
fn a_file_of_another_search_is_refused_and_stays_as_it_is() {
    let path = no_file("another.json");
    resumed("--scenario counted --callers 3 --budget 50", &path);
    let written = fs::read_to_string(&path).expect("it was cut off");
    let with = |change: &dyn Fn(&mut Value)| {
        let mut file: Value = serde_json::from_str(&written).expect("JSON");
        change(&mut file);
        let search = file["search"].to_string();
        file["checksum"] = format!("{:08x}", crc32fast::hash(search.as_bytes())).into();
        file.to_string()
    };
    let cell = "--scenario counted --callers 3";
    for (text, arguments, names) in [
        (written.clone(), "--scenario miss --callers 3", "scenario counted there, miss here"),
        (written.clone(), "--scenario counted --callers 2", "callers 3 there, 2 here"),
        (
            written.clone(),
            "--scenario counted --callers 3 --protocol no-lock",
            "protocol double-recheck there, no-lock here",
        ),
        (
            written.clone(),
            "--scenario counted --callers 3 --preemptions 1",
            "preemptions none there, 1 here",
        ),
        (with(&|file| file["search"]["version"] = "0.0.1".into()), cell, "version 0.0.1 there, "),
        (with(&|file| file["format"] = 9.into()), cell, "format 9 there, 2 here"),
        (with(&|file| file["search"]["rest"]["tree"] = 0.into()), cell, "not a checkpoint"),
        (with(&|file| file["search"]["outcomes"] = 0.into()), cell, "its counts"),
        (written.replacen("\"count\":", "\"count\":1", 1), cell, "checksum"),
        (written[..written.len() / 2].to_owned(), cell, "damaged"),
        (String::new(), cell, "damaged"),
        ("[]".to_owned(), cell, "damaged"),
    ] {
        fs::write(&path, &text).expect("the target directory can be written");
        let (code, printed, line) = resumed(arguments, &path);
        assert_eq!((code, printed.as_str()), (Some(2), ""), "{names}: {line}");
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(line.starts_with("error: ") && line.contains(names), "{names}: {line}");
        assert_eq!(fs::read_to_string(&path).expect("it is there"), text, "{names}");
    }
}

/// A device would be replaced by a file.
#[test]
fn a_search_that_could_not_be_kept_is_refused_before_it_begins() {
    let folder = file("folder-of-searches");
    fs::create_dir_all(&folder).expect("the target directory can be written");
    let below_a_file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml/search");
    for path in [folder.as_path(), Path::new(below_a_file), Path::new("/dev/null")] {
        let (code, printed, line) = resumed("--scenario straggler --callers 5", path);
        assert_eq!((code, printed.as_str()), (Some(2), ""), "{line}");
        assert!(line.starts_with("error: cannot ") && line.lines().count() == 1, "{line}");
    }
    assert_eq!(fs::read_dir(&folder).expect("it is there").count(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_keeps_the_search_with_which_another_process_goes_on() {
    let path = no_file("interrupted-search.json");
    let line = format!("explore --scenario straggler --callers 5 --resume {}", path.display());
    let output = interrupted(&line);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let (code, _, notes) = resumed("--scenario straggler --callers 5 --budget 300", &path);
    assert_eq!(code, Some(3));
    assert!(notes.starts_with("goes on after ") && path.exists(), "{notes}");
}

#[test]
fn the_list_as_json_has_the_names_of_the_tables() {
    let (code, list) = json("list");
    assert_eq!((code, &list["schema"]), (Some(0), &1.into()));
    let of = |list: &[&str]| -> Vec<String> { list.iter().map(|it| (*it).to_owned()).collect() };
    let mut names = of(&all(&list["scenarios"], "name"));
    names.extend(of(&all(&list["protocols"], "name")));
    names.extend(of(&all(&list["invariants"], "name")));
    assert_eq!(names.len(), Scenario::ALL.len() + Protocol::ALL.len() + Invariant::ALL.len());
    let text = text("list");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next());
    let heads = ["scenario", "protocol", "invariant"];
    assert_eq!(rows.filter(|row| !heads.contains(row)).collect::<Vec<_>>(), names);
}

#[test]
fn a_cell_as_json_has_the_executions_of_its_text() {
    let (code, cell) = json("explore --protocol lock-only");
    assert_eq!((code, &cell["schema"]), (Some(1), &7.into()));
    let count = format!(": {} executions", cell["executions"]);
    assert!(text("explore --protocol lock-only").contains(&count), "{count}");
}

#[test]
fn a_replay_as_json_says_what_its_timeline_says() {
    let token = token("release-before-publish");
    let (code, replayed) = json(&format!("replay {token}"));
    assert_eq!((code, &replayed["schema"]), (Some(0), &1.into()));
    assert_eq!(replayed["token"], token.as_str());
    let text = text(&format!("replay {token}"));
    let (what, invariant) = (replayed["what"].as_str(), replayed["invariant"].as_str());
    let (what, invariant) = (what.expect("a sentence"), invariant.expect("a slug"));
    assert!(text.starts_with(&format!("{what}: {invariant} is violated.\n")), "{text}");
    let certain = format!("certain from section {} on", replayed["certain"]);
    let sections = replayed["sections"].as_array().expect("a list");
    let size = format!("{} preemption, {} sections", replayed["preemptions"], sections.len());
    assert!(text.contains(&certain) && text.contains(&size), "{certain}, {size}: {text}");
    let matter = sections.iter().filter(|it| it["matters"] == true).count();
    assert!(text.contains(&format!("; shown are the {matter} that matter")), "{matter}: {text}");
    for race in replayed["races"].as_array().expect("a list") {
        let both = [format!("({}) before", race[0]), format!("({})", race[1])];
        assert!(both.iter().all(|it| text.contains(it)), "{race}: {text}");
    }
    let violating: Vec<_> =
        sections.iter().filter(|it| it["violates"] == serde_json::json!([invariant])).collect();
    let [violating] = violating[..] else { panic!("{violating:?}") };
    assert!(what.ends_with(&format!("in section {}", violating["number"])), "{what}");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let places = sections.iter().flat_map(|it| [&it["place"], &it["code"]]);
    for place in places.filter_map(Value::as_str) {
        let (file, line) = place.rsplit_once(':').expect("a line");
        let lines = fs::read_to_string(root.join(file)).expect("a file of the repository");
        assert!((1..=lines.lines().count()).contains(&line.parse().expect("a number")), "{place}");
    }
    let (code, passing) =
        json(&format!("replay {}", replayed["passing"]["token"].as_str().expect("a token")));
    assert_eq!((code, &passing["violated"]), (Some(1), &serde_json::json!([])));
    let phrases = |of: &Value| -> Vec<String> {
        all(&of["sections"], "phrase").into_iter().map(str::to_owned).collect()
    };
    assert_eq!(phrases(&passing), phrases(&replayed["passing"]));
}

#[test]
fn a_day_as_json_has_the_hash_and_the_token_of_its_text() {
    let line = "simulate --protocol unfenced-publish --shape any --seed 4 --requests 2000";
    let ((code, day), text) = (json(line), text(line));
    assert_eq!((code, &day["schema"]), (Some(1), &1.into()));
    let (hash, token) = (day["hash"].as_str().expect("a hash"), day["token"].as_str());
    let token = token.expect("a token");
    assert!(text.contains(&format!("their hash {hash}")) && text.contains(token), "{text}");
    let (code, replayed) = json(&format!("replay {token}"));
    assert_eq!((code, &replayed["schema"]), (Some(0), &1.into()));
    let sections = replayed["sections"].as_array().expect("a list").len();
    let replay = xfetch(&format!("replay {token}")).stdout;
    let first = String::from_utf8_lossy(&replay);
    assert!(first.contains(&format!("choices, {sections} sections\n")), "{sections}: {first}");
}

#[test]
fn a_fleet_as_json_has_the_events_of_its_text() {
    let line = "simulate --protocol lock-only --seeds 1..30";
    let ((code, fleet), text) = (json(line), text(line));
    assert_eq!((code, &fleet["schema"]), (Some(1), &1.into()));
    let failing = fleet["failing"].as_array().expect("a list").len();
    assert_eq!(text.lines().filter(|it| it.starts_with("seed ")).count(), failing);
    assert!(text.contains(&format!("{failing} seeds fail of {}", fleet["ran"])), "{text}");
}

/// The error stream has the lines that the text has.
#[test]
fn a_soak_as_json_has_a_sample_for_each_line() {
    let output = xfetch("soak --seconds 1 --format json");
    let soaked: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(soaked["schema"], 1);
    let lines = String::from_utf8_lossy(&output.stderr);
    let samples = soaked["samples"].as_array().expect("a list");
    assert_eq!(lines.lines().count(), 2 + samples.len(), "{lines}");
    let last = samples.last().expect("a sample")["requests"].to_string();
    let words = lines.lines().last().expect("a line").split_whitespace().nth(1);
    assert_eq!(words, Some(last.as_str()));
    // Whether a busy machine has met every case in a second is not asked here.
    assert_eq!(output.status.code(), Some(i32::from(soaked["holds"] != true)));
}

#[test]
fn the_rows_of_a_page_as_json_are_those_of_the_page() {
    let page = file("EXPIRY.md");
    fs::write(&page, "as it was").expect("the target directory can be written");
    let (code, rows) = json(&format!("expiry --check --output {}", page.display()));
    assert_eq!((code, &rows["page"]), (Some(1), &"changed".into()));
    let (code, rows) = json(&format!("expiry --output {}", page.display()));
    assert_eq!((code, &rows["page"], &rows["schema"]), (Some(0), &"written".into(), &1.into()));
    let page = fs::read_to_string(&page).expect("it was written");
    let cells = |line: &str| line.split_whitespace().collect::<String>();
    let lines: Vec<_> = page.lines().map(cells).collect();
    let rows = rows["rows"].as_array().expect("a list");
    assert_eq!(rows.len(), lines.iter().filter(|it| it.starts_with('|')).count() - 2);
    for row in rows {
        let line = format!("|{}|{}|{}|", row["jitter"], row["peak"], row["total"]);
        assert!(lines.contains(&line.replace(".0|", "|")), "{line}: {page}");
    }
}

#[test]
fn the_junit_file_has_a_case_for_each_cell_of_the_plan() {
    let (report, junit) = (file("cells.json"), file("cells.xml"));
    let (output, path) = (report.display(), junit.display());
    let shard = "2/40";
    let line = format!("--budget quick --shard {shard} --output {output} --junit {path}");
    assert_eq!(xfetch(&line).status.code(), Some(0));
    let shard: PlanShard = shard.parse().expect("a shard");
    let cells = Plan::of(Extent::Quick).shard(shard).0.len();
    let junit = of_junit(&junit);
    assert_eq!((junit.tests, junit.failures, junit.errors, junit.skipped), (cells, 0, 0, 0));
    let names: std::collections::BTreeSet<_> = junit
        .test_suites
        .iter()
        .flat_map(|suite| suite.test_cases.iter().map(|it| (suite.name.as_str(), it.name.as_str())))
        .collect();
    assert_eq!(names.len(), cells, "no two cases have one name");
}
