//! The table, and its interpreter: states as numbers, moves from one to the next.
//!
//! `table.txt` is the table. Hold it against `src/protocol/` and `src/tables/`: each step is one section of the code.
//!
//! # What the table leaves out
//!
//! - Other keys: eviction is a step of the world that may come at any moment, and computes that ask for other keys (the
//!   graph of waits, `Event::Cycle`) are not there.
//! - Numbers. A version is the current one or an older one, and a lease is the current one, the revoked one or lost.
//! - Deadlines. Time passes by steps that may come at any moment: an entry grows stale, expires, a back-off ends, a
//!   compute is overdue, a patience ends. So the table has every order of the real deadlines, and more. A coarse time
//!   that is further behind than its lag, and a clock that steps back, are not there.
//! - What a stale request returns after its refresh (`Request::still`): it returns what it found, which was servable
//!   when it looked.
//! - Panics of the clock, of an observer, of a key's `Eq`. A panic of the compute is a failure.
//! - The value of a back-off, and how long a failure is remembered after it. The counts of waiters.
//!
//! Each of the first four adds behaviours to the table or takes away what another key does; the last two are what
//! the proof does not speak about.

use crate::exact;
use crate::lang::{self, Claim, Kind, Relabel, Scope, Table, Value};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// The table as it is shipped.
pub const TABLE: &str = include_str!("table.txt");
/// The properties and the clauses of the invariant.
pub const INVARIANT: &str = include_str!("invariant.txt");

/// The number of a shared state.
pub type Shared = u16;
/// The number of the state of a caller. 0 is a caller between two requests.
pub type Local = u16;

/// What the others become: for each local state the next one.
pub type Others = Rc<[Local]>;

/// One step from one state.
#[derive(Clone, Debug)]
pub struct Move {
    /// The step of the table.
    pub step: usize,
    /// The shared state after it.
    pub shared: Shared,
    /// The caller after it. A step of the world has none.
    pub own: Option<Local>,
    /// The other callers after it, if it changes any.
    pub others: Option<Others>,
}

impl Move {
    /// What another caller becomes.
    pub fn becomes(&self, other: Local) -> Local {
        self.others.as_ref().and_then(|it| it.get(usize::from(other))).copied().unwrap_or(other)
    }
}

/// A step, and the state from which it was taken: the shared one and that of the caller. A step of the world has no caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    /// The step of the table.
    pub step: usize,
    /// The shared state.
    pub shared: Shared,
    /// The caller.
    pub own: Option<Local>,
}

type Moves = Rc<[Move]>;

/// The table with its states numbered.
pub struct System {
    /// The table.
    pub table: Table,
    /// The properties and the clauses.
    pub claims: Vec<Claim>,
    shared: Vec<Vec<u8>>,
    locals: Vec<Vec<u8>>,
    local_of: HashMap<Vec<u8>, Local>,
    /// The steps that a caller at a place may take.
    steps_at: Vec<Vec<usize>>,
    world: Vec<usize>,
    /// For each step the shared variables that can matter to it.
    sees: Vec<Vec<bool>>,
    moves: RefCell<HashMap<(Shared, Option<Local>), Moves>>,
    others: RefCell<HashMap<(usize, Shared, Vec<u8>), Option<Others>>>,
}

impl System {
    /// The shipped table.
    ///
    /// # Errors
    ///
    /// The text has a mistake.
    pub fn shipped() -> Result<Self, lang::Error> {
        Self::of(TABLE, INVARIANT)
    }

