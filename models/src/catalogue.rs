//! The names of scenarios and protocols: their one home.

use std::fmt;
use std::str::FromStr;

/// Calls `$then!` with every protocol: type, slug, phase of the field report, the report's count of
/// computes, the invariant that it is written to violate, and what it does differently.
macro_rules! for_each_protocol {
    ($then:ident) => {
        $then! {
            NoLock, "no-lock", "1", "100", Some(OneComputePerWindow),
                "a lease that excludes nobody";
            LockOnly, "lock-only", "2", "about 20", Some(NoWastedCompute),
                "neither re-check";
            BeforeOnly, "before-only", "3", "about 16", Some(NoWastedCompute),
                "no re-check under the lease";
            DoubleRecheck, "double-recheck", "4", "1", None,
                "what ships";
            InsideOnly, "inside-only", "", "", None,
                "no re-check before the lease: as safe, but it touches leases in vain";
            ReleaseBeforePublish, "release-before-publish", "", "", Some(OneComputePerWindow),
                "the lease is free before the value is in the map";
            AlwaysSkip, "always-skip", "", "0", Some(AtLeastOneCompute),
                "the re-check under the lease always says that there is nothing to do";
        }
    };
}

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

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.slug())
            }
        }

        impl FromStr for $Name {
            type Err = Unknown;

            fn from_str(name: &str) -> Result<Self, Unknown> {
                let known = || Self::ALL.iter().map(|value| value.slug());
                Self::ALL.iter().copied().find(|value| value.slug() == name).ok_or_else(|| Unknown {
                    kind: $kind, name: name.into(), known: known().collect(),
                })
            }
        }
    };
}

slugs! {
    /// What must stay true. The register with the sentences is `docs/INVARIANTS.md`.
    Invariant, "invariant",
    /// At most one compute is started per staleness window, and one more for each that failed.
    OneComputePerWindow = "one-compute-per-window",
    /// Every compute started saw an entry that still needed it.
    NoWastedCompute = "no-wasted-compute",
    /// A stale key that was asked for has been computed when all is over. The witness of the two
    /// above: a cache that never computes keeps both.
    AtLeastOneCompute = "at-least-one-compute",
    /// No request waits for ever.
    NoDeadlock = "no-deadlock",
    /// No panic of the cache's own.
    NoPanic = "no-panic",
}

slugs! {
    /// What happens to the cache.
    Scenario, "scenario",
    /// The field report's: all callers at once on one stale key.
    Field = "field",
}

slugs! {
    /// How interleavings are chosen.
    Engine, "engine",
    /// All of them at the granularity of synchronising operations, sequentially consistent.
    Sections = "sections",
    /// All of them in the C11 memory model, two to four callers.
    Loom = "loom",
    /// Uniformly random choices.
    Random = "random",
    /// Probabilistic concurrency testing, at several depths.
    Pct = "pct",
    /// Real threads of this machine.
    Threads = "threads",
}

macro_rules! protocol_enum {
    ($($Type:ident, $slug:literal, $phase:literal, $reported:literal, $breaks:expr, $what:literal;)*) => {
        slugs! {
            /// What ships, and its broken twins.
            Protocol, "protocol",
            $(#[doc = $what] $Type = $slug),*
        }

        impl Protocol {
            /// The field report's phase, or nothing.
            pub const fn phase(self) -> &'static str {
                match self { $(Self::$Type => $phase),* }
            }

            /// The field report's count of computes with 100 callers, or nothing.
            pub const fn reported(self) -> &'static str {
                match self { $(Self::$Type => $reported),* }
            }

            /// The invariant that it is written to violate; `None` if it is to keep them all.
            pub const fn breaks(self) -> Option<Invariant> {
                use Invariant::*;
                match self { $(Self::$Type => $breaks),* }
            }
        }
    };
}

for_each_protocol!(protocol_enum);

impl Engine {
    /// The fewest and the most callers that it can take, and why not more.
    pub const fn callers(self) -> (usize, usize, &'static str) {
        match self {
            Self::Loom => (1, 4, "loom has five threads, and one of them only joins"),
            Self::Sections => (1, 16, "the number of interleavings explodes"),
            Self::Random => (1, 1_000, "a step costs time with every task that waits"),
            Self::Pct => (2, 1_000, "one caller leaves no choice, and a step costs time with each"),
            Self::Threads => (1, 1_000, "real threads of this machine"),
        }
    }
}
