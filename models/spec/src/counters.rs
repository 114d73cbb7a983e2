//! Any number of callers, by search: of each local state the search knows whether no caller is in it, one, or many.
//!
//! A caller's step asks for the shared state and its own, and never that another caller is *absent* somewhere. So more
//! callers can do whatever fewer can, and the properties are such that more callers violate whatever fewer do. Hence
//! three things are sound for safety, at any number of callers:
//!
//! - Many callers stay many when one of them steps: the state with one less is covered.
//! - A step of one of many that changes nothing but its own place can be taken by many: they are many there too.
//! - A state that another one covers (the same shared part, no fewer callers anywhere) need not be kept.
//!
//! Holders of a lease are not covered by more holders: a state is compared only with states of the same holders. So
//! the search knows exactly who holds what, and can say that a lease that is held has a holder.

use crate::lang::Kind;
use crate::table::{Local, Move, Pair, Shared, System};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// So many or more are many.
const MANY: u8 = 2;

type Counts = Vec<u8>;

/// What the search has found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// How many abstract states were reached that no other one covers.
    pub states: usize,
    /// How many moves were taken from them.
    pub moves: usize,
    /// The steps that were taken, by their number in the table.
    pub taken: Vec<bool>,
    /// The states from which each step was taken.
    pub pairs: BTreeSet<Pair>,
    /// For each property that a state violates, the first such state in words.
    pub violated: BTreeMap<String, String>,
    /// A state in which the table has a lease that nobody holds, in words.
    pub unheld: Option<String>,
    /// The search was cut off at its limit.
    pub cut_off: bool,
}

struct Search<'a> {
    system: &'a System,
    holders: Vec<bool>,
    kept: HashMap<(Shared, Vec<(Local, u8)>), Vec<Counts>>,
    queue: Vec<(Shared, Counts)>,
    taken: HashSet<(usize, Shared, Option<Local>)>,
    found: Found,
}

/// Searches the abstract states of any number of callers, up to so many.
pub fn search(system: &System, most: usize) -> Found {
    let locals = system.local_states();
    let holders = (0..locals as Local).map(|it| system.holds_lease(it)).collect();
    let found = Found { taken: vec![false; system.table.steps.len()], ..Found::default() };
    let (kept, queue, taken) = (HashMap::new(), Vec::new(), HashSet::new());
    let mut search = Search { system, holders, kept, queue, taken, found };
    let mut first = vec![0; locals];
    first[0] = MANY;
    search.add(0, first);
    while let Some((shared, counts)) = search.queue.pop() {
        if search.found.moves > most {
            search.found.cut_off = true;
            break;
        }
        if search.is_kept(shared, &counts) {
            search.go_on(shared, &counts);
        }
    }
    search.found.states = search.kept.values().map(Vec::len).sum();
    let pairs = search.taken.iter().map(|(step, shared, own)| system.pair(*step, *shared, *own));
    search.found.pairs = pairs.collect();
    search.found
}

