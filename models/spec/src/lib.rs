//! One transition table of the protocol, its proof for any number of callers, and executions held against it.

pub mod counters;
pub mod exact;
pub mod induction;
pub mod lang;
pub mod mutate;
pub mod refine;
pub mod smt;
pub mod table;
