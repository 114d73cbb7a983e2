//! Claim C12: what one green run of a hundred requests tells about a mistake in the code.
//!
//! Each twin has one mistake. If a run of it is green with chance p, then k green runs in a row have chance
//! p^k although the code has that mistake.

use super::{CALLERS, every_interleaving};
use crate::catalogue::{Engine, Protocol, Scenario};
use crate::certificate::{self, CONFIDENCE, Detection};
use crate::engine::{Budget, Cell, Coverage, Exploration, Refused, explore};
use crate::history::AnswerKind;
use crate::page::markdown;
use crate::verdict::Verdict;
use std::collections::BTreeSet;
use std::fmt;
use std::panic::resume_unwind;
use std::time::Duration;

/// The claim that this is about.
pub(super) const CLAIM: &str = "C12";
/// Runs of each protocol in each scenario.
const RUNS: u64 = 50;
/// The chance of green runs in spite of a mistake that the claim leaves: 99.9 % confidence.
const LEFT: f64 = 0.001;
/// Callers of the complete searches.
const FEW: usize = 3;
/// The least that can be sampled.
const NO_RUN: Green = Green { runs: 0, of: RUNS };
/// The page with the table of real threads. That table was measured once and is not measured here.
const CERTIFICATE: &str = include_str!("../../../docs/CERTIFICATE.md");

/// How many runs were green.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Green {
    runs: u64,
    of: u64,
}

impl Green {
    fn counted(found: &Exploration, is_green: impl Fn(&Verdict) -> bool) -> Self {
        let green = found.outcomes.iter().filter(|(verdict, _)| is_green(verdict));
        Self { runs: green.map(|(_, count)| count).sum(), of: found.executions }
    }

    fn count(self) -> String {
        format!("{} of {}", self.runs, self.of)
    }

    fn always(self) -> bool {
        self.runs == self.of
    }

    /// The upper bound on the chance that a run is green.
    fn at_most(self) -> f64 {
        Detection::most_likely_missed(self.runs, self.of)
    }

    /// The lower bound on the chance that a run is green.
    fn at_least(self) -> f64 {
        1.0 - Detection::most_likely_missed(self.of - self.runs, self.of)
    }
}

impl fmt::Display for Green {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (self.at_least(), self.at_most());
        let (fewest, percent) = (runs_for(least), 100.0 * least);
        if self.always() {
            return write!(f, "{}: {percent:.1} % or more, {fewest} or more runs", self.count());
        }
        let up_to = 100.0 * most;
        write!(
            f,
            "{}: {percent:.1} to {up_to:.1} %, {fewest} to {} runs",
            self.count(),
            runs_for(most)
        )
    }
}

/// The smallest k >= 1 with p^k <= 0.001.
fn runs_for(chance: f64) -> u64 {
    ((LEFT.ln() / chance.ln()).ceil() as u64).max(1)
}

fn keeps_all(verdict: &Verdict) -> bool {
    verdict.violated.is_empty()
}

/// Whether the report's test would be green, as far as a model has what it looked at.
fn meets_the_criteria(verdict: &Verdict) -> bool {
    let refused = verdict.answers.get(&AnswerKind::Error).copied().unwrap_or(0);
    // A run that did not come to its end has no computes.
    (1..=2).contains(&verdict.computes) && refused == 0
}

/// What the certificate's table of real threads says of a twin in a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Threads {
    Rounds(Green),
    Blind,
    NotAsked,
}

impl fmt::Display for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rounds(green) => green.fmt(f),
            Self::Blind => f.write_str("blind"),
            Self::NotAsked => f.write_str("not measured"),
        }
    }
}

/// A protocol in a scenario.
#[derive(Clone, Copy, Debug)]
struct Row {
    protocol: Protocol,
    scenario: Scenario,
    by_criteria: Green,
    by_invariants: Green,
    threads: Threads,
}

impl Row {
    fn sampled((protocol, scenario): (Protocol, Scenario)) -> Result<Self, Refused> {
        let cell = Cell { scenario, protocol, callers: CALLERS, engine: Engine::Random };
        let time = Duration::from_secs(600);
        let budget = Budget { executions: RUNS, time, ..Budget::default() };
        let found = explore(cell, &budget, None)?;
        if found.coverage != Coverage::Sampled {
            return Err(Refused(format!("{protocol} in {scenario}: {}", found.coverage)));
        }
        let threads = match protocol.breaks_in(scenario) {
            Some(_) => on_threads(protocol, scenario)?,
            None => Threads::NotAsked,
        };
        Ok(Self {
            protocol,
            scenario,
            by_criteria: Green::counted(&found, meets_the_criteria),
            by_invariants: Green::counted(&found, keeps_all),
            threads,
        })
    }

