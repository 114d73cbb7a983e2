//! `amalgam-cache`: its blocking interface. Its keys are text. An eager refresh takes the place of a stale value: it
//! begins at a share of the time to live.

use super::{Attempt, Contender, Failing, Info, LONG, Names, Revalidate, Terms, Visit, VisitStale};
use crate::keys::{VALUE, Value};
use amalgam::{BlockingCache, CacheBuilder, EagerThreshold, EntryOptions, source};
use std::convert::Infallible;
use std::io;
use std::time::Duration;

const INFO: Info = Info { name: "amalgam", package: "amalgam-cache", clock: "`Instant`" };

/// A value is refreshed eagerly after `fresh`, and lives longer than any run.
fn cache(fresh: Duration) -> BlockingCache<Value> {
    let life = LONG * 2;
    let share = EagerThreshold::new((fresh.as_secs_f64() / life.as_secs_f64()) as f32);
    let options = EntryOptions::new(life).with_eager_refresh(share);
    let builder = CacheBuilder::new().default_options(options);
    BlockingCache::from_builder(builder).expect("the configuration is right")
}

fn found(value: amalgam::Result<Value>) -> u8 {
    value.map_or(0, |value| value[0])
}

struct Plain(BlockingCache<Value>);

impl Contender for Plain {
    type Key = String;

    fn hit(&self, key: &String) -> u8 {
        let compute = source::factory(|_| Ok::<_, Infallible>(VALUE));
        found(self.0.get_or_set(key.as_str(), compute).execute())
    }

    fn insert(&self, key: String) {
        self.0.set(key.as_str(), VALUE).execute().expect("memory accepts it");
    }

    fn invalidate(&self, key: &String) {
        self.0.remove(key.as_str()).execute().expect("memory forgets it");
    }
}

pub fn each(visit: &mut impl Visit) {
    visit.visit(INFO, || Plain(cache(LONG)));
}

struct Stale {
    cache: BlockingCache<Value>,
    names: Names,
    compute: &'static (dyn Fn(u64) + Sync),
}

impl Revalidate for Stale {
    fn ask(&self, key: u64) -> u8 {
        let compute = self.compute;
        let work = source::factory(move |_| {
            compute(key);
            Ok::<_, Infallible>(VALUE)
        });
        found(self.cache.get_or_set(self.names.of(key), work).execute())
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
    let of = |attempt: Attempt, cache: BlockingCache<Value>| {
        Box::new(move || {
            let work = source::factory(move |_| {
                attempt();
                Err::<Value, _>(io::Error::other("the origin is down"))
            });
            let _ = cache.get_or_set("key", work).execute();
        })
    };
    let kept = cache(Duration::from_millis(1));
    kept.set("key", VALUE).execute().expect("memory accepts it");
    Failing { info: INFO, absent: of(absent, cache(LONG)), stale: Some(of(stale, kept)) }
}
