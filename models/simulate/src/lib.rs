//! A simulated service: xfetch-core under virtual time, with a seeded scheduler, traffic and faults.
//!
//! A run is one long execution of the shipped code on the primitives of `sections`. Nothing waits in real time: the
//! chooser lets time pass when no task can go on, or earlier. Everything follows from the seed: the plan
//! ([`plan`]), what comes to the service ([`workload`]) and the choices of the scheduler ([`chooser`]). The [`judge`]
//! reads every event.

pub mod case;
pub mod chooser;
pub mod closure;
mod day_clock;
pub mod expiry;
pub mod explain;
pub mod judge;
pub mod plan;
pub mod plot;
pub mod report;
pub mod series;
pub mod shrink;
pub mod text;
pub mod workload;
pub mod world;
