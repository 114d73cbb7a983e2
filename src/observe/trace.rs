//! An observer that tells `tracing`: each event as an event, and each compute as a span. Users plug it in.

use crate::ids::{LeaseId, Version};
use crate::observe::event::{Event, Observer};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::thread_local;
use std::cell::RefCell;
use tracing::field::Empty;
use tracing::span::EnteredSpan;
use tracing::{Level, Span, debug, debug_span, trace, warn};

/// An observer that tells `tracing`, under the target `xfetch`. Computes and the fate of their values are at
/// `debug`, failures and refused refreshes at `warn`, and every other step at `trace`.
///
/// Each event has `key`, the key's hash, and `caller`, a small number for the thread that took the step.
/// It has `lease`, `version` and `saw` (the version that was seen) where there is one. A lease keeps its
/// number from one thread to another: filter by it to follow a lease.
///
/// A compute runs in a span `compute`, at `debug`, with `key`, `lease`, `saw` and `caller`. At its end the
/// span gets the `outcome`: `published`, `discarded` or `failed`. It gets none if an observer, a clock or a
/// key's `Clone` panicked. The compute's own log lines are inside the span.
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
    #[inline]
    fn on(&self, key: u64, event: Event) {
        match event {
            Event::ComputeStarted(lease, saw) => {
                begin((key, lease), saw);
                tell(key, event);
            }
            Event::ComputeFinished(lease, returned) => {
                tell(key, event);
                leave((key, lease), returned);
            }
            Event::Published(lease, _) => {
                end((key, lease), "published");
                tell(key, event);
            }
            Event::Discarded(lease) => {
                end((key, lease), "discarded");
                tell(key, event);
            }
            Event::Released(lease) => {
                abandon((key, lease));
                tell(key, event);
            }
            other => tell(key, other),
        }
    }
}

/// A compute's key and lease. Two caches may both have a lease 1, and compute one inside the other.
type Of = (u64, LeaseId);

/// The spans of a thread's computes.
///
/// Disabled spans are here too: the end of a compute finds its own span, enabled or not.
#[derive(Default)]
struct Computes {
    /// Of computes in flight, outermost first.
    running: Vec<(Of, EnteredSpan)>,
    /// Of computes that have returned a value. Whether it is published is decided next.
    returned: Vec<(Of, Span)>,
}

impl Drop for Computes {
    /// Forgets the spans of computes that ended without an event. The thread is ending: a subscriber that
    /// has lost its thread-locals might panic, and here a panic aborts the process.
    fn drop(&mut self) {
        std::mem::forget((std::mem::take(&mut self.running), std::mem::take(&mut self.returned)));
    }
}

thread_local! {
    static CALLER: u64 = CALLERS.fetch_add(1, Ordering::Relaxed);
    static COMPUTES: RefCell<Computes> = RefCell::default();
}

// ORDERING: the only need is that no two threads get the same number.
static CALLERS: AtomicU64 = AtomicU64::new(1);

/// The number of this thread; 0 if it is ending.
fn caller() -> u64 {
    CALLER.try_with(|caller| *caller).unwrap_or(0)
}

/// `change` must not call a subscriber: a subscriber might ask a cache, and get here again.
fn computes<R>(change: impl FnOnce(&mut Computes) -> R) -> Option<R> {
    COMPUTES.try_with(|computes| change(&mut computes.borrow_mut())).ok()
}

/// A thread that is ending has no thread-locals any more. Its span is left as soon as it is entered.
fn begin(of: Of, saw: Option<Version>) {
    let (key, lease, saw) = (of.0, of.1.get(), saw.map(Version::get));
    let span = debug_span!(
        target: "xfetch", "compute", key, lease, saw, caller = caller(), outcome = Empty
    );
    let entered = span.entered();
    computes(|computes| computes.running.push((of, entered)));
}

fn leave(of: Of, returned: bool) {
    let Some(span) = take_running(of) else { return };
    if returned {
        computes(|computes| computes.returned.push((of, span)));
    } else {
        span.record("outcome", "failed");
    }
}

fn end(of: Of, outcome: &str) {
    if let Some(span) = take_returned(of) {
        span.record("outcome", outcome);
    }
}

/// The lease is released. Its compute may have ended without an event: a clock or a `Clone` panicked.
fn abandon(of: Of) {
    drop(take_returned(of));
    // Without a panic, this is a lease of another cache with the same number, released inside this compute.
    if std::thread::panicking() {
        drop(take_running(of));
    }
}

fn take_returned(of: Of) -> Option<Span> {
    computes(|Computes { returned, .. }| {
        innermost(returned, of).map(|place| returned.remove(place).1)
    })
    .flatten()
}

