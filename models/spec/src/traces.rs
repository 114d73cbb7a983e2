//! The executions of a few callers, one of each Mazurkiewicz trace, counted on the table alone.
//!
//! `sections` counts the same of the shipped code. If a step of the table touched another object than the section of the
//! code, or came in another place, the numbers would differ. The search is a depth-first one with sleep sets: two steps
//! of different callers can be swapped unless both touch one object and one of them writes it.

use crate::lang::Step;
use crate::table::{Local, Move, Shared, System};

/// What the callers do.
#[derive(Clone, Copy, Debug)]
pub struct Game<'a> {
    /// What the map has for the key at the start: a value of `entry`.
    pub entry: &'a str,
    /// The first caller does this step of the world before it asks.
    pub first: Option<&'a str>,
    /// Each compute fails; otherwise each returns a value.
    pub fails: bool,
    /// The start and the end of each compute are sections that touch one object: the order of all of them counts.
    pub overlaps: bool,
}

/// Steps that only come if time passes, or if there is an executor, or if a request nominates.
const NEVER: &[&str] = &[
    "ages-stale",
    "ages-expired",
    "nominate",
    "lease-to-queue",
    "reject",
    "drop",
    "ask-again",
    "time-out",
];

/// Where a caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It has this step of the world to do first.
    First(usize),
    /// It has not asked.
    New,
    /// Its request is under way.
    Asks,
    /// Its request has been answered.
    Done,
}

#[derive(Clone, Debug)]
struct State {
    shared: Shared,
    callers: Vec<(Stage, Local)>,
}

struct Search<'a> {
    system: &'a System,
    never: Vec<bool>,
    overlaps: bool,
    most: u64,
    count: u64,
}

/// How many executions so many callers have, one of each trace. Nothing if there are more than `most`, if a caller could
/// choose between two steps, or if the game names what the table does not have.
pub fn count(system: &System, game: &Game, callers: usize, most: u64) -> Option<u64> {
    let missing = if game.fails { "return" } else { "fail" };
    let never = system
        .table
        .steps
        .iter()
        .map(|step| NEVER.contains(&step.name.as_str()) || step.name == missing);
    let mut search =
        Search { system, never: never.collect(), overlaps: game.overlaps, most, count: 0 };
    let shared = (0..system.shared_states()).map(|it| it as Shared).find(|it| {
        let is = |domain: &crate::lang::Domain| {
            let value = system.shared_value(*it, &domain.name);
            if domain.name == "entry" {
                value == game.entry
            } else {
                Some(value) == domain.values.first().map(String::as_str)
            }
        };
        system.table.shared.iter().all(is)
    })?;
    let mut state = State { shared, callers: vec![(Stage::New, 0); callers] };
    if let (Some(first), Some(caller)) = (game.first, state.callers.first_mut()) {
        caller.0 = Stage::First(system.table.step(first)?);
    }
    search.go(&state, &[])?;
    Some(search.count)
}

impl Search<'_> {
    /// The step that a caller is about to take, if it can take one. An error if it could choose.
    fn next(&self, state: &State, caller: usize) -> Option<Option<Move>> {
        let (stage, local) = state.callers[caller];
        let moves = match stage {
            Stage::Done => return Some(None),
            Stage::First(step) => {
                let moves = self.system.world(state.shared);
                return Some(moves.iter().find(|it| it.step == step).cloned());
            }
            Stage::New | Stage::Asks => self.system.moves(state.shared, local),
        };
        let mut possible = moves.iter().filter(|it| !self.never[it.step]);
        match (possible.next(), possible.next()) {
            (Some(_), Some(_)) => None,
            (one, _) => Some(one.cloned()),
        }
    }

    /// The objects that a step touches and that all share. The clock stands still, and a compute is its caller's, unless
    /// its start and end count.
    fn objects<'s>(&self, step: &'s Step) -> Vec<&'s str> {
        if self.overlaps && ["start", "return", "fail"].contains(&step.name.as_str()) {
            return vec!["origin"];
        }
        let is_shared = |it: &&str| ["map", "index", "leases"].contains(it);
        step.object.split('+').filter(is_shared).collect()
    }

    /// Whether the steps of two callers can be swapped.
    fn commute(&self, one: &Step, other: &Step) -> bool {
        let reads = |it: &Step| it.access == "read" && !self.objects(it).contains(&"origin");
        let (mine, its) = (self.objects(one), self.objects(other));
        reads(one) && reads(other) || !mine.iter().any(|it| its.contains(it))
    }

    fn go(&mut self, state: &State, sleep: &[(usize, usize)]) -> Option<()> {
        let mut moves = Vec::new();
        for caller in 0..state.callers.len() {
            moves.extend(self.next(state, caller)?.map(|it| (caller, it)));
        }
        if moves.is_empty() {
            self.count += 1;
            return (self.count <= self.most).then_some(());
        }
        let mut asleep = sleep.to_vec();
        for (caller, taken) in moves {
            if asleep.iter().any(|(other, _)| *other == caller) {
                continue;
            }
            let steps = &self.system.table.steps;
            let below: Vec<_> = asleep
                .iter()
                .copied()
                .filter(|(_, step)| self.commute(&steps[*step], &steps[taken.step]))
                .collect();
            self.go(&after(state, caller, &taken), &below)?;
            asleep.push((caller, taken.step));
        }
        Some(())
    }
}

fn after(state: &State, caller: usize, taken: &Move) -> State {
    let mut next = State { shared: taken.shared, callers: state.callers.clone() };
    for (place, (_, local)) in next.callers.iter_mut().enumerate() {
        if place != caller {
            *local = taken.becomes(*local);
        }
    }
    let (stage, local) = &mut next.callers[caller];
    *local = taken.own.unwrap_or(*local);
    *stage = match *stage {
        Stage::First(_) => Stage::New,
        // 0 is a caller between two requests.
        _ if *local == 0 => Stage::Done,
        _ => Stage::Asks,
    };
    next
}
