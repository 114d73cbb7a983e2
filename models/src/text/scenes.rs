//! The scenarios as data: what there is at the start, who does what, and what goes wrong.

use crate::catalogue::{Protocol, Scenario};
use std::time::Duration;

/// The field report's lifetimes.
pub(super) const PAYLOAD: Duration = Duration::from_secs(5);
pub(super) const STORAGE: Duration = Duration::from_secs(120);
/// And how long a lock has to be idle there until it is cleaned up.
pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// What a caller does, one thing after the other.
#[derive(Clone, Copy)]
pub(super) enum Act {
    /// Asks for the key.
    Request,
    /// Asks for the first key; its compute asks for the second.
    Nested(u64, u64),
    Invalidate,
    InvalidateAll,
    Insert,
    /// Asks for the key next to the one that everybody asks for.
    Other,
    Sweep,
    /// Shuts the pool down, dropping the refreshes that wait.
    ShutDown,
    /// Lets this much time pass.
    Tick(Duration),
}

/// What the map has of the key at the start.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    Absent,
    Stale,
    /// Stale, and so is the key next to it.
    BothStale,
    /// Computed just now, in a tenth of the payload TTL: with a draw of nearly 0 every request
    /// nominates it.
    Fresh,
}

/// What the origin does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Healthy,
    Fails,
    Panics,
    /// The first time only.
    FailsOnce,
}

/// Where refreshes run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
    Caller,
    /// A pool, which is shut down when all callers are home.
    Pool,
    /// Nowhere: every job is refused.
    Nothing,
}

pub(super) struct Scene {
    pub(super) before: Before,
    pub(super) origin: Origin,
    pub(super) runs_on: On,
    /// Whether a miss may lose its patience, at any moment.
    pub(super) impatient: bool,
    /// Whether the beginnings and ends of computes are sections.
    pub(super) overlaps: bool,
    /// The most keys.
    pub(super) capacity: usize,
    /// The threads of a pool.
    pub(super) workers: usize,
    /// The parts of the store: one, so that every key meets every other.
    pub(super) shards: usize,
    /// Whether there are counters.
    pub(super) counted: bool,
    /// What the caller with this number does; they count from 0.
    pub(super) role: fn(usize) -> &'static [Act],
}

impl Scene {
    /// Whether somebody moves the clock while others run: a compute that takes time, or a caller.
    pub(super) fn ticks(&self, callers: usize) -> bool {
        let acts = |caller| (self.role)(caller).iter();
        self.before == Before::Fresh
            || (0..callers).flat_map(acts).any(|act| matches!(act, Act::Tick(_)))
    }

    /// The scene of a scenario. As built it is on the executor and the shards that a cache has unless told
    /// otherwise.
    pub(super) fn played(scenario: Scenario, protocol: Protocol) -> Self {
        let scene = Self { workers: scenario.workers(protocol), ..Self::of(scenario) };
        match scene.runs_on {
            _ if protocol != Protocol::AsBuilt => scene,
            On::Caller => Self { runs_on: On::Pool, shards: 16, ..scene },
            On::Pool | On::Nothing => Self { shards: 16, ..scene },
        }
    }

