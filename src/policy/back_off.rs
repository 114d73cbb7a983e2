//! The back-off of a key whose compute failed. The lease table asks it at each acquisition and release.

use crate::clock::{Moment, nanos};
use crate::error::{ConfigError, Error};
use std::time::Duration;

/// Exponential back-off with a cap and jitter.
///
/// After the n-th failure in a row the key backs off for a time between a half and the whole of
/// `initial * 2^(n-1)`, at most `cap`. The time is drawn ("equal jitter", Brooker 2015), so that keys that
/// failed together are not computed again together. A failure an idle time after the end of the last
/// back-off is the first in a row again. So a sweep can remove a slot that remembers only an older failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BackOff {
    initial: u64,
    cap: u64,
    /// How long after its end a back-off is remembered.
    idle: Duration,
}

impl BackOff {
    pub(crate) fn new(
        initial: Duration,
        cap: Duration,
        idle: Duration,
    ) -> Result<Self, ConfigError> {
        if initial > cap {
            return Err(ConfigError::BackOff { initial, cap });
        }
        Ok(Self { initial: nanos(initial), cap: nanos(cap), idle })
    }

    /// Whether the failure no longer matters: its back-off ended so long ago that the next failure would be
    /// the first in a row.
    pub(crate) fn has_forgotten(&self, failure: &Failure, now: Moment) -> bool {
        now >= failure.until.after(self.idle)
    }

    /// The failure to remember, if `before` is remembered and the compute fails again.
    ///
    /// Nothing if no back-off is ever longer than zero.
    pub(crate) fn after(&self, before: Option<&Failure>, failed: &Failed) -> Option<Failure> {
        if self.initial == 0 || self.cap == 0 {
            return None;
        }
        let before = before.filter(|failure| !self.has_forgotten(failure, failed.at));
        let in_a_row = before.map_or(0, |failure| failure.in_a_row).saturating_add(1);
        let doubled = 1_u64.checked_shl(in_a_row - 1).unwrap_or(u64::MAX);
        let most = self.initial.saturating_mul(doubled).min(self.cap);
        let span = most / 2 + (most as f64 / 2.0 * failed.jitter) as u64;
        let until = failed.at.after(Duration::from_nanos(span));
        Some(Failure { error: failed.error.clone(), in_a_row, until, longest: self.cap })
    }
}

/// A compute that has failed.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Failed {
    pub error: Error,
    pub(crate) at: Moment,
    /// In (0, 1].
    pub(crate) jitter: f64,
}

/// What a slot remembers of a key's failures in a row.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// The error of the last one.
    pub(crate) error: Error,
    in_a_row: u32,
    pub(crate) until: Moment,
    longest: u64,
}

/// The reason why a key is not computed.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct BackingOff {
    pub error: Error,
    /// By the clock, the rest of the back-off is longer than any back-off.
    pub(crate) from_the_future: bool,
    /// Which failure it is, of all of the shard.
    pub(crate) number: u64,
}

/// The time, as a request that wants a lease has read it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    now: Moment,
    /// It was read again, since by the first reading the back-off of this failure was from the future.
    again: Option<u64>,
}

impl Reading {
    pub(crate) fn first(now: Moment) -> Self {
        Self { now, again: None }
    }

    pub(crate) fn again(now: Moment, failure: u64) -> Self {
        Self { now, again: Some(failure) }
    }

    pub(crate) fn now(self) -> Moment {
        self.now
    }
}

impl Failure {
    /// Whether the back-off ends later than any back-off that began by `now`.
    pub(crate) fn is_from_the_future(&self, now: Moment) -> bool {
        self.until.since(now) > Duration::from_nanos(self.longest)
    }

