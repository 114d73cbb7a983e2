//! Atomics. All of them are sequentially consistent, whatever ordering is given.

use crate::operation::{Access, Kind};
use crate::rules::{Rule, on};
use crate::state::{Identity, with};
use std::fmt;
use std::sync::atomic as real;

pub use std::sync::atomic::Ordering;

/// Every operation is sequentially consistent already, so a fence adds nothing: it is no section.
pub fn fence(_: Ordering) {}

/// As [`fence`].
pub fn compiler_fence(_: Ordering) {}

/// One operation. If steps are recorded, the values before and after it are kept.
#[track_caller]
fn step<V: fmt::Debug, R>(
    (kind, identity, access): (Kind, Identity, Access),
    value: impl Fn() -> V,
    work: impl FnOnce() -> R,
) -> R {
    if !identity.announce(kind) {
        return work();
    }
    let recording = with(|state| {
        state.touch(identity.object(), access);
        state.recording
    });
    do_it(kind, recording, value, work)
}

/// An exchange. If it fails, it has changed nothing, though the step is a write.
#[track_caller]
fn exchange<V: fmt::Debug, R, E>(
    identity: Identity,
    value: impl Fn() -> V,
    work: impl FnOnce() -> Result<R, E>,
) -> Result<R, E> {
    if !identity.announce(Kind::Update) {
        return work();
    }
    let object = identity.object();
    let (recording, watching) = with(|state| {
        state.touch_perhaps(object, Access::Write);
        (state.recording, state.watching)
    });
    let result = do_it(Kind::Update, recording, value, work);
    if watching {
        let access = if result.is_ok() { Access::Write } else { Access::Read };
        with(|state| state.touched(object, access));
    }
    result
}

fn do_it<V: fmt::Debug, R>(
    kind: Kind,
    recording: bool,
    value: impl Fn() -> V,
    work: impl FnOnce() -> R,
) -> R {
    if !recording {
        return work();
    }
    let before = value();
    let result = work();
    let text = match kind {
        Kind::Load => format!("{before:?}"),
        _ => format!("{before:?} -> {:?}", value()),
    };
    with(|state| state.saw(text));
    result
}

