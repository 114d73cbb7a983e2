//! The event stream as `tracing` events.

use crate::event::{Event, Observer};
use tracing::{debug, trace, warn};

/// An observer that tells `tracing`, under the target `xfetch`: computes, publications, discards,
/// rejections and failures at `debug` and `warn`, every other step at `trace`.
///
/// Each event has `key`, the key's hash, and where there is one `lease` and `version`, which are the
/// same numbers all along: who follows a lease through its life filters by it.
///
/// ```
/// use std::time::Duration;
/// use xfetch_core::{Cache, Trace};
///
/// let builder = Cache::<String, u32>::builder(Duration::from_secs(5), Duration::from_secs(120));
/// assert!(builder.observer(Trace).build().is_ok());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Trace;

impl Observer for Trace {
    fn on(&self, key: u64, event: Event) {
        match event {
            Event::ComputeStarted(lease, saw) => {
                let saw = saw.map(|version| version.get());
                debug!(target: "xfetch", key, lease = lease.get(), saw, "compute started");
            }
            Event::ComputeFinished(lease, true) => {
                debug!(target: "xfetch", key, lease = lease.get(), "compute returned");
            }
            Event::ComputeFinished(lease, false) => {
                warn!(target: "xfetch", key, lease = lease.get(), "compute failed");
            }
            Event::Published(lease, version) => {
                let (lease, version) = (lease.get(), version.get());
                debug!(target: "xfetch", key, lease, version, "published");
            }
            Event::Discarded(lease) => {
                debug!(target: "xfetch", key, lease = lease.get(), "overtaken, discarded");
            }
            Event::Rejected(lease) => {
                warn!(target: "xfetch", key, lease = lease.get(), "refresh rejected");
            }
            Event::Cycle(lease) => {
                warn!(target: "xfetch", key, lease = lease.get(), "cycle of leases refused");
            }
            Event::TimedOut(lease) => {
                warn!(target: "xfetch", key, lease = lease.get(), "wait timed out");
            }
            Event::SkippedBefore(version) => {
                debug!(target: "xfetch", key, version = version.get(), "skipped before the lease");
            }
            Event::SkippedInside(lease, version) => {
                let (lease, version) = (lease.get(), version.get());
                debug!(target: "xfetch", key, lease, version, "skipped under the lease");
            }
            other => trace!(target: "xfetch", key, event = ?other),
        }
    }
}
