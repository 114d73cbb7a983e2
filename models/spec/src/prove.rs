//! All proofs of one table, and what they found as one page.

use crate::counters;
use crate::exact::{self, Alone, World};
use crate::induction;
use crate::smt::{self, Solver};
use crate::table::{Pair, System};
use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

/// What is proved how far.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The exact search goes up to so many callers with the whole world.
    pub whole: usize,
    /// And up to so many callers with nothing beside them.
    pub still: usize,
    /// Progress is searched up to so many callers with the whole world, and up to so many with nothing beside them.
    pub progress: (usize, usize),
    /// A search is cut off at so many states, and proves nothing then.
    pub most: usize,
    /// The solvers are not asked.
    pub without_solvers: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            whole: 3,
            still: exact::MOST,
            progress: (3, exact::MOST),
            most: 20_000_000,
            without_solvers: false,
        }
    }
}

/// One way to prove, and what it says.
#[derive(Clone, Debug)]
pub struct Way {
    /// Its name.
    pub name: String,
    /// It is a proof for any number of callers.
    pub any: bool,
    /// For each property of the report whether it is proved.
    pub proved: Vec<bool>,
    /// What was looked at.
    pub what: String,
    /// How long it took.
    pub took: Duration,
    /// What it found that it should not.
    pub found: Vec<String>,
}

/// What all ways say.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The properties.
    pub properties: Vec<String>,
    /// The ways.
    pub ways: Vec<Way>,
    /// What is known of progress.
    pub progress: Vec<String>,
    /// Why progress is not proved.
    pub no_progress: Vec<String>,
    /// Steps of the table that no search reached, by name.
    pub unreached: Vec<String>,
    /// From where any number of callers can take which steps, but for those by which only time passes.
    pub reachable: BTreeSet<Pair>,
    /// What kept a way from being tried.
    pub errors: Vec<String>,
}

impl Report {
    /// Whether every property is proved in every way, every step is reachable, and nothing was left out that was asked for.
    pub fn holds(&self) -> bool {
        let all =
            self.ways.iter().all(|way| way.proved.iter().all(|it| *it) && way.found.is_empty());
        let nothing = self.errors.is_empty() && self.no_progress.is_empty();
        all && nothing && self.unreached.is_empty() && !self.properties.is_empty()
    }

    /// How long the proofs for any number of callers took together.
    pub fn any_number_took(&self) -> Duration {
        self.ways.iter().filter(|it| it.any).map(|it| it.took).sum()
    }
}

/// The steps that executions took, those that the table can take, and the names of those that none took.
pub fn coverage<'a>(
    system: &'a System,
    reachable: &[bool],
    taken: &BTreeSet<usize>,
) -> (usize, usize, Vec<&'a str>) {
    let steps = || system.table.steps.iter().enumerate();
    let can = |index: &usize| reachable.get(*index).copied().unwrap_or(false);
    let of = steps().filter(|(index, _)| can(index));
    let (mut count, mut all, mut missing) = (0, 0, Vec::new());
    for (index, step) in of {
        all += 1;
        if taken.contains(&index) {
            count += 1;
        } else {
            missing.push(step.name.as_str());
        }
    }
    (count, all, missing)
}

/// Proves what the options say of this table.
pub fn run(system: &System, options: Options) -> Report {
    let properties: Vec<String> = system.properties().into_iter().map(Into::into).collect();
    let mut report = Report { properties, ..Report::default() };
    by_counters(system, options, &mut report);
    let has_invariant = by_induction(system, &mut report);
    if !options.without_solvers {
        by_solvers(system, &mut report);
    }
    // The reduction of the exact search is right only for a table that has the invariant.
    let alone = if has_invariant { Alone::find(system) } else { Alone::nobody() };
    exactly(system, &alone, options, &mut report);
    progress(system, &alone, options, &mut report);
    report
}

/// Which properties a search has proved.
fn proved(system: &System, violated: &dyn Fn(&str) -> bool, cut_off: bool) -> Vec<bool> {
    system.properties().iter().map(|it| !cut_off && !violated(it)).collect()
}

fn by_counters(system: &System, options: Options, report: &mut Report) {
    let began = Instant::now();
    let found = counters::search(system, options.most);
    report.ways.push(Way {
        name: "any N, by counters".into(),
        any: true,
        proved: proved(system, &|it| found.violated.contains_key(it), found.cut_off),
        what: format!("{} states, {} moves", found.states, found.moves),
        took: began.elapsed(),
        found: found.violated.values().cloned().collect(),
    });
    report.reachable =
        found.pairs.iter().copied().filter(|it| !system.passes_time(it.step)).collect();
    let steps = system.table.steps.iter().zip(&found.taken);
    report.unreached = steps.filter(|(_, it)| !**it).map(|(step, _)| step.name.clone()).collect();
    match &found.unheld {
        None if !found.cut_off => {
            report.progress.push("any N: a lease that is held has a holder (by counters)".into());
        }
        None => report.no_progress.push("the search by counters was cut off".into()),
        Some(state) => report.no_progress.push(format!("a lease that nobody holds: {state}")),
    }
}

