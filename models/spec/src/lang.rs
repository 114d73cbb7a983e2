//! The language of the table: variables over small named domains, steps with a guard and assignments. The
//! interpreter, the solvers' input and the page for people are all made from what is parsed here.

use std::collections::BTreeMap;
use std::fmt;

/// What is wrong with a text, and in which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The line, counted from 1; 0 if the whole text is meant.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for Error {}

/// Whose variable it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The shared state.
    Shared,
    /// The caller that steps.
    Own,
    /// Another caller.
    Other,
}

/// A variable in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Var {
    /// Whose it is.
    pub scope: Scope,
    /// Its place among the shared or the local variables.
    pub index: usize,
}

/// A variable and its values; the first one is the initial one.
#[derive(Clone, Debug)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// The names of its values.
    pub values: Vec<String>,
    /// It is there for the properties alone: no guard of the shipped table reads it.
    pub ghost: bool,
}

/// A condition.
#[derive(Clone, Debug)]
pub enum Expr {
    /// The variable has one of the values of this set of bits.
    In(Var, u64),
    /// All hold.
    And(Vec<Expr>),
    /// One holds.
    Or(Vec<Expr>),
    /// It does not hold.
    Not(Box<Expr>),
}

/// What is assigned.
#[derive(Clone, Debug)]
pub enum Value {
    /// This value.
    Is(u8),
    /// The value of another variable: which value of the target each of its values is.
    Of(Var, Vec<u8>),
}

/// An assignment.
#[derive(Clone, Debug)]
pub struct Assign {
    /// The variable.
    pub var: Var,
    /// What it gets.
    pub value: Value,
    /// When. Of two assignments of a variable the first one that holds counts.
    pub when: Expr,
}

/// What a step does to every other caller for which the condition holds.
#[derive(Clone, Debug)]
pub struct Relabel {
    /// The condition.
    pub when: Expr,
    /// The assignments.
    pub set: Vec<Assign>,
}

/// A step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// The event that the code emits. Nothing for a section without an event.
    pub event: Option<String>,
    /// The object that the section touches.
    pub object: String,
    /// How.
    pub access: String,
    /// No caller takes it: a writer, the clock, a sweep.
    pub world: bool,
    /// The guard.
    pub when: Expr,
    /// The assignments.
    pub set: Vec<Assign>,
    /// What becomes of the other callers.
    pub others: Vec<Relabel>,
}

/// What a claim says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of no caller.
    Never,
    /// Of at most one caller.
    Unique,
}

/// A property, or a clause of the invariant.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Its name.
    pub name: String,
    /// It is a property; otherwise it is a clause of the invariant.
    pub is_property: bool,
    /// What it says of `of`.
    pub kind: Kind,
    /// A condition on the shared state and one caller, which is [`Scope::Own`] here.
    pub of: Expr,
}

/// The table.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The shared variables.
    pub shared: Vec<Domain>,
    /// The variables of a caller. The first one is its place.
    pub local: Vec<Domain>,
    /// For each place, the local variables that it uses.
    pub uses: Vec<Vec<bool>>,
    /// The steps.
    pub steps: Vec<Step>,
    /// Named conditions.
    lets: BTreeMap<String, String>,
}

impl Step {
    /// The assignments to another caller, each with its whole condition.
    pub fn rules(&self) -> Vec<(Expr, &Assign)> {
        let mut rules = Vec::new();
        for relabel in &self.others {
            for it in &relabel.set {
                rules.push((Expr::And(vec![relabel.when.clone(), it.when.clone()]), it));
            }
        }
        rules
    }
}

impl Expr {
    /// The condition that always holds.
    pub fn always() -> Self {
        Self::And(Vec::new())
    }

    /// Whether it holds in this state.
    pub fn holds(&self, shared: &[u8], own: &[u8], other: &[u8]) -> bool {
        match self {
            Self::In(var, set) => set >> var.read(shared, own, other) & 1 == 1,
            Self::And(all) => all.iter().all(|it| it.holds(shared, own, other)),
            Self::Or(any) => any.iter().any(|it| it.holds(shared, own, other)),
            Self::Not(it) => !it.holds(shared, own, other),
        }
    }

