//! What is done with a panic that was caught. A leaf: every file may use it, and it uses none.

use std::any::Any;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Drops the payload of a panic. If the drop panics too, its payload is leaked.
pub(crate) fn discard<T>(caught: std::thread::Result<T>) {
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(caught)));
    std::mem::forget(dropped);
}

/// Drops values of the user's. A drop that panics stops none of the others, and nobody else: a request must not end by
/// the value of another one, and a second panic while one unwinds would abort the process.
pub(crate) fn drop_each<T>(values: impl IntoIterator<Item = T>) {
    for value in values {
        discard(catch_unwind(AssertUnwindSafe(|| drop(value))));
    }
}

/// Does something if a panic unwinds past it. A second panic would abort the process, and is caught.
pub(crate) struct OnPanic<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> OnPanic<F> {
    pub(crate) fn disarm(self) {
        std::mem::forget(self);
    }
}

impl<F: FnMut()> Drop for OnPanic<F> {
    fn drop(&mut self) {
        discard(catch_unwind(AssertUnwindSafe(|| (self.0)())));
    }
}

/// A value of the user's whose drop is guarded in the same way, whenever it comes.
#[derive(Debug)]
pub(crate) struct Guarded<T>(Option<T>);

impl<T> Guarded<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Some(value))
    }

    pub(crate) fn take(mut self) -> Option<T> {
        self.0.take()
    }
}

impl<T> Deref for Guarded<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.0.as_ref().expect("a value is there until it is taken or dropped")
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        drop_each(self.0.take());
    }
}

/// The text of a panic.
pub(crate) fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
