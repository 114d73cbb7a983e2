//! How often each kind of event came: the counters of `xfetch_core::Metrics`, under their names.

use xfetch_core_shuttle::Snapshot;
use xfetch_vocabulary::history::Event;

macro_rules! counters {
    ($($name:ident),* $(,)?) => {
        /// Counters of a cache. They have the names of `xfetch_core::Snapshot`.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[expect(missing_docs, reason = "`xfetch_core::Snapshot` documents each")]
        pub struct Counts { $(pub $name: u64),* }

        impl Counts {
            /// Each counter with its name.
            pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name)),*].into_iter()
            }

            /// The same counts as the core has them, which defines what is derived of them.
            fn snapshot(&self) -> Snapshot {
                let mut snapshot = Snapshot::default();
                $(snapshot.$name = self.$name;)*
                snapshot
            }

            /// Adds the counts of `other`.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }

            /// What was counted after `before`.
            pub fn since(&self, before: &Self) -> Self {
                Self { $($name: self.$name.saturating_sub(before.$name)),* }
            }
        }
    };
}

counters! {
    hits_fresh, hits_stale, misses, nominated, skipped_before, leased, contended, waited, timed_out, backed_off,
    cycles, rejected, dropped, revoked, taken_over, skipped_inside, computes, failed, published, discarded,
    released, inserted, invalidated, evicted, swept, forgotten,
}

impl Counts {
    /// Counts an event.
    pub fn count(&mut self, event: Event) {
        let counter = match event {
            Event::FreshHit(_) => &mut self.hits_fresh,
            Event::StaleHit(_) => &mut self.hits_stale,
            Event::Miss => &mut self.misses,
            Event::Nominated(_) => {
                self.nominated += 1;
                &mut self.hits_fresh
            }
            Event::SkippedBefore(_) => &mut self.skipped_before,
            Event::Leased(_) => &mut self.leased,
            Event::Busy(_) => &mut self.contended,
            Event::Waited(_) => &mut self.waited,
            Event::TimedOut(_) => &mut self.timed_out,
            Event::BackingOff => &mut self.backed_off,
            Event::Cycle(_) => &mut self.cycles,
            Event::Rejected(_) => &mut self.rejected,
            Event::Dropped(_) => &mut self.dropped,
            Event::Revoked(_) => &mut self.revoked,
            Event::TakenOver(_) => &mut self.taken_over,
            Event::SkippedInside(..) => &mut self.skipped_inside,
            Event::ComputeStarted(..) => &mut self.computes,
            Event::ComputeFinished(_, false) => &mut self.failed,
            Event::Published(..) => &mut self.published,
            Event::Discarded(_) => &mut self.discarded,
            Event::Released(_) => &mut self.released,
            Event::Inserted(_) => &mut self.inserted,
            Event::Invalidated | Event::Cleared => &mut self.invalidated,
            Event::Evicted(_) => &mut self.evicted,
            Event::Swept(_) => &mut self.swept,
            Event::Forgotten => &mut self.forgotten,
            _ => return,
        };
        *counter += 1;
    }

    /// Requests.
    pub fn requests(&self) -> u64 {
        self.snapshot().requests()
    }

    /// Requests whose key needed a compute.
    pub fn triggers(&self) -> u64 {
        self.snapshot().triggers()
    }

    /// The share of the triggers that needed no compute of their own.
    pub fn efficiency(&self) -> Option<f64> {
        self.snapshot().efficiency()
    }
}
