//! Names that people type and read: each catalogue is an enum whose values have a slug and a sentence.

use std::fmt;

/// A name was asked for that nothing has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// What was to be named: "protocol", "scenario", ...
    pub kind: &'static str,
    /// What was asked for.
    pub name: String,
    /// What there is.
    pub known: Vec<&'static str>,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown {} {:?}; known: {}", self.kind, self.name, self.known.join(", "))
    }
}

impl std::error::Error for Unknown {}

/// An enum whose values have slugs, and their documentation as text.
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
                let known = || Self::ALL.iter().map(|value| value.slug());
                Self::ALL.iter().copied().find(|value| value.slug() == name)
                    .ok_or_else(|| $crate::catalogue::Unknown {
                    kind: $kind, name: name.into(), known: known().collect(),
                })
            }
        }
    };
}
