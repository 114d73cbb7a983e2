//! The shipped code under load, on real threads and the real clock. No other part of the suite is needed for it, and
//! no scheduler.

pub mod field_test;
pub mod soak;
