//! The command `replay`: replays a token and prints its timeline.

use super::paint::paint;
use super::{Format, note, print, print_json, read, refuse, shown, write};
use std::path::Path;
use std::process::ExitCode;
use xfetch_models::catalogue::Invariant;
use xfetch_models::explain::explain;
use xfetch_models::regressions::{FILE, with};
use xfetch_models::replay::replay;
use xfetch_models::timeline::{self, Detail, timeline};
use xfetch_models::token::Token;
use xfetch_simulate::case::{DayToken, is_of_a_case};
use xfetch_simulate::world::Watch;

/// Exit code 0: the execution violates an invariant; 1: it does not; 2: the token cannot be replayed by
/// this build.
pub(super) fn run(text: &str, all: bool, keeps: bool, format: Format) -> ExitCode {
    if is_of_a_case(text) {
        return day(text, all, keeps, format);
    }
    let token: Token = match text.parse() {
        Ok(token) => token,
        Err(malformed) => return refuse(format!("token {:?}: {malformed}", shown(text))),
    };
    match replay(&token) {
        Err(outdated) => refuse(format!("token {:?}: {outdated}", shown(text))),
        Ok(replayed) => {
            let detail = if all { Detail::All } else { Detail::Folded };
            let explained = explain(&replayed);
            let text = timeline(&replayed, explained.as_ref(), detail);
            match format {
                Format::Text => print(&paint(&text)),
                Format::Json => print_json(&timeline::json(&replayed, explained.as_ref())),
            }
            let is_right =
                replayed.verdict.violated.is_empty() && replayed.not_in_the_table.is_none();
            let first = text.lines().next().unwrap_or_default();
            let found = explained.map(|it| (it.invariant, first.to_owned()));
            keep(keeps.then_some(format), &token.to_string(), found, is_right)
        }
    }
}

/// The same for a token of a simulated day.
fn day(text: &str, all: bool, keeps: bool, format: Format) -> ExitCode {
    let token: DayToken = match text.parse() {
        Ok(token) => token,
        Err(malformed) => return refuse(format!("token {:?}: {malformed}", shown(text))),
    };
    let run = token.case.run(Watch { record: true, ..Watch::default() });
    let (then, hash) = (token.hash, token.case.clone().token(&run).hash);
    if hash != then {
        let what = format!(
            "scenario changed since the token was made: events {then:06x} then, {hash:06x} now"
        );
        return refuse(format!("token {:?}: {what}", shown(text)));
    }
    let detail = if all { Detail::All } else { Detail::Folded };
    match format {
        Format::Text => print(&paint(&timeline::day(&token, &run, detail))),
        Format::Json => print_json(&timeline::day_json(&token, &run)),
    }
    let first = run.judge.violations().values().next();
    let found = first.map(|it| (it.invariant, it.what.clone()));
    keep(keeps.then_some(format), &token.to_string(), found, run.judge.violations().is_empty())
}

/// Adds a failing token to the file of those that once failed, if that is asked for. Returns the exit code.
fn keep(
    keeps: Option<Format>,
    token: &str,
    found: Option<(Invariant, String)>,
    is_right: bool,
) -> ExitCode {
    let code = ExitCode::from(u8::from(is_right));
    let Some(format) = keeps else { return code };
    let Some((invariant, sentence)) = found else {
        note("not kept: it violates no invariant");
        return code;
    };
    let path = Path::new(FILE);
    let kept = read(path).map(|file| with(&file, token, invariant, &sentence));
    let kept = kept.and_then(|with| with.map(|with| write(path, &with)).transpose());
    match kept {
        Ok(Some(())) => format.aside(&format!("{FILE} has it now")),
        Ok(None) => format.aside(&format!("{FILE} has it already")),
        Err(cannot) => return refuse(cannot),
    }
    code
}
