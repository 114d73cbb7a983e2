//! Rules that are pure functions of times, counts and draws. The tables and the protocol use them; they
//! use the leaves alone.

pub(crate) mod back_off;
pub(crate) mod early;
pub(crate) mod lifetimes;
