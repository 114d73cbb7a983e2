//! The command `replay`: replays a token and prints its timeline.

use super::{print, refuse, shown};
use std::process::ExitCode;
use xfetch_models::replay::replay;
use xfetch_models::timeline::{Detail, timeline};
use xfetch_models::token::Token;

/// Exit code 0: the execution violates an invariant; 1: it does not; 2: the token cannot be replayed by
/// this build.
pub(super) fn run(text: &str, all: bool) -> ExitCode {
    let token: Token = match text.parse() {
        Ok(token) => token,
        Err(malformed) => return refuse(format!("token {:?}: {malformed}", shown(text))),
    };
    match replay(&token) {
        Err(outdated) => refuse(format!("token {:?}: {outdated}", shown(text))),
        Ok(replayed) => {
            let detail = if all { Detail::All } else { Detail::Folded };
            print(&timeline(&replayed, detail));
            ExitCode::from(u8::from(replayed.verdict.violated.is_empty()))
        }
    }
}
