//! The exact search: so many callers, every order of their steps. Callers are alike, so a state is the shared state and
//! how many callers are where (symmetry).

use crate::induction;
use crate::table::{Local, Move, Shared, System};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The most callers: a state is packed into one number.
pub const MOST: usize = 8;

/// A state: the shared part, and the callers in the order of their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The shared part.
    pub shared: Shared,
    /// The callers.
    pub callers: Vec<Local>,
}

/// What a search has found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// How many states there are.
    pub states: usize,
    /// How many moves there are between them.
    pub moves: usize,
    /// The steps that were taken, by their number in the table.
    pub taken: Vec<bool>,
    /// For each property that a state violates, the steps that lead to the first such state.
    pub violated: BTreeMap<String, Vec<String>>,
    /// It was cut off at its limit of states.
    pub cut_off: bool,
}

/// The bits of a caller: [`System::of`] refuses a table with more states. Eight of them and the 16 bits of the shared
/// part are one number.
const BITS: usize = 12;
/// The most states of a caller.
pub const MOST_LOCAL: usize = 1 << BITS;

fn pack(state: &State) -> u128 {
    state.callers.iter().fold(u128::from(state.shared), |all, it| all << BITS | u128::from(*it))
}

fn unpack(packed: u128, callers: usize) -> State {
    let locals = (0..callers)
        .rev()
        .map(|it| (packed >> (BITS * it)) as Local & (MOST_LOCAL - 1) as Local)
        .collect();
    State { shared: (packed >> (BITS * callers)) as Shared, callers: locals }
}

impl State {
    /// The state at the start.
    pub fn first(callers: usize) -> Self {
        Self { shared: 0, callers: vec![0; callers] }
    }

    /// The state after a move of the caller at this place, or of the world.
    fn after(&self, caller: Option<usize>, taken: &Move) -> Self {
        let mut callers = self.callers.clone();
        if let Some(others) = &taken.others {
            for it in &mut callers {
                *it = others[usize::from(*it)];
            }
        }
        if let (Some(caller), Some(own)) = (caller, taken.own) {
            callers[caller] = own;
        }
        callers.sort_unstable();
        Self { shared: taken.shared, callers }
    }

    /// Every move, and the state after it. Callers in the same state are taken once.
    pub fn next(&self, system: &System, mut each: impl FnMut(&Move, Option<usize>, Self)) {
        for taken in system.world(self.shared).iter() {
            each(taken, None, self.after(None, taken));
        }
        for (place, local) in self.callers.iter().enumerate() {
            if place > 0 && self.callers[place - 1] == *local {
                continue;
            }
            for taken in system.moves(self.shared, *local).iter() {
                each(taken, Some(place), self.after(Some(place), taken));
            }
        }
    }

    fn counts(&self) -> Vec<(Local, usize)> {
        let mut counts: Vec<(Local, usize)> = Vec::new();
        for local in &self.callers {
            match counts.last_mut() {
                Some((last, count)) if last == local => *count += 1,
                _ => counts.push((*local, 1)),
            }
        }
        counts
    }
}

/// What happens beside the callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// All that the table has: writers, the clock, evictions, the sweep.
    Whole,
    /// Nothing: the search begins once with each state of the entry.
    Still,
}

/// Where a search begins.
fn firsts(system: &System, world: World, callers: usize) -> Vec<State> {
    let entries = |it: &Shared| system.shared_values(*it).iter().skip(1).all(|it| *it == 0);
    let whole = world == World::Whole;
    let firsts = (0..system.shared_states() as Shared)
        .filter(|it| if whole { *it == 0 } else { entries(it) });
    firsts.map(|shared| State { shared, ..State::first(callers) }).collect()
}

