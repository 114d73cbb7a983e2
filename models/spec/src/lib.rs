//! One transition table of the protocol, its proof for any number of callers, and executions held against it.
//!
//! [`table`] has the table: `table.txt`, a text that is held against `src/protocol/` line by line. Everything else reads
//! that one text: the exact search ([`exact`]), the search by counters ([`counters`]), the induction ([`induction`]), the
//! solvers ([`smt`]), the page in TLA+ ([`tla`]) and the replay of executions ([`refine`]). [`mutate`] has mistakes that
//! the proofs have to find, and [`prove`] puts the proofs together.

pub mod counters;
pub mod diagram;
pub mod exact;
pub mod induction;
pub mod lang;
pub mod mutate;
pub mod prove;
pub mod refine;
pub mod smt;
pub mod table;
pub mod tla;
pub mod traces;
