//! Executions by chance: random, PCT at several depths, and the uniform random walk.

use super::{Budget, Cell, Coverage, Exploration, Fault, Progress};
use crate::catalogue::Engine;
use crate::stop;
use sections::Sample;
use std::time::Instant;
use xfetch_on_sections::{Chance, Draws};

/// PCT with depth d finds bugs of depth d best, and may never find others.
const DEPTHS: [usize; 4] = [1, 2, 3, 5];

pub(super) fn explore(
    cell: Cell,
    budget: &Budget,
    progress: Progress,
) -> Result<Exploration, Fault> {
    let executions = usize::try_from(budget.executions).unwrap_or(usize::MAX);
    let (exploration, began) = (Exploration::new(cell, budget), Instant::now());
    let mut search = Search { cell, budget, progress, began, exploration, parts: 0 };
    match cell.engine {
        Engine::Pct => {
            for (part, depth) in DEPTHS.into_iter().enumerate() {
                let share = ((executions + part) / DEPTHS.len()).max(1);
                search.run(Chance::Pct { depth }, share)?;
            }
        }
        Engine::Urw => search.run(Chance::UniformWalk, executions)?,
        _ => search.run(Chance::Random, executions)?,
    }
    Ok(search.finish())
}

struct Search<'a> {
    cell: Cell,
    budget: &'a Budget,
    progress: Progress<'a>,
    began: Instant,
    exploration: Exploration,
    parts: u32,
}

impl Search<'_> {
    fn run(&mut self, chance: Chance, executions: usize) -> Result<(), Fault> {
        let Cell { scenario, protocol, callers, .. } = self.cell;
        let Budget { until, seed, time, .. } = *self.budget;
        if until.is_some_and(|until| self.exploration.violates(until)) {
            return Ok(());
        }
        let time = time.saturating_sub(self.began.elapsed());
        let progress = self.progress.cloned();
        let sample = Sample { time, progress, stop: Some(stop::flag()), ..Sample::default() };
        let draws = Draws { chance, seed, executions };
        let (seen, events) =
            xfetch_on_sections::sample(&sample, draws, scenario, protocol, callers, until)?;
        self.exploration.fingerprint ^= events.rotate_left(self.parts);
        self.parts += 1;
        self.exploration.merge(seen);
        Ok(())
    }

    fn finish(mut self) -> Exploration {
        if self.exploration.executions >= self.budget.executions {
            self.exploration.coverage = Coverage::Sampled;
        }
        self.exploration
    }
}
