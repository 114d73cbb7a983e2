//! Executions of the shipped protocol, held against the transition table of `models/spec`.

use crate::seen::Example;
use sections::{Execution, Outcome};
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use xfetch_spec::lang;
use xfetch_spec::refine;
use xfetch_spec::table::System;
use xfetch_vocabulary::catalogue::Protocol;
use xfetch_vocabulary::history::{History, Record};

thread_local! {
    /// A table keeps what it has computed, so each OS thread has its own.
    static TABLE: OnceCell<Result<System, lang::Error>> = const { OnceCell::new() };
    static KNOWN: RefCell<Known> = RefCell::default();
}

/// Between two events each request may have taken a silent step or not. So the states to follow grow fast with the
/// requests: executions with more callers are not held against the table, unless symmetry makes them few.
pub(crate) const MOST_CALLERS: usize = 5;

/// Nanoseconds that all threads have spent on it.
static TOOK: AtomicU64 = AtomicU64::new(0);

/// How long all executions of this process were held against the table, on all threads together.
pub fn refinement_took() -> Duration {
    Duration::from_nanos(TOOK.load(Ordering::Relaxed))
}

/// What holding executions against the table has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refined {
    /// Executions each of which is one of the table's.
    pub executions: u64,
    /// Executions with a key that the table does not speak about.
    pub left_out: u64,
    /// The steps of the table that they took, by their numbers.
    pub steps: BTreeSet<usize>,
    /// An execution that is none of the table's: the step that is missing, and the schedule.
    pub mismatch: Option<(String, Example)>,
}

impl Refined {
    /// Adds what another thread has seen.
    pub fn merge(&mut self, other: Self) {
        self.executions += other.executions;
        self.left_out += other.left_out;
        self.steps.extend(other.steps);
        self.mismatch = match (self.mismatch.take(), other.mismatch) {
            (Some(one), Some(other)) if other.1 < one.1 => Some(other),
            (one, other) => one.or(other),
        };
    }

    pub(crate) fn note(&mut self, protocol: Protocol, execution: &Execution<History>) {
        let Outcome::Returned(history) = &execution.outcome else { return };
        if !protocol.is_shipped() {
            return;
        }
        let began = Instant::now();
        match mismatch_or_steps(history) {
            Ok(taken) => {
                let is_whole = taken.left_out.is_empty();
                *(if is_whole { &mut self.executions } else { &mut self.left_out }) += 1;
                self.steps.extend(&taken.steps);
            }
            Err(missing) => {
                let (preemptions, schedule) = (execution.preemptions, execution.schedule.clone());
                let mismatch = Some((missing, Example { preemptions, schedule }));
                self.merge(Self { mismatch, ..Self::default() });
            }
        }
        let nanos = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        TOOK.fetch_add(nanos, Ordering::Relaxed);
    }
}

/// Many executions have the same events in the same order: they differ in sections without an event, or in the names of
/// their tasks. Those that were found in the table, by a hash of 128 bits.
type Known = HashMap<(u64, u64), Arc<refine::Taken>>;

/// More are not kept.
const MOST_KNOWN: usize = 200_000;

/// A hash of all that the table is asked about: the events, with the tasks in the order of their first events.
fn hash(history: &History) -> (u64, u64) {
    let mut tasks: Vec<usize> = Vec::new();
    let (mut one, mut other) = (DefaultHasher::new(), DefaultHasher::new());
    1.hash(&mut other);
    for hasher in [&mut one, &mut other] {
        tasks.clear();
        (history.payload, history.storage, history.back_off).hash(hasher);
        for Record { task, now, key, event, .. } in &history.records {
            let place = tasks.iter().position(|known| known == task).unwrap_or_else(|| {
                tasks.push(*task);
                tasks.len() - 1
            });
            (place, now, key, event).hash(hasher);
        }
    }
    (one.finish(), other.finish())
}

fn mismatch_or_steps(history: &History) -> Result<Arc<refine::Taken>, String> {
    let hash = hash(history);
    if let Some(taken) = KNOWN.with_borrow(|known| known.get(&hash).cloned()) {
        return Ok(taken);
    }
    let taken = TABLE.with(|table| match table.get_or_init(System::shipped) {
        Ok(table) => refine::check(table, history).map_err(|missing| missing.to_string()),
        Err(error) => Err(format!("the table: {error}")),
    })?;
    let taken = Arc::new(taken);
    KNOWN.with_borrow_mut(|known| {
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(hash, Arc::clone(&taken));
    });
    Ok(taken)
}

/// The step that the table lacks for this execution of the shipped protocol, if it lacks one.
pub fn not_in_the_table(history: &History) -> Option<String> {
    mismatch_or_steps(history).err()
}
