//! An execution as timeline: a column a caller, a line a section, and what the cache knew after it.

use crate::catalogue::Invariant;
use crate::checkers::Violation;
use crate::history::{Event, History, Record};
use crate::replay::Replayed;
use crate::token::Token;
use comfy_table::{Table, presets};
use sections::{Kind, Outcome, Step};
use std::fmt::Write;
use std::ops::RangeInclusive;

/// The whole picture, with the sentences of what was violated.
pub fn timeline(replayed: &Replayed) -> String {
    let Replayed { token, execution, history, verdict, violations } = replayed;
    let mut out = format!(
        "{} on {}: {}, {}, {}\n",
        token.scenario,
        token.protocol,
        counted(token.callers, "caller"),
        counted(execution.preemptions as usize, "preemption"),
        counted(execution.steps.len(), "section"),
    );
    if execution.preemptions > 0 {
        out.push_str("! marks a preemption: whoever ran before could have gone on\n");
    }
    let _ = writeln!(out, "{}\n", table(&execution.steps, (history, violations), &Cast::of(token)));
    if let Some(rest) = rest(history, violations) {
        let _ = writeln!(out, "at rest, one more request and a look: {rest}\n");
    }
    match &execution.outcome {
        Outcome::Returned(_) => {}
        Outcome::Deadlock(waiting) => {
            for (task, operation) in waiting {
                let name = Cast::of(token).name(*task);
                let _ = writeln!(out, "{name} waits for ever to {operation}");
            }
        }
        Outcome::Panicked(message) => {
            let _ = writeln!(out, "panicked: {message}");
        }
    }
    for invariant in &verdict.violated {
        let _ = writeln!(out, "violated: {invariant}. {}", invariant.about());
    }
    if verdict.violated.is_empty() {
        out.push_str("nothing is violated\n");
    }
    out
}

/// Who the tasks are: workers first, then the callers, then who shuts the pool down.
struct Cast {
    workers: usize,
    callers: usize,
}

impl Cast {
    fn of(token: &Token) -> Self {
        Self { workers: token.scenario.workers(token.protocol), callers: token.callers }
    }

    fn tasks(&self) -> RangeInclusive<usize> {
        1..=self.workers + self.callers + usize::from(self.workers > 0)
    }

    fn name(&self, task: usize) -> String {
        match task {
            0 => "main".into(),
            task if task <= self.workers => format!("worker {task}"),
            task if task <= self.workers + self.callers => {
                format!("caller {}", task - self.workers)
            }
            _ => "last".into(),
        }
    }
}

fn table(steps: &[Step], (history, violations): (&History, &[Violation]), cast: &Cast) -> Table {
    let mut table = Table::new();
    let header = ["section".to_owned()].into_iter().chain(cast.tasks().map(|it| cast.name(it)));
    let header = header.chain(["lease".into(), "version".into(), String::new()]);
    table.load_preset(presets::ASCII_MARKDOWN).set_header(header);
    let mut cache = Known::default();
    let records = || history.records.iter().enumerate();
    records().filter(|(_, record)| record.step == 0).for_each(|(_, record)| cache.learn(record));
    for (number, step) in (1..).zip(steps) {
        let of_step: Vec<_> = records()
            .filter(|(_, record)| (record.step, record.task) == (number, step.task))
            .collect();
        of_step.iter().for_each(|(_, record)| cache.learn(record));
        let said: Vec<_> = of_step.iter().filter_map(|(_, record)| say(record.event)).collect();
        let mark = violations.iter().find(|(_, at)| of_step.iter().any(|(index, _)| index == at));
        let mut row = vec![format!("{number}{}", if step.preempts { " !" } else { "" })];
        row.extend(
            cast.tasks().map(
                |task| {
                    if task == step.task { phrase(step, &said) } else { String::new() }
                },
            ),
        );
        row.extend([cache.holders(cast), cache.version()]);
        row.push(mark.map_or_else(String::new, |(invariant, _)| violated(*invariant)));
        table.add_row(row);
    }
    table
}

/// What main found when everybody was home.
fn rest(history: &History, violations: &[Violation]) -> Option<String> {
    let from = history.records.iter().position(|record| record.event == Event::Rest)?;
    let said: Vec<_> = history.records[from..].iter().filter_map(|it| say(it.event)).collect();
    let mark = violations.iter().find(|(_, at)| *at > from);
    let mark = mark.map_or_else(String::new, |(invariant, _)| format!(" {}", violated(*invariant)));
    Some(format!("{}{mark}", said.join(", ")))
}

