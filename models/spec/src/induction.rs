//! Any number of callers, by induction: every state that has the invariant, reachable or not.
//!
//! Each clause is about the shared state and any one caller (`never`), or about any two (`unique`: no two callers are
//! both so). A step is one of a caller *i*, or of the world. It changes the shared state, *i*, and each other caller by
//! itself: what becomes of *j* depends on the shared state, on *i* and on *j*, and on nobody else. So after the step
//!
//! - a clause about *i* depends on the shared state and *i* before it;
//! - a clause about *j*, or about *i* and *j*, depends on the shared state, *i* and *j* before it;
//! - a clause about *j* and *k* depends on the shared state, *i*, *j* and *k* before it.
//!
//! If some number of callers had a state with the invariant and a step that breaks it, three of them at most would show
//! it: they and the shared state have the invariant, because it says nothing of more than two callers. So the check of
//! all triples is a check of any number of callers. No counter and no bound is in it. The states are all that the
//! clauses allow. That a place keeps only what it uses (`table.txt`) is taken for granted here, because the interpreter
//! has no other states; the solvers check it with the other clauses.

use crate::lang::{Claim, Kind};
use crate::table::{Local, Move, Shared, System};
use std::collections::BTreeMap;

/// A step that leads out of the invariant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Broken {
    /// The step; `-` if no step is needed: the start, or a property that the clauses do not give.
    pub step: String,
    /// The clause or the property.
    pub claim: String,
}

/// What the check has found.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// Pairs of a shared state and a caller that have the invariant.
    pub states: usize,
    /// Steps from them.
    pub steps: usize,
    /// Steps, each with the other callers that it was checked for.
    pub cases: usize,
    /// What does not hold, each with a state from which it is broken, in words.
    pub broken: BTreeMap<Broken, String>,
    /// A caller that has to go on and cannot, in words. A waiter waits for another one's release and does not count.
    pub stuck: Option<String>,
}

impl Checked {
    /// Whether the invariant is one, and gives this property.
    pub fn proves(&self, system: &System, property: &str) -> bool {
        let is_clause =
            |name: &str| system.claims.iter().any(|it| !it.is_property && it.name == name);
        self.broken.keys().all(|it| it.claim != property && !is_clause(&it.claim))
    }
}

/// The callers that the clauses about one caller allow in a shared state.
pub fn allowed(system: &System, shared: Shared) -> Vec<Local> {
    let clauses = || system.claims.iter().filter(|it| !it.is_property && it.kind == Kind::Never);
    let locals = 0..system.local_states() as Local;
    locals.filter(|local| !clauses().any(|it| system.is(it, shared, *local))).collect()
}

struct Check<'a> {
    system: &'a System,
    never: Vec<&'a Claim>,
    unique: Vec<&'a Claim>,
    known: Vec<Option<Facts>>,
    checked: Checked,
}

/// What the clauses say of each caller in a shared state.
#[derive(Clone)]
struct Facts {
    /// It violates none of the clauses about one caller.
    good: Vec<bool>,
    /// The clauses about two callers whose condition it fulfils.
    is: Vec<u32>,
    /// The callers that are good.
    all: Vec<Local>,
}

/// Checks the invariant, without the clause of this name if there is one.
pub fn check(system: &System, without: Option<&str>) -> Checked {
    let clauses = |kind: Kind| {
        let of = system.claims.iter().filter(move |it| !it.is_property && it.kind == kind);
        of.filter(|it| without != Some(it.name.as_str())).collect::<Vec<_>>()
    };
    let known = vec![None; system.shared_states()];
    let (never, unique) = (clauses(Kind::Never), clauses(Kind::Unique));
    let mut check = Check { system, never, unique, known, checked: Checked::default() };
    check.first();
    for shared in 0..system.shared_states() as Shared {
        let facts = check.facts(shared);
        if facts.all.is_empty() {
            continue;
        }
        check.properties(shared, &facts);
        check.checked.states += facts.all.len();
        for taken in system.world(shared).iter() {
            check.step(shared, &facts, None, taken);
        }
        for own in &facts.all {
            let moves = system.moves(shared, *own);
            if moves.is_empty() && !["idle", "waits"].contains(&system.place(*own)) {
                let at = format!("{} | {}", system.show_shared(shared), system.show_local(*own));
                check.checked.stuck.get_or_insert(at);
            }
            for taken in moves.iter() {
                check.step(shared, &facts, Some(*own), taken);
            }
        }
    }
    check.checked
}

