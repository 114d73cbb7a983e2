//! Chooses the next move of the scheduler: drawn from a seed, or as it is recorded.

use crate::plan::{Fault, Plan};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sections::simulation::{Alternatives, Move};
use std::collections::VecDeque;
use std::time::Duration;

/// A choice that is not the first one, and its place among all choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// The place, counted from 0.
    pub place: u64,
    /// The choice.
    pub choice: Choice,
}

/// A choice of the scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The task at this place of the list goes on.
    Run(usize),
    /// Time passes until the next timer.
    Pass,
    /// The task at this place stops for so many nanoseconds.
    Stall(usize, u64),
}

/// The chooser of a run. It notes the choices that are not the first one, if it is told to.
pub struct Chooser {
    place: u64,
    /// Up to this place it makes the choices of `first`.
    drawn_from: u64,
    first: VecDeque<Deviation>,
    /// The end of the day: nobody stands still after it.
    end: Duration,
    from: From,
    /// How often a task was stopped.
    pub stalls: u64,
    /// What was chosen.
    pub noted: Option<Vec<Deviation>>,
}

enum From {
    Seed { random: Box<StdRng>, switches: f64, passes: f64, stalls: f64, longest: Duration },
    Data,
}

impl Chooser {
    /// A chooser for the seed of a plan; `stream` makes another one of the same seed.
    pub fn seeded(plan: &Plan, stream: u64, notes: bool) -> Self {
        let storage = plan.options.storage.min(Duration::from_secs(86_400));
        let seed = plan.seed ^ 0x6368_6f6f_7365 ^ stream.rotate_left(32);
        let from = From::Seed {
            random: Box::new(StdRng::seed_from_u64(seed)),
            switches: plan.switches,
            passes: plan.passes,
            stalls: plan.rate(Fault::Stragglers),
            longest: storage * 2,
        };
        Self {
            place: 0,
            drawn_from: 0,
            first: VecDeque::new(),
            end: plan.length,
            from,
            stalls: 0,
            noted: notes.then(Vec::new),
        }
    }

    /// The same, after these choices: up to this place it makes them.
    pub fn after(self, first: &[Deviation], drawn_from: u64) -> Self {
        let first = first.iter().copied().filter(|it| it.place < drawn_from).collect();
        Self { first, drawn_from, ..self }
    }

    /// A chooser that makes these choices, and else the first one.
    pub fn data(deviations: &[Deviation], end: Duration) -> Self {
        Self {
            place: 0,
            drawn_from: u64::MAX,
            first: deviations.iter().copied().collect(),
            end,
            from: From::Data,
            noted: None,
            stalls: 0,
        }
    }

    pub(crate) fn choose(&mut self, of: &Alternatives, well: bool) -> Move {
        let place = self.place;
        self.place += 1;
        let count = of.tasks.len();
        let left = self.end.saturating_sub(of.now).as_nanos() as u64;
        let by_day = !well && left > 0;
        let may_pass = by_day && of.next.is_some_and(|next| next < self.end);
        let choice = match &mut self.from {
            _ if place < self.drawn_from => match self.first.front() {
                Some(first) if first.place == place => {
                    let choice = first.choice;
                    self.first.pop_front();
                    match choice {
                        Choice::Stall(index, span) if by_day => {
                            Choice::Stall(index, span.min(left))
                        }
                        Choice::Stall(index, _) => Choice::Run(index),
                        Choice::Pass if !may_pass => Choice::Run(0),
                        choice => choice,
                    }
                }
                _ => Choice::Run(0),
            },
            From::Data => Choice::Run(0),
            From::Seed { random, switches, passes, stalls, longest } => {
                let mut index = 0;
                if count > 1 && random.random_bool(*switches) {
                    index = random.random_range(0..count);
                }
                if by_day && *stalls > 0.0 && random.random_bool(*stalls) {
                    let least = Duration::from_micros(1).as_nanos() as f64;
                    let most = (longest.as_nanos() as f64).max(least * 2.0);
                    let span = random.random_range(least.ln()..=most.ln()).exp() as u64;
                    Choice::Stall(index, span.min(left))
                } else if may_pass && *passes > 0.0 && random.random_bool(*passes) {
                    Choice::Pass
                } else {
                    Choice::Run(index)
                }
            }
        };
        if let Some(noted) = &mut self.noted
            && choice != Choice::Run(0)
        {
            noted.push(Deviation { place, choice });
        }
        match choice {
            Choice::Run(index) => Move::Run(index),
            Choice::Pass => Move::Pass,
            Choice::Stall(index, span) => {
                self.stalls += 1;
                Move::Stall(index, Duration::from_nanos(span))
            }
        }
    }
}
