//! The places of a caller, and the steps between them, for people.

use crate::lang::Kind;
use crate::table::{Local, Move, Shared, System};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;

/// The diagram in the language of Mermaid. It has the steps from all states that have the invariant.
pub fn mermaid(system: &System) -> String {
    let mut edges: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
    let mut add = |from, to, label: String| {
        if from != to {
            edges.entry((from, to)).or_default().insert(label);
        }
    };
    let name = |step: usize| &system.table.steps[step].name;
    let clauses = || system.claims.iter().filter(|it| !it.is_property && it.kind == Kind::Never);
    let has_invariant = |shared, local| !clauses().any(|it| system.is(it, shared, local));
    // Relabels are shared between moves: each is looked at once.
    let mut seen = HashSet::new();
    for shared in (0..system.shared_states()).map(|it| it as Shared) {
        let locals: Vec<Local> = (0..system.local_states())
            .map(|it| it as Local)
            .filter(|local| has_invariant(shared, *local))
            .collect();
        let mut all: Vec<(Option<Local>, Move)> = Vec::new();
        for local in locals.iter().copied() {
            all.extend(system.moves(shared, local).iter().map(|it| (Some(local), it.clone())));
        }
        all.extend(system.world(shared).iter().map(|it| (None, it.clone())));
        for (local, taken) in all {
            if let (Some(from), Some(to)) = (local, taken.own) {
                add(system.place(from), system.place(to), name(taken.step).clone());
            }
            let Some(others) = &taken.others else { continue };
            if !seen.insert((shared, taken.step, Rc::as_ptr(others).cast::<u8>())) {
                continue;
            }
            for other in &locals {
                let becomes = system.place(taken.becomes(*other));
                add(system.place(*other), becomes, format!("others {}", name(taken.step)));
            }
        }
    }
    let line = |((from, to), labels): (&(&str, &str), &BTreeSet<String>)| {
        let labels: Vec<_> = labels.iter().map(String::as_str).collect();
        format!("    {from} --> {to} : {}", labels.join(", "))
    };
    let lines: Vec<_> = edges.iter().map(line).collect();
    format!("stateDiagram-v2\n    [*] --> idle\n{}", lines.join("\n"))
}
