//! Values that are made at their first use.

use super::once::{After, Once};
use crate::state::with;
use std::fmt;
use std::ops::Deref;

/// As `std::sync::OnceLock`. A static is empty again at the beginning of each execution.
///
/// The value of a static is not dropped at the end of an execution, as std's is not at the end of the program. But there
/// are many executions: each of them leaves its value behind in memory. Anything that is not a static drops its value.
pub struct OnceLock<T> {
    once: Once,
    /// The value of the first execution that sets one, and the number of that execution. What is not a static lives in one
    /// execution only, so it finds its value here.
    here: std::sync::OnceLock<(u64, T)>,
}

impl<T> OnceLock<T> {
    /// An empty one.
    pub const fn new() -> Self {
        Self { once: Once::new(), here: std::sync::OnceLock::new() }
    }

    /// The value. This is not a section, because no other task has it.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.here.get_mut().map(|(_, value)| value)
    }

    /// Takes the value out. This is not a section, because no other task has it.
    pub fn take(&mut self) -> Option<T> {
        self.once = Once::new();
        self.here.take().map(|(_, value)| value)
    }

    /// The value. This is not a section, because no other task has it.
    pub fn into_inner(self) -> Option<T> {
        self.here.into_inner().map(|(_, value)| value)
    }
}

impl<T: 'static> OnceLock<T> {
    fn value(&self) -> Option<&T> {
        let execution = with(|state| state.number());
        if let Some((_, value)) = self.here.get().filter(|(of, _)| *of == execution) {
            return Some(value);
        }
        self.once.run().value.get()?.downcast_ref()
    }

    fn keep(&self, value: T) {
        let execution = with(|state| state.number());
        if let Err((_, value)) = self.here.set((execution, value)) {
            self.once.run().value.set(Some(Box::leak(Box::new(value))));
        }
    }

    /// The value, if there is one.
    #[track_caller]
    pub fn get(&self) -> Option<&T> {
        if self.once.is_completed() { self.value() } else { None }
    }

    /// Sets the value. Waits for a task that is about to set it.
    ///
    /// # Errors
    ///
    /// `value`, if there is another one.
    #[track_caller]
    pub fn set(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        self.once.call(true, After::Retry, |_| self.keep(value.take().expect("this runs once")));
        value.map_or(Ok(()), Err)
    }

    /// The value. If there is none, it is made by `init`.
    #[track_caller]
    pub fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
        self.once.call(true, After::Retry, |_| self.keep(init()));
        self.value().expect("a task that knows that there is a value finds it")
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> From<T> for OnceLock<T>
where
    T: 'static,
{
    fn from(value: T) -> Self {
        let cell = Self::new();
        cell.once.call(true, After::Retry, |_| cell.keep(value));
        cell
    }
}

impl<T> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnceLock").finish_non_exhaustive()
    }
}

/// As `std::sync::LazyLock`. A static is made anew in each execution, so `F` can be called more than once. What
/// [`OnceLock`] says of memory holds here too.
pub struct LazyLock<T, F = fn() -> T> {
    value: OnceLock<T>,
    init: F,
}

impl<T, F> LazyLock<T, F> {
    /// A value that `init` makes at the first use.
    pub const fn new(init: F) -> Self {
        Self { value: OnceLock::new(), init }
    }
}

impl<T: 'static, F: Fn() -> T> LazyLock<T, F> {
    /// The value.
    ///
    /// # Panics
    ///
    /// If making it has panicked.
    #[track_caller]
    pub fn force(this: &Self) -> &T {
        this.value.once.call(false, After::Poison, |_| this.value.keep((this.init)()));
        this.value.value().expect("a task that knows that there is a value finds it")
    }
}

impl<T: 'static, F: Fn() -> T> Deref for LazyLock<T, F> {
    type Target = T;

    #[track_caller]
    fn deref(&self) -> &T {
        Self::force(self)
    }
}

impl<T: Default> Default for LazyLock<T> {
    fn default() -> Self {
        Self::new(T::default)
    }
}

impl<T, F> fmt::Debug for LazyLock<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LazyLock").finish_non_exhaustive()
    }
}

/// Declares statics that are made at their first use in each execution, as the crate `lazy_static` does.
#[macro_export]
macro_rules! lazy_static {
    ($($(#[$doc:meta])* $vis:vis static ref $NAME:ident: $Type:ty = $init:expr;)*) => {$(
        $(#[$doc])*
        $vis static $NAME: $crate::std::sync::LazyLock<$Type> =
            $crate::std::sync::LazyLock::new(|| $init);
    )*};
}
