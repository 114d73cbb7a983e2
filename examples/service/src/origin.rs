//! Who knows the prices: slow, and not always there.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// The origin has no answer.
#[derive(Debug)]
pub struct Down;

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the origin is down")
    }
}

impl std::error::Error for Down {}

/// Takes 300 ms; each answer is a cent higher. It is down for every symbol that begins with `DOWN`.
pub fn slow(symbol: &str) -> Result<u64, Down> {
    static ANSWERS: AtomicU64 = AtomicU64::new(100);
    thread::sleep(Duration::from_millis(300));
    if symbol.starts_with("DOWN") {
        return Err(Down);
    }
    Ok(ANSWERS.fetch_add(1, Ordering::Relaxed))
}