macro_rules! atomic {
    ($(#[$doc:meta])* $Atomic:ident $(<$T:ident>)?, $Value:ty) => {
        $(#[$doc])*
        pub struct $Atomic $(<$T>)? (Identity, real::$Atomic $(<$T>)?);

        impl $(<$T>)? $Atomic $(<$T>)? {
            /// An atomic with this value.
            #[track_caller]
            pub fn new(value: $Value) -> Self {
                Self(Identity::new(), real::$Atomic::new(value))
            }

            #[track_caller]
            fn step<R>(
                &self,
                kind: Kind,
                access: Access,
                work: impl FnOnce(&real::$Atomic $(<$T>)?) -> R,
            ) -> R {
                let value = || self.1.load(Ordering::SeqCst);
                step((kind, self.0, access), value, || work(&self.1))
            }

            /// The value.
            #[track_caller]
            pub fn load(&self, _: Ordering) -> $Value {
                self.step(Kind::Load, Access::Read, |it| it.load(Ordering::SeqCst))
            }

            /// Replaces the value.
            #[track_caller]
            pub fn store(&self, value: $Value, _: Ordering) {
                self.step(Kind::Store, Access::Write, |it| it.store(value, Ordering::SeqCst));
            }

            /// Replaces the value and returns the one before.
            #[track_caller]
            pub fn swap(&self, value: $Value, _: Ordering) -> $Value {
                self.step(Kind::Update, Access::Write, |it| it.swap(value, Ordering::SeqCst))
            }

            /// Replaces the value if it is `current`.
            ///
            /// # Errors
            ///
            /// The present value, if it is another one.
            #[track_caller]
            pub fn compare_exchange(
                &self,
                current: $Value,
                new: $Value,
                _: Ordering,
                _: Ordering,
            ) -> Result<$Value, $Value> {
                let value = || self.1.load(Ordering::SeqCst);
                exchange(self.0, value, || {
                    self.1.compare_exchange(current, new, Ordering::SeqCst, Ordering::SeqCst)
                })
            }

            /// As [`compare_exchange`](Self::compare_exchange): it does not fail without reason.
            ///
            /// # Errors
            ///
            /// The present value, if it is another one.
            #[track_caller]
            pub fn compare_exchange_weak(
                &self,
                current: $Value,
                new: $Value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$Value, $Value> {
                self.compare_exchange(current, new, success, failure)
            }

            /// Replaces the value by `f` of it, if `f` returns one, and returns the value before.
            ///
            /// If `f` announces nothing, this is one operation: attempts that fail have no effect. Otherwise another task
            /// may come in between, and there is a further operation for each attempt to write.
            ///
            /// # Errors
            ///
            /// The present value, if `f` returns nothing.
            #[track_caller]
            pub fn fetch_update(
                &self,
                _: Ordering,
                _: Ordering,
                mut f: impl FnMut($Value) -> Option<$Value>,
            ) -> Result<$Value, $Value> {
                let decisions = || with(|state| state.run.decisions);
                let attempt = |it: &real::$Atomic $(<$T>)?, f: &mut dyn FnMut($Value) -> Option<$Value>| {
                    let before = it.load(Ordering::SeqCst);
                    (before, f(before))
                };
                let (mut before, mut new, mut begun) = self.step(Kind::Update, Access::Write, |it| {
                    let begun = decisions();
                    let (before, new) = attempt(it, &mut f);
                    if let (Some(new), true) = (new, begun == decisions()) {
                        it.store(new, Ordering::SeqCst);
                    }
                    (before, new, begun)
                });
                loop {
                    let Some(wanted) = new else { return Err(before) };
                    if begun == decisions() {
                        return Ok(before);
                    }
                    let exchanged = self.step(Kind::Update, Access::Write, |it| {
                        it.compare_exchange(before, wanted, Ordering::SeqCst, Ordering::SeqCst)
                    });
                    if exchanged.is_ok() {
                        return Ok(before);
                    }
                    // What the failed exchange saw is the value that the next attempt begins with.
                    (before, new) = attempt(&self.1, &mut f);
                    begun = usize::MAX;
                }
            }

            /// As [`fetch_update`](Self::fetch_update).
            ///
            /// # Errors
            ///
            /// The present value, if `f` returns nothing.
            #[track_caller]
            pub fn try_update(
                &self,
                set: Ordering,
                fetch: Ordering,
                f: impl FnMut($Value) -> Option<$Value>,
            ) -> Result<$Value, $Value> {
                self.fetch_update(set, fetch, f)
            }

            /// Replaces the value by `f` of it, and returns the value before. See
            /// [`fetch_update`](Self::fetch_update).
            #[track_caller]
            pub fn update(
                &self,
                set: Ordering,
                fetch: Ordering,
                mut f: impl FnMut($Value) -> $Value,
            ) -> $Value {
                match self.fetch_update(set, fetch, |value| Some(f(value))) {
                    Ok(before) | Err(before) => before,
                }
            }

            /// The value. This is not a section, because no other task has the atomic.
            pub fn get_mut(&mut self) -> &mut $Value {
                self.1.get_mut()
            }

            /// The value. This is not a section, because no other task has the atomic.
            pub fn into_inner(self) -> $Value {
                self.1.into_inner()
            }
        }

        /// Without the value: to read it is a section.
        impl $(<$T>)? fmt::Debug for $Atomic $(<$T>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($Atomic)).field(&self.0).finish()
            }
        }

        impl $(<$T>)? crate::Announced for $Atomic $(<$T>)? {
            fn object(&self) -> crate::Object {
                self.0.object()
            }
        }

        impl $(<$T>)? From<$Value> for $Atomic $(<$T>)? {
            #[track_caller]
            fn from(value: $Value) -> Self {
                Self::new(value)
            }
        }
    };
}

macro_rules! fetch {
    ($Value:ty: $($(#[$doc:meta])* $fetch:ident)*) => {$(
        $(#[$doc])*
        #[track_caller]
        pub fn $fetch(&self, value: $Value, _: Ordering) -> $Value {
            self.step(Kind::Update, Access::Write, |it| it.$fetch(value, Ordering::SeqCst))
        }
    )*};
}

macro_rules! numbers {
    ($($Atomic:ident, $Value:ty;)*) => {$(
        atomic! {
            #[doc = concat!("A `", stringify!($Value), "` that tasks share.")]
            $Atomic, $Value
        }

        impl $Atomic {
            /// Adds, wrapping around, and returns the value before.
            #[track_caller]
            pub fn fetch_add(&self, value: $Value, _: Ordering) -> $Value {
                let access = if on(Rule::UpdatesAreNotAdditions) { Access::Write } else { Access::Add };
                self.step(Kind::Update, access, |it| it.fetch_add(value, Ordering::SeqCst))
            }

            fetch! { $Value:
                /// Subtracts, wrapping around, and returns the value before.
                fetch_sub
                /// Keeps the bits that both have, and returns the value before.
                fetch_and
                /// The complement of the bits that both have. Returns the value before.
                fetch_nand
                /// The bits that one of them has. Returns the value before.
                fetch_or
                /// The bits that exactly one of them has. Returns the value before.
                fetch_xor
                /// The larger of both. Returns the value before.
                fetch_max
                /// The smaller of both. Returns the value before.
                fetch_min
            }

            /// Adds without reading the value, so that two additions commute.
            #[track_caller]
            pub fn add(&self, value: $Value, _: Ordering) {
                self.step(Kind::Add, Access::Add, |it| it.fetch_add(value, Ordering::SeqCst));
            }
        }

        impl Default for $Atomic {
            #[track_caller]
            fn default() -> Self {
                Self::new(0)
            }
        }
    )*};
}

numbers! {
    AtomicU8, u8;
    AtomicU16, u16;
    AtomicU32, u32;
    AtomicU64, u64;
    AtomicUsize, usize;
    AtomicI8, i8;
    AtomicI16, i16;
    AtomicI32, i32;
    AtomicI64, i64;
    AtomicIsize, isize;
}

atomic! {
    /// A `bool` that tasks share.
    AtomicBool, bool
}

impl AtomicBool {
    fetch! { bool:
        /// Both. Returns the value before.
        fetch_and
        /// Not both. Returns the value before.
        fetch_nand
        /// One of them at least. Returns the value before.
        fetch_or
        /// Exactly one of them. Returns the value before.
        fetch_xor
    }

    /// The other value. Returns the value before.
    #[track_caller]
    pub fn fetch_not(&self, _: Ordering) -> bool {
        self.step(Kind::Update, Access::Write, |it| it.fetch_not(Ordering::SeqCst))
    }
}

impl Default for AtomicBool {
    #[track_caller]
    fn default() -> Self {
        Self::new(false)
    }
}

atomic! {
    /// A pointer that tasks share.
    AtomicPtr<T>, *mut T
}

impl<T> Default for AtomicPtr<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(std::ptr::null_mut())
    }
}