    fn is_always_green(&self) -> bool {
        self.by_criteria.always() && self.by_invariants.always()
    }

    /// Whether the twin is written to break this scenario.
    fn is_written_for(&self) -> bool {
        self.protocol.breaks_in(self.scenario).is_some()
    }
}

/// Many single runs of a hundred callers, by chance.
pub struct Runs {
    /// The shipped protocol, in every scenario of the twins.
    shipped: Vec<Row>,
    /// Each twin in the report's scenario, and in those that it is written to break.
    twins: Vec<Row>,
}

impl Runs {
    /// Runs everything.
    ///
    /// # Errors
    ///
    /// As [`explore`]. An error too if docs/CERTIFICATE.md has no row for a twin.
    pub(super) fn all() -> Result<Self, Refused> {
        let mut pairs = BTreeSet::new();
        for twin in Protocol::ALL.iter().copied().filter(|protocol| !protocol.keeps_all()) {
            let broken = twin.breaks().iter().map(|(scenario, _)| *scenario);
            for scenario in broken.chain([Scenario::Field]) {
                pairs.extend([(twin, scenario), (Protocol::DoubleRecheck, scenario)]);
            }
        }
        let pairs: Vec<_> = pairs.into_iter().collect();
        // As the searches of the other claims: two threads, which share the pairs in turn.
        let part = |first: usize| -> Result<Vec<Row>, Refused> {
            pairs.iter().skip(first).step_by(2).copied().map(Row::sampled).collect()
        };
        let [one, other] = std::thread::scope(|scope| {
            let [one, other] = [0, 1].map(|first| scope.spawn(move || part(first)));
            [one, other].map(|it| it.join().unwrap_or_else(|panic| resume_unwind(panic)))
        });
        let mut rows = [one?, other?].concat();
        rows.sort_unstable_by_key(|row| (row.protocol, row.scenario));
        let (shipped, twins) = rows.into_iter().partition(|row| row.protocol.keeps_all());
        Ok(Self { shipped, twins })
    }

    /// Each twin in the report's scenario.
    fn in_field(&self) -> impl Iterator<Item = &Row> {
        self.twins.iter().filter(|row| row.scenario == Scenario::Field)
    }

    /// Each twin in the scenarios that it is written to break.
    fn broken(&self) -> impl Iterator<Item = &Row> {
        self.twins.iter().filter(|row| row.is_written_for())
    }

    /// The twins that are written to break other scenarios than the report's, and were always green there.
    fn unseen(&self) -> impl Iterator<Item = &Row> {
        self.in_field().filter(|row| !row.is_written_for() && row.is_always_green())
    }

    /// Whether the criteria mean something there: the shipped protocol always meets them.
    fn criteria_apply(&self, scenario: Scenario) -> bool {
        self.shipped.iter().any(|row| row.scenario == scenario && row.by_criteria.always())
    }

    /// The shipped protocol has to be green, or red runs would say nothing.
    pub(super) fn of_the_shipped_protocol(&self) -> (String, bool) {
        let (all, shipped) = (self.shipped.len(), self.shipped.iter());
        let always = shipped.clone().filter(|row| row.by_invariants.always()).count();
        let criteria = shipped.filter(|row| row.by_criteria.always()).count();
        let result = format!(
            "always green by every invariant in {always} of {all} scenarios, by the criteria in {criteria}"
        );
        (result, always == all && self.criteria_apply(Scenario::Field))
    }

    /// The report's scenario, judged by the report's criteria.
    pub(super) fn in_field_by_the_criteria(&self) -> (String, bool) {
        self.in_field_by(|row| row.by_criteria)
    }

    /// The report's scenario, judged by every invariant.
    pub(super) fn in_field_by_the_invariants(&self) -> (String, bool) {
        self.in_field_by(|row| row.by_invariants)
    }

    fn in_field_by(&self, by: fn(&Row) -> Green) -> (String, bool) {
        let (always, all) =
            (self.in_field().filter(|row| by(row).always()).count(), self.in_field().count());
        let result = format!(
            "{always} of {all} twins were green in all {RUNS} runs: the confidence of one green run is <= {:.1} %",
            100.0 * NO_RUN.at_most()
        );
        (result, always * 2 > all)
    }

