//! How long a value is fresh, and how long it is kept. Entries and the builder use it.

use crate::clock::Moment;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetimes {
    payload: Duration,
    storage: Duration,
}

impl Lifetimes {
    /// Equal lifetimes are allowed: such an entry is never stale, and goes from fresh to expired.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if `payload` is longer than `storage`.
    pub(crate) fn new(payload: Duration, storage: Duration) -> Result<Self, ConfigError> {
        if payload > storage {
            return Err(ConfigError::PayloadOutlivesStorage { payload, storage });
        }
        Ok(Self { payload, storage })
    }

    /// The payload deadline and the storage deadline of a value that is published at `now`.
    pub(crate) fn deadlines(self, now: Moment) -> (Moment, Moment) {
        (now.after(self.payload), now.after(self.storage))
    }
}
