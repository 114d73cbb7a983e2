//! The plans: the cells of each budget, and how far each cell is explored.

use crate::catalogue::{Engine, Invariant, Protocol, Scenario};
use crate::engine::{Budget, Cell, Conclusion, Exploration, Progress, Refused, explore};
use crate::replay::{Shrunk, tokens};
use crate::stop;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The callers of the field report.
pub const CALLERS: usize = 100;
/// The most callers that loom finishes.
const LOOM_CALLERS: usize = 2;
/// More executions than a complete search of any cell needs.
const EVERYTHING: u64 = 1_000_000_000;

xfetch_vocabulary::slugs! {
    /// How far a plan explores.
    Extent, "budget",
    /// Seconds: a first look, and what `cargo test --release` runs. Two callers, and short
    /// samples.
    Quick = "quick",
    /// Minutes: what CI runs. Every scenario is complete at three callers, the main ones at four.
    Default = "default",
    /// A night: every scenario at four callers, `field` at six, and long samples.
    Deep = "deep",
}

/// One shard of a plan, for one machine of several: the `number`-th of `of`, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanShard {
    number: usize,
    of: usize,
}

impl PlanShard {
    /// The whole plan.
    pub const WHOLE: Self = Self { number: 1, of: 1 };
    /// The most shards: more than any plan has cells.
    const MOST: usize = 1_000;

    /// Its number, counted from 1, and how many shards there are.
    pub fn parts(self) -> (usize, usize) {
        (self.number, self.of)
    }

    /// The shard `number` of `of`; `None` if there is no such shard.
    pub fn new(number: usize, of: usize) -> Option<Self> {
        ((1..=of).contains(&number) && of <= Self::MOST).then_some(Self { number, of })
    }
}

impl fmt::Display for PlanShard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for PlanShard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/');
        let numbers = parts.and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        numbers.and_then(|(number, of)| Self::new(number, of)).ok_or_else(|| {
            let most = Self::MOST;
            format!("write i/n with n from 1 to {most} and i from 1 to n")
        })
    }
}

/// What happens while a plan is explored.
#[derive(Clone, Copy, Debug)]
pub enum Move<'a> {
    /// A thread begins with this cell.
    Begins(&'a Cell),
    /// This cell is explored.
    Ends(&'a Cell),
}

/// The cells, each with its budget. The longest come first.
#[derive(Clone, Debug)]
pub struct Plan(pub Vec<(Cell, Budget)>);

impl Plan {
    /// The plan of a budget.
    pub fn of(extent: Extent) -> Self {
        let mut cells = field(extent);
        cells.extend(register(extent));
        cells.extend(twins(extent));
        cells.sort_by_key(|(cell, _)| (cell.scenario, cell.protocol, cell.callers, cell.engine));
        cells.dedup_by_key(|(cell, _)| *cell);
        cells.sort_by_key(|(cell, budget)| u64::MAX - size(cell, budget));
        Self(cells)
    }

    /// One shard of the plan. The cells of one twin in one scenario stay together, because at least one
    /// of them has to show the violation. The other cells are dealt out one by one.
    pub fn shard(&self, shard: PlanShard) -> Self {
        let mut hands: BTreeMap<(Scenario, Protocol), usize> = BTreeMap::new();
        let mut dealt = 0;
        let mut deal = || {
            dealt += 1;
            (dealt - 1) % shard.of + 1
        };
        let mut is_ours = |cell: &Cell| {
            let hand = match cell.protocol.keeps_all() {
                true => deal(),
                false => *hands.entry((cell.scenario, cell.protocol)).or_insert_with(&mut deal),
            };
            hand == shard.number
        };
        Self(self.0.iter().filter(|(cell, _)| is_ours(cell)).copied().collect())
    }

    /// Explores it on so many OS threads, to its end or until the searches have to stop. The explorations come in a
    /// fixed order, whichever cell was done first; `moves` hears of each cell that begins or ends.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the engine of a cell refuses it.
    pub fn explore(
        &self,
        threads: usize,
        executions: Progress,
        moves: impl Fn(Move) + Sync,
    ) -> Result<Vec<Exploration>, Refused> {
        self.explore_and(|exploration| exploration, threads, executions, moves)
    }

    /// As [`explore`](Self::explore), with the smallest token of each violation.
    ///
    /// # Errors
    ///
    /// As [`explore`](Self::explore).
    pub fn explore_with_tokens(
        &self,
        threads: usize,
        executions: Progress,
        moves: impl Fn(Move) + Sync,
    ) -> Result<Vec<Explored>, Refused> {
        self.explore_and(Explored::from, threads, executions, moves)
    }

    /// The cells of the plan that were not explored, because the searches had to stop.
    pub fn not_run<T: AsRef<Exploration>>(&self, explored: &[T]) -> Vec<Cell> {
        let ran = |cell: &Cell| explored.iter().any(|explored| explored.as_ref().cell == *cell);
        self.0.iter().map(|(cell, _)| *cell).filter(|cell| !ran(cell)).collect()
    }

    fn explore_and<T: AsRef<Exploration> + Send>(
        &self,
        then: impl Fn(Exploration) -> T + Sync,
        threads: usize,
        executions: Progress,
        moves: impl Fn(Move) + Sync,
    ) -> Result<Vec<T>, Refused> {
        let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = || {
            while !stop::is_set()
                && let Some((cell, budget)) = self.0.get(next.fetch_add(1, Ordering::Relaxed))
            {
                moves(Move::Begins(cell));
                let explored = explore(*cell, budget, executions).map(&then);
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                found.push(explored);
                moves(Move::Ends(cell));
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(work);
            }
        });
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut explored = found.into_iter().collect::<Result<Vec<_>, _>>()?;
        explored.sort_by_key(|explored| {
            let cell = explored.as_ref().cell;
            (cell.scenario, cell.protocol, cell.engine, cell.callers)
        });
        Ok(explored)
    }
}