/// A number of things, as people write it.
pub fn counted(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

fn violated(invariant: Invariant) -> String {
    format!("<- violates {invariant}")
}

/// What the section did; where it told nobody, what it was.
fn phrase(step: &Step, said: &[String]) -> String {
    let what = match step.operation.kind {
        Kind::ReadLock => "map",
        Kind::WriteLock => "map, write",
        Kind::Lock => "leases",
        Kind::Wait | Kind::Woken | Kind::WokenOrTimeout => "wait",
        Kind::NotifyOne | Kind::NotifyAll => "notify",
        Kind::Ledger => "compute",
        Kind::Load | Kind::Update => "clock",
        _ => return format!("{} {}", step.operation, said.join(", ")),
    };
    if said.is_empty() && step.operation.kind == Kind::Lock {
        return step.operation.to_string();
    }
    if said.is_empty() {
        format!("{what}: nothing new")
    } else {
        format!("{what}: {}", said.join(", "))
    }
}

fn say(event: Event) -> Option<String> {
    Some(match event {
        Event::Looked(_) => return None,
        Event::FreshHit(version) => format!("fresh v{version}"),
        Event::StaleHit(version) => format!("stale v{version}"),
        Event::Miss => "absent".into(),
        Event::Nominated(version) => format!("nominates v{version}"),
        Event::StillNeeded => "still needed".into(),
        Event::SkippedBefore(version) => format!("v{version} is fresh, skips"),
        Event::Leased(lease) => format!("takes lease {lease}"),
        Event::Busy(lease) => format!("lease {lease} is taken"),
        Event::Waited(lease) => format!("has waited for lease {lease}"),
        Event::TimedOut(_) => "loses its patience".into(),
        Event::BackingOff => "the key backs off".into(),
        Event::Cycle(lease) => format!("lease {lease} waits for this one"),
        Event::SkippedInside(_, version) => format!("v{version} needs nothing, skips"),
        Event::ComputeStarted(_, Some(version)) => format!("COMPUTES for v{version}"),
        Event::ComputeStarted(_, None) => "COMPUTES for nothing there".into(),
        Event::ComputeFinished(_, true) => "done".into(),
        Event::ComputeFinished(_, false) => "fails".into(),
        Event::Published(_, version) => format!("publishes v{version}"),
        Event::Discarded(_) => "was overtaken, discards".into(),
        Event::Released(lease) => format!("releases lease {lease}"),
        Event::Inserted(version) => format!("inserts v{version}"),
        Event::Invalidated => "invalidates".into(),
        Event::Cleared => "invalidates all keys".into(),
        Event::Evicted(version) => format!("v{version} makes room"),
        Event::Swept(version) => format!("v{version} is swept"),
        Event::Forgotten => "its failures are forgotten".into(),
        Event::TakenOver(lease) => format!("comes too late for lease {lease}"),
        Event::Rejected(_) => "is rejected".into(),
        Event::Dropped(_) => "its refresh is dropped".into(),
        Event::Asked | Event::Put(_) | Event::Rest => return None,
        Event::Makes(content) => format!("makes content {content}"),
        Event::Answered(content) => format!("answers content {content}"),
        Event::Refused => "answers an error".into(),
        Event::ShutDown => "has shut the pool down".into(),
        Event::Tick => "time passes".into(),
    })
}

/// What is known of the cache after a section.
#[derive(Default)]
struct Known {
    leases: Vec<(u64, usize)>,
    version: Option<u64>,
}

impl Known {
    fn learn(&mut self, record: &Record) {
        match record.event {
            Event::Leased(lease) => self.leases.push((lease, record.task)),
            Event::Released(lease) => {
                let place = self.leases.iter().position(|(held, _)| *held == lease);
                place.map(|place| self.leases.remove(place));
            }
            Event::Published(_, version) | Event::Inserted(version) => self.version = Some(version),
            Event::Invalidated | Event::Cleared => self.version = None,
            Event::Swept(gone) | Event::Evicted(gone) if self.version == Some(gone) => {
                self.version = None;
            }
            _ => {}
        }
    }

    fn holders(&self, cast: &Cast) -> String {
        let holders: Vec<_> = self
            .leases
            .iter()
            .map(|(lease, task)| format!("{lease}: {}", cast.name(*task)))
            .collect();
        holders.join(", ")
    }

    fn version(&self) -> String {
        self.version.map_or_else(|| "none".into(), |version| format!("v{version}"))
    }
}
