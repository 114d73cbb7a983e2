//! Tokens: one execution in one line of text.
//!
//! The format is described in `docs/REPLAY.md`.

use crate::catalogue::{Protocol, Scenario, Unknown, shown};
use sections::Schedule;
use std::fmt::{self, Write};
use std::str::FromStr;
use xfetch_vocabulary::seal::{sealed, unsealed};

pub use xfetch_vocabulary::seal::MAX_LENGTH;

/// The version, at the beginning of every token.
const VERSION: &str = "x1";
/// The most decisions with a choice that a token may have.
const MAX_CHOICES: usize = 1_000_000;
/// The most callers that a token may have.
pub const MAX_CALLERS: usize = 1_000;

/// An execution of a scenario, named by the choices that lead to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The scenario.
    pub scenario: Scenario,
    /// The protocol.
    pub protocol: Protocol,
    /// The number of callers.
    pub callers: usize,
    /// The choices.
    pub schedule: Schedule,
    /// 24 bits of the checksum over what every caller was about to do at each decision. If a replay has
    /// another checksum, the scenario has changed since.
    pub checksum: u32,
}

/// Why a text is not a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It does not begin with a version.
    Foreign,
    /// It has another version.
    Version(String),
    /// It has more bytes than any token: this many.
    TooLong(usize),
    /// It has too few or too many fields: this many.
    Fields(usize),
    /// Its own check does not fit, so a character is wrong or missing.
    Check,
    /// A name that is not in its catalogue.
    Unknown(Unknown),
    /// A field that cannot be read: its name, its text and what is allowed.
    Field(&'static str, String, &'static str),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => {
                write!(f, "not a token: it does not begin with \"{VERSION}:\" or \"d1:\"")
            }
            Self::Version(version) => {
                write!(f, "version {:?}: this build reads {VERSION} and d1", shown(version))
            }
            Self::TooLong(length) => {
                write!(f, "{length} bytes: the limit is {MAX_LENGTH}")
            }
            Self::Fields(fields) => {
                write!(f, "{fields} fields instead of 6: a field is missing, or there are too many")
            }
            Self::Check => {
                f.write_str("the check at its end does not fit: a character is wrong or missing")
            }
            Self::Unknown(unknown) => unknown.fmt(f),
            Self::Field(name, value, limit) => write!(f, "{name} {:?}: {limit}", shown(value)),
        }
    }
}

impl std::error::Error for Malformed {}

impl From<Unknown> for Malformed {
    fn from(unknown: Unknown) -> Self {
        Self::Unknown(unknown)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, protocol, callers, schedule, checksum } = self;
        let choices = write_choices(schedule);
        let fields = format!("{VERSION}:{scenario}:{protocol}:{callers}:{choices}");
        f.write_str(&sealed(&fields, *checksum))
    }
}

/// "place.choice" for each choice that is not 0, with places counted from 0. "0" if there is none.
fn write_choices(schedule: &Schedule) -> String {
    let mut text = String::new();
    for (place, choice) in schedule.choices().iter().enumerate().filter(|(_, choice)| **choice > 0)
    {
        let dash = if text.is_empty() { "" } else { "-" };
        let _ = write!(text, "{dash}{place}.{choice}");
    }
    if text.is_empty() { "0".into() } else { text }
}

fn read_choices(text: &str) -> Option<Schedule> {
    if text == "0" {
        return Some(Schedule::default());
    }
    let mut choices = Vec::new();
    for part in text.split('-') {
        let (place, choice) = part.split_once('.')?;
        let (place, choice) = (place.parse::<usize>().ok()?, choice.parse::<u32>().ok()?);
        if place < choices.len() || place >= MAX_CHOICES || choice == 0 {
            return None;
        }
        choices.resize(place, 0);
        choices.push(choice);
    }
    Some(Schedule::new(choices))
}

impl FromStr for Token {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let text = text.trim();
        if text.len() > MAX_LENGTH {
            return Err(Malformed::TooLong(text.len()));
        }
        let fields: Vec<_> = text.split(':').collect();
        let [version, scenario, protocol, callers, choices, _] = fields[..] else {
            return Err(wrong_form(text, fields.len()));
        };
        if version != VERSION {
            return Err(wrong_form(text, fields.len()));
        }
        let checksum = unsealed(text).ok_or(Malformed::Check)?;
        let field = |name, value: &str, limit| Malformed::Field(name, value.to_owned(), limit);
        let count = callers.parse().ok().filter(|count| (1..=MAX_CALLERS).contains(count));
        let schedule = read_choices(choices);
        Ok(Self {
            scenario: scenario.parse()?,
            protocol: protocol.parse()?,
            callers: count
                .ok_or_else(|| field("callers", callers, "write a number from 1 to 1000"))?,
            schedule: schedule.ok_or_else(|| {
                field("choices", choices, "write PLACE.CHOICE-PLACE.CHOICE..., or 0")
            })?,
            checksum,
        })
    }
}

/// The reason why a text does not have the form of a token.
fn wrong_form(text: &str, fields: usize) -> Malformed {
    let version = text.split(':').next().unwrap_or_default();
    let digits = version.strip_prefix('x').unwrap_or_default();
    if version == VERSION {
        Malformed::Fields(fields)
    } else if fields > 1 && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        Malformed::Version(version.to_owned())
    } else {
        Malformed::Foreign
    }
}
