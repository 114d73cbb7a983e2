//! The engines: how interleavings are chosen.

use crate::slugs;

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
    /// Uniform random walk: every interleaving as likely as every other, as far as a trial run can tell.
    Urw = "urw",
    /// Real threads of this machine.
    Threads = "threads",
}

impl Engine {
    /// The fewest and the most callers that it can take, and why not more.
    pub const fn callers(self) -> (usize, usize, &'static str) {
        match self {
            Self::Loom => (1, 4, "loom has five threads, and one of them only joins"),
            Self::Sections => (1, 16, "the number of interleavings explodes"),
            Self::Random | Self::Urw => (1, 1_000, "a step costs time with every task that waits"),
            Self::Pct => (2, 1_000, "one caller leaves no choice, and a step costs time with each"),
            Self::Threads => (1, 1_000, "real threads of this machine"),
        }
    }
}
