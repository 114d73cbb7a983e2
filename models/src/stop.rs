//! The wish to stop. Every search asks for it before each execution. It is one for the whole process, as a signal is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

static STOP: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// The flag. Once it is set, every search of this process ends, and is incomplete.
pub fn flag() -> Arc<AtomicBool> {
    Arc::clone(&STOP)
}

/// Whether the flag is set.
pub fn is_set() -> bool {
    STOP.load(Ordering::Relaxed)
}
