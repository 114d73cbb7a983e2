//! Names that people type and read. Each catalogue is an enum whose values have a slug and a sentence.

use std::fmt;

/// A name that the catalogue does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The catalogue: "protocol", "scenario", ...
    pub kind: &'static str,
    /// The name that was given.
    pub name: String,
    /// All names of the catalogue.
    pub known: Vec<&'static str>,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, known } = self;
        write!(f, "unknown {kind} {:?}; known: {}", shown(name), known.join(", "))
    }
}

impl std::error::Error for Unknown {}

/// The most characters of a user's text that a message repeats.
const SHOWN: usize = 60;

/// What a message repeats of a user's text, which can have any length.
pub fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// The present name for one that was renamed. Old tokens and commands have the old name; it is not
/// listed.
pub fn current_name<'a>(kind: &str, name: &'a str) -> &'a str {
    match (kind, name) {
        ("protocol", "as-built") => "default-config",
        _ => name,
    }
}

/// Declares an enum whose values have slugs, and their documentation as text.
#[macro_export]
macro_rules! slugs {
    ($(#[$doc:meta])* $Name:ident, $kind:literal,
     $($(#[doc = $about:expr])* $Value:ident = $slug:literal),* $(,)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $Name { $($(#[doc = $about])* $Value),* }

        impl $Name {
            /// All of them, in the order of the tables.
            pub const ALL: &'static [Self] = &[$(Self::$Value),*];

            /// The name that people type and read.
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$Value => $slug),* }
            }

            /// What it means, in a sentence or two.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$Value => concat!($($about),*).trim_ascii()),* }
            }
        }

        impl ::std::fmt::Display for $Name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.slug())
            }
        }

        impl ::std::str::FromStr for $Name {
            type Err = $crate::catalogue::Unknown;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                let name = $crate::catalogue::current_name($kind, name);
                let known = || Self::ALL.iter().map(|value| value.slug());
                Self::ALL.iter().copied().find(|value| value.slug() == name)
                    .ok_or_else(|| $crate::catalogue::Unknown {
                    kind: $kind, name: name.into(), known: known().collect(),
                })
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::{SHOWN, shown};
    use crate::catalogue::Protocol;

    #[test]
    fn a_text_is_cut_only_behind_its_sixtieth_character() {
        for letter in ["a", "\u{e9}", "\u{1f980}"] {
            let whole = letter.repeat(SHOWN);
            assert_eq!(shown(&whole), whole);
            assert_eq!(shown(&letter.repeat(100_000)), whole + "...");
        }
    }

    #[test]
    fn the_old_name_of_a_protocol_is_read_and_not_listed() {
        assert_eq!("as-built".parse(), Ok(Protocol::DefaultConfig));
        assert!(Protocol::ALL.iter().all(|protocol| protocol.slug() != "as-built"));
        let unknown = "as-builts".parse::<Protocol>().expect_err("no protocol has this name");
        assert!(!unknown.known.contains(&"as-built"), "{unknown}");
    }
}
