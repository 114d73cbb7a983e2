//! The backend of Shuttle's primitives.

pub(super) mod backend {
    pub use shuttle::{sync, thread};
}

#[path = "text.rs"]
#[expect(clippy::duplicate_mod, reason = "one text, once per backend")]
pub(super) mod text;
