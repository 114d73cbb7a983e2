//! A buffer with one place, one producer and two consumers, which all wait on one condition
//! variable. A task that changes the buffer wakes one of the others. Is that enough?
//!
//! `cargo run -p sections --example lost_wakeup`

use sections::sync::{Condvar, Mutex};
use sections::{Coverage, Error, Execution, Failing, Outcome, Search, replay, shrink, thread};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

const LANES: [&str; 3] = ["producer", "consumer A", "consumer B"];

#[derive(Clone, Copy)]
enum Wake {
    One,
    All,
}

struct Buffer {
    place: Mutex<Option<u32>>,
    changed: Condvar,
    wake: Wake,
    notes: Notes,
}

impl Buffer {
    fn new(wake: Wake, notes: Notes) -> Self {
        Self { place: Mutex::new(None), changed: Condvar::new(), wake, notes }
    }

    fn put(&self, value: u32) {
        let mut place = self.place.lock();
        while place.is_some() {
            self.notes.note("finds it full, waits".into());
            place = self.changed.wait(place);
        }
        *place = Some(value);
        self.notes.note(format!("puts {value}, {}", self.wakes()));
        self.wake();
    }

    fn take(&self) -> u32 {
        let mut place = self.place.lock();
        loop {
            if let Some(value) = place.take() {
                self.notes.note(format!("takes {value}, {}", self.wakes()));
                self.wake();
                return value;
            }
            self.notes.note("finds it empty, waits".into());
            place = self.changed.wait(place);
        }
    }

    fn wake(&self) {
        match self.wake {
            Wake::One => self.changed.notify_one(),
            Wake::All => self.changed.notify_all(),
        }
    }

    fn wakes(&self) -> &'static str {
        match self.wake {
            Wake::One => "wakes one",
            Wake::All => "wakes all",
        }
    }
}

/// What each task does, for the picture only. No task reads it.
#[derive(Clone, Default)]
struct Notes(Arc<StdMutex<Vec<(usize, String)>>>);

impl Notes {
    fn note(&self, text: String) {
        self.lock().push((sections::decisions(), text));
    }

    /// The notes of the step with this number, counted from 1.
    fn of_step(&self, step: usize) -> String {
        let entries = self.lock();
        let of_step = entries.iter().filter(|(other, _)| *other == step);
        of_step.map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(usize, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Two values go through the buffer. Main only spawns and joins.
fn scenario(wake: Wake, notes: Notes) {
    let buffer = Arc::new(Buffer::new(wake, notes));
    let producer = Arc::clone(&buffer);
    let mut tasks = vec![thread::spawn(move || {
        producer.put(1);
        producer.put(2);
    })];
    for _ in 0..2 {
        let consumer = Arc::clone(&buffer);
        tasks.push(thread::spawn(move || {
            consumer.take();
        }));
    }
    for task in tasks {
        task.join().expect("no task panics");
    }
}

/// Runs every execution, counts those with a deadlock, and keeps one of them with the most preemptions.
fn search(wake: Wake) -> Result<(Coverage, u64, Option<Failing>), Error> {
    let keep = |found: &mut (u64, Option<Failing>), execution: Execution<()>| {
        if let Outcome::Deadlock(_) = execution.outcome {
            found.0 += 1;
            if found.1.as_ref().is_none_or(|kept| kept.preemptions < execution.preemptions) {
                found.1 = Some(failing(&execution));
            }
        }
        ControlFlow::Continue(())
    };
    // One worker, so that every run keeps the same one.
    let search = Search { workers: 1, ..Search::default() };
    let (coverage, found) = search.run(move || scenario(wake, Notes::default()), keep)?;
    let (stuck, kept) = found.into_iter().next().unwrap_or_default();
    Ok((coverage, stuck, kept))
}

fn failing(execution: &Execution<()>) -> Failing {
    Failing { schedule: execution.schedule.clone(), preemptions: execution.preemptions }
}

/// The smallest schedule near this one that still has a deadlock.
fn smallest(wake: Wake, start: Failing) -> Failing {
    shrink(start, |candidate| {
        let execution = replay(candidate, move || scenario(wake, Notes::default())).ok()?;
        matches!(execution.outcome, Outcome::Deadlock(_)).then(|| failing(&execution))
    })
}

/// Replays a schedule and prints one lane for each task.
fn draw(wake: Wake, failing: &Failing) -> Result<(), Error> {
    let notes = Notes::default();
    let kept = notes.clone();
    let execution = replay(&failing.schedule, move || scenario(wake, kept.clone()))?;
    println!("  step  {:<26}{:<26}{}", LANES[0], LANES[1], LANES[2]);
    for (place, step) in execution.steps.iter().enumerate() {
        let noted = notes.of_step(place + 1);
        let text = if noted.is_empty() { "is woken".to_owned() } else { noted };
        let mark = if step.preempts { '*' } else { ' ' };
        let indent = 26 * (step.task - 1);
        println!("  {:>3}{mark}  {:indent$}{text}", place + 1, "");
    }
    if let Outcome::Deadlock(waiting) = &execution.outcome {
        let names: Vec<_> = waiting.iter().map(|(task, _)| LANES[task - 1]).collect();
        println!("  deadlock: {} wait, and no task is left to wake them", names.join(" and "));
    }
    Ok(())
}

fn print_coverage(coverage: Coverage, stuck: u64) {
    let Coverage { complete, redundant, exhausted } = coverage;
    let reach = if exhausted { "there are no others" } else { "there may be others" };
    println!("  {complete} executions, {stuck} of them with a deadlock; {reach}");
    println!("  ({redundant} more executions only repeated one of these)");
}

fn print_schedule(name: &str, Failing { schedule, preemptions }: &Failing) {
    println!("  {name}: {preemptions} preemptions, choices {:?}", schedule.choices());
}

fn main() -> Result<(), Error> {
    println!("A buffer with one place; 1 producer puts two values, 2 consumers take one each.\n");

    println!("Each change of the buffer wakes one waiter (notify_one):");
    let (coverage, stuck, found) = search(Wake::One)?;
    print_coverage(coverage, stuck);
    if let Some(found) = found {
        let small = smallest(Wake::One, found.clone());
        print_schedule("one with a deadlock", &found);
        print_schedule("the same, shrunk   ", &small);
        println!();
        draw(Wake::One, &small)?;
    }

    println!("\nEach change of the buffer wakes all waiters (notify_all):");
    let (coverage, stuck, _) = search(Wake::All)?;
    print_coverage(coverage, stuck);
    Ok(())
}