/// Searches all states of so many callers, up to so many.
///
/// A caller whose next step is [`Alone::is`] takes it at once.
pub fn search(system: &System, alone: &Alone, world: World, callers: usize, most: usize) -> Found {
    let callers = callers.clamp(1, MOST);
    let mut found = Found { taken: vec![false; system.table.steps.len()], ..Found::default() };
    let mut queue: Vec<u128> = firsts(system, world, callers).iter().map(pack).collect();
    let mut from: HashMap<u128, (u128, u16)> = queue.iter().map(|it| (*it, (*it, 0))).collect();
    let mut next_queue = Vec::new();
    while !queue.is_empty() {
        for packed in queue.drain(..) {
            let state = unpack(packed, callers);
            let broken = system.violated(state.shared, &state.counts());
            for name in &broken {
                if !found.violated.contains_key(*name) {
                    let path = path(system, &from, packed);
                    found.violated.insert((*name).into(), path);
                }
            }
            // What comes after a violation says nothing more.
            if !broken.is_empty() {
                continue;
            }
            let at_once = state.callers.iter().position(|it| alone.is(*it));
            state.next(system, |taken, caller, after| {
                if at_once.is_some() && caller != at_once
                    || world == World::Still && caller.is_none()
                {
                    return;
                }
                found.moves += 1;
                found.taken[taken.step] = true;
                let after = pack(&after);
                if !from.contains_key(&after) {
                    if from.len() >= most {
                        found.cut_off = true;
                        return;
                    }
                    from.insert(after, (packed, taken.step as u16));
                    next_queue.push(after);
                }
            });
        }
        std::mem::swap(&mut queue, &mut next_queue);
    }
    found.states = from.len();
    found
}

fn path(system: &System, from: &HashMap<u128, (u128, u16)>, mut at: u128) -> Vec<String> {
    let mut steps = Vec::new();
    while let Some((before, step)) = from.get(&at).filter(|(before, _)| *before != at) {
        steps.push(system.table.steps[usize::from(*step)].name.clone());
        at = *before;
    }
    steps.reverse();
    steps
}

/// The states of a caller whose every step changes nothing but its own place, does not depend on what any other step
/// does, and is seen by no property. The order of such a step and of any other one makes no difference, so the search
/// takes it first (a persistent set of one caller). No such step leads back to the state.
#[derive(Clone, Debug, Default)]
pub struct Alone(Vec<bool>);

impl Alone {
    /// Nobody.
    pub fn nobody() -> Self {
        Self::default()
    }

    /// Finds them: a state of a caller is one of them if what is said above holds in every shared state and beside every
    /// other caller that the invariant allows. So they are right only for a table whose invariant was proved.
    pub fn find(system: &System) -> Self {
        let all: Vec<(Shared, Vec<Local>)> = (0..system.shared_states() as Shared)
            .map(|shared| (shared, induction::allowed(system, shared)))
            .filter(|(_, locals)| !locals.is_empty())
            .collect();
        let mut alone = vec![false; system.local_states()];
        for local in all.iter().flat_map(|(_, locals)| locals).filter(|it| **it != 0) {
            alone[usize::from(*local)] = true;
        }
        for (shared, locals) in &all {
            for local in locals {
                let place = usize::from(*local);
                alone[place] = alone[place] && is_private(system, *shared, *local);
            }
        }
        // What it becomes by a step of another one has to be one of them too: so the round is repeated.
        loop {
            let before = alone.clone();
            for (shared, locals) in &all {
                let candidates: Vec<Local> =
                    locals.iter().copied().filter(|it| alone[usize::from(*it)]).collect();
                let others = locals.iter().map(|other| system.moves(*shared, *other));
                for moves in others.chain([system.world(*shared)]) {
                    let shown = |it: &&Move| it.shared != *shared || it.others.is_some();
                    for taken in moves.iter().filter(shown) {
                        for local in &candidates {
                            let place = usize::from(*local);
                            alone[place] = alone[place]
                                && commutes(system, *shared, *local, taken)
                                && alone[usize::from(taken.becomes(*local))];
                        }
                    }
                }
            }
            if alone == before {
                break;
            }
        }
        Self(alone)
    }

    /// Whether a caller in this state steps at once.
    pub fn is(&self, local: Local) -> bool {
        self.0.get(usize::from(local)).copied().unwrap_or(false)
    }

    /// How many states of a caller are so.
    pub fn count(&self) -> usize {
        self.0.iter().filter(|it| **it).count()
    }
}

fn is_private(system: &System, shared: Shared, local: Local) -> bool {
    let moves = system.moves(shared, local);
    let properties = || system.claims.iter().filter(|it| it.is_property);
    let unseen = |after: Local| {
        properties().all(|it| system.is(it, shared, local) == system.is(it, shared, after))
    };
    let is = |it: &Move| {
        let other = it.own.is_some_and(|own| own != local && unseen(own));
        it.shared == shared && it.others.is_none() && other
    };
    !moves.is_empty() && moves.iter().all(is)
}

