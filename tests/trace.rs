//! What `tracing` is told of one stale key: a life of a lease, by its number.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;
use xfetch_core::{Cache, CallerRuns, ManualClock, Metrics, Trace};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[test]
fn a_lease_can_be_followed_through_its_life() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(lines.clone())
        .without_time()
        .with_ansi(false)
        .finish();
    let metrics = Arc::new(Metrics::new());
    tracing::subscriber::with_default(subscriber, || {
        let clock = ManualClock::new();
        let cache = Cache::builder(Duration::from_secs(5), Duration::from_secs(120))
            .clock(clock.clone())
            .shards(1)
            .executor(CallerRuns)
            .observer((Trace, Arc::clone(&metrics)))
            .build()
            .expect("valid");
        cache.insert("k", 1);
        clock.advance(Duration::from_secs(5));
        drop(cache.get_or_compute(&"k", |_| 2));
    });
    let text = String::from_utf8(lines.0.lock().expect("no panic").clone()).expect("text");
    let told: Vec<_> = text.lines().filter(|line| line.contains("lease=1")).collect();
    assert_eq!(told.len(), 3, "started, returned, published: {text}");
    assert!(told[0].contains("compute started") && told[0].contains("saw=1"), "{}", told[0]);
    assert!(told[2].contains("published") && told[2].contains("version=2"), "{}", told[2]);
    assert_eq!(metrics.snapshot().computes, 1, "two observers read one stream");
}