    /// The variables that it reads.
    pub fn reads(&self, into: &mut Vec<Var>) {
        match self {
            Self::In(var, _) => into.push(*var),
            Self::And(of) | Self::Or(of) => of.iter().for_each(|it| it.reads(into)),
            Self::Not(it) => it.reads(into),
        }
    }
}

impl Var {
    fn read(self, shared: &[u8], own: &[u8], other: &[u8]) -> u8 {
        let of = match self.scope {
            Scope::Shared => shared,
            Scope::Own => own,
            Scope::Other => other,
        };
        of.get(self.index).copied().unwrap_or(0)
    }
}

/// What the assignments make of one state. `target` says whose variables are written to `into`.
pub fn assign(
    set: &[Assign],
    target: Scope,
    (shared, own, other): (&[u8], &[u8], &[u8]),
    into: &mut [u8],
    done: &mut u64,
) {
    for Assign { var, value, when } in set {
        if var.scope != target || *done >> var.index & 1 == 1 || !when.holds(shared, own, other) {
            continue;
        }
        let value = match value {
            Value::Is(value) => *value,
            Value::Of(from, map) => {
                map.get(usize::from(from.read(shared, own, other))).copied().unwrap_or(0)
            }
        };
        if let Some(place) = into.get_mut(var.index) {
            *place = value;
            *done |= 1 << var.index;
        }
    }
}

