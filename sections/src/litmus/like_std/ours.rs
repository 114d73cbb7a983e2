//! The backend of this package's primitives.

pub(super) mod backend {
    pub use crate::std::{sync, thread};
}

#[path = "text.rs"]
pub(super) mod text;
