//! The event stream and its readers. The protocol and the public face emit events; the readers use the
//! leaves alone.

pub(crate) mod event;
pub(crate) mod metrics;
#[cfg(feature = "tracing")]
pub(crate) mod trace;
