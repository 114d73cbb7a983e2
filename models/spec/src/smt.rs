//! The table for judges who did not write it: SMT-LIB, and the two solvers that are asked.
//!
//! The script has the guards and assignments of the table as they were parsed, not the moves of the interpreter. For
//! each step it asks for a shared state and three callers, of whom the first one steps, that have the invariant before
//! the step and not after it; for each property, for callers that have the invariant and violate it. Every answer has to
//! be `unsat`. Two questions more have to be answered with `sat`, so that a script that contradicts itself proves
//! nothing.

use crate::lang::{Assign, Claim, Domain, Expr, Kind, Scope, Step, Table, Value};
use crate::table::System;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Whose variables the names of a condition stand for.
struct Names<'a> {
    table: &'a Table,
    shared: &'a str,
    own: &'a str,
    other: &'a str,
}

impl Names<'_> {
    fn var(&self, scope: Scope, index: usize) -> String {
        let of = match scope {
            Scope::Shared => self.shared,
            Scope::Own => self.own,
            Scope::Other => self.other,
        };
        format!("{of}.{}", self.table.domain_of(scope, index).name)
    }

    fn value(&self, scope: Scope, index: usize, value: u8) -> String {
        constructor(self.table.domain_of(scope, index), value)
    }

    fn expr(&self, expr: &Expr) -> String {
        let all = |word: &str, none: &str, of: &[Expr]| match of {
            [] => none.to_string(),
            of => {
                let of: Vec<String> = of.iter().map(|it| self.expr(it)).collect();
                format!("({word} {})", of.join(" "))
            }
        };
        match expr {
            Expr::In(var, set) => {
                let size = self.table.domain_of(var.scope, var.index).values.len() as u8;
                let name = self.var(var.scope, var.index);
                let of = (0..size).filter(|value| set >> value & 1 == 1);
                let of: Vec<String> = of
                    .map(|it| format!("(= {name} {})", self.value(var.scope, var.index, it)))
                    .collect();
                format!("(or false {})", of.join(" "))
            }
            Expr::And(of) => all("and", "true", of),
            Expr::Or(of) => all("or", "false", of),
            Expr::Not(it) => format!("(not {})", self.expr(it)),
        }
    }

    /// What a variable is after assignments: the first one that holds counts.
    fn after(&self, set: &[(Expr, &Assign)], scope: Scope, index: usize) -> String {
        let mut term = self.var(scope, index);
        let of = set.iter().filter(|(_, it)| it.var.scope == scope && it.var.index == index);
        for (when, assign) in of.rev() {
            let value = match &assign.value {
                Value::Is(value) => self.value(scope, index, *value),
                Value::Of(from, map) => {
                    let mut term = self.value(scope, index, 0);
                    let read = self.var(from.scope, from.index);
                    for (value, to) in map.iter().enumerate() {
                        let is = self.value(from.scope, from.index, value as u8);
                        let to = self.value(scope, index, *to);
                        term = format!("(ite (= {read} {is}) {to} {term})");
                    }
                    term
                }
            };
            term = format!("(ite {} {value} {term})", self.expr(when));
        }
        term
    }
}

fn constructor(domain: &Domain, value: u8) -> String {
    format!("{}.{}", domain.name, domain.name_of(value))
}

fn sort(domain: &Domain) -> String {
    format!("T.{}", domain.name)
}

fn declare(script: &mut String, domains: &[Domain], of: &str) {
    for domain in domains {
        let _ = writeln!(script, "(declare-const {of}.{} {})", domain.name, sort(domain));
    }
}

/// Each local variable that a place does not use has its first value.
fn keeps_only_what_it_uses(table: &Table, of: &str) -> String {
    let names = Names { table, shared: "s", own: of, other: of };
    let mut all = String::from("(and true");
    for (place, uses) in table.uses.iter().enumerate() {
        let unused = uses.iter().enumerate().filter(|(_, used)| !**used);
        let unused: Vec<String> = unused
            .map(|(it, _)| {
                format!("(= {} {})", names.var(Scope::Own, it), names.value(Scope::Own, it, 0))
            })
            .collect();
        if !unused.is_empty() {
            let at = names.value(Scope::Own, 0, place as u8);
            let _ = write!(
                all,
                " (=> (= {} {at}) (and {}))",
                names.var(Scope::Own, 0),
                unused.join(" ")
            );
        }
    }
    all.push(')');
    all
}

