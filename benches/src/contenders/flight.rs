//! `cacheflight`, with its memory backend. Its keys are text, and its values are vectors of bytes.

use super::{Attempt, Contender, Failing, Info, LONG, Names, Revalidate, Terms, Visit, VisitStale};
use crate::keys::VALUE;
use crate::waiting::wait;
use cacheflight::{CacheFlight, Error, HasSwrExpiry, MemoryCache, NoXfetch};
use std::future::ready;
use std::time::Duration;

const INFO: Info =
    Info { name: "cacheflight", package: "cacheflight", clock: "`Instant` and `SystemTime`" };

type Flight = CacheFlight<MemoryCache, HasSwrExpiry, NoXfetch>;

/// How long a request waits for another's compute. By default it is 30 s, and the end of a compute is missed at times.
const PATIENCE: Duration = Duration::from_secs(1);

fn cache(fresh: Duration) -> Flight {
    let cache = CacheFlight::new(MemoryCache::new()).flight_timeout(PATIENCE);
    cache.stale_while_revalidate(fresh, LONG * 2)
}

struct Plain(Flight);

impl Contender for Plain {
    type Key = String;

    fn hit(&self, key: &String) -> u8 {
        let found = wait(self.0.run(key.as_str(), || ready(Ok(VALUE.to_vec()))).into_future());
        found.map_or(0, |found| found.value()[0])
    }

    /// It has no other way in.
    fn insert(&self, key: String) {
        self.invalidate(&key);
        self.hit(&key);
    }

    fn invalidate(&self, key: &String) {
        wait(self.0.invalidate(key)).expect("memory forgets it");
    }
}

pub fn each(visit: &mut impl Visit) {
    visit.visit(INFO, || Plain(cache(LONG)));
}

struct Stale {
    cache: Flight,
    names: Names,
    compute: &'static (dyn Fn(u64) + Sync),
}

impl Revalidate for Stale {
    fn ask(&self, key: u64) -> u8 {
        let compute = self.compute;
        let work = move || {
            compute(key);
            ready(Ok(VALUE.to_vec()))
        };
        let found = wait(self.cache.run(self.names.of(key), work).into_future());
        found.map_or(0, |found| found.value()[0])
    }
}

pub fn each_stale(visit: &mut impl VisitStale) {
    visit.visit(INFO, |Terms { fresh, compute }| Stale {
        cache: cache(fresh),
        names: Names::new(),
        compute,
    });
}

pub fn failing(absent: Attempt, stale: Attempt) -> Failing {
    let of = |attempt: Attempt, cache: Flight| {
        Box::new(move || {
            let work = move || {
                attempt();
                ready(Err(Error::internal("the origin is down")))
            };
            let _ = wait(cache.run("key", work).into_future());
        })
    };
    let kept = cache(Duration::from_millis(1));
    let first = wait(kept.run("key", || ready(Ok(VALUE.to_vec()))).into_future());
    first.expect("the first compute succeeds");
    Failing { info: INFO, absent: of(absent, cache(LONG)), stale: Some(of(stale, kept)) }
}
