//! The command `replay`: replays a token and prints its timeline.

use super::{print, refuse, shown};
use std::process::ExitCode;
use xfetch_models::replay::replay;
use xfetch_models::timeline::{self, Detail, timeline};
use xfetch_models::token::Token;
use xfetch_simulate::case::{DayToken, is_of_a_case};
use xfetch_simulate::world::Watch;

/// Exit code 0: the execution violates an invariant; 1: it does not; 2: the token cannot be replayed by
/// this build.
pub(super) fn run(text: &str, all: bool) -> ExitCode {
    if is_of_a_case(text) {
        return day(text, all);
    }
    let token: Token = match text.parse() {
        Ok(token) => token,
        Err(malformed) => return refuse(format!("token {:?}: {malformed}", shown(text))),
    };
    match replay(&token) {
        Err(outdated) => refuse(format!("token {:?}: {outdated}", shown(text))),
        Ok(replayed) => {
            let detail = if all { Detail::All } else { Detail::Folded };
            print(&timeline(&replayed, detail));
            let is_right =
                replayed.verdict.violated.is_empty() && replayed.not_in_the_table.is_none();
            ExitCode::from(u8::from(is_right))
        }
    }
}

/// The same for a token of a simulated day.
fn day(text: &str, all: bool) -> ExitCode {
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
    print(&timeline::day(&token, &run, detail));
    ExitCode::from(u8::from(run.judge.violations().is_empty()))
}
