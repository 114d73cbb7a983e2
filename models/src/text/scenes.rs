//! The scenarios as data: what there is at the start, who does what, and what goes wrong.

use crate::catalogue::Scenario;
use std::time::Duration;

/// The field report's lifetimes.
pub(super) const PAYLOAD: Duration = Duration::from_secs(5);
pub(super) const STORAGE: Duration = Duration::from_secs(120);

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
    /// Lets this much time pass.
    Tick(Duration),
}

/// What the map has of the key at the start.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    Absent,
    Stale,
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

    pub(super) fn of(scenario: Scenario) -> Self {
        let all_ask = Self {
            before: Before::Stale,
            origin: Origin::Healthy,
            runs_on: On::Caller,
            impatient: false,
            overlaps: false,
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
