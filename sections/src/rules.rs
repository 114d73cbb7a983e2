//! The rules on which soundness rests, so that a test can take each one away.
//!
//! In the crate as users build it every rule holds and [`on`] is a constant. Only this package's own
//! unit tests can switch one off, for one OS thread, and show which litmus notices.

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
    /// A step's footprint has all that it touched, not only what it announced.
    FootprintHasReleases,
    /// Sleepers are woken by the footprint of a step that conflicts with theirs.
    SleepersAreFiltered,
    /// A task that waits for a taken lock is not enabled.
    OwnersAreTracked,
    /// A waiter that was notified does not run before it is chosen.
    WokenWaitersAreChosen,
    /// A lock that anyone tries announces its release.
    TriedLocksAnnounceReleases,
    /// A time-out is a section that is always enabled.
    TimeoutsAreEnabled,
    /// Main takes no part while tasks live.
    MainOnlySpawnsAndJoins,
    /// New tasks run to their first announcement before anybody chooses.
    NewTasksRunFirst,
    /// What a property needs the order of is a section.
    LedgersAreSections,
    /// An update that returns what it found is not an addition.
    UpdatesAreNotAdditions,
    /// An execution that only repeats another one is not counted.
    RedundantIsNotCounted,
    /// What is replayed is compared with what was recorded.
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

/// Runs `test` on this OS thread without `rule`.
#[cfg(test)]
pub(crate) fn without<R>(rule: Option<Rule>, test: impl FnOnce() -> R) -> R {
    let before = OFF.replace(rule);
    let result = test();
    OFF.set(before);
    result
}

/// The rule that is off here, for a worker that has to do the same.
#[cfg(test)]
pub(crate) fn off() -> Option<Rule> {
    OFF.get()
}
