//! Schedules as text, for an argument of a command or a line of a report:
//!
//! ```text
//! schedule = choices [ ";tried=" object *( "," object ) ] [ ";main" ]
//! choices  = "-" / run *( "." run )       "-" if all of them are 0
//! run      = number [ "x" number ]        a choice, and how many times in a row it is made
//! object   = number "." number            as in `object 0.7`: the task that made it, and its number there
//! ```
//!
//! For example `0x12.1.2;tried=0.1`. It has everything that a replay needs besides the scenario: the choices, the locks
//! whose releases are decisions because some task tries them, and whether main takes part in the decisions.

use crate::learned::Learned;
use crate::operation::Object;
use crate::schedule::Schedule;
use std::fmt::{self, Write};
use std::str::FromStr;
use std::sync::Arc;

/// The most choices of a schedule: no execution has more decisions.
const MOST: usize = crate::scheduler::MAX_DECISIONS;

/// Why a text is not a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotASchedule {
    /// The place in the text, in bytes from its beginning.
    pub at: usize,
    /// What should be there.
    pub expected: &'static str,
}

impl fmt::Display for NotASchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a schedule: at byte {} there should be {}", self.at, self.expected)
    }
}

impl std::error::Error for NotASchedule {}

/// The text that [`FromStr`] reads. Its grammar is
///
/// ```text
/// schedule = choices [ ";tried=" object *( "," object ) ] [ ";main" ]
/// choices  = "-" / run *( "." run )       "-" if all of them are 0
/// run      = number [ "x" number ]        a choice, and how many times in a row it is made
/// object   = number "." number            the task that made it, and its number there
/// ```
///
/// `tried` are the locks whose releases are decisions, and with `main` main takes part in the decisions.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.choices().is_empty() {
            f.write_char('-')?;
        }
        for (place, run) in self.choices().chunk_by(|one, other| one == other).enumerate() {
            let separator = if place > 0 { "." } else { "" };
            write!(f, "{separator}{}", run[0])?;
            if run.len() > 1 {
                write!(f, "x{}", run.len())?;
            }
        }
        for (place, lock) in self.learned().tried.iter().enumerate() {
            let (maker, number) = lock.place();
            let separator = if place > 0 { "," } else { ";tried=" };
            write!(f, "{separator}{maker}.{number}")?;
        }
        f.write_str(if self.learned().main_takes_part { ";main" } else { "" })
    }
}

/// Reads what [`Display`](fmt::Display) writes.
impl FromStr for Schedule {
    type Err = NotASchedule;

    fn from_str(text: &str) -> Result<Self, NotASchedule> {
        let mut reader = Reader { text, at: 0 };
        let choices = reader.choices()?;
        let mut learned = Learned::default();
        if reader.takes(";tried=") {
            learned.tried.insert(reader.object()?);
            while reader.takes(",") {
                learned.tried.insert(reader.object()?);
            }
        }
        learned.main_takes_part = reader.takes(";main");
        if reader.at < text.len() {
            return Err(reader.error("the end, or what may come next"));
        }
        Ok(Self::new(choices).knowing(&Arc::new(learned)))
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn error(&self, expected: &'static str) -> NotASchedule {
        NotASchedule { at: self.at, expected }
    }

    fn takes(&mut self, token: &str) -> bool {
        let there = self.text[self.at..].starts_with(token);
        self.at += if there { token.len() } else { 0 };
        there
    }

    fn number(&mut self, expected: &'static str) -> Result<u32, NotASchedule> {
        let rest = &self.text[self.at..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number = rest[..digits].parse().map_err(|_| self.error(expected))?;
        self.at += digits;
        Ok(number)
    }

    fn choices(&mut self) -> Result<Vec<u32>, NotASchedule> {
        let mut choices = Vec::new();
        if self.takes("-") {
            return Ok(choices);
        }
        loop {
            let choice = self.number("\"-\", or a choice of 32 bits")?;
            let mut times = 1;
            if self.takes("x") {
                let at = self.at;
                times = self.number("how many times the choice is made")? as usize;
                if times == 0 || times > MOST - choices.len() {
                    let expected = "at least 1 and no more choices than an execution may have";
                    return Err(NotASchedule { at, expected });
                }
            }
            choices.resize(choices.len() + times, choice);
            if !self.takes(".") {
                return Ok(choices);
            }
        }
    }

    fn object(&mut self) -> Result<Object, NotASchedule> {
        let at = self.at;
        let maker = self.number("the task that made a lock")?;
        if !self.takes(".") {
            return Err(self.error("\".\" and the lock's number"));
        }
        let number = self.number("the lock's number")?;
        let object = Object::made_by(maker as usize, number);
        // Ledgers and tasks cannot be tried.
        let is_lock = number > 0 && object != Object::ledger(number);
        is_lock.then_some(object).ok_or(NotASchedule { at, expected: "a lock" })
    }
}

#[cfg(test)]
mod tests;
