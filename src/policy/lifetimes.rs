//! How long a value is fresh, and how long it is kept. Entries and the builder use it.

use crate::clock::{Moment, nanos};
use crate::error::ConfigError;
use std::time::Duration;

/// How far an entry has got in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Freshness {
    /// Before its payload deadline: served as it is.
    Fresh,
    /// Between its two deadlines: served, and refreshed.
    Stale,
    /// At or past its storage deadline: never served.
    Expired,
}

/// How long an entry is fresh (`payload`) and how long it is kept (`storage`), both from the moment
/// of its publication.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Lifetimes {
    payload: Duration,
    storage: Duration,
    /// The largest share of the payload TTL by which an entry's own is shorter.
    jitter: f64,
}

impl Lifetimes {
    /// Equal lifetimes are allowed: such an entry is never stale, and goes from fresh to expired.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if `payload` is longer than `storage`, or `jitter` is outside its limits.
    pub(crate) fn new(
        payload: Duration,
        storage: Duration,
        jitter: f64,
    ) -> Result<Self, ConfigError> {
        if payload > storage {
            return Err(ConfigError::PayloadOutlivesStorage { payload, storage });
        }
        if !(0.0..=1.0).contains(&jitter) {
            return Err(ConfigError::Jitter { jitter });
        }
        Ok(Self { payload, storage, jitter })
    }

    /// The lifetimes of one entry. `draw` gives a number in (0, 1], and is called only if there is a jitter.
    pub(crate) fn drawn(self, draw: impl FnOnce() -> f64) -> Self {
        if self.jitter == 0.0 {
            return self;
        }
        let whole = nanos(self.payload);
        let less = (whole as f64 * self.jitter * draw()) as u64;
        Self { payload: Duration::from_nanos(whole.saturating_sub(less)), ..self }
    }

    /// How far behind the time may be by which a look has found a value stale. The coarse time is enough only if it says so
    /// however far it is behind. So if no value lives that long, the look has read the precise time.
    pub(crate) fn behind(&self, lag: Duration) -> Duration {
        if self.storage > lag { lag } else { Duration::ZERO }
    }

    /// The payload deadline and the storage deadline of a value that is published at `now`.
    pub(crate) fn deadlines(self, now: Moment) -> (Moment, Moment) {
        (now.after(self.payload), now.after(self.storage))
    }
}