    /// Whether the key still backs off.
    ///
    /// The rest of the back-off can be longer than any back-off, for two reasons. The clock has stepped back,
    /// or the request has read it long ago and was descheduled. So the first reading is refused, and the
    /// request reads the clock again. If that says the same of the same failure, the clock has stepped back, and
    /// the back-off is over. A failure that came between the two readings is refused like any other.
    // INVARIANT(failures-back-off): a request that is descheduled after each reading does not pass a newer failure.
    pub(crate) fn holds(&self, number: u64, Reading { now, again }: Reading) -> Option<BackingOff> {
        let from_the_future = self.is_from_the_future(now);
        let stepped_back = from_the_future && again == Some(number);
        let holds = now < self.until && !stepped_back;
        holds.then(|| BackingOff { error: self.error.clone(), from_the_future, number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(back_off: &BackOff, jitter: f64, failures: usize) -> Vec<u64> {
        let mut last: Option<Failure> = None;
        let mut spans = Vec::new();
        for _ in 0..failures {
            let error = Error::Panicked("".into());
            let failed = Failed { error, at: Moment::ORIGIN, jitter };
            let failure = back_off.after(last.as_ref(), &failed).expect("a back-off");
            spans.push(failure.until.as_nanos());
            last = Some(failure);
        }
        spans
    }

    #[test]
    fn a_back_off_doubles_up_to_the_cap() {
        let back_off =
            BackOff::new(Duration::from_nanos(100), Duration::from_nanos(1_000), Duration::MAX);
        let back_off = back_off.expect("the cap is longer");
        assert_eq!(spans(&back_off, 1.0, 6), [100, 200, 400, 800, 1_000, 1_000]);
        assert_eq!(spans(&back_off, 0.5, 2), [75, 150]);
        assert_eq!(spans(&back_off, f64::MIN_POSITIVE, 2), [50, 100]);
    }

    /// A sweep may forget a failure when the next failure does not look at it any more.
    #[test]
    fn a_failure_is_forgotten_an_idle_time_after_its_back_off() {
        let span = Duration::from_nanos(100);
        let back_off = BackOff::new(span, span * 10, span * 3).expect("the cap is longer");
        let failed =
            |nanos| Failed { error: Error::NoRefresh, at: Moment::from_nanos(nanos), jitter: 1.0 };
        let first = back_off.after(None, &failed(0)).expect("a back-off");
        assert_eq!(first.until.as_nanos(), 100);
        for (at, forgotten, until) in [(399, false, 399 + 200), (400, true, 400 + 100)] {
            assert_eq!(back_off.has_forgotten(&first, Moment::from_nanos(at)), forgotten);
            let next = back_off.after(Some(&first), &failed(at)).expect("a back-off");
            assert_eq!(next.until.as_nanos(), until);
        }
    }

    #[test]
    fn many_failures_and_long_spans_do_not_overflow() {
        let longest =
            BackOff::new(Duration::MAX, Duration::MAX, Duration::MAX).expect("equal is allowed");
        assert_eq!(spans(&longest, 1.0, 200).last(), Some(&u64::MAX));
    }

    #[test]
    fn a_clock_that_steps_back_does_not_prolong_a_back_off() {
        let back_off = BackOff::new(Duration::from_secs(1), Duration::from_secs(8), Duration::MAX);
        let back_off = back_off.expect("the cap is longer");
        let error = Error::Panicked("".into());
        let late = Moment::from_nanos(3_600_000_000_000);
        let failed = Failed { error, at: late, jitter: 1.0 };
        let failure = back_off.after(None, &failed).expect("a back-off");
        assert!(failure.holds(1, Reading::first(late)).is_some_and(|it| !it.from_the_future));
        let early = failure.holds(1, Reading::first(Moment::ORIGIN)).expect("read again");
        assert!(early.from_the_future);
        assert!(
            failure.holds(1, Reading::again(Moment::ORIGIN, 1)).is_none(),
            "the clock stepped back"
        );
        // A straggler has read the clock long before the failure, and reads it again.
        assert!(failure.holds(1, Reading::again(late, 1)).is_some());
    }

    #[test]
    fn a_request_that_is_descheduled_after_both_readings_does_not_pass_a_newer_failure() {
        let back_off = BackOff::new(Duration::from_secs(1), Duration::from_secs(8), Duration::MAX);
        let back_off = back_off.expect("the cap is longer");
        let at = Moment::from_nanos(3_600_000_000_000);
        let error = Error::Panicked("".into());
        let newer = back_off.after(None, &Failed { error, at, jitter: 1.0 }).expect("a back-off");
        let between = Reading::again(Moment::from_nanos(1_800_000_000_000), 1);
        assert!(newer.holds(2, between).is_some_and(|it| it.from_the_future));
    }
}