    /// A table and its claims from their texts.
    ///
    /// # Errors
    ///
    /// One of the texts has a mistake, or a step leads to a state that the table has not.
    pub fn of(table: &str, claims: &str) -> Result<Self, lang::Error> {
        let table = Table::parse(table)?;
        let claims = table.claims(claims)?;
        let whole = |what: &str| lang::Error { line: 0, what: what.into() };
        let sizes = |domains: &[lang::Domain]| -> Vec<usize> {
            domains.iter().map(|it| it.values.len()).collect()
        };
        let shared = product(&sizes(&table.shared));
        if shared.len() > usize::from(Shared::MAX) || table.local.is_empty() {
            return Err(whole("too many shared states, or no local variable"));
        }
        let mut locals = Vec::new();
        for (place, uses) in table.uses.iter().enumerate() {
            if uses.is_empty() {
                return Err(whole(&format!("no line says what the place {place} uses")));
            }
            let mut of_place = sizes(&table.local);
            of_place.iter_mut().zip(uses).filter(|(_, used)| !**used).for_each(|(it, _)| *it = 1);
            of_place[0] = 1;
            locals.extend(product(&of_place).into_iter().map(|mut local| {
                local[0] = place as u8;
                local
            }));
        }
        if locals.len() > exact::MOST_LOCAL {
            return Err(whole("too many local states"));
        }
        let local_of = locals.iter().cloned().zip(0..).collect();
        let at = |step: &lang::Step, place: usize| may_be_at(&step.when, place as u8);
        let callers = || table.steps.iter().enumerate().filter(|(_, step)| !step.world);
        let steps_at = (0..table.uses.len())
            .map(|place| callers().filter(|(_, it)| at(it, place)).map(|(it, _)| it).collect())
            .collect();
        let world = (0..table.steps.len()).filter(|it| table.steps[*it].world).collect();
        let sees = table.steps.iter().map(|step| seen_by(&table, step)).collect();
        let (moves, others) = (RefCell::default(), RefCell::default());
        Ok(Self { table, claims, shared, locals, local_of, steps_at, world, sees, moves, others })
    }

    /// How many shared states there are.
    pub fn shared_states(&self) -> usize {
        self.shared.len()
    }

    /// How many states a caller has.
    pub fn local_states(&self) -> usize {
        self.locals.len()
    }

    /// The values of a shared state.
    pub fn shared_values(&self, shared: Shared) -> &[u8] {
        self.shared.get(usize::from(shared)).map_or(&[], Vec::as_slice)
    }

    /// The values of the state of a caller.
    pub fn local_values(&self, local: Local) -> &[u8] {
        self.locals.get(usize::from(local)).map_or(&[], Vec::as_slice)
    }

    /// A shared state in words.
    pub fn show_shared(&self, shared: Shared) -> String {
        Table::show(&self.table.shared, self.shared_values(shared))
    }

    /// The state of a caller in words.
    pub fn show_local(&self, local: Local) -> String {
        Table::show(&self.table.local, self.local_values(local))
    }

    /// The moves of a caller in this state.
    pub fn moves(&self, shared: Shared, own: Local) -> Moves {
        self.moves_of(shared, Some(own))
    }

    /// The moves of the world.
    pub fn world(&self, shared: Shared) -> Moves {
        self.moves_of(shared, None)
    }

    fn moves_of(&self, shared: Shared, own: Option<Local>) -> Moves {
        if let Some(known) = self.moves.borrow().get(&(shared, own)) {
            return Rc::clone(known);
        }
        let steps = match own {
            Some(own) => {
                let place = self.local_values(own).first().copied().unwrap_or(0);
                self.steps_at.get(usize::from(place)).map_or(&[][..], Vec::as_slice)
            }
            None => self.world.as_slice(),
        };
        let found: Moves = steps.iter().filter_map(|step| self.take(*step, shared, own)).collect();
        self.moves.borrow_mut().insert((shared, own), Rc::clone(&found));
        found
    }

    fn take(&self, index: usize, from: Shared, own: Option<Local>) -> Option<Move> {
        let step = self.table.steps.get(index)?;
        let (shared, local) =
            (self.shared_values(from), own.map_or(&[][..], |it| self.local_values(it)));
        if !step.when.holds(shared, local, &[]) {
            return None;
        }
        let (mut next, mut after) = (shared.to_vec(), local.to_vec());
        let state = (shared, local, &[][..]);
        lang::assign(&step.set, Scope::Shared, state, &mut next, &mut 0);
        lang::assign(&step.set, Scope::Own, state, &mut after, &mut 0);
        let own = own.map(|_| self.local(&after));
        let others = self.others(index, from, local);
        Some(Move { step: index, shared: self.number(&next), own, others })
    }

