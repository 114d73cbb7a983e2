//! The claims, each with its verdict and its evidence.

use super::Evidence::{Breaks, Computes, Fact, Holds, OneRun, Reaches, Times};
use super::{Claim, Runs, facts, one_run};
use crate::catalogue::Invariant::*;
use crate::catalogue::Protocol::*;
use crate::catalogue::Scenario::*;
use crate::catalogue::Witness;

/// All claims, in the order of their numbers.
pub const CLAIMS: &[Claim] = &[
    Claim {
        id: "C1",
        says: "Two re-checks around a per-key lock yield at most one compute per staleness window.",
        verdict: "Holds in every interleaving of up to five callers (sequentially consistent, one shard, on the caller's thread), as long as no compute fails; refuted without these words.",
        because: "After a failure one more compute starts, and it has to. The order counts as well. Put the same two re-checks around a lock that is free before the value is in the map: then they are no better than a lock alone.",
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
        because: "The re-check under the lock is enough for the count of computes. The re-check before the lock only saves a request that was overtaken the way to the lock. Without the re-check under the lock every caller may compute.",
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
        because: "The report's numbers are samples of one machine's scheduler. In the worst case every caller computes, with and without that re-check (shown for up to five callers).",
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
        verdict: "Neither explains a step of that size here; the cleanup has by far the larger effect.",
        because: "Both were crossed, in samples. A lock that is looked up in one section and taken in another, as in the report, costs about half as many computes more if its holder removes it than if it is kept. That is so with and without the re-check. The re-check saves a tenth at most. The report's step is 1.25 times. What neither of them has is best: look-up and taking in one section. No crossing changes the worst case of three callers.",
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
        verdict: "Refuted, but the effect is small.",
        because: "A request that is overtaken between its look and the lock is concurrent too. That re-check lets it return without touching a lock. It prevents no compute that the re-check under the lock would not prevent.",
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
        verdict: "Refuted, in every interleaving of up to five callers.",
        because: "If no refresh is refused, dropped or backing off, one of the requests that find a stale value computes. Triggers without a compute are refreshes that never happened. Either they were refused, or a re-check took any entry for a fresh one.",
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
        verdict: "Holds in every interleaving of up to five callers in this sense: with a lock that is tried, a stale hit waits for no other request; the report's figures fit a lock that is waited for.",
        because: "With a lock that is tried, a request that comes while the lock is held finds it taken, and the report counts that as a rejection. With a lock that is waited for no request ever finds that. The report has forty-three triggers, no rejection, and a P99 as long as a compute: that fits the second lock. The model runs refreshes on the caller's thread, so the one request that refreshes takes as long as its compute.",
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
        because: "A trigger ends in one way: it is refused, it skips, or it computes. Counters that count each step once add up when all callers have returned (three callers, every interleaving). A step that is counted twice is found.",
        evidence: &[
            Fact("the certified run's sum (arithmetic)", facts::sums),
            Holds(Counted, DoubleRecheck, 3),
            Breaks(Counted, CountTwice, 2, MetricsBalance),
        ],
    },
    Claim {
        id: "C8",
        says: "Removing a key's lock as soon as it is released causes sequential stampedes.",
        verdict: "Refuted as worded; to remove the lock by its key is worse than that.",
        because: "A missing re-check under the lock causes sequential stampedes, also where locks are kept. The shipped code removes the lock in the section that releases it, and computes once. Suppose the removal is a section of its own. Then a request that had looked up the old lock takes the old one, the next request makes a new one, and two compute at once. The lock's memory of failures is lost as well.",
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
        verdict: "Refuted, in two ways.",
        because: "A compute that takes longer than 60 s loses its lock. A thread that has looked up its lock and is descheduled before it takes it loses it too, even if locks that are held are never cleaned up. A sweeper is safe if it spares locks that are held, and if looking a lock up is the same section as taking it (three callers, every interleaving).",
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
        because: "The next request takes the lock while the refresh waits for its thread, and a second worker computes beside the first. The lock has to go with the refresh. It is released when the refresh ends, however it ends.",
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
        because: "It is best where every caller computes, and it gets worse as the prevention gets better. Watch the share of stale hits that computed: it should be low, and never 0.",
        evidence: &[
            Fact("compute calls of each trigger (arithmetic)", facts::efficiencies),
            Computes(Field, NoLock, 4, [1, 4]),
            Computes(Field, DoubleRecheck, 4, [1, 1]),
        ],
    },
    Claim {
        id: one_run::CLAIM,
        says: "One green run of 100 requests gives 99.9 % confidence.",
        verdict: "Refuted.",
        because: "A green run tells of a mistake only as far as the mistake would have made the run red. Most twins never made the report's run red, and no number of green runs excludes a mistake that cannot turn a run red. Even without any lock some runs are green by the report's criteria. How often depends on the scheduler: the lock without re-checks was green in some of the drawn interleavings, and in every round on real threads.",
        evidence: &[
            OneRun("double-recheck in the twins' scenarios", Runs::of_the_shipped_protocol),
            OneRun("the twins in field, by the report's criteria", Runs::in_field_by_the_criteria),
            OneRun("the twins in field, by every invariant", Runs::in_field_by_the_invariants),
            OneRun(
                "always green in both ways, not written for field: 3 callers",
                Runs::unseen_by_any_run,
            ),
            OneRun("no-lock in field, by the report's criteria", Runs::without_any_lock),
            OneRun("each twin where it does harm, by every invariant", Runs::where_they_break),
            OneRun("the same on real threads, measured once", Runs::on_real_threads),
        ],
    },
    Claim {
        id: "C14",
        says: "A failing or panicking compute changes none of this. (Not considered in the reports.)",
        verdict: "Refuted for the count of computes; the rest holds in every interleaving of up to three callers (sequentially consistent, one shard).",
        because: "After a failure one more compute starts. It never starts before the back-off ends, and never beside another compute. The lease is released, on a worker too. An early return that forgets the lease leaves every waiter waiting.",
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
        verdict: "Refuted for this core: a lock at rest takes nothing, and a key that has failed takes more.",
        because: "The slot of a key leaves the table with its last lease. It stays if there is a failure to remember: its back-off and its error. A sweep removes it after the idle time. The measured bytes include the free room of the table.",
        evidence: &[
            Fact("the lease table after 1,000 keys", facts::bytes_of_a_lock),
            Holds(Field, DoubleRecheck, 3),
            Breaks(Field, NeverRetire, 2, LockTableDrains),
        ],
    },
    Claim {
        id: "C16",
        says: "With payload TTL equal to storage TTL an entry is never STALE, only gone.",
        verdict: "Confirmed, on one thread.",
        because: "The two deadlines are the same moment. The cache allows that and documents it: every refresh is a miss that its caller waits for.",
        evidence: &[Fact("an entry of equal lifetimes", facts::states_with_equal_lifetimes)],
    },
];