/// An exploration with a token for each violation: all that a report prints.
#[derive(Clone, Debug)]
pub struct Explored {
    /// The result of the engine.
    pub exploration: Exploration,
    /// The smallest token of each violation whose schedule is data.
    pub tokens: BTreeMap<Invariant, Shrunk>,
}

impl From<Exploration> for Explored {
    fn from(exploration: Exploration) -> Self {
        Self { tokens: tokens(&exploration), exploration }
    }
}

impl AsRef<Exploration> for Explored {
    fn as_ref(&self) -> &Exploration {
        &self.exploration
    }
}

impl AsRef<Exploration> for Exploration {
    fn as_ref(&self) -> &Exploration {
        self
    }
}

/// A rough measure of the time of a cell.
fn size(cell: &Cell, budget: &Budget) -> u64 {
    match cell.engine {
        Engine::Sections => 10_u64.pow(cell.callers as u32),
        Engine::Loom if cell.scenario == Scenario::Cycle => 100_000,
        Engine::Loom => 5_000,
        _ => budget.executions * 5,
    }
}

fn cell(scenario: Scenario, protocol: Protocol, engine: Engine, callers: usize) -> Cell {
    Cell { scenario, protocol, callers, engine }
}

/// The budget of a complete search.
fn all(extent: Extent) -> Budget {
    let seconds = if extent == Extent::Deep { 8 * 3_600 } else { 600 };
    let time = Duration::from_secs(seconds);
    Budget { executions: EVERYTHING, time, ..Budget::default() }
}

/// The default budget's number of executions, scaled to this budget, by chance.
fn sampled(extent: Extent, executions: u64) -> Budget {
    let executions = match extent {
        Extent::Quick => executions.div_ceil(50),
        Extent::Default => executions,
        Extent::Deep => executions * 50,
    };
    Budget { executions, ..all(extent) }
}

fn loom(extent: Extent, scenario: Scenario, protocol: Protocol) -> (Cell, Budget) {
    let budget = Budget { preemptions: scenario.loom_preemptions(), ..all(extent) };
    (cell(scenario, protocol, Engine::Loom, LOOM_CALLERS), budget)
}