    fn of(scenario: Scenario) -> Self {
        let all_ask = Self {
            before: Before::Stale,
            origin: Origin::Healthy,
            runs_on: On::Caller,
            impatient: false,
            overlaps: false,
            capacity: usize::MAX,
            workers: 0,
            shards: 1,
            counted: false,
            role: |_| &[Act::Request],
        };
        match scenario {
            Scenario::Field => all_ask,
            Scenario::Pool => Self { runs_on: On::Pool, ..all_ask },
            Scenario::PoolFail => Self { runs_on: On::Pool, origin: Origin::Panics, ..all_ask },
            Scenario::Reject => Self { runs_on: On::Nothing, ..all_ask },
            Scenario::Overlap => Self { overlaps: true, ..all_ask },
            Scenario::Miss => Self { before: Before::Absent, ..all_ask },
            Scenario::MissOverlap => Self { before: Before::Absent, overlaps: true, ..all_ask },
            Scenario::Impatient => Self { before: Before::Absent, impatient: true, ..all_ask },
            Scenario::Fail => Self { origin: Origin::Fails, ..all_ask },
            Scenario::MissFail => {
                Self { before: Before::Absent, origin: Origin::FailsOnce, ..all_ask }
            }
            Scenario::Panic => Self { before: Before::Absent, origin: Origin::Panics, ..all_ask },
            Scenario::Invalidate => Self {
                role: |caller| {
                    if caller == 0 { &[Act::Invalidate, Act::Request] } else { &[Act::Request] }
                },
                overlaps: true,
                ..all_ask
            },
            Scenario::InvalidateAbsent => {
                Self { before: Before::Absent, ..Self::of(Scenario::Invalidate) }
            }
            Scenario::InvalidateAll => Self {
                before: Before::Absent,
                role: |caller| {
                    if caller == 0 { &[Act::InvalidateAll, Act::Request] } else { &[Act::Request] }
                },
                overlaps: true,
                ..all_ask
            },
            Scenario::Insert => Self {
                role: |caller| {
                    if caller == 0 { &[Act::Insert, Act::Request] } else { &[Act::Request] }
                },
                overlaps: true,
                ..all_ask
            },
            Scenario::Straggler => Self {
                role: |caller| match caller {
                    0 => &[Act::Request, Act::Tick(PAYLOAD), Act::Request],
                    _ => &[Act::Request],
                },
                ..all_ask
            },
            Scenario::Expire => Self {
                role: |caller| match caller {
                    0 => &[Act::Tick(STORAGE), Act::Request],
                    _ => &[Act::Request],
                },
                ..all_ask
            },
            Scenario::Nominate => Self { before: Before::Fresh, ..all_ask },
            Scenario::Sweep => Self {
                origin: Origin::FailsOnce,
                role: |caller| match caller {
                    0 => &[Act::Tick(STORAGE), Act::Sweep, Act::Request],
                    _ => &[Act::Request],
                },
                overlaps: true,
                ..all_ask
            },
            Scenario::Cleanup => Self {
                role: |caller| match caller {
                    0 => &[Act::Tick(MINUTE), Act::Sweep, Act::Request],
                    _ => &[Act::Request],
                },
                overlaps: true,
                ..all_ask
            },
            Scenario::Retry => Self {
                origin: Origin::FailsOnce,
                role: |caller| match caller {
                    0 => &[Act::Request, Act::Tick(PAYLOAD), Act::Request],
                    _ => &[Act::Request],
                },
                overlaps: true,
                ..all_ask
            },
            Scenario::Crowd => Self {
                capacity: 1,
                role: |caller| if caller % 2 == 0 { &[Act::Request] } else { &[Act::Other] },
                ..all_ask
            },
            Scenario::Shutdown => Self {
                runs_on: On::Pool,
                role: |caller| match caller {
                    0 => &[Act::Request, Act::ShutDown],
                    _ => &[Act::Request],
                },
                ..all_ask
            },
            Scenario::Queue => Self {
                runs_on: On::Pool,
                role: |caller| match caller {
                    0 => &[Act::Request, Act::Invalidate],
                    _ => &[Act::Request],
                },
                ..all_ask
            },
            Scenario::Nested => Self {
                before: Before::BothStale,
                runs_on: On::Pool,
                role: |caller| match caller {
                    0 => &[Act::Nested(8, 7)],
                    1 => &[Act::Request, Act::Invalidate],
                    _ => &[Act::Other],
                },
                ..all_ask
            },
            Scenario::Counted => Self { counted: true, ..all_ask },
            Scenario::Cycle => Self {
                before: Before::Absent,
                role: |caller| match caller {
                    0 => &[Act::Nested(7, 8)],
                    1 => &[Act::Nested(8, 7)],
                    _ => &[Act::Request],
                },
                ..all_ask
            },
        }
    }
}