    /// The twins that the report's scenario does not show, in every interleaving of three callers.
    pub(super) fn unseen_by_any_run(&self) -> (String, bool) {
        let always_green = |row: &&Row| {
            every_interleaving(Scenario::Field, row.protocol, FEW).is_ok_and(|found| {
                found
                    .outcomes
                    .keys()
                    .all(|verdict| meets_the_criteria(verdict) && keeps_all(verdict))
            })
        };
        let (always, all) = (self.unseen().filter(always_green).count(), self.unseen().count());
        let result = format!(
            "{always} of {all} are green in every interleaving: no number of green runs is enough"
        );
        (result, always == all && all > 0)
    }

    /// A copy without any lock, judged by the report's criteria.
    pub(super) fn without_any_lock(&self) -> (String, bool) {
        let found = self.in_field().find(|row| row.protocol == Protocol::NoLock);
        found.map_or_else(
            || ("no run".into(), false),
            |Row { by_criteria: green, .. }| (format!("green in {green}"), green.at_least() > LEFT),
        )
    }

    /// The scenarios that the twins are written to break, judged by every invariant.
    pub(super) fn where_they_break(&self) -> (String, bool) {
        let passes = |row: &&Row| row.by_invariants.at_least() > LEFT;
        let (passing, all) = (self.broken().filter(passes).count(), self.broken().count());
        let result = format!(
            "in {passing} of {all} cases a run is green with a chance > 0.1 % (lower bound)"
        );
        (result, passing > 0)
    }

    /// What the certificate's table of real threads has.
    pub(super) fn on_real_threads(&self) -> (String, bool) {
        let judged = self.broken().filter_map(|row| match row.threads {
            Threads::Rounds(green) => Some((row.protocol, green)),
            Threads::Blind | Threads::NotAsked => None,
        });
        let judged: Vec<_> = judged.collect();
        let always: Vec<_> = judged.iter().filter(|(_, green)| green.always()).collect();
        let result =
            format!("{} of {} cases were green in every round", always.len(), judged.len());
        (result, always.iter().any(|(twin, _)| *twin == Protocol::LockOnly))
    }

    /// The part of the page below the evidence.
    pub(super) fn section(&self) -> String {
        let shown = self.twins.iter().filter(|row| row.is_written_for() || !row.is_always_green());
        let rows = shown.map(|row| {
            let Row { protocol, scenario, by_criteria, by_invariants, threads } = row;
            let applies = self.criteria_apply(*scenario);
            let criteria = if applies { by_criteria.to_string() } else { "do not apply".into() };
            vec![
                protocol.to_string(),
                scenario.to_string(),
                criteria,
                by_invariants.to_string(),
                threads.to_string(),
            ]
        });
        let header =
            ["twin", "in", "by the report's criteria", "by every invariant", "real threads, once"];
        let table = markdown(&header, rows.collect());
        let unseen: Vec<_> = self.unseen().map(|row| format!("`{}`", row.protocol)).collect();
        let (count, all, unseen) = (unseen.len(), self.in_field().count(), unseen.join(", "));
        format!(
            "### What one green run tells\n\n\
             A row is a [twin](GLOSSARY.md#twin) in a scenario in which it does harm, with {CALLERS} callers. Its interleavings are drawn\n\
             by chance: `explore --engine random --scenario field --protocol no-lock --callers {CALLERS} --budget {RUNS}`. *Green* is judged\n\
             in two ways.\n\n\
             - *By the report's criteria*: one or two computes start, and no request gets an error. The criteria on time need a\n  \
             real clock. The triggers and the lock rejections are not counted here: they depend on who asks when, also without\n  \
             a mistake. *Do not apply*: there the shipped protocol is not always green by these criteria.\n\
             - *By every invariant*: no [invariant](GLOSSARY.md#invariant) is violated. The report's test could not see most of\n  \
             them.\n\n\
             After the colon stands the chance p that a run is green in spite of the mistake: its lower and its upper {:.0} % bound\n\
             (Clopper and Pearson 1934). One green run gives the confidence 1 - p that the code does not have this mistake. Then\n\
             stands the number of green runs that give 99.9 %: the smallest k with p^k <= 0.001, for each of the two bounds. If\n\
             p is 1, no number is enough, and if every run was green, p may be 1. A sample of {RUNS} runs cannot show a chance\n\
             below {:.1} %.\n\n\
             Chance here means that each task that can run is equally likely to go on. A machine's scheduler has other chances,\n\
             and in `field` a compute takes no time. *Real threads, once* is taken from [CERTIFICATE.md](CERTIFICATE.md): rounds of\n\
             {} threads, measured once on one machine. Green means there that the invariant of that twin is kept; no other was\n\
             judged. *Blind*: real threads cannot judge that invariant. The bounds take the runs as independent. Those of one machine are not, so they tell less.\n\n\
             {table}\n\n\
             Not in the table: {count} of {all} twins in `field`. They are written to break other scenarios, and were green there in all\n\
             {RUNS} runs, by the criteria and by every invariant: {unseen}.\n",
            100.0 * CONFIDENCE,
            100.0 * NO_RUN.at_most(),
            certificate::CALLERS,
        )
    }
}