/// The field report's scenario and phases, under every engine. The shipped protocol is sampled longer
/// than a twin.
fn field(extent: Extent) -> Vec<(Cell, Budget)> {
    let mut cells = Vec::new();
    let all = all(extent);
    for protocol in Protocol::PHASES {
        let keeps = protocol.breaks_in(Scenario::Field).is_none();
        let of = |engine, callers| cell(Scenario::Field, protocol, engine, callers);
        let callers = if extent == Extent::Quick { 2..=3 } else { 2..=5 };
        cells.extend(callers.map(|callers| (of(Engine::Sections, callers), all)));
        cells.push(loom(extent, Scenario::Field, protocol));
        let random = if keeps { 5_000 } else { 300 };
        cells.push((of(Engine::Random, CALLERS), sampled(extent, random)));
        let pct = if keeps { 2_000 } else { 200 };
        for engine in [Engine::Pct, Engine::Urw] {
            cells.push((of(engine, CALLERS), sampled(extent, pct)));
        }
        cells.push((of(Engine::Threads, CALLERS), sampled(extent, 100)));
    }
    let shipped = |engine, callers| cell(Scenario::Field, Protocol::DoubleRecheck, engine, callers);
    if extent != Extent::Quick {
        let symmetry = Budget { symmetry: true, ..all };
        cells.push((shipped(Engine::Sections, 8), symmetry));
    }
    if extent == Extent::Deep {
        cells.push((shipped(Engine::Sections, 6), all));
        cells.push((shipped(Engine::Loom, 3), Budget { preemptions: Some(3), ..all }));
    }
    cells
}

/// Every scenario with the shipped protocol, and once more in the default configuration.
fn register(extent: Extent) -> Vec<(Cell, Budget)> {
    let mut cells = Vec::new();
    for scenario in Scenario::ALL.iter().copied() {
        let of = |engine, callers| cell(scenario, Protocol::DoubleRecheck, engine, callers);
        let most = match extent {
            Extent::Quick => 2,
            Extent::Default | Extent::Deep => scenario.complete_at(),
        };
        cells.extend((2..=most).map(|callers| (of(Engine::Sections, callers), all(extent))));
        let symmetry = Budget { symmetry: true, ..all(extent) };
        let in_a_night = extent == Extent::Deep && most < 4;
        if in_a_night || extent == Extent::Default && scenario.four_by_symmetry() {
            cells.push((of(Engine::Sections, 4), symmetry));
        }
        if extent != Extent::Quick || scenario == Scenario::Field {
            let default_config = cell(scenario, Protocol::DefaultConfig, Engine::Sections, 2);
            cells.push((default_config, all(extent)));
        }
        let is_short = scenario.loom_preemptions().is_none() && scenario != Scenario::Cycle;
        if scenario.on_loom() && (is_short || extent != Extent::Quick) {
            cells.push(loom(extent, scenario, Protocol::DoubleRecheck));
        }
        for engine in [Engine::Random, Engine::Pct, Engine::Urw] {
            cells.push((of(engine, CALLERS), sampled(extent, 200)));
        }
        cells.push((of(Engine::Threads, CALLERS), sampled(extent, 20)));
    }
    cells
}

/// Every broken twin in each scenario that it is written for. At the quick budget a search ends at the
/// first violation.
fn twins(extent: Extent) -> Vec<(Cell, Budget)> {
    let mut cells = Vec::new();
    for protocol in Protocol::ALL.iter().copied() {
        for (scenario, invariant) in protocol.breaks().iter().copied() {
            // A pool's broken twin has millions of interleavings of three callers, and is broken at
            // two.
            for callers in if scenario.workers(protocol) > 0 { 2..=2 } else { 2..=3 } {
                let of = cell(scenario, protocol, Engine::Sections, callers);
                let until = (extent == Extent::Quick && protocol.breaks_only_one_in(scenario))
                    .then_some(invariant);
                cells.push((of, Budget { until, ..all(extent) }));
            }
        }
    }
    cells
}

/// Something that is not as the catalogue says.
#[derive(Clone, Debug)]
pub struct Deviation<'a> {
    /// What it is, in a line.
    pub what: String,
    /// The scenario.
    pub scenario: Scenario,
    /// The protocol.
    pub protocol: Protocol,
    /// The exploration that shows it, if one cell does. Otherwise it is what no cell of this protocol in this scenario
    /// shows.
    pub shown_by: Option<&'a Exploration>,
}

impl<'a> Deviation<'a> {
    fn of(found: &'a Exploration, what: String) -> Self {
        let Cell { scenario, protocol, .. } = found.cell;
        Self { what, scenario, protocol, shown_by: Some(found) }
    }

