//! As `std::hint`.

/// See [`yield_now`](super::thread::yield_now).
pub fn spin_loop() {
    super::thread::yield_now();
}