impl Table {
    /// Reads a table.
    ///
    /// # Errors
    ///
    /// The first line that is none of the language.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut table = Self::default();
        for (number, raw) in text.lines().enumerate() {
            let line = raw.trim();
            let at = |what: String| Error { line: number + 1, what };
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let rest = rest.trim();
            match word {
                "shared" | "ghost" | "local" | "local-ghost" => {
                    table.domain(word, rest).map_err(at)?
                }
                "place" => table.place(rest).map_err(at)?,
                "let" => {
                    let (name, of) =
                        rest.split_once(" = ").ok_or_else(|| at("a name without =".into()))?;
                    table.lets.insert(name.trim().into(), of.into());
                }
                "step" | "world" => table.head(word == "world", rest).map_err(at)?,
                "when" | "set" | "others" => table.part(word, rest).map_err(at)?,
                other => return Err(at(format!("no line begins with {other}"))),
            }
        }
        for index in 0..table.steps.len() {
            table.forget_what_is_not_used(index);
        }
        Ok(table)
    }

    fn domain(&mut self, word: &str, rest: &str) -> Result<(), String> {
        let (name, values) = rest.split_once(':').ok_or("a variable without values")?;
        let values: Vec<String> = values.split_whitespace().map(Into::into).collect();
        if values.is_empty() || values.len() > 64 {
            return Err(format!("{name} has no values, or too many"));
        }
        let domain = Domain { name: name.trim().into(), values, ghost: word.ends_with("ghost") };
        if word.starts_with("local") {
            if self.local.is_empty() {
                self.uses = vec![Vec::new(); domain.values.len()];
            }
            self.local.push(domain);
        } else {
            self.shared.push(domain);
        }
        Ok(())
    }

    fn place(&mut self, rest: &str) -> Result<(), String> {
        let mut words = rest.split_whitespace();
        let name = words.next().ok_or("a place without a name")?;
        let at = self.local.first().ok_or("a place before the first local variable")?;
        let index = value_of(at, name)?;
        let mut uses = vec![false; self.local.len()];
        uses[0] = true;
        for word in words.filter(|word| *word != "uses") {
            let var = self.local.iter().position(|it| it.name == word);
            uses[var.ok_or_else(|| format!("no local variable is called {word}"))?] = true;
        }
        self.uses[usize::from(index)] = uses;
        Ok(())
    }

    fn head(&mut self, world: bool, rest: &str) -> Result<(), String> {
        let mut parts = rest.split('|').map(str::trim);
        let mut next = || parts.next().ok_or("a step has a name, an event and an access");
        let (name, event, access) = (next()?, next()?, next()?);
        let (object, access) = access.split_once(' ').ok_or("an access has an object")?;
        self.steps.push(Step {
            name: name.into(),
            event: (event != "-").then(|| event.into()),
            object: object.into(),
            access: access.into(),
            world,
            when: Expr::always(),
            set: Vec::new(),
            others: Vec::new(),
        });
        Ok(())
    }

    fn part(&mut self, word: &str, rest: &str) -> Result<(), String> {
        match word {
            "when" => {
                let when = self.expr(rest, Scope::Own)?;
                self.last()?.when = when;
            }
            "set" => {
                let set = self.assigns(rest, Scope::Own)?;
                self.last()?.set.extend(set);
            }
            _ => {
                let (when, set) = rest.split_once(": ").ok_or("others without a colon")?;
                let when = self.expr(when, Scope::Other)?;
                let set = self.assigns(set, Scope::Other)?;
                self.last()?.others.push(Relabel { when, set });
            }
        }
        Ok(())
    }

    fn last(&mut self) -> Result<&mut Step, String> {
        self.steps.last_mut().ok_or_else(|| "a part before the first step".into())
    }

    fn assigns(&self, text: &str, local: Scope) -> Result<Vec<Assign>, String> {
        let one = |text: &str| {
            let (what, when) = text.split_once(" if ").unwrap_or((text, ""));
            let (name, value) = what.split_once(":=").ok_or("an assignment has a :=")?;
            let (var, domain) = self.var(name.trim(), local)?;
            let value = value.trim();
            let value = match value_of(domain, value) {
                Ok(value) => Value::Is(value),
                Err(_) => {
                    let (from, of) = self.var(value, local)?;
                    let map = of.values.iter().map(|it| value_of(domain, it).unwrap_or(0));
                    Value::Of(from, map.collect())
                }
            };
            let when = if when.is_empty() { Expr::always() } else { self.expr(when, local)? };
            Ok(Assign { var, value, when })
        };
        text.split(", ").map(one).collect()
    }

    fn var(&self, name: &str, local: Scope) -> Result<(Var, &Domain), String> {
        let (name, scope) = match name.strip_prefix("my.") {
            Some(name) => (name, Scope::Own),
            None => (name, local),
        };
        if let Some(index) = self.local.iter().position(|it| it.name == name) {
            return Ok((Var { scope, index }, &self.local[index]));
        }
        let index = self.shared.iter().position(|it| it.name == name);
        let index = index.ok_or_else(|| format!("nothing is called {name}"))?;
        Ok((Var { scope: Scope::Shared, index }, &self.shared[index]))
    }

    fn expr(&self, text: &str, local: Scope) -> Result<Expr, String> {
        let spaced = text.replace('(', " ( ").replace(')', " ) ");
        let tokens: Vec<&str> = spaced.split_whitespace().collect();
        let mut rest = tokens.as_slice();
        let expr = self.or(&mut rest, local, 0)?;
        if rest.is_empty() { Ok(expr) } else { Err(format!("too much: {}", rest.join(" "))) }
    }

    fn or(&self, rest: &mut &[&str], local: Scope, depth: usize) -> Result<Expr, String> {
        let mut any = vec![self.and(rest, local, depth)?];
        while let ["or", after @ ..] = *rest {
            *rest = after;
            any.push(self.and(rest, local, depth)?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Expr::Or(any) })
    }

    fn and(&self, rest: &mut &[&str], local: Scope, depth: usize) -> Result<Expr, String> {
        let mut all = vec![self.unit(rest, local, depth)?];
        while let ["and", after @ ..] = *rest {
            *rest = after;
            all.push(self.unit(rest, local, depth)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Expr::And(all) })
    }

    fn unit(&self, rest: &mut &[&str], local: Scope, depth: usize) -> Result<Expr, String> {
        if depth > 64 {
            return Err("too deep".into());
        }
        let [word, after @ ..] = *rest else { return Err("the condition ends too early".into()) };
        *rest = after;
        match *word {
            "not" => Ok(Expr::Not(Box::new(self.unit(rest, local, depth + 1)?))),
            "(" => {
                let inner = self.or(rest, local, depth + 1)?;
                let [")", after @ ..] = *rest else { return Err("a ) is missing".into()) };
                *rest = after;
                Ok(inner)
            }
            atom => self.atom(atom, local, depth),
        }
    }

    fn atom(&self, atom: &str, local: Scope, depth: usize) -> Result<Expr, String> {
        let (name, values) = match atom.split_once('=') {
            Some(parts) => parts,
            None => {
                let of = self.lets.get(atom).ok_or_else(|| format!("nothing is called {atom}"))?;
                let spaced = of.replace('(', " ( ").replace(')', " ) ");
                let tokens: Vec<&str> = spaced.split_whitespace().collect();
                return self.or(&mut tokens.as_slice(), local, depth + 1);
            }
        };
        let (name, negated) = match name.strip_suffix('!') {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (var, domain) = self.var(name, local)?;
        let mut set = 0;
        for value in values.split(',') {
            set |= 1_u64 << value_of(domain, value)?;
        }
        let within = Expr::In(var, set);
        Ok(if negated { Expr::Not(Box::new(within)) } else { within })
    }

    /// Reads properties and clauses.
    ///
    /// # Errors
    ///
    /// The first line that is none of the language.
    pub fn claims(&self, text: &str) -> Result<Vec<Claim>, Error> {
        let mut claims = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at = |what: String| Error { line: number + 1, what };
            let mut words = line.splitn(4, ' ');
            let (Some(word), Some(name), Some(kind), Some(of)) =
                (words.next(), words.next(), words.next(), words.next())
            else {
                return Err(at("a claim has a name, a kind and a condition".into()));
            };
            let kind = match kind {
                "never" => Kind::Never,
                "unique" => Kind::Unique,
                other => return Err(at(format!("no claim is of the kind {other}"))),
            };
            let is_property = match word {
                "property" => true,
                "clause" => false,
                other => return Err(at(format!("no claim begins with {other}"))),
            };
            let of = self.expr(of, Scope::Own).map_err(at)?;
            claims.push(Claim { name: name.into(), is_property, kind, of });
        }
        Ok(claims)
    }

    /// A step that leaves a place forgets what the next place does not use.
    fn forget_what_is_not_used(&mut self, index: usize) {
        let Some(step) = self.steps.get(index) else { return };
        let mut step = step.clone();
        self.forget_in(&mut step.set, Scope::Own);
        for relabel in &mut step.others {
            self.forget_in(&mut relabel.set, Scope::Other);
        }
        self.steps[index] = step;
    }

    fn forget_in(&self, set: &mut Vec<Assign>, scope: Scope) {
        let place = Var { scope, index: 0 };
        let goes: Vec<(u8, Expr)> = set
            .iter()
            .filter(|it| it.var == place)
            .filter_map(|it| match &it.value {
                Value::Is(to) => Some((*to, it.when.clone())),
                Value::Of(..) => None,
            })
            .collect();
        for index in 1..self.local.len() {
            let var = Var { scope, index };
            for (to, when) in &goes {
                let used = self.uses.get(usize::from(*to)).and_then(|it| it.get(index));
                let value = if used.copied().unwrap_or(false) {
                    let same = (0..self.local[index].values.len() as u8).collect();
                    Value::Of(var, same)
                } else {
                    Value::Is(0)
                };
                set.push(Assign { var, value, when: when.clone() });
            }
        }
    }

    /// The variable at this place.
    pub fn domain_of(&self, scope: Scope, index: usize) -> &Domain {
        match scope {
            Scope::Shared => &self.shared[index],
            Scope::Own | Scope::Other => &self.local[index],
        }
    }

    /// The step with this name.
    pub fn step(&self, name: &str) -> Option<usize> {
        self.steps.iter().position(|step| step.name == name)
    }

    /// The variables and values of one state, without those that have their first value.
    pub fn show(domains: &[Domain], values: &[u8]) -> String {
        let of = domains.iter().zip(values).enumerate();
        let shown: Vec<String> = of
            .filter(|(index, (_, value))| *index == 0 || **value != 0)
            .map(|(_, (domain, value))| format!("{}={}", domain.name, domain.name_of(*value)))
            .collect();
        shown.join(" ")
    }
}

impl Domain {
    /// The name of a value.
    pub fn name_of(&self, value: u8) -> &str {
        self.values.get(usize::from(value)).map_or("?", String::as_str)
    }
}

fn value_of(domain: &Domain, name: &str) -> Result<u8, String> {
    let place = domain.values.iter().position(|it| it == name);
    place.map(|it| it as u8).ok_or_else(|| format!("{} has no value {name}", domain.name))
}