    /// The number of a shared state: [`product`] counts with the last variable first.
    fn number(&self, values: &[u8]) -> Shared {
        let sizes = self.table.shared.iter().map(|it| it.values.len());
        values
            .iter()
            .zip(sizes)
            .fold(0, |number, (value, size)| number * size as Shared + Shared::from(*value))
    }

    /// What a place does not use is forgotten by the parser's assignments; a patch of the table may keep it, and then
    /// it is forgotten here.
    fn local(&self, values: &[u8]) -> Local {
        if let Some(known) = self.local_of.get(values) {
            return *known;
        }
        let mut values = values.to_vec();
        let place = values.first().copied().unwrap_or(0);
        let uses = self.table.uses.get(usize::from(place));
        for (index, value) in values.iter_mut().enumerate() {
            if !uses.is_some_and(|uses| uses[index]) {
                *value = 0;
            }
        }
        self.local_of.get(&values).copied().unwrap_or(0)
    }

    fn others(&self, index: usize, from: Shared, own: &[u8]) -> Option<Others> {
        let step = self.table.steps.get(index)?;
        if step.others.is_empty() {
            return None;
        }
        let known: Vec<u8> =
            if step.others.iter().any(reads_own) { own.to_vec() } else { Vec::new() };
        let key = (index, from, known);
        if let Some(known) = self.others.borrow().get(&key) {
            return known.clone();
        }
        let shared = self.shared_values(from);
        let mut changes = false;
        let after: Others = (0..self.locals.len() as Local)
            .map(|other| {
                let before = self.local_values(other);
                let (mut after, mut done) = (before.to_vec(), 0);
                for rule in step.others.iter().filter(|it| it.when.holds(shared, own, before)) {
                    let state = (shared, own, before);
                    lang::assign(&rule.set, Scope::Other, state, &mut after, &mut done);
                }
                let after = self.local(&after);
                changes |= after != other;
                after
            })
            .collect();
        let after = changes.then_some(after);
        self.others.borrow_mut().insert(key, after.clone());
        after
    }

    /// Whether a claim's condition holds of this caller.
    pub fn is(&self, claim: &Claim, shared: Shared, local: Local) -> bool {
        claim.of.holds(self.shared_values(shared), self.local_values(local), &[])
    }

    /// The names of the properties, each once.
    pub fn properties(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for claim in self.claims.iter().filter(|it| it.is_property) {
            if !names.contains(&claim.name.as_str()) {
                names.push(&claim.name);
            }
        }
        names
    }

    /// The properties that this state violates: each local state with how many callers are in it.
    pub fn violated<'a>(&'a self, shared: Shared, callers: &[(Local, usize)]) -> Vec<&'a str> {
        let breaks = |claim: &&Claim| {
            let of = |(local, count): &(Local, usize)| {
                if self.is(claim, shared, *local) { *count } else { 0 }
            };
            let count: usize = callers.iter().map(of).sum();
            count > if claim.kind == Kind::Unique { 1 } else { 0 }
        };
        let mut names: Vec<&str> = Vec::new();
        for claim in self.claims.iter().filter(|it| it.is_property).filter(breaks) {
            if !names.contains(&claim.name.as_str()) {
                names.push(&claim.name);
            }
        }
        names
    }

    /// Whether a caller in this state holds a lease that the lease table has. There is at most one of each kind.
    pub fn holds_lease(&self, local: Local) -> bool {
        let lease = self.table.local.iter().position(|it| it.name == "lease");
        let value = lease.and_then(|it| self.local_values(local).get(it)).copied().unwrap_or(0);
        let name = lease.map_or("", |it| self.table.local[it].name_of(value));
        name == "current" || name == "revoked"
    }

    /// What a step was taken from, as far as it can matter: the caller, and the shared variables that the step reads or
    /// that belong to an object which its section touches. What is there for the properties alone is left out.
    pub fn pair(&self, step: usize, shared: Shared, own: Option<Local>) -> Pair {
        let mut values = self.shared_values(shared).to_vec();
        let seen = self.sees.get(step).map_or(&[][..], Vec::as_slice);
        for (value, sees) in values.iter_mut().zip(seen) {
            if !sees {
                *value = 0;
            }
        }
        let own = own.map(|own| {
            let mut values = self.local_values(own).to_vec();
            for (value, _) in values.iter_mut().zip(&self.table.local).filter(|(_, it)| it.ghost) {
                *value = 0;
            }
            self.local(&values)
        });
        Pair { step, shared: self.number(&values), own }
    }

    /// Whether a step is only that time passes: no code takes it.
    pub fn passes_time(&self, step: usize) -> bool {
        self.table.steps.get(step).is_some_and(|it| it.object == "clock" && it.access == "write")
    }

    /// A pair in words.
    pub fn show_pair(&self, pair: &Pair) -> String {
        let step = self.table.steps.get(pair.step).map_or("", |it| it.name.as_str());
        let own = pair.own.map(|own| format!(" | {}", self.show_local(own))).unwrap_or_default();
        format!("{step} from {}{own}", self.show_shared(pair.shared))
    }

    /// The name of the place of a caller.
    pub fn place(&self, local: Local) -> &str {
        let value = self.local_values(local).first().copied().unwrap_or(0);
        self.table.local.first().map_or("", |it| it.name_of(value))
    }

    /// The name of a shared variable's value.
    pub fn shared_value(&self, shared: Shared, name: &str) -> &str {
        let Some(index) = self.table.shared.iter().position(|it| it.name == name) else {
            return "";
        };
        let value = self.shared_values(shared).get(index).copied().unwrap_or(0);
        self.table.shared[index].name_of(value)
    }

    /// The name of a local variable's value.
    pub fn local_value(&self, local: Local, name: &str) -> &str {
        let Some(index) = self.table.local.iter().position(|it| it.name == name) else { return "" };
        let value = self.local_values(local).get(index).copied().unwrap_or(0);
        self.table.local[index].name_of(value)
    }
}

