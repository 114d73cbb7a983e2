//! The field scenario as an abstract program: a few integers, no locks, no scheduler, no core.
//!
//! The counts of the engine are compared with it. Each caller is a program counter. Each step reads or
//! writes the map or the lease table.
//!
//! `paths` counts the interleavings by running all of them. `traces` counts their classes: two
//! interleavings belong to one class if swaps of neighbours that do not conflict lead from one to the
//! other (Mazurkiewicz). Of each class it counts the first in the lexicographic order of callers. So it
//! refuses a step that conflicts with none of the steps directly before it, if one of these belongs to
//! a later caller (Anisimov and Knuth 1979).

use xfetch_models::catalogue::Protocol;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Touch {
    ReadMap,
    WriteMap,
    Leases,
    /// The lease table of this caller alone.
    Own(usize),
}

impl Touch {
    fn conflicts_with(self, other: Self) -> bool {
        match (self, other) {
            (Self::ReadMap, Self::ReadMap) => false,
            (Self::ReadMap | Self::WriteMap, Self::ReadMap | Self::WriteMap) => true,
            _ => self == other,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Look,
    RecheckBefore,
    Acquire,
    RecheckInside,
    Publish,
    Release,
    /// Release-before-publish: what was computed is not in the map yet.
    ReleaseFirst,
    Returned,
}

#[derive(Clone)]
struct State {
    at: Vec<At>,
    fresh: bool,
    leased: bool,
}

pub struct Abstract {
    protocol: Protocol,
    callers: usize,
}

impl Abstract {
    pub fn of(protocol: Protocol, callers: usize) -> Self {
        Self { protocol, callers }
    }

    fn start(&self) -> State {
        State { at: vec![At::Look; self.callers], fresh: false, leased: false }
    }

    /// Takes the caller's next step and returns what it touches. `None` if the caller has returned.
    fn step(&self, state: &mut State, caller: usize) -> Option<Touch> {
        let (at, touch) = match state.at[caller] {
            At::Look => (self.after_look(state.fresh), Touch::ReadMap),
            At::RecheckBefore => {
                (if state.fresh { At::Returned } else { At::Acquire }, Touch::ReadMap)
            }
            At::Acquire => return Some(self.acquire(state, caller)),
            At::RecheckInside => (self.after_recheck_inside(state.fresh), Touch::ReadMap),
            At::Publish => {
                state.fresh = true;
                let releases_first = self.protocol == Protocol::ReleaseBeforePublish;
                (if releases_first { At::Returned } else { At::Release }, Touch::WriteMap)
            }
            At::Release => return Some(self.release(state, caller, At::Returned)),
            At::ReleaseFirst => return Some(self.release(state, caller, At::Publish)),
            At::Returned => return None,
        };
        state.at[caller] = at;
        Some(touch)
    }

    fn after_look(&self, fresh: bool) -> At {
        match self.protocol {
            _ if fresh => At::Returned,
            Protocol::LockOnly | Protocol::InsideOnly => At::Acquire,
            _ => At::RecheckBefore,
        }
    }

    fn after_recheck_inside(&self, fresh: bool) -> At {
        match self.protocol {
            Protocol::AlwaysSkip => At::Release,
            _ if fresh => At::Release,
            Protocol::ReleaseBeforePublish => At::ReleaseFirst,
            _ => At::Publish,
        }
    }

    fn acquire(&self, state: &mut State, caller: usize) -> Touch {
        let inside = match self.protocol {
            Protocol::LockOnly | Protocol::BeforeOnly => At::Publish,
            _ => At::RecheckInside,
        };
        if self.protocol == Protocol::NoLock {
            state.at[caller] = inside;
            return Touch::Own(caller);
        }
        state.at[caller] = if state.leased { At::Returned } else { inside };
        state.leased = true;
        Touch::Leases
    }

    fn release(&self, state: &mut State, caller: usize, then: At) -> Touch {
        state.at[caller] = then;
        if self.protocol == Protocol::NoLock {
            return Touch::Own(caller);
        }
        state.leased = false;
        Touch::Leases
    }

    pub fn paths(&self) -> u64 {
        self.count(&self.start(), &mut Vec::new(), false)
    }

    pub fn traces(&self) -> u64 {
        self.count(&self.start(), &mut Vec::new(), true)
    }

    fn count(&self, state: &State, path: &mut Vec<(usize, Touch)>, only_first: bool) -> u64 {
        let (mut count, mut over) = (0, true);
        for caller in 0..self.callers {
            let mut next = state.clone();
            let Some(touch) = self.step(&mut next, caller) else { continue };
            over = false;
            if only_first && !first_of_its_class(path, caller, touch) {
                continue;
            }
            path.push((caller, touch));
            count += self.count(&next, path, only_first);
            path.pop();
        }
        if over { 1 } else { count }
    }
}

fn first_of_its_class(path: &[(usize, Touch)], caller: usize, touch: Touch) -> bool {
    let movable =
        path.iter().rev().take_while(|(other, its)| *other != caller && !its.conflicts_with(touch));
    movable.into_iter().all(|(other, _)| *other < caller)
}