/// Whether a step of another one leaves the same steps to this caller, with the same results.
fn commutes(system: &System, shared: Shared, local: Local, taken: &Move) -> bool {
    let becomes = |local: Local| taken.becomes(local);
    let mut before: Vec<Local> =
        system.moves(shared, local).iter().filter_map(|it| it.own).map(becomes).collect();
    let mut after: Vec<Local> =
        system.moves(taken.shared, becomes(local)).iter().filter_map(|it| it.own).collect();
    for all in [&mut before, &mut after] {
        all.sort_unstable();
        all.dedup();
    }
    before == after && (is_private(system, taken.shared, becomes(local)))
}

/// What is known of progress with so many callers.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// The states from which callers were let go on.
    pub states: usize,
    /// There are more states than that.
    pub cut_off: bool,
    /// A state in which a caller has not returned and no caller can step, in words.
    pub stuck: Option<String>,
    /// A state that callers can come back to without a new request, in words.
    pub endless: Option<String>,
}

/// The reachable states, up to so many, and whether there are more.
fn reachable(
    system: &System,
    alone: &Alone,
    world: World,
    callers: usize,
    most: usize,
) -> (HashSet<u128>, bool) {
    let mut queue: Vec<u128> = firsts(system, world, callers).iter().map(pack).collect();
    let mut all: HashSet<u128> = queue.iter().copied().collect();
    let mut cut_off = false;
    while let Some(packed) = queue.pop() {
        let state = unpack(packed, callers);
        let at_once = state.callers.iter().position(|it| alone.is(*it));
        state.next(system, |_, caller, after| {
            let after = pack(&after);
            let comes_later = at_once.is_some() && caller != at_once;
            if all.contains(&after) || comes_later || world == World::Still && caller.is_none() {
                return;
            }
            if all.len() >= most {
                cut_off = true;
                return;
            }
            all.insert(after);
            queue.push(after);
        });
    }
    (all, cut_off)
}

/// Lets the callers of every reachable state go on alone: no new request, no step of the world, no waiter whose patience
/// ends or that asks again because its compute is overdue: a release has to end each wait. If no such run is endless, and
/// each ends with all callers returned, then each request ends under every fair scheduler, once nothing else happens.
///
/// A caller whose next step is [`Alone::is`] takes it at once: an endless run stays endless if that step comes first, and
/// a run that ends ends in the same state.
pub fn progress(
    system: &System,
    alone: &Alone,
    world: World,
    callers: usize,
    most: usize,
) -> Progress {
    let callers = callers.clamp(1, MOST);
    let (all, cut_off) = reachable(system, alone, world, callers, most);
    let mut progress = Progress { states: all.len(), cut_off, ..Progress::default() };
    let goes_on = |packed: u128| {
        let mut next = Vec::new();
        let state = unpack(packed, callers);
        let at_once = state.callers.iter().position(|it| alone.is(*it));
        state.next(system, |taken, caller, after| {
            if at_once.is_some() && caller != at_once {
                return;
            }
            let step = &system.table.steps[taken.step];
            let is_new = caller.is_some_and(|it| unpack(packed, callers).callers[it] == 0);
            let (after, again) =
                (pack(&after), ["ask-again", "time-out"].contains(&step.name.as_str()));
            if caller.is_some() && !is_new && !again {
                next.push(after);
            }
        });
        next
    };
    // Depth first: a state on the path that is met again is a cycle.
    let mut colour: HashMap<u128, bool> = HashMap::new();
    for start in &all {
        let mut path = vec![(*start, None::<Vec<u128>>)];
        while let Some((state, next)) = path.last_mut() {
            let state = *state;
            match next {
                None => {
                    if colour.contains_key(&state) {
                        path.pop();
                        continue;
                    }
                    colour.insert(state, false);
                    let after = goes_on(state);
                    let at = unpack(state, callers);
                    if after.is_empty() && at.callers.iter().any(|it| *it != 0) {
                        progress.stuck.get_or_insert_with(|| show(system, &at));
                    }
                    *next = Some(after);
                }
                Some(after) => match after.pop() {
                    Some(after) => match colour.get(&after) {
                        Some(false) => {
                            let at = unpack(after, callers);
                            progress.endless.get_or_insert_with(|| show(system, &at));
                        }
                        Some(true) => {}
                        None => path.push((after, None)),
                    },
                    None => {
                        colour.insert(state, true);
                        path.pop();
                    }
                },
            }
        }
    }
    progress
}

/// A state in words.
pub fn show(system: &System, state: &State) -> String {
    let callers: Vec<String> = state.callers.iter().map(|it| system.show_local(*it)).collect();
    format!("{} | {}", system.show_shared(state.shared), callers.join(" | "))
}
