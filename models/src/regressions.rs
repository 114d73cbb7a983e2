//! Tokens that once failed, and what they showed. `cargo test` replays them before the other tests of this crate.
//!
//! A line is a token, an invariant and a sentence. Of the shipped protocol the execution has to violate nothing by now; of a
//! twin it has to violate the invariant for ever.

use crate::catalogue::Invariant;
use crate::replay::Program;
use crate::token::Token;
use crate::verdict::Verdict;
use sections::Outcome;
use std::collections::BTreeSet;
use xfetch_on_sections::check_unfinished;
use xfetch_simulate::case::{DayToken, is_of_a_case};
use xfetch_simulate::world::Watch;

/// Where they are kept.
pub const FILE: &str = "models/regressions.txt";

/// The file with another line; nothing, if it has the token already.
pub fn with(file: &str, token: &str, invariant: Invariant, sentence: &str) -> Option<String> {
    let has = file.lines().any(|line| line.split(' ').next() == Some(token));
    let end = if file.is_empty() || file.ends_with('\n') { "" } else { "\n" };
    (!has).then(|| format!("{file}{end}{token} {invariant} {sentence}\n"))
}

/// What is wrong with a line; nothing, if its execution is as it should be.
pub fn wrong(line: &str) -> Option<String> {
    let mut words = line.split(' ');
    let (Some(token), Some(invariant)) = (words.next(), words.next()) else {
        return Some("it is not a token and an invariant".into());
    };
    let invariant: Invariant = match invariant.parse() {
        Ok(invariant) => invariant,
        Err(unknown) => return Some(format!("{unknown}")),
    };
    let (is_shipped, violated) = match violated(token) {
        Ok(found) => found,
        Err(wrong) => return Some(wrong),
    };
    let slugs: Vec<_> = violated.iter().map(|it| it.slug()).collect();
    match (is_shipped, violated.contains(&invariant)) {
        (true, _) if !violated.is_empty() => Some(format!("it violates {}", slugs.join(", "))),
        (false, false) => Some(format!("the twin does not violate {invariant} any more")),
        _ => None,
    }
}

/// Whether the token is of the shipped protocol, and what its execution violates. Its checksum may be that of older code.
fn violated(text: &str) -> Result<(bool, BTreeSet<Invariant>), String> {
    if is_of_a_case(text) {
        let DayToken { case, .. } = text.parse().map_err(|wrong| format!("{wrong}"))?;
        let run = case.run(Watch::default());
        let violated = run.judge.violations().keys().copied().collect();
        return Ok((case.protocol.is_shipped(), violated));
    }
    let token: Token = text.parse().map_err(|wrong| format!("{wrong}"))?;
    let program = Program::of(&token);
    let (execution, records) = program.replay(&token.schedule).map_err(|error| {
        format!("its schedule does not fit the code any more ({error}): make the token anew with `explore`, or remove the line")
    })?;
    let verdict = match &execution.outcome {
        Outcome::Returned(history) => Verdict::of(history),
        unfinished => check_unfinished(unfinished, &records),
    };
    Ok((token.protocol.is_shipped(), verdict.violated))
}

#[cfg(test)]
mod tests {
    use super::{with, wrong};
    use crate::catalogue::Invariant;

    const KEPT: &str = include_str!("../regressions.txt");

    fn lines() -> impl Iterator<Item = &'static str> {
        KEPT.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
    }

    #[test]
    fn every_token_that_once_failed_is_as_it_should_be() {
        assert!(lines().count() > 0);
        let wrong = lines().filter_map(|line| Some(format!("{line}\n  {}", wrong(line)?)));
        let wrong: Vec<String> = wrong.collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn a_line_whose_token_or_invariant_is_not_right_is_an_error_and_no_panic() {
        let kept = lines().next().unwrap_or_default();
        let token = kept.split(' ').next().unwrap_or_default();
        for line in ["", "x1", "x1:field no-deadlock", &format!("{token} no-such-invariant")] {
            assert!(wrong(line).is_some(), "{line}");
        }
        let other = wrong(&format!("{token} no-deadlock of a twin that breaks something else"));
        assert!(other.is_some_and(|it| it.contains("any more")));
    }

    #[test]
    fn a_token_is_kept_once() {
        let once = with("", "x1:a", Invariant::NoDeadlock, "It waits.").expect("it is new");
        assert_eq!(once, "x1:a no-deadlock It waits.\n");
        assert_eq!(with(&once, "x1:a", Invariant::NoDeadlock, "Again."), None);
    }
}