    /// Whether this cell has a part in it.
    pub fn is_of(&self, cell: &Cell) -> bool {
        match self.shown_by {
            Some(found) => found.cell == *cell,
            None => (cell.scenario, cell.protocol) == (self.scenario, self.protocol),
        }
    }
}

/// Every deviation from the catalogue.
pub fn deviations<T: AsRef<Exploration>>(explored: &[T]) -> Vec<Deviation<'_>> {
    let explorations: Vec<&Exploration> = explored.iter().map(AsRef::as_ref).collect();
    let mut deviations = Vec::new();
    for found in explorations.iter().copied().filter(|found| found.cell.protocol.keeps_all()) {
        let scenario = found.cell.scenario;
        if found.violated().next().is_some() {
            deviations.push(Deviation::of(found, format!("{scenario} is violated")));
        }
        if found.refined.mismatch.is_some() {
            let what = format!("{scenario} has an execution that is not in the table");
            deviations.push(Deviation::of(found, what));
        }
        let missed: Vec<_> = found.vacuous_for().iter().map(|witness| witness.slug()).collect();
        if !missed.is_empty() {
            let what = format!("vacuous, {} not reached", missed.join(", "));
            deviations.push(Deviation::of(found, what));
        }
    }
    for (protocol, scenario, invariant) in promises() {
        let is_of_the_promise = |found: &&Exploration| {
            found.cell.protocol == protocol && found.cell.scenario == scenario
        };
        let mut asked = explorations.iter().copied().filter(is_of_the_promise).peekable();
        // The cells of a promise are all in one shard.
        if asked.peek().is_some() && !asked.any(|found| found.violates(invariant)) {
            let what = format!("{protocol} does not violate {invariant} in {scenario}");
            deviations.push(Deviation { what, scenario, protocol, shown_by: None });
        }
    }
    deviations
}

/// The explorations that a budget cut off. A search that stops at the violation it looked for is not
/// one of them.
pub fn cut_off<T: AsRef<Exploration>>(explored: &[T]) -> impl Iterator<Item = &Exploration> {
    explored.iter().map(AsRef::as_ref).filter(|found| found.conclusion() == Conclusion::Incomplete)
}

