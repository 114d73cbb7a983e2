//! The engines: how interleavings are chosen.

use crate::slugs;

slugs! {
    /// How interleavings are chosen.
    Engine, "engine",
    /// Every interleaving of synchronising operations, one of each equivalence class,
    /// sequentially consistent.
    Sections = "sections",
    /// Every interleaving in the C11 memory model as loom has it, for one to four callers.
    Loom = "loom",
    /// Each choice is uniformly random.
    Random = "random",
    /// Probabilistic concurrency testing, at several depths.
    Pct = "pct",
    /// A uniform random walk: by the estimate of a trial run each interleaving is as likely as
    /// each other.
    Urw = "urw",
    /// Real threads of this machine.
    Threads = "threads",
}

impl Engine {
    /// The fewest and the most callers, and the reason for the limits.
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