impl Search<'_> {
    fn key(&self, shared: Shared, counts: &Counts) -> (Shared, Vec<(Local, u8)>) {
        let held = counts
            .iter()
            .zip(0..)
            .filter(|(count, it): &(&u8, Local)| **count > 0 && self.holders[usize::from(*it)]);
        (shared, held.map(|(count, it)| (it, *count)).collect())
    }

    fn is_kept(&self, shared: Shared, counts: &Counts) -> bool {
        self.kept.get(&self.key(shared, counts)).is_some_and(|kept| kept.contains(counts))
    }

    fn add(&mut self, shared: Shared, mut counts: Counts) {
        self.spread(shared, &mut counts);
        let key = self.key(shared, &counts);
        let covers = |more: &Counts, less: &Counts| more.iter().zip(less).all(|(a, b)| a >= b);
        let kept = self.kept.entry(key).or_default();
        if kept.iter().any(|it| covers(it, &counts)) {
            return;
        }
        kept.retain(|it| !covers(&counts, it));
        kept.push(counts.clone());
        if self.judge(shared, &counts) {
            self.queue.push((shared, counts));
        }
    }

    /// Of many callers, many take every step that changes only their own place.
    fn spread(&mut self, shared: Shared, counts: &mut Counts) {
        let mut from: Vec<Local> =
            (0..counts.len() as Local).filter(|it| counts[usize::from(*it)] == MANY).collect();
        while let Some(local) = from.pop() {
            for taken in self.system.moves(shared, local).iter() {
                let (Some(own), None) = (taken.own, &taken.others) else { continue };
                if taken.shared != shared {
                    continue;
                }
                self.takes(taken.step, shared, Some(local));
                if counts[usize::from(own)] < MANY {
                    counts[usize::from(own)] = MANY;
                    from.push(own);
                }
            }
        }
    }

    fn go_on(&mut self, shared: Shared, counts: &Counts) {
        let system = self.system;
        for taken in system.world(shared).iter() {
            self.take(shared, counts, None, taken);
        }
        for local in (0..counts.len() as Local).filter(|it| counts[usize::from(*it)] > 0) {
            for taken in system.moves(shared, local).iter() {
                let is_spread = counts[usize::from(local)] == MANY
                    && taken.shared == shared
                    && taken.others.is_none();
                if !is_spread {
                    self.take(shared, counts, Some(local), taken);
                }
            }
        }
    }

    fn takes(&mut self, step: usize, shared: Shared, own: Option<Local>) {
        self.found.taken[step] = true;
        self.taken.insert((step, shared, own));
    }

    fn take(&mut self, from: Shared, counts: &Counts, caller: Option<Local>, taken: &Move) {
        self.found.moves += 1;
        self.takes(taken.step, from, caller);
        let mut rest = counts.clone();
        if let Some(caller) = caller
            && rest[usize::from(caller)] < MANY
        {
            rest[usize::from(caller)] -= 1;
        }
        let mut after = match &taken.others {
            None => rest,
            Some(others) => {
                let mut after = vec![0; rest.len()];
                for (count, to) in rest.iter().zip(others.iter()) {
                    let it: &mut u8 = &mut after[usize::from(*to)];
                    *it = (*it + count).min(MANY);
                }
                after
            }
        };
        if let Some(own) = taken.own {
            let it: &mut u8 = &mut after[usize::from(own)];
            *it = (*it + 1).min(MANY);
        }
        self.add(taken.shared, after);
    }

    /// Whether the state violates nothing: what comes after a violation says nothing more.
    fn judge(&mut self, shared: Shared, counts: &Counts) -> bool {
        let system = self.system;
        let present = || (0..counts.len() as Local).filter(|it| counts[usize::from(*it)] > 0);
        let show = || {
            let callers = present().map(|it| {
                let many = if counts[usize::from(it)] == MANY { "many " } else { "" };
                format!("{many}{}", system.show_local(it))
            });
            let callers: Vec<String> = callers.collect();
            format!("{} | {}", system.show_shared(shared), callers.join(" | "))
        };
        let mut is_good = true;
        for claim in system.claims.iter().filter(|it| it.is_property) {
            let of = present().filter(|it| system.is(claim, shared, *it));
            let count: usize = of.map(|it| usize::from(counts[usize::from(it)])).sum();
            if count > if claim.kind == Kind::Unique { 1 } else { 0 } {
                is_good = false;
                self.found.violated.entry(claim.name.clone()).or_insert_with(show);
            }
        }
        let held = |kind: &str| present().any(|it| system.local_value(it, "lease") == kind);
        let lacks = |var: &str, free: &str, kind: &str| {
            system.shared_value(shared, var) != free && !held(kind)
        };
        if lacks("cur", "free", "current") || lacks("revoked", "none", "revoked") {
            self.found.unheld.get_or_insert_with(show);
        }
        is_good
    }
}