/// A claim of these callers.
fn claim(table: &Table, claim: &Claim, shared: &str, callers: &[&str]) -> String {
    let of = |own: &str| Names { table, shared, own, other: own }.expr(&claim.of);
    let mut all = String::from("(and true");
    for (place, one) in callers.iter().enumerate() {
        match claim.kind {
            Kind::Never => {
                let _ = write!(all, " (not {})", of(one));
            }
            Kind::Unique => {
                for other in &callers[place + 1..] {
                    let _ = write!(all, " (not (and {} {}))", of(one), of(other));
                }
            }
        }
    }
    all.push(')');
    all
}

fn invariant(system: &System, shared: &str, callers: &[&str]) -> String {
    let clauses = system.claims.iter().filter(|it| !it.is_property);
    let all: Vec<String> = clauses.map(|it| claim(&system.table, it, shared, callers)).collect();
    format!("(and true {})", all.join(" "))
}

fn step(script: &mut String, table: &Table, step: &Step) {
    let names = Names { table, shared: "s", own: "i", other: "i" };
    let _ = writeln!(script, "(assert {})", names.expr(&step.when));
    let set: Vec<(Expr, &Assign)> = step.set.iter().map(|it| (it.when.clone(), it)).collect();
    let mut define = |of: &str, domain: &Domain, term: String| {
        let name = &domain.name;
        let _ = writeln!(script, "(define-fun {of}.{name} () {} {term})", sort(domain));
    };
    for (index, domain) in table.shared.iter().enumerate() {
        define("s1", domain, names.after(&set, Scope::Shared, index));
    }
    let rules = step.rules();
    for (index, domain) in table.local.iter().enumerate() {
        let own = if step.world {
            let names = Names { table, shared: "s", own: "i", other: "i" };
            names.after(&rules, Scope::Other, index)
        } else {
            names.after(&set, Scope::Own, index)
        };
        define("i1", domain, own);
        for (before, after) in [("j", "j1"), ("k", "k1")] {
            let names = Names { table, shared: "s", own: "i", other: before };
            define(after, domain, names.after(&rules, Scope::Other, index));
        }
    }
}

/// A question of the script, and the answer that it has to get.
#[derive(Clone, Debug)]
pub struct Question {
    /// The step, or the property.
    pub name: String,
    /// Whether it has to be satisfiable.
    pub sat: bool,
}

/// The script, and its questions in their order.
pub fn script(system: &System) -> (String, Vec<Question>) {
    let table = &system.table;
    let mut script = String::from(
        "; The transition table of xfetch-core, its invariant and its properties. Printed by xfetch-spec.\n\
         ; Every answer has to be unsat, but for the questions that say otherwise.\n\
         (set-option :produce-models false)\n(set-logic ALL)\n",
    );
    for domain in table.shared.iter().chain(&table.local) {
        let values =
            (0..domain.values.len() as u8).map(|it| format!("({})", constructor(domain, it)));
        let values: Vec<String> = values.collect();
        let _ =
            writeln!(script, "(declare-datatypes (({} 0)) (({})))", sort(domain), values.join(" "));
    }
    declare(&mut script, &table.shared, "s");
    let callers = ["i", "j", "k"];
    for caller in callers {
        declare(&mut script, &table.local, caller);
        let _ = writeln!(script, "(assert {})", keeps_only_what_it_uses(table, caller));
    }
    let mut questions = Vec::new();
    let mut ask = |script: &mut String, name: &str, sat: bool, of: &dyn Fn(&mut String)| {
        let wanted = if sat { "sat" } else { "unsat" };
        let _ = writeln!(script, "\n; {name}: {wanted}\n(push 1)");
        of(script);
        let _ = writeln!(script, "(check-sat)\n(pop 1)");
        questions.push(Question { name: name.into(), sat });
    };
    let start = |script: &mut String| {
        for (of, domains) in [("s", &table.shared), ("i", &table.local), ("j", &table.local)] {
            for domain in domains {
                let _ = writeln!(
                    script,
                    "(assert (= {of}.{} {}))",
                    domain.name,
                    constructor(domain, 0)
                );
            }
        }
    };
    let has = invariant(system, "s", &callers);
    ask(&mut script, "the start has the invariant", false, &|script| {
        start(script);
        let _ = writeln!(script, "(assert (not {}))", invariant(system, "s", &["i", "j"]));
    });
    ask(&mut script, "three callers may have the invariant", true, &|script| {
        let _ = writeln!(script, "(assert {has})");
    });
    ask(&mut script, "two of them may compute", true, &|script| {
        let at = |of: &str| format!("(= {of}.at at.computes)");
        let _ = writeln!(script, "(assert (and {has} {} {}))", at("i"), at("j"));
    });
    for it in &table.steps {
        ask(&mut script, &it.name, false, &|script| {
            let _ = writeln!(script, "(assert {has})");
            step(script, table, it);
            let callers = ["i1", "j1", "k1"];
            let after = invariant(system, "s1", &callers);
            let keep = callers.map(|it| keeps_only_what_it_uses(table, it)).join(" ");
            let _ = writeln!(script, "(assert (not (and {after} {keep})))");
        });
    }
    for it in system.claims.iter().filter(|it| it.is_property) {
        ask(&mut script, &it.name, false, &|script| {
            let _ = writeln!(
                script,
                "(assert (and {has} (not {})))",
                claim(table, it, "s", &["i", "j"])
            );
        });
    }
    (script, questions)
}

