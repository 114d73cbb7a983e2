//! The primitives as `std` has them. A port changes `use` lines: `std::sync` or `shuttle::sync` becomes
//! `sections::std::sync`, and so on.
//!
//! What differs:
//!
//! - `new` is no `const fn`, except those of [`Once`](sync::Once), [`OnceLock`](sync::OnceLock) and
//!   [`LazyLock`](sync::LazyLock). An object is named by the task that makes it, so that it has one name in every
//!   execution of a trace. A constant is made by no task. The three named here get their name at their first use, and
//!   that is a conflict with every other such first use: too dear for each mutex and each atomic. So write
//!   `static NAME: LazyLock<Mutex<u32>> = LazyLock::new(|| Mutex::new(0))`, or use
//!   [`lazy_static!`](crate::lazy_static!).
//! - Everything is sequentially consistent, and `compare_exchange_weak`, condition variables and `park` do nothing
//!   without reason.
//! - Time does not pass. A wait with a time-out can time out at any moment, `sleep` is no section.

pub mod hint;
pub mod sync;
pub mod thread;
