//! The table for people who read TLA+. No tool reads this text here: the solvers judge the same table.

use crate::lang::{Assign, Expr, Kind, Scope, Step, Table, Value};
use crate::table::System;
use std::fmt::Write as _;

fn name(of: &str) -> String {
    of.replace('-', "_")
}

/// `c` is the caller that steps, `d` another one.
fn var(table: &Table, scope: Scope, index: usize, own: &str) -> String {
    let of = name(&table.domain_of(scope, index).name);
    match scope {
        Scope::Shared => of,
        Scope::Own => format!("{of}[{own}]"),
        Scope::Other => format!("{of}[d]"),
    }
}

fn expr(table: &Table, it: &Expr, own: &str) -> String {
    let all = |word: &str, none: &str, of: &[Expr]| match of {
        [] => none.to_string(),
        of => {
            let of: Vec<String> = of.iter().map(|it| expr(table, it, own)).collect();
            format!("({})", of.join(word))
        }
    };
    match it {
        Expr::In(of, set) => {
            let values = &table.domain_of(of.scope, of.index).values;
            let within = values.iter().enumerate().filter(|(it, _)| set >> it & 1 == 1);
            let within: Vec<String> = within.map(|(_, it)| format!("\"{it}\"")).collect();
            format!("{} \\in {{{}}}", var(table, of.scope, of.index, own), within.join(", "))
        }
        Expr::And(of) => all(" /\\ ", "TRUE", of),
        Expr::Or(of) => all(" \\/ ", "FALSE", of),
        Expr::Not(it) => format!("~({})", expr(table, it, own)),
    }
}

fn after(table: &Table, set: &[(Expr, &Assign)], scope: Scope, index: usize) -> String {
    let own = var(table, scope, index, "c");
    let mut term = own;
    let of = set.iter().filter(|(_, it)| it.var.scope == scope && it.var.index == index);
    for (when, assign) in of.rev() {
        let value = match &assign.value {
            Value::Is(value) => format!("\"{}\"", table.domain_of(scope, index).name_of(*value)),
            Value::Of(from, _) => var(table, from.scope, from.index, "c"),
        };
        if value != term {
            term = format!("IF {} THEN {value} ELSE {term}", expr(table, when, "c"));
        }
    }
    term
}

fn step(text: &mut String, table: &Table, step: &Step) {
    let parameter = if step.world { "" } else { "(c)" };
    let event = step.event.as_deref().unwrap_or("no event");
    let _ = writeln!(text, "\n\\* {event}; {} {}", step.object, step.access);
    let _ = writeln!(text, "{}{parameter} ==", name(&step.name));
    let _ = writeln!(text, "  /\\ {}", expr(table, &step.when, "c"));
    let set: Vec<(Expr, &Assign)> = step.set.iter().map(|it| (it.when.clone(), it)).collect();
    for (index, it) in table.shared.iter().enumerate() {
        let _ = writeln!(
            text,
            "  /\\ {}' = {}",
            name(&it.name),
            after(table, &set, Scope::Shared, index)
        );
    }
    let rules = step.rules();
    for (index, it) in table.local.iter().enumerate() {
        let others = after(table, &rules, Scope::Other, index);
        let each = if step.world {
            others
        } else {
            format!("IF d = c THEN {} ELSE {others}", after(table, &set, Scope::Own, index))
        };
        let _ = writeln!(text, "  /\\ {}' = [d \\in Callers |-> {each}]", name(&it.name));
    }
}

/// The module.
pub fn module(system: &System) -> String {
    let table = &system.table;
    let mut text = String::from(
        "---- MODULE XFetch ----\n\\* The transition table of xfetch-core. Printed by xfetch-spec.\nCONSTANT Callers\n",
    );
    let all: Vec<String> =
        table.shared.iter().chain(&table.local).map(|it| name(&it.name)).collect();
    let _ = writeln!(text, "VARIABLES {}\nvars == <<{}>>\n", all.join(", "), all.join(", "));
    let _ = writeln!(text, "Init ==");
    for it in &table.shared {
        let _ = writeln!(text, "  /\\ {} = \"{}\"", name(&it.name), it.name_of(0));
    }
    for it in &table.local {
        let _ =
            writeln!(text, "  /\\ {} = [d \\in Callers |-> \"{}\"]", name(&it.name), it.name_of(0));
    }
    for it in &table.steps {
        step(&mut text, table, it);
    }
    let _ = writeln!(text, "\nNext ==");
    for it in &table.steps {
        let of = name(&it.name);
        let _ = match it.world {
            true => writeln!(text, "  \\/ {of}"),
            false => writeln!(text, "  \\/ \\E c \\in Callers : {of}(c)"),
        };
    }
    let _ = writeln!(text, "\nSpec == Init /\\ [][Next]_vars");
    for (title, is_property) in [("Properties", true), ("Invariant", false)] {
        let _ = writeln!(text, "\n{title} ==");
        for it in system.claims.iter().filter(|it| it.is_property == is_property) {
            let of = |caller: &str| expr(table, &it.of, caller);
            let _ = match it.kind {
                Kind::Never => {
                    writeln!(text, "  /\\ \\A c \\in Callers : ~({}) \\* {}", of("c"), it.name)
                }
                Kind::Unique => writeln!(
                    text,
                    "  /\\ \\A c, e \\in Callers : c # e => ~({} /\\ {}) \\* {}",
                    of("c"),
                    of("e"),
                    it.name
                ),
            };
        }
    }
    text.push_str("====\n");
    text
}
