//! One token: what happened, section by section.

use super::{print, refuse};
use std::process::ExitCode;
use xfetch_models::replay::replay;
use xfetch_models::timeline::timeline;
use xfetch_models::token::Token;

/// 0 reproduced, 1 not, 2 not a token of this build.
pub(super) fn run(text: &str) -> ExitCode {
    let token: Token = match text.parse() {
        Ok(token) => token,
        Err(malformed) => return refuse(format!("token {:?}: {malformed}", shown(text))),
    };
    match replay(&token) {
        Err(stale) => refuse(format!("token {token}: {stale}")),
        Ok(replayed) => {
            print(&timeline(&replayed));
            ExitCode::from(u8::from(replayed.verdict.violated.is_empty()))
        }
    }
}

/// A text that is no token may be anything.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}
