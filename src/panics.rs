//! What is done with a panic that was caught. A leaf: every file may use it, and it uses none.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Drops the payload of a panic. If the drop panics too, its payload is leaked.
pub(crate) fn discard<T>(caught: std::thread::Result<T>) {
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(caught)));
    std::mem::forget(dropped);
}

/// The text of a panic.
pub(crate) fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
