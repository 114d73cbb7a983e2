//! Thread-locals of tasks: `std::thread_local!`, with one value for each task.

use crate::state::locals::Local;
use crate::state::with;
use std::fmt;
use std::ptr::from_ref;
use std::rc::Rc;

/// Declares a thread-local of tasks, as `std::thread_local!` declares one of threads.
#[macro_export]
macro_rules! thread_local {
    ($($(#[$doc:meta])* $vis:vis static $NAME:ident: $Type:ty = $init:expr;)*) => {$(
        $(#[$doc])*
        $vis static $NAME: $crate::LocalKey<$Type> = $crate::LocalKey::new(|| $init);
    )*};
}

/// A thread-local of tasks.
pub struct LocalKey<T: 'static> {
    init: fn() -> T,
}

impl<T: 'static> LocalKey<T> {
    #[doc(hidden)]
    pub const fn new(init: fn() -> T) -> Self {
        Self { init }
    }

    /// Calls `use_it` with the running task's value.
    ///
    /// # Panics
    ///
    /// If the task is ending and its value was dropped.
    pub fn with<R>(&'static self, use_it: impl FnOnce(&T) -> R) -> R {
        match self.try_with(use_it) {
            Ok(used) => used,
            Err(gone) => panic!("sections: {gone}"),
        }
    }

    /// Calls `use_it` with the running task's value.
    ///
    /// # Errors
    ///
    /// [`AccessError`] if the task is ending and its value was dropped.
    pub fn try_with<R>(&'static self, use_it: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        // A declaration has a function in it, so no two have the same address.
        let declaration = from_ref(self).addr();
        let value = match with(|state| state.local(declaration)) {
            Local::Is(value) => value,
            Local::Gone => return Err(AccessError),
            Local::Unused => {
                let value = Rc::new((self.init)());
                with(|state| state.set_local(declaration, Rc::clone(&value) as Rc<_>));
                value
            }
        };
        match value.downcast_ref() {
            Some(value) => Ok(use_it(value)),
            None => unreachable!("a declaration has values of one type"),
        }
    }
}

impl<T: 'static> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").finish_non_exhaustive()
    }
}

/// The task is ending, and its thread-locals were dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessError;

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task is ending, and its thread-locals were dropped")
    }
}

impl std::error::Error for AccessError {}