/// A solver: its command, and what it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Solver {
    /// Microsoft's.
    Z3,
    /// The one of Stanford and Iowa.
    Cvc5,
}

impl Solver {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Z3, Self::Cvc5];

    /// The name of its command and of Debian's package.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Z3 => "z3",
            Self::Cvc5 => "cvc5",
        }
    }

    const fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Z3 => &["-in", "-smt2"],
            Self::Cvc5 => &["--lang=smt2", "--incremental", "-"],
        }
    }

    /// What it says of its version.
    ///
    /// # Errors
    ///
    /// It is not there: which package has it.
    pub fn version(self) -> Result<String, String> {
        let name = self.name();
        let asked = Command::new(name).arg("--version").output();
        let asked = asked.map_err(|error| {
            format!("{name} cannot be run ({error}): install Debian's package {name}, or say --without-solvers")
        })?;
        let text = String::from_utf8_lossy(&asked.stdout);
        Ok(text.lines().next().unwrap_or("").trim().to_string())
    }

    /// Asks it.
    ///
    /// # Errors
    ///
    /// It is not there, or says something that is no answer.
    pub fn ask(self, script: &str, questions: &[Question]) -> Result<Judged, String> {
        self.version()?;
        let name = self.name();
        let failed = |error: std::io::Error| format!("{name}: {error}");
        let mut child = Command::new(name)
            .args(self.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let mut input = child.stdin.take();
        let text = script.to_string();
        // The solver answers while it reads.
        let writer = std::thread::spawn(move || match &mut input {
            Some(input) => input.write_all(text.as_bytes()),
            None => Ok(()),
        });
        let output = child.wait_with_output().map_err(failed)?;
        drop(writer.join());
        let said = String::from_utf8_lossy(&output.stdout);
        let answers: Vec<&str> = said.lines().map(str::trim).filter(|it| !it.is_empty()).collect();
        if answers.len() != questions.len() {
            let first = answers.iter().find(|it| !["sat", "unsat"].contains(*it));
            let what = first.copied().unwrap_or("it stopped early");
            return Err(format!(
                "{name} answered {} of {} questions: {what}",
                answers.len(),
                questions.len()
            ));
        }
        let mut judged = Judged { questions: questions.len(), refuted: BTreeMap::new() };
        for (question, answer) in questions.iter().zip(answers) {
            let wanted = if question.sat { "sat" } else { "unsat" };
            if answer != wanted {
                judged.refuted.insert(question.name.clone(), answer.to_string());
            }
        }
        Ok(judged)
    }
}

/// What a solver has answered.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// How many questions it was asked.
    pub questions: usize,
    /// The questions with another answer than the one that proves, and that answer.
    pub refuted: BTreeMap<String, String>,
}

impl Judged {
    /// Whether the answers prove this property: all but those about other properties are as they have to be.
    pub fn proves(&self, system: &System, property: &str) -> bool {
        let other = |name: &str| name != property && system.properties().contains(&name);
        self.refuted.keys().all(|name| other(name))
    }
}
