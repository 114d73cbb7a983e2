//! Time: nanoseconds since an origin of the clock's own. A leaf: every file may use it, and it uses `sync/`.

use crate::sync::Arc;
use crate::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A point in time: nanoseconds since the origin of the [`Clock`] that read it.
///
/// Arithmetic saturates: no clock reaches a deadline after the end of time (584 years).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// The origin of every clock.
    pub const ORIGIN: Self = Self(0);
    /// A moment that no clock reaches.
    pub const NEVER: Self = Self(u64::MAX);

    /// The moment `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// This moment and `span` more, or [`Moment::NEVER`].
    pub const fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }

    /// This moment and `span` less, or [`Moment::ORIGIN`].
    pub(crate) const fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(span)))
    }

    /// The nanoseconds from `earlier` to this moment. Zero if `earlier` is not earlier. A `Duration` would cost a hit
    /// a division.
    #[inline]
    pub(crate) const fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The time from `earlier` to this moment. Zero if `earlier` is not earlier.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The nanoseconds of `span`, at most `u64::MAX`.
pub(crate) const fn nanos(span: Duration) -> u64 {
    let nanos = span.as_nanos();
    if nanos > u64::MAX as u128 { u64::MAX } else { nanos as u64 }
}

/// A source of time. It should not run backwards. If it does, each step prolongs a lifetime by as much as it
/// stepped back. After a larger step than its payload TTL an entry is stale, and after a larger step than
/// its storage TTL it is expired.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Moment;

    /// The time now or a little before, at less cost than [`now`](Self::now); never ahead of it. A look reads this first. It
    /// reads the precise time too where the difference could change its answer, and for an absent key.
    ///
    /// A clock that has no such time returns `now`.
    fn coarse(&self) -> Moment {
        self.now()
    }

    /// How far [`coarse`](Self::coarse) may be behind [`now`](Self::now): at most this long, at every moment. Zero means
    /// that the two are the same reading. The cache asks once, when it is built.
    fn lag(&self) -> Duration {
        Duration::ZERO
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Moment {
        C::now(self)
    }

    fn coarse(&self) -> Moment {
        C::coarse(self)
    }

    fn lag(&self) -> Duration {
        C::lag(self)
    }
}

impl<C: Clock + ?Sized> Clock for Box<C> {
    fn now(&self) -> Moment {
        C::now(self)
    }

    fn coarse(&self) -> Moment {
        C::coarse(self)
    }

    fn lag(&self) -> Duration {
        C::lag(self)
    }
}

/// The machine's monotonic clock.
///
/// On Linux and Android its [`coarse`](Clock::coarse) time is the kernel's: a load of the time of the last tick of the
/// kernel, in 3 ns instead of 20 or more. Both are readings of one clock, so that they never drift apart. Its
/// lag is 16 ticks of the kernel, 64 ms at 250 ticks a second. If the kernel is later, a value may be served past its
/// deadline by the excess. On other systems both times are [`std::time::Instant`].
#[derive(Clone, Debug)]
pub struct SystemClock {
    origin: system::Reading,
}

impl SystemClock {
    /// A clock whose origin is now.
    pub fn new() -> Self {
        Self { origin: system::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        Moment(system::since(system::now(), self.origin))
    }

    #[inline]
    fn coarse(&self) -> Moment {
        Moment(system::since(system::coarse(), self.origin))
    }

    fn lag(&self) -> Duration {
        system::lag()
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};
    use std::time::Duration;

    /// Nanoseconds of the kernel's monotonic clock.
    pub(super) type Reading = u64;

    /// The kernel notes the coarse time at each of its ticks. A tick comes late while interrupts are off, or while a
    /// hypervisor holds up the processor that keeps the time. This many ticks, 64 ms at 250 Hz, are longer than either
    /// should last. If one lasts longer, a value may be served past its deadline by the rest.
    const TICKS: u32 = 16;

    fn nanos(time: Timespec) -> u64 {
        (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
    }

    pub(super) fn now() -> Reading {
        nanos(clock_gettime(ClockId::Monotonic))
    }

    #[inline]
    pub(super) fn coarse() -> Reading {
        nanos(clock_gettime(ClockId::MonotonicCoarse))
    }

    pub(super) fn since(later: Reading, earlier: Reading) -> u64 {
        later.saturating_sub(earlier)
    }

    pub(super) fn lag() -> Duration {
        Duration::from_nanos(nanos(clock_getres(ClockId::MonotonicCoarse))) * TICKS
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use crate::clock::nanos;
    use std::time::{Duration, Instant};

    pub(super) type Reading = Instant;

    pub(super) fn now() -> Reading {
        Instant::now()
    }

    pub(super) fn coarse() -> Reading {
        now()
    }

    pub(super) fn since(later: Reading, earlier: Reading) -> u64 {
        nanos(later.saturating_duration_since(earlier))
    }

    pub(super) fn lag() -> Duration {
        Duration::ZERO
    }
}

/// A clock that a program moves. Clones share their time.
///
/// ```
/// use std::time::Duration;
/// use xfetch_core::{Clock, ManualClock, Moment};
///
/// let clock = ManualClock::new();
/// clock.advance(Duration::from_secs(5));
/// assert_eq!(clock.now(), Moment::ORIGIN.after(Duration::from_secs(5)));
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// A clock that stands at its origin.
    pub fn new() -> Self {
        Self(Arc::new(AtomicU64::new(0)))
    }

    /// Moves the time on by `span`, at most to the end of time.
    pub fn advance(&self, span: Duration) {
        // ORDERING: the time publishes nothing but itself. A thread that has to see it is synchronised by
        // the message that the time has moved.
        let mut now = self.0.load(Ordering::Relaxed);
        while let Err(moved) = self.0.compare_exchange(
            now,
            now.saturating_add(nanos(span)),
            Ordering::Relaxed,
            Ordering::Relaxed,
        ) {
            now = moved;
        }
    }

    /// Sets the time, backwards if need be.
    pub fn set(&self, now: Moment) {
        // ORDERING: as in `advance`.
        self.0.store(now.as_nanos(), Ordering::Relaxed);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        // ORDERING: as in `advance`.
        Moment::from_nanos(self.0.load(Ordering::Relaxed))
    }
}
