//! The rules on which soundness rests. A test can switch each one off.
//!
//! For users every rule holds, and [`on`] is a constant. Only this package's own unit tests can switch
//! a rule off, for one OS thread, to show which test notices.

macro_rules! rules {
    ($($(#[$doc:meta])* $Rule:ident,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Rule { $($(#[$doc])* $Rule),* }

        impl Rule {
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$Rule),*];
        }
    };
}

rules! {
    /// A step's footprint has everything that the step touched, not only what it announced.
    FootprintHasReleases,
    /// A sleeping task is woken by a step whose footprint conflicts with its own.
    SleepersAreFiltered,
    /// A task that waits for a held lock is not enabled.
    OwnersAreTracked,
    /// A notified waiter does not run before the scheduler chooses it.
    WokenWaitersAreChosen,
    /// A lock that some task tries announces its release.
    TriedLocksAnnounceReleases,
    /// A time-out is a section that is always enabled.
    TimeoutsAreEnabled,
    /// Main takes part in decisions if it does more than spawn and join while there are tasks.
    MainOnlySpawnsAndJoins,
    /// New tasks run to their first announcement before the next decision.
    NewTasksRunFirst,
    /// A write to a ledger is a section.
    LedgersAreSections,
    /// An update that returns the old value is not an addition.
    UpdatesAreNotAdditions,
    /// A race asks for the other order.
    RacesAsk,
    /// A task that waits for a lock asks whoever held it.
    HoldersAreAsked,
    /// A task that waits for a notification asks for the order in which it gets one.
    MissedWakeUpsAsk,
    /// A release before a wait asks for the order in which it comes before a broadcast.
    ReleasesBeforeWaitsAsk,
    /// The second step of a race comes first only if it commutes with the way to the other order.
    SecondStepsCommute,
    /// Tasks that are alike are swapped only where they have done alike.
    SwapsAreChecked,
    /// An execution that repeats another one is not counted.
    RedundantIsNotCounted,
    /// A replay is compared with the recorded execution.
    ReplaysAreCompared,
}

#[cfg(not(test))]
pub(crate) const fn on(_rule: Rule) -> bool {
    true
}

#[cfg(test)]
thread_local! {
    static OFF: std::cell::Cell<Option<Rule>> = const { std::cell::Cell::new(None) };
}

#[cfg(test)]
pub(crate) fn on(rule: Rule) -> bool {
    OFF.get() != Some(rule)
}

/// Runs `test` on this OS thread with `rule` switched off.
#[cfg(test)]
pub(crate) fn without<R>(rule: Option<Rule>, test: impl FnOnce() -> R) -> R {
    let before = OFF.replace(rule);
    let result = test();
    OFF.set(before);
    result
}

/// The rule that is switched off on this OS thread, so that a worker can do the same.
#[cfg(test)]
pub(crate) fn off() -> Option<Rule> {
    OFF.get()
}
