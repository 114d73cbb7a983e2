//! One transition table of the protocol, its proof for any number of callers, and executions held against it.

pub mod exact;
pub mod lang;
pub mod table;
