//! As the crate `lazy_static`: the macro is [`lazy_static!`](crate::lazy_static!).

use crate::std::sync::LazyLock;

/// Makes the value now, if it was not made.
#[track_caller]
pub fn initialize<T: 'static, F: Fn() -> T>(lazy: &LazyLock<T, F>) {
    LazyLock::force(lazy);
}