/// Whether the table has the invariant.
fn by_induction(system: &System, report: &mut Report) -> bool {
    let began = Instant::now();
    let checked = induction::check(system, None);
    let broken = checked
        .broken
        .iter()
        .map(|(it, state)| format!("{} breaks {} from {state}", it.step, it.claim));
    report.ways.push(Way {
        name: "any N, by induction".into(),
        any: true,
        proved: system.properties().iter().map(|it| checked.proves(system, it)).collect(),
        what: format!(
            "{} states, {} steps, {} cases",
            checked.states, checked.steps, checked.cases
        ),
        took: began.elapsed(),
        found: broken.collect(),
    });
    match &checked.stuck {
        None => report.progress.push(
            "any N: a caller that is at work and does not wait for a release can step, whatever the others do (by induction)"
                .into(),
        ),
        Some(state) => report.no_progress.push(format!("a caller that cannot step: {state}")),
    }
    checked.broken.is_empty()
}

fn by_solvers(system: &System, report: &mut Report) {
    let (script, questions) = smt::script(system);
    for solver in Solver::ALL {
        let began = Instant::now();
        let asked = solver.version().and_then(|it| Ok((it, solver.ask(&script, &questions)?)));
        match asked {
            Ok((version, judged)) => report.ways.push(Way {
                name: format!("any N, by {}", solver.name()),
                any: true,
                proved: system.properties().iter().map(|it| judged.proves(system, it)).collect(),
                what: format!("{} questions, {version}", judged.questions),
                took: began.elapsed(),
                found: judged
                    .refuted
                    .iter()
                    .map(|(name, answer)| format!("{name}: {answer}"))
                    .collect(),
            }),
            Err(error) => report.errors.push(error),
        }
    }
}

fn exactly(system: &System, alone: &Alone, options: Options, report: &mut Report) {
    let whole = (1..=options.whole).map(|callers| (World::Whole, callers));
    let still = (options.whole + 1..=options.still).map(|callers| (World::Still, callers));
    for (world, callers) in whole.chain(still) {
        let began = Instant::now();
        let found = exact::search(system, alone, world, callers, options.most);
        let beside = if world == World::Whole { "" } else { ", nothing beside the callers" };
        report.ways.push(Way {
            name: format!("exactly {callers}{beside}"),
            any: false,
            proved: proved(system, &|it| found.violated.contains_key(it), found.cut_off),
            what: format!("{} states, {} moves", found.states, found.moves),
            took: began.elapsed(),
            found: found.violated.values().map(|path| path.join(", ")).collect(),
        });
    }
}

fn progress(system: &System, alone: &Alone, options: Options, report: &mut Report) {
    let (most, still) = options.progress;
    let whole = (1..=most).map(|callers| (World::Whole, callers));
    let still = (most + 1..=still).map(|callers| (World::Still, callers));
    for (world, callers) in whole.chain(still) {
        let progress = exact::progress(system, alone, world, callers, options.most);
        let beside = if world == World::Whole { "" } else { ", nothing beside them" };
        let wrong = progress.stuck.iter().chain(&progress.endless);
        let wrong: Vec<String> = wrong.map(|it| format!("{callers} callers: {it}")).collect();
        if progress.cut_off {
            report.no_progress.push(format!("{callers} callers: the search was cut off"));
        } else if wrong.is_empty() {
            report.progress.push(format!(
                "exactly {callers}{beside}: from each of {} states every run without new requests ends with all answered",
                progress.states
            ));
        }
        report.no_progress.extend(wrong);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ways = self.ways.iter().map(|it| it.name.len());
        let width = ways.max().unwrap_or(0);
        for (number, property) in self.properties.iter().enumerate() {
            writeln!(f, "{} {property}", number + 1)?;
        }
        writeln!(f)?;
        let numbers: String = (1..=self.properties.len()).map(|it| format!("{it:>2}")).collect();
        writeln!(f, "{:<width$} {numbers}", "")?;
        for way in &self.ways {
            let marks: String = way.proved.iter().map(|it| if *it { " +" } else { " -" }).collect();
            writeln!(
                f,
                "{:<width$} {marks}  {:>6.2} s  {}",
                way.name,
                way.took.as_secs_f64(),
                way.what
            )?;
            for found in &way.found {
                writeln!(f, "    {found}")?;
            }
        }
        writeln!(f)?;
        writeln!(
            f,
            "Any number of callers: {:.2} s in all.",
            self.any_number_took().as_secs_f64()
        )?;
        for it in &self.progress {
            writeln!(f, "Progress, {it}.")?;
        }
        for it in &self.no_progress {
            writeln!(f, "No progress: {it}.")?;
        }
        for it in &self.unreached {
            writeln!(f, "The step {it} is never taken.")?;
        }
        for it in &self.errors {
            writeln!(f, "Not tried: {it}.")?;
        }
        writeln!(
            f,
            "Assumed: sequential consistency; one key; a section is atomic, and so is what a compute shares.\n\
             Not carried to any number: that chains of waiters are answered in a bounded time, and fairness."
        )
    }
}