impl Check<'_> {
    fn facts(&mut self, shared: Shared) -> Facts {
        let index = usize::from(shared);
        if let Some(known) = &self.known[index] {
            return known.clone();
        }
        let system = self.system;
        let locals = 0..system.local_states() as Local;
        let good: Vec<bool> = locals
            .clone()
            .map(|local| !self.never.iter().any(|it| system.is(it, shared, local)))
            .collect();
        let is = locals.clone().map(|local| {
            let of = self.unique.iter().enumerate();
            of.fold(0, |all, (bit, it)| all | u32::from(system.is(it, shared, local)) << bit)
        });
        let is = is.collect();
        let all = locals.filter(|it| good[usize::from(*it)]).collect();
        let facts = Facts { good, is, all };
        self.known[index] = Some(facts.clone());
        facts
    }

    fn breaks(&mut self, step: &str, claim: &str, shared: Shared, callers: &[Local]) {
        let key = Broken { step: step.into(), claim: claim.into() };
        let system = self.system;
        self.checked.broken.entry(key).or_insert_with(|| {
            let callers: Vec<String> = callers.iter().map(|it| system.show_local(*it)).collect();
            format!("{} | {}", system.show_shared(shared), callers.join(" | "))
        });
    }

    /// The start has the invariant: all callers are between two requests.
    fn first(&mut self) {
        let facts = self.facts(0);
        if !facts.good[0] || facts.is[0] != 0 {
            self.breaks("-", "the start", 0, &[0]);
        }
    }

    /// The clauses give the properties.
    fn properties(&mut self, shared: Shared, facts: &Facts) {
        let system = self.system;
        for claim in system.claims.iter().filter(|it| it.is_property) {
            let of: Vec<Local> =
                facts.all.iter().copied().filter(|it| system.is(claim, shared, *it)).collect();
            match claim.kind {
                Kind::Never => {
                    if let Some(local) = of.first() {
                        self.breaks("-", &claim.name, shared, &[*local]);
                    }
                }
                Kind::Unique => {
                    for one in &of {
                        for other in &of {
                            if facts.is[usize::from(*one)] & facts.is[usize::from(*other)] == 0 {
                                self.breaks("-", &claim.name, shared, &[*one, *other]);
                            }
                        }
                    }
                }
            }
        }
    }

    fn step(&mut self, shared: Shared, facts: &Facts, own: Option<Local>, taken: &Move) {
        let after = self.facts(taken.shared);
        let name = self.system.table.steps[taken.step].name.clone();
        let becomes = |other: Local| match &taken.others {
            Some(others) => others[usize::from(other)],
            None => other,
        };
        self.checked.steps += 1;
        if let Some(now) = taken.own
            && !after.good[usize::from(now)]
        {
            self.one(&name, shared, taken.shared, now, own.as_slice());
        }
        // The callers that may be there beside the one that steps.
        let mask = own.map_or(0, |it| facts.is[usize::from(it)]);
        let own_mask = taken.own.map_or(0, |it| after.is[usize::from(it)]);
        // What changes nothing but its own caller, and makes that one no further `unique` one, changes no pair.
        if taken.shared == shared && taken.others.is_none() && own_mask & !mask == 0 {
            return;
        }
        let mut crowded: Vec<(Local, u32)> = Vec::new();
        for other in facts.all.iter().copied() {
            if facts.is[usize::from(other)] & mask != 0 {
                continue;
            }
            self.checked.cases += 1;
            let now = becomes(other);
            let involved: Vec<Local> = own.into_iter().chain([other]).collect();
            if !after.good[usize::from(now)] {
                self.one(&name, shared, taken.shared, now, &involved);
            }
            let is = after.is[usize::from(now)];
            if is & own_mask != 0 {
                self.two(&name, shared, is & own_mask, &involved);
            }
            if is != 0 {
                crowded.push((other, is));
            }
        }
        if taken.shared == shared && taken.others.is_none() {
            return;
        }
        for (one, its) in &crowded {
            for (other, of_other) in &crowded {
                let could_be = facts.is[usize::from(*one)] & facts.is[usize::from(*other)] == 0;
                self.checked.cases += 1;
                if could_be && its & of_other != 0 {
                    let involved: Vec<Local> = own.into_iter().chain([*one, *other]).collect();
                    self.two(&name, shared, its & of_other, &involved);
                }
            }
        }
    }

    fn one(&mut self, step: &str, from: Shared, after: Shared, now: Local, involved: &[Local]) {
        let system = self.system;
        let broken = self.never.iter().filter(|it| system.is(it, after, now));
        let names: Vec<String> = broken.map(|it| it.name.clone()).collect();
        for name in names {
            self.breaks(step, &name, from, involved);
        }
    }

    fn two(&mut self, step: &str, from: Shared, bits: u32, involved: &[Local]) {
        let of = self.unique.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
        let names: Vec<String> = of.map(|(_, it)| it.name.clone()).collect();
        for name in names {
            self.breaks(step, &name, from, involved);
        }
    }
}
