//! The names of everything that the suite explores. Each name has one entry in one place.

mod engines;
mod invariants;
mod protocols;
mod scenarios;
mod slugs;
mod witnesses;

pub use engines::Engine;
pub use invariants::Invariant;
pub use protocols::{Protocol, Step};
pub use scenarios::{Act, Before, MINUTE, On, Origin, PAYLOAD, Roles, STORAGE, Scenario, Setup};
pub use slugs::{Unknown, current_name, shown};
pub use witnesses::Witness;
