//! The claims, and what shows what is true of them.

use super::Evidence::{Breaks, Computes, Fact, Holds, Reaches, Times};
use super::{Claim, facts};
use crate::catalogue::Invariant::*;
use crate::catalogue::Protocol::*;
use crate::catalogue::Scenario::*;
use crate::catalogue::Witness;

/// In the order of their numbers.
pub const CLAIMS: &[Claim] = &[
    Claim {
        id: "C1",
        says: "Two re-checks around a per-key lock yield at most one compute per staleness window.",
        verdict: "Proven up to five callers, as long as no compute fails; refuted without these words.",
        because: "After a failure there is one more, and there has to be. The order counts as well: the same two \
                  re-checks around a lock that is free before the value is there are no more than a lock.",
        evidence: &[
            Holds(Field, DoubleRecheck, 5),
            Computes(Field, DoubleRecheck, 5, [1, 1]),
            Computes(Retry, DoubleRecheck, 1, [2, 2]),
            Breaks(Field, ReleaseBeforePublish, 2, OneComputePerWindow),
        ],
    },
    Claim {
        id: "C2",
        says: "Both re-checks are necessary for that.",
        verdict: "Refuted.",
        because: "The re-check under the lock is enough. The one before it saves those who were overtaken the way \
                  to the lock, and nothing else; without the one under the lock everybody may compute.",
        evidence: &[
            Computes(Field, InsideOnly, 5, [1, 1]),
            Breaks(Field, InsideOnly, 2, RefreshedInTimeTakesNoLease),
            Breaks(Field, BeforeOnly, 2, NoWastedCompute),
        ],
    },
    Claim {
        id: "C3",
        says: "The lock alone cuts 100 computes to about 20; with the re-check before it, to about 16.",
        verdict: "Refuted as a bound.",
        because: "These were samples of one machine's scheduler. In the worst case as many compute as ask, with \
                  and without that re-check.",
        evidence: &[
            Computes(Field, NoLock, 5, [1, 5]),
            Computes(Field, LockOnly, 5, [1, 5]),
            Computes(Field, BeforeOnly, 5, [1, 5]),
            Breaks(Field, LockOnly, 2, NoWastedCompute),
        ],
    },
    Claim {
        id: "C3b",
        says: "The step from 20 to 16 is due to the soft cleanup of locks, or due to the re-check before the \
               lock.",
        verdict: "Neither is a step of that size here; of the two the cleanup is the larger by far.",
        because: "Crossed, by chance. A lock that is looked up in one step and taken in another, as in the report, \
                  costs about half as many computes more if its holder removes it than if it is kept, with and \
                  without the re-check; the re-check saves a tenth at most. The report's step is a quarter. Best \
                  is what neither has: look-up and take in one section. No crossing changes the worst case.",
        evidence: &[
            Times(LockOnlyRemoved, LockOnlyKept, [1.3, 1.8]),
            Times(BeforeOnlyRemoved, BeforeOnlyKept, [1.3, 1.8]),
            Times(LockOnlyRemoved, BeforeOnlyRemoved, [1.0, 1.2]),
            Times(LockOnlyKept, BeforeOnlyKept, [1.0, 1.2]),
            Times(LockOnlyKept, LockOnly, [1.2, 1.5]),
            Computes(Field, LockOnlyRemoved, 3, [1, 3]),
            Computes(Field, LockOnlyKept, 3, [1, 3]),
            Computes(Field, BeforeOnlyRemoved, 3, [1, 3]),
            Computes(Field, BeforeOnlyKept, 3, [1, 3]),
        ],
    },
    Claim {
        id: "C4",
        says: "The re-check before the lock does nothing for concurrent requests.",
        verdict: "Refuted, by a little.",
        because: "A request that is overtaken between its look and the lock is concurrent, and goes home by that \
                  re-check without touching a lock. It prevents no compute that the one under the lock would not.",
        evidence: &[
            Reaches(Field, DoubleRecheck, 2, Witness::SkippedBefore, true),
            Breaks(Field, InsideOnly, 2, RefreshedInTimeTakesNoLease),
            Computes(Field, DoubleRecheck, 4, [1, 1]),
            Computes(Field, InsideOnly, 4, [1, 1]),
        ],
    },
    Claim {
        id: "C5",
        says: "0 computes with 73 triggers means that the pattern works \"too well\": every worker skipped.",
        verdict: "Refuted.",
        because: "Where nothing is refused, dropped or backing off, one of the requests that find a stale value \
                  computes, whatever the interleaving. Triggers without a compute are refreshes that never \
                  happened: refused ones, or those of a re-check that takes whatever is there for fresh.",
        evidence: &[
            Computes(Field, DoubleRecheck, 5, [1, 1]),
            Computes(Reject, DoubleRecheck, 3, [0, 0]),
            Computes(Field, AlwaysSkip, 5, [0, 0]),
            Breaks(Field, AlwaysSkip, 2, RefreshMakesProgress),
        ],
    },
    Claim {
        id: "C6",
        says: "A stale hit returns at once. (P99 was 492 ms, with zero lock rejections.)",
        verdict: "Proven up to five callers of a lock that is tried; the report's figures fit one that is waited \
                  for.",
        because: "With a lock that is tried those who come while it is held find it taken, which the report counts \
                  as a rejection; with one that is waited for nobody ever does. Forty-three triggers, no rejection \
                  and a P99 as long as a compute fit the second.",
        evidence: &[
            Holds(Field, DoubleRecheck, 5),
            Reaches(Field, DoubleRecheck, 3, Witness::FoundBusy, true),
            Reaches(Field, WaitOnStale, 3, Witness::FoundBusy, false),
            Reaches(Field, WaitOnStale, 3, Witness::Waited, true),
            Breaks(Field, WaitOnStale, 2, StaleNeverWaits),
        ],
    },
    Claim {
        id: "C7",
        says: "The counters of the certified run are consistent with each other (100 requests, 43 triggers, 99 \
               skipped, 0 rejections, 1 compute).",
        verdict: "Refuted.",
        because: "A trigger ends in one way: it is refused, it skips, or it computes. Counters that count each \
                  step once add up when all are home; a step that is counted twice is found.",
        evidence: &[
            Fact("the certified run's sum (arithmetic)", facts::sums),
            Holds(Counted, DoubleRecheck, 3),
            Breaks(Counted, CountTwice, 2, MetricsBalance),
        ],
    },
    Claim {
        id: "C8",
        says: "Removing a key's lock as soon as it is released causes sequential stampedes.",
        verdict: "Refuted as worded; the removal by key is worse than that.",
        because: "A sequential stampede is what a missing re-check under the lock causes, also where locks are \
                  kept. What ships removes the lock in the section that releases it, and computes once. If it is \
                  removed in a step of its own, who had looked the old lock up takes that, the next one makes a \
                  new one, and two compute at once; what the lock knew of failures is gone as well.",
        evidence: &[
            Computes(Field, LockOnlyKept, 3, [1, 3]),
            Holds(Retry, DoubleRecheck, 3),
            Breaks(Retry, RetireAtRelease, 2, OneInFlight),
            Breaks(Retry, RetireAtRelease, 2, FailuresBackOff),
            Times(LockOnlyRemoved, LockOnlyKept, [1.3, 1.8]),
        ],
    },
    Claim {
        id: "C9",
        says: "Soft cleanup by age (unused for 60 s) is safe.",
        verdict: "Refuted, in both ways.",
        because: "A compute that takes longer than that loses its lock. So does a thread that has looked its lock \
                  up and is descheduled before it takes it, even if what is held is never cleaned up. A sweeper is \
                  safe if it looks whether the lock is held, and if to look a lock up is to take it.",
        evidence: &[
            Breaks(Sweep, SweepByAge, 2, OneInFlight),
            Breaks(Cleanup, SweepIdle, 2, OneInFlight),
            Holds(Cleanup, DoubleRecheck, 3),
            Holds(Sweep, DoubleRecheck, 3),
        ],
    },
    Claim {
        id: "C10",
        says: "The lock may be released by the requesting thread once the worker is queued.",
        verdict: "Refuted.",
        because: "The next request takes it while the refresh is on its way: a second worker computes beside the \
                  first. The lock has to go with the refresh, and be released by whatever becomes of that.",
        evidence: &[
            Breaks(Pool, ReleaseOnQueue, 2, OneComputePerWindow),
            Holds(Pool, DoubleRecheck, 2),
            Holds(Shutdown, DoubleRecheck, 3),
            Breaks(Shutdown, LeaseLeaksOnDrop, 2, ShutdownDrains),
        ],
    },
    Claim {
        id: "C11",
        says: "Efficiency = compute_calls / xfetch_triggers, wanted >= 90 %.",
        verdict: "Refuted: the figure is upside down.",
        because: "It is best where everybody computes, and the better the prevention, the worse it gets. What can \
                  be watched is the share of stale hits that computed, to be low, and that it is never 0.",
        evidence: &[
            Fact("compute calls of each trigger (arithmetic)", facts::efficiencies),
            Computes(Field, NoLock, 4, [1, 4]),
            Computes(Field, DoubleRecheck, 4, [1, 1]),
        ],
    },
    Claim {
        id: "C14",
        says: "A failing or panicking compute changes none of this. (Not considered in the reports.)",
        verdict: "Refuted of the count; proven of the rest, up to three callers.",
        because: "After a failure one more compute is started, never before the back-off ends and never beside \
                  another; the lease is released, on a worker too. An early return that forgets the lease leaves \
                  everybody waiting.",
        evidence: &[
            Computes(Retry, DoubleRecheck, 1, [2, 2]),
            Holds(Retry, DoubleRecheck, 3),
            Holds(Fail, DoubleRecheck, 3),
            Holds(Panic, DoubleRecheck, 3),
            Holds(PoolFail, DoubleRecheck, 3),
            Breaks(Panic, LeaseLeaksOnFailure, 2, NoWaiterLeftBehind),
            Breaks(Fail, NoBackOff, 2, FailuresBackOff),
        ],
    },
    Claim {
        id: "C15",
        says: "60 bytes a lock: 1,000 locks take 60 KB.",
        verdict: "Refuted of this core: a lock at rest takes nothing, and a key that has failed takes more.",
        because: "The slot of a key is gone with its last lease. It stays where there is a failure to remember, \
                  with its back-off and its error, until a sweep after the idle time; the table has room to grow \
                  in that.",
        evidence: &[
            Fact("the lease table after 1,000 keys", facts::bytes_of_a_lock),
            Holds(Field, DoubleRecheck, 3),
            Breaks(Field, NeverRetire, 2, LockTableDrains),
        ],
    },
    Claim {
        id: "C16",
        says: "With payload TTL equal to storage TTL an entry is never STALE, only gone.",
        verdict: "Borne out.",
        because: "The two deadlines are one. It is allowed, and documented: every refresh is a miss that somebody \
                  waits for.",
        evidence: &[Fact("an entry of equal lifetimes", facts::states_with_equal_lifetimes)],
    },
];