/// Leaves the compute's span, and before it the spans that were forgotten inside.
fn take_running(of: Of) -> Option<Span> {
    let forgotten_too = |Computes { running, .. }: &mut Computes| {
        innermost(running, of).map(|place| running.split_off(place))
    };
    let spans = computes(forgotten_too).flatten()?;
    spans.into_iter().rev().map(|(_, entered)| entered.exit()).last()
}

fn innermost<S>(spans: &[(Of, S)], of: Of) -> Option<usize> {
    spans.iter().rposition(|(at, _)| *at == of)
}

#[inline]
fn tell(key: u64, event: Event) {
    let (level, step) = described(event);
    // The macros need a level that is known at compile time, and evaluate nothing if it is off.
    macro_rules! with {
        ($at:ident) => {
            $at!(
                target: "xfetch",
                key,
                caller = caller(),
                lease = lease(event),
                version = version(event),
                saw = saw(event),
                "{step}"
            )
        };
    }
    match level {
        Level::WARN => with!(warn),
        Level::DEBUG => with!(debug),
        _ => with!(trace),
    }
}

#[inline]
fn described(event: Event) -> (Level, &'static str) {
    match event {
        Event::Looked(_) => (Level::TRACE, "looked"),
        Event::FreshHit(_) => (Level::TRACE, "fresh hit"),
        Event::StaleHit(_) => (Level::TRACE, "stale hit"),
        Event::Miss => (Level::TRACE, "miss"),
        Event::Nominated(_) => (Level::TRACE, "nominated for an early refresh"),
        Event::StillNeeded => (Level::TRACE, "compute still needed"),
        Event::SkippedBefore(_) => (Level::DEBUG, "skipped before the lease"),
        Event::Leased(_) => (Level::TRACE, "lease acquired"),
        Event::Busy(_) => (Level::TRACE, "lease busy"),
        Event::Waited(_) => (Level::TRACE, "waited for the lease's release"),
        Event::TimedOut(_) => (Level::WARN, "wait timed out"),
        Event::BackingOff => (Level::TRACE, "backing off"),
        Event::Cycle(_) => (Level::WARN, "cycle of leases refused"),
        Event::Revoked(_) => (Level::DEBUG, "lease revoked"),
        Event::TakenOver(_) => (Level::DEBUG, "lease taken over or revoked"),
        Event::SkippedInside(..) => (Level::DEBUG, "skipped under the lease"),
        Event::ComputeStarted(..) => (Level::DEBUG, "compute started"),
        Event::ComputeFinished(_, true) => (Level::DEBUG, "compute returned"),
        Event::ComputeFinished(_, false) => (Level::WARN, "compute failed"),
        Event::Published(..) => (Level::DEBUG, "published"),
        Event::Discarded(_) => (Level::DEBUG, "overtaken, discarded"),
        Event::Released(_) => (Level::TRACE, "lease released"),
        Event::Inserted(_) => (Level::TRACE, "inserted"),
        Event::Invalidated => (Level::TRACE, "invalidated"),
        Event::Cleared => (Level::TRACE, "all keys invalidated"),
        Event::Evicted(_) => (Level::TRACE, "evicted"),
        Event::Swept(_) => (Level::TRACE, "expired, swept"),
        Event::Forgotten => (Level::TRACE, "old failures forgotten"),
        Event::Rejected(_) => (Level::WARN, "refresh rejected"),
        Event::Dropped(_) => (Level::WARN, "refresh dropped before it ran"),
    }
}

fn lease(event: Event) -> Option<u64> {
    match event {
        Event::Leased(lease)
        | Event::Busy(lease)
        | Event::Waited(lease)
        | Event::TimedOut(lease)
        | Event::Cycle(lease)
        | Event::Revoked(lease)
        | Event::TakenOver(lease)
        | Event::SkippedInside(lease, _)
        | Event::ComputeStarted(lease, _)
        | Event::ComputeFinished(lease, _)
        | Event::Published(lease, _)
        | Event::Discarded(lease)
        | Event::Released(lease)
        | Event::Rejected(lease)
        | Event::Dropped(lease) => Some(lease.get()),
        _ => None,
    }
}

fn version(event: Event) -> Option<u64> {
    match event {
        Event::FreshHit(version)
        | Event::StaleHit(version)
        | Event::Nominated(version)
        | Event::SkippedBefore(version)
        | Event::SkippedInside(_, version)
        | Event::Published(_, version)
        | Event::Inserted(version)
        | Event::Evicted(version)
        | Event::Swept(version) => Some(version.get()),
        _ => None,
    }
}

fn saw(event: Event) -> Option<u64> {
    match event {
        Event::Looked(saw) | Event::ComputeStarted(_, saw) => saw.map(Version::get),
        _ => None,
    }
}