/// What each twin is written to violate, and where.
pub fn promises() -> impl Iterator<Item = (Protocol, Scenario, Invariant)> {
    Protocol::ALL.iter().copied().flat_map(|protocol| {
        let broken = protocol.breaks().iter();
        broken.map(move |(scenario, invariant)| (protocol, *scenario, *invariant))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Witness;
    use crate::engine::Coverage;
    use crate::verdict::Verdict;
    use std::collections::BTreeSet;

    type Key = (Scenario, Protocol, Engine, usize);

    fn keys(plan: &Plan) -> Vec<Key> {
        let key = |cell: &Cell| (cell.scenario, cell.protocol, cell.engine, cell.callers);
        plan.0.iter().map(|(cell, _)| key(cell)).collect()
    }

    #[test]
    fn the_shards_of_a_plan_share_no_cell_and_miss_none() {
        for extent in Extent::ALL.iter().copied() {
            let plan = Plan::of(extent);
            let whole: BTreeSet<Key> = keys(&plan).into_iter().collect();
            assert_eq!(whole.len(), plan.0.len(), "no cell is there twice");
            for of in [1, 2, 3, 7, 1_000] {
                let shard =
                    |number| plan.shard(PlanShard::new(number, of).expect("it is one of them"));
                let parts: Vec<Key> = (1..=of).flat_map(|number| keys(&shard(number))).collect();
                assert_eq!(parts.len(), whole.len(), "{extent}, {of} shards");
                assert_eq!(parts.into_iter().collect::<BTreeSet<_>>(), whole);
            }
        }
    }

    /// A promise is then checked by all of its cells, and every plan has cells for every promise.
    #[test]
    fn the_cells_of_a_promise_are_in_one_shard() {
        for extent in Extent::ALL.iter().copied() {
            let plan = Plan::of(extent);
            let shards: Vec<_> =
                (1..=5).filter_map(|number| Some(plan.shard(PlanShard::new(number, 5)?))).collect();
            for (protocol, scenario, _) in promises() {
                let has = |plan: &&Plan| {
                    let is_own =
                        |cell: &Cell| cell.protocol == protocol && cell.scenario == scenario;
                    plan.0.iter().any(|(cell, _)| is_own(cell))
                };
                assert_eq!(shards.iter().filter(has).count(), 1, "{protocol} in {scenario}");
            }
        }
    }

    /// If a plan left out an engine, no result would show it.
    #[test]
    fn every_plan_asks_every_engine_about_every_scenario() {
        for extent in Extent::ALL.iter().copied() {
            let keys: BTreeSet<Key> = keys(&Plan::of(extent)).into_iter().collect();
            for scenario in Scenario::ALL.iter().copied() {
                let asks = |protocol, engine, callers| {
                    keys.contains(&(scenario, protocol, engine, callers))
                };
                let shipped = |engine, callers| asks(Protocol::DoubleRecheck, engine, callers);
                assert!(shipped(Engine::Sections, 2), "{extent}, {scenario}");
                for engine in [Engine::Random, Engine::Pct, Engine::Urw, Engine::Threads] {
                    assert!(shipped(engine, CALLERS), "{extent}, {scenario}, {engine}");
                }
                if extent == Extent::Quick {
                    continue;
                }
                assert!(shipped(Engine::Sections, 3), "{extent}, {scenario}");
                assert!(asks(Protocol::DefaultConfig, Engine::Sections, 2), "{extent}, {scenario}");
                assert_eq!(shipped(Engine::Loom, 2), scenario.on_loom(), "{extent}, {scenario}");
            }
            for protocol in Protocol::PHASES {
                let of =
                    |engine, callers| keys.contains(&(Scenario::Field, protocol, engine, callers));
                assert!(of(Engine::Loom, 2) && of(Engine::Random, CALLERS), "{extent}, {protocol}");
            }
        }
    }

    fn found(protocol: Protocol, coverage: Coverage, violated: Option<Invariant>) -> Exploration {
        let of = cell(Scenario::Field, protocol, Engine::Sections, 2);
        let mut explorations = Exploration::new(of, &Budget::default());
        let verdict = Verdict { violated: violated.into_iter().collect(), ..Verdict::default() };
        explorations.outcomes.insert(verdict, 1);
        explorations.reached.extend(Scenario::Field.witnesses());
        explorations.coverage = coverage;
        explorations
    }

    fn lines(explorations: Exploration) -> Vec<String> {
        deviations(&[explorations]).into_iter().map(|it| it.what).collect()
    }

    #[test]
    fn every_deviation_from_the_catalogue_is_reported() {
        let (shipped, twin) = (Protocol::DoubleRecheck, Protocol::LockOnly);
        let (complete, wasted) = (Coverage::Complete, Some(Invariant::NoWastedCompute));
        assert_eq!(lines(found(shipped, complete, None)), [""; 0]);
        assert_eq!(lines(found(shipped, complete, wasted)), ["field is violated"]);
        assert_eq!(lines(found(twin, complete, wasted)), [""; 0]);
        let other = Some(Invariant::OneInFlight);
        let kept = "lock-only does not violate no-wasted-compute in field";
        assert_eq!(lines(found(twin, complete, other)), [kept]);
        assert_eq!(lines(found(twin, complete, None)), [kept]);
        let mut vacuous = found(shipped, complete, None);
        vacuous.reached.remove(&Witness::FoundBusy);
        assert_eq!(lines(vacuous), ["vacuous, found-busy not reached"]);
    }

    #[test]
    fn every_search_that_was_cut_off_is_reported() {
        let (shipped, twin) = (Protocol::DoubleRecheck, Protocol::LockOnly);
        let wasted = Some(Invariant::NoWastedCompute);
        let of = |explorations: Exploration| cut_off(&[explorations]).count();
        assert_eq!(of(found(shipped, Coverage::Incomplete, None)), 1);
        assert_eq!(of(found(shipped, Coverage::Complete, None)), 0);
        assert_eq!(of(found(twin, Coverage::Incomplete, wasted)), 0, "it was found");
    }

    #[test]
    fn a_shard_that_does_not_exist_is_refused() {
        for text in ["", "1", "0/3", "4/3", "1/0", "1/1001", "-1/3", "1/3/5", "a/b"] {
            assert!(text.parse::<PlanShard>().is_err(), "{text}");
        }
        assert_eq!("2/3".parse(), Ok(PlanShard { number: 2, of: 3 }));
    }
}