/// The rounds of real threads in which the twin's own invariants were kept: of several invariants, the one that
/// was violated most.
///
/// # Errors
///
/// [`Refused`] if the page has no row for the twin.
fn on_threads(protocol: Protocol, scenario: Scenario) -> Result<Threads, Refused> {
    let (_, table) = CERTIFICATE.split_once("\n## Real threads\n").unwrap_or_default();
    let cells = |line: &'static str| -> Vec<_> { line.split('|').map(str::trim).collect() };
    let judged = table.lines().map(cells).filter_map(|row| match row[..] {
        [_, twin, _, of, seen, _] if (twin, of) == (protocol.slug(), scenario.slug()) => Some(seen),
        _ => None,
    });
    let judged: Vec<_> = judged.collect();
    if judged.is_empty() {
        return Err(Refused(format!(
            "docs/CERTIFICATE.md has no real threads for {protocol} in {scenario}: `certificate` writes it"
        )));
    }
    let least = judged.into_iter().filter_map(green_rounds).min_by_key(|green| green.runs);
    Ok(least.map_or(Threads::Blind, Threads::Rounds))
}

/// Reads a cell of the table of real threads: "seen in 18 of 50 rounds", "not seen in 50 rounds", or blind.
fn green_rounds(cell: &str) -> Option<Green> {
    let numbers: Vec<u64> = cell.split(' ').filter_map(|word| word.parse().ok()).collect();
    match numbers[..] {
        _ if cell.starts_with("blind") => None,
        [seen, of] => Some(Green { runs: of - seen, of }),
        [of] => Some(Green { runs: of, of }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_mistake_that_passes_every_second_run_takes_ten_green_runs() {
        assert_eq!(runs_for(0.5), 10);
        assert_eq!(runs_for(0.001), 1);
        assert_eq!(runs_for(0.002), 2);
    }

    /// With every run green of n the lower bound is 0.05^(1/n).
    #[test]
    fn green_runs_alone_bound_the_chance_from_below_and_others_from_above() {
        let (always, never) = (Green { runs: 50, of: 50 }, Green { runs: 0, of: 50 });
        assert!((always.at_least() - 0.05_f64.powf(0.02)).abs() < 1e-6);
        assert!((never.at_most() - (1.0 - 0.05_f64.powf(0.02))).abs() < 1e-6);
        assert_eq!(always.to_string(), "50 of 50: 94.2 % or more, 116 or more runs");
        assert_eq!(never.to_string(), "0 of 50: 0.0 to 5.8 %, 1 to 3 runs");
    }

    #[test]
    fn a_run_is_green_by_the_criteria_with_one_or_two_computes_and_no_error() {
        let run = |computes, errors| Verdict {
            computes,
            answers: BTreeMap::from([
                (AnswerKind::Stale, 100 - errors),
                (AnswerKind::Error, errors),
            ]),
            ..Verdict::default()
        };
        let green: Vec<_> = (0..4).map(|computes| meets_the_criteria(&run(computes, 0))).collect();
        assert_eq!(green, [false, true, true, false]);
        assert!(!meets_the_criteria(&run(1, 1)));
    }

    #[test]
    fn a_round_of_real_threads_is_green_if_nothing_was_seen_in_it() {
        let green = |runs| Some(Green { runs, of: 50 });
        assert_eq!(green_rounds("seen in 18 of 50 rounds"), green(32));
        assert_eq!(green_rounds("not seen in 50 rounds"), green(50));
        assert_eq!(green_rounds("blind: it would wait for ever"), None);
    }
}