/// The shared variables that an object holds.
const HOLDS: &[(&str, &[&str])] =
    &[("map", &["entry"]), ("index", &["entry"]), ("leases", &["cur", "revoked", "failure"])];

/// The shared variables that a step reads, and those of the objects that its section touches.
fn seen_by(table: &Table, step: &lang::Step) -> Vec<bool> {
    let mut reads = Vec::new();
    step.when.reads(&mut reads);
    let rules = step.others.iter();
    let assigns = step.set.iter().chain(rules.clone().flat_map(|it| &it.set));
    assigns.for_each(|it| it.when.reads(&mut reads));
    rules.for_each(|it| it.when.reads(&mut reads));
    let objects = || step.object.split('+');
    let holds = |name: &str| {
        let held = HOLDS.iter().filter(|(object, _)| objects().any(|it| it == *object));
        held.flat_map(|(_, vars)| *vars).any(|it| *it == name)
    };
    let is_read = |index: usize| {
        reads.iter().any(|it: &lang::Var| it.scope == Scope::Shared && it.index == index)
    };
    let vars = table.shared.iter().enumerate();
    vars.map(|(index, it)| !it.ghost && (is_read(index) || holds(&it.name))).collect()
}

fn reads_own(rule: &Relabel) -> bool {
    let mut vars = Vec::new();
    rule.when.reads(&mut vars);
    for assign in &rule.set {
        assign.when.reads(&mut vars);
        if let Value::Of(var, _) = &assign.value {
            vars.push(*var);
        }
    }
    vars.iter().any(|var| var.scope == Scope::Own)
}

/// Whether a caller at this place may fulfil the condition, as far as its outermost parts say.
fn may_be_at(when: &lang::Expr, place: u8) -> bool {
    match when {
        lang::Expr::In(var, set) if var.scope == Scope::Own && var.index == 0 => {
            set >> place & 1 == 1
        }
        lang::Expr::And(all) => all.iter().all(|it| may_be_at(it, place)),
        lang::Expr::Or(any) => any.iter().any(|it| may_be_at(it, place)),
        lang::Expr::In(..) | lang::Expr::Not(_) => true,
    }
}

/// All combinations of values.
fn product(sizes: &[usize]) -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new()];
    for size in sizes {
        all = all
            .into_iter()
            .flat_map(|of: Vec<u8>| {
                (0..*size).map(move |value| {
                    let mut of = of.clone();
                    of.push(value as u8);
                    of
                })
            })
            .collect();
    }
    all
}
