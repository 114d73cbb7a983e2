//! Reference counts that are explored.
//!
//! `std::sync::Arc` is announced nowhere: who drops the last one, and what `strong_count` returns, is whatever the schedule
//! that is shown makes of it. That is enough for most programs. These are for those that look, or whose values synchronise
//! when they are dropped.
//!
//! A clone or a drop moves both ways for as long as nobody looks: so it is not announced, and costs nothing. The first look
//! at a count, or the first value whose drop announces something, makes the search begin again with this `Arc` on the list
//! of what is looked at, as it does for a mutex that is tried. From then on its clones, drops and looks are sections.
//!
//! An `Arc` of this module cannot become one of `dyn Trait`, nor be the type of a `self`: on stable Rust only std's can.

use crate::operation::{Access, Kind};
use crate::state::{Age, Identity, with};
use std::fmt;
use std::ops::Deref;
use std::sync as real;

/// An operation that matters only to those who look at the count.
#[track_caller]
fn quietly(identity: Identity, kind: Kind, access: Access) {
    let object = identity.object();
    let looked_at = || with(|state| state.learned.tried.contains(&object));
    if identity.age(kind) == Age::Present && looked_at() && identity.announce(kind) {
        with(|state| state.touch(object, access));
    }
}

/// An operation that looks at a count.
#[track_caller]
fn look(identity: Identity, kind: Kind, access: Access) {
    if identity.announce(kind) {
        with(|state| {
            state.discover(identity.object());
            state.touch(identity.object(), access);
        });
    }
}

/// As `std::sync::Arc`.
pub struct Arc<T> {
    identity: Identity,
    /// `None` after it was taken apart.
    inside: Option<real::Arc<T>>,
}

impl<T> Arc<T> {
    /// A value with one owner.
    #[track_caller]
    pub fn new(value: T) -> Self {
        Self { identity: Identity::new(), inside: Some(real::Arc::new(value)) }
    }

    fn inside(&self) -> &real::Arc<T> {
        self.inside.as_ref().expect("an Arc is taken apart only when it is consumed")
    }

    /// The number of owners.
    #[track_caller]
    pub fn strong_count(this: &Self) -> usize {
        look(this.identity, Kind::Load, Access::Read);
        real::Arc::strong_count(this.inside())
    }

    /// The number of [`Weak`]s.
    #[track_caller]
    pub fn weak_count(this: &Self) -> usize {
        look(this.identity, Kind::Load, Access::Read);
        real::Arc::weak_count(this.inside())
    }

    /// The value, if this is the only owner and there is no [`Weak`].
    #[track_caller]
    pub fn get_mut(this: &mut Self) -> Option<&mut T> {
        look(this.identity, Kind::Update, Access::Write);
        this.inside.as_mut().and_then(real::Arc::get_mut)
    }

    /// The value, if this is the only owner.
    ///
    /// # Errors
    ///
    /// The `Arc`, if it is not.
    #[track_caller]
    pub fn try_unwrap(mut this: Self) -> Result<T, Self> {
        look(this.identity, Kind::Update, Access::Write);
        let inside = this.inside.take().expect("an Arc is taken apart only once");
        real::Arc::try_unwrap(inside).map_err(|inside| {
            this.inside = Some(inside);
            this
        })
    }

    /// The value, if this is the last owner.
    #[track_caller]
    pub fn into_inner(mut this: Self) -> Option<T> {
        look(this.identity, Kind::Update, Access::Write);
        let inside = this.inside.take().expect("an Arc is taken apart only once");
        real::Arc::into_inner(inside)
    }

    /// A [`Weak`].
    #[track_caller]
    pub fn downgrade(this: &Self) -> Weak<T> {
        quietly(this.identity, Kind::Add, Access::Add);
        Weak { identity: Some(this.identity), inside: real::Arc::downgrade(this.inside()) }
    }

    /// Whether both have the same value.
    pub fn ptr_eq(this: &Self, other: &Self) -> bool {
        real::Arc::ptr_eq(this.inside(), other.inside())
    }
}

impl<T: Clone> Arc<T> {
    /// The value. If others own it too, or have a [`Weak`], it is cloned first.
    #[track_caller]
    pub fn make_mut(this: &mut Self) -> &mut T {
        look(this.identity, Kind::Update, Access::Write);
        let inside = this.inside.as_mut().expect("an Arc is taken apart only when it is consumed");
        if real::Arc::get_mut(inside).is_none() {
            *this = Self::new(T::clone(&**this));
        }
        let inside = this.inside.as_mut().and_then(real::Arc::get_mut);
        inside.expect("this is the only owner")
    }
}

impl<T> Clone for Arc<T> {
    #[track_caller]
    fn clone(&self) -> Self {
        quietly(self.identity, Kind::Add, Access::Add);
        Self { identity: self.identity, inside: self.inside.clone() }
    }
}

impl<T> Drop for Arc<T> {
    fn drop(&mut self) {
        let Some(inside) = self.inside.take() else { return };
        quietly(self.identity, Kind::Update, Access::Write);
        let before = with(|state| state.announcements);
        drop(inside);
        with(|state| {
            // The value was dropped and did something that others can see. So it matters who was the last.
            if state.is_running() && state.announcements != before {
                state.discover(self.identity.object());
            }
        });
    }
}

impl<T> Deref for Arc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.inside()
    }
}

impl<T> AsRef<T> for Arc<T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T> From<T> for Arc<T> {
    #[track_caller]
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default> Default for Arc<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: fmt::Debug> fmt::Debug for Arc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// As `std::sync::Weak`.
pub struct Weak<T> {
    identity: Option<Identity>,
    inside: real::Weak<T>,
}

impl<T> Weak<T> {
    /// One without a value.
    pub const fn new() -> Self {
        Self { identity: None, inside: real::Weak::new() }
    }

    /// Another owner, if there is one.
    #[track_caller]
    pub fn upgrade(&self) -> Option<Arc<T>> {
        let identity = self.identity?;
        look(identity, Kind::Update, Access::Write);
        self.inside.upgrade().map(|inside| Arc { identity, inside: Some(inside) })
    }
}

impl<T> Clone for Weak<T> {
    #[track_caller]
    fn clone(&self) -> Self {
        if let Some(identity) = self.identity {
            quietly(identity, Kind::Add, Access::Add);
        }
        Self { identity: self.identity, inside: self.inside.clone() }
    }
}

impl<T> Drop for Weak<T> {
    fn drop(&mut self) {
        if let Some(identity) = self.identity {
            quietly(identity, Kind::Update, Access::Write);
        }
    }
}

impl<T> Default for Weak<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Weak<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(Weak)")
    }
}
