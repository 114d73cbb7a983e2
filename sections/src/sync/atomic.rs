//! Atomics. All of them are sequentially consistent, whatever ordering is given.

use crate::operation::{Access, Kind};
use crate::rules::{Rule, on};
use crate::state::{Identity, with};
use std::fmt;
use std::sync::atomic as real;

pub use std::sync::atomic::Ordering;

fn step(kind: Kind, identity: Identity, access: Access) {
    if identity.announce(kind) {
        with(|state| state.touch(identity.object(), access));
    }
}

macro_rules! atomic {
    ($(#[$doc:meta])* $Atomic:ident, $Value:ty) => {
        $(#[$doc])*
        pub struct $Atomic(Identity, real::$Atomic);

        impl $Atomic {
            /// An atomic with this value.
            #[track_caller]
            pub fn new(value: $Value) -> Self {
                Self(Identity::new(), real::$Atomic::new(value))
            }

            /// The value.
            pub fn load(&self, _: Ordering) -> $Value {
                step(Kind::Load, self.0, Access::Read);
                self.1.load(Ordering::SeqCst)
            }

            /// Replaces the value.
            pub fn store(&self, value: $Value, _: Ordering) {
                step(Kind::Store, self.0, Access::Write);
                self.1.store(value, Ordering::SeqCst);
            }

            /// Replaces the value and returns the one before.
            pub fn swap(&self, value: $Value, _: Ordering) -> $Value {
                step(Kind::Update, self.0, Access::Write);
                self.1.swap(value, Ordering::SeqCst)
            }

            /// Replaces the value if it is `current`.
            ///
            /// # Errors
            ///
            /// The present value, if it is another one.
            pub fn compare_exchange(
                &self,
                current: $Value,
                new: $Value,
                _: Ordering,
                _: Ordering,
            ) -> Result<$Value, $Value> {
                step(Kind::Update, self.0, Access::Write);
                self.1.compare_exchange(current, new, Ordering::SeqCst, Ordering::SeqCst)
            }
        }

        /// Without the value: to read it is a section.
        impl fmt::Debug for $Atomic {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($Atomic)).field(&self.0).finish()
            }
        }

        impl Default for $Atomic {
            #[track_caller]
            fn default() -> Self {
                Self::new(Default::default())
            }
        }
    };
}

macro_rules! numbers {
    ($($Atomic:ident, $Value:ty;)*) => {$(
        atomic! {
            #[doc = concat!("A `", stringify!($Value), "` that tasks share.")]
            $Atomic, $Value
        }

        impl $Atomic {
            /// Adds, wrapping around, and returns the value before.
            pub fn fetch_add(&self, value: $Value, _: Ordering) -> $Value {
                let access = if on(Rule::UpdatesAreNotAdditions) { Access::Write } else { Access::Add };
                step(Kind::Update, self.0, access);
                self.1.fetch_add(value, Ordering::SeqCst)
            }

            /// Subtracts, wrapping around, and returns the value before.
            pub fn fetch_sub(&self, value: $Value, _: Ordering) -> $Value {
                step(Kind::Update, self.0, Access::Write);
                self.1.fetch_sub(value, Ordering::SeqCst)
            }

            /// Adds without reading the value, so that two additions commute.
            pub fn add(&self, value: $Value, _: Ordering) {
                step(Kind::Add, self.0, Access::Add);
                self.1.fetch_add(value, Ordering::SeqCst);
            }
        }
    )*};
}

numbers! {
    AtomicU32, u32;
    AtomicU64, u64;
    AtomicUsize, usize;
    AtomicI64, i64;
}

atomic! {
    /// A `bool` that tasks share.
    AtomicBool, bool
}
