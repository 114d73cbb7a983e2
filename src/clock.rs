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
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Moment {
        C::now(self)
    }
}

impl<C: Clock + ?Sized> Clock for Box<C> {
    fn now(&self) -> Moment {
        C::now(self)
    }
}

/// The machine's monotonic clock, read through `quanta` (about 12 ns, `Instant::now` takes 30).
#[derive(Clone, Debug)]
pub struct SystemClock {
    /// A clock of its own. The one of the process is found through a thread-local, which a thread that is ending does
    /// not have any more: a destructor may ask the cache there.
    clock: quanta::Clock,
    origin: quanta::Instant,
}

impl SystemClock {
    /// A clock whose origin is now.
    pub fn new() -> Self {
        let clock = quanta::Clock::new();
        let origin = clock.now();
        Self { clock, origin }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        Moment::ORIGIN.after(self.clock.now().saturating_duration_since(self.origin))
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
