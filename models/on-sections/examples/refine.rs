//! Holds every execution of scenarios against the transition table: `refine [--callers N] [--most N] [--twin SLUG] [SCENARIO]...`

use sections::{Execution, Outcome, Search};
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Instant;
use xfetch_on_sections::run;
use xfetch_spec::refine::{self, Mismatch};
use xfetch_spec::table::System;
use xfetch_vocabulary::catalogue::{Protocol, Scenario};
use xfetch_vocabulary::history::{History, Record};

thread_local! {
    static SYSTEM: OnceCell<Option<System>> = const { OnceCell::new() };
}

#[derive(Default)]
struct Judged {
    executions: u64,
    left_out: u64,
    unfinished: u64,
    steps: BTreeSet<usize>,
    widest: usize,
    mismatches: u64,
    first: Option<(Mismatch, Vec<Record>)>,
}

impl Judged {
    fn note(&mut self, execution: &Execution<History>) -> ControlFlow<()> {
        let Outcome::Returned(history) = &execution.outcome else {
            self.unfinished += 1;
            return ControlFlow::Continue(());
        };
        self.executions += 1;
        SYSTEM.with(|system| {
            let Some(system) = system.get_or_init(|| System::shipped().ok()) else { return };
            match refine::check(system, history) {
                Ok(taken) => {
                    self.left_out += u64::from(!taken.left_out.is_empty());
                    self.widest = self.widest.max(taken.widest);
                    self.steps.extend(taken.steps);
                }
                Err(mismatch) => {
                    self.mismatches += 1;
                    self.first.get_or_insert_with(|| (mismatch, history.records.clone()));
                }
            }
        });
        ControlFlow::Continue(())
    }
}

fn main() -> ExitCode {
    let (mut callers, mut most, mut protocol) = (2, 20_000, Protocol::DoubleRecheck);
    let mut scenarios = Vec::new();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|it| it.parse().ok());
        match word.as_str() {
            "--callers" => callers = number().unwrap_or(2),
            "--most" => most = number().unwrap_or(20_000) as u64,
            "--twin" => {
                let slug = words.next().unwrap_or_default();
                let found = Protocol::ALL.iter().find(|it| it.slug() == slug);
                let Some(found) = found else {
                    eprintln!("no protocol is called {slug}");
                    return ExitCode::FAILURE;
                };
                protocol = *found;
            }
            name => scenarios.extend(Scenario::ALL.iter().filter(|it| it.slug() == name)),
        }
    }
    if scenarios.is_empty() {
        scenarios = Scenario::ALL.to_vec();
    }
    let mut all = BTreeSet::new();
    let mut mismatches = 0;
    for scenario in scenarios {
        let began = Instant::now();
        let search = Search { executions: most, workers: 1, ..Search::default() };
        let body = move || run(scenario, protocol, callers);
        let found = search.run(body, move |judged: &mut Judged, execution| judged.note(&execution));
        let (coverage, judged) = match found {
            Ok(found) => found,
            Err(error) => {
                println!("{scenario}: {error}");
                continue;
            }
        };
        for judged in judged {
            println!(
                "{:<18} {:>6} executions{}, {} left out, {} unfinished, {} mismatches, at most {} states, {:.1?}",
                scenario.slug(),
                judged.executions,
                if coverage.exhausted { "" } else { " (cut off)" },
                judged.left_out,
                judged.unfinished,
                judged.mismatches,
                judged.widest,
                began.elapsed(),
            );
            mismatches += judged.mismatches;
            all.extend(judged.steps);
            if let Some((mismatch, records)) = judged.first {
                for (index, record) in
                    records.iter().enumerate().filter(|(it, _)| *it <= mismatch.index)
                {
                    println!(
                        "    {index} task {} at {} s: {:?}",
                        record.task,
                        record.now / 1_000_000_000,
                        record.event
                    );
                }
                println!("  {mismatch}");
            }
        }
    }
    let Ok(system) = System::shipped() else { return ExitCode::FAILURE };
    let steps = &system.table.steps;
    let missing: Vec<&str> = steps
        .iter()
        .enumerate()
        .filter(|(it, _)| !all.contains(it))
        .map(|(_, it)| it.name.as_str())
        .collect();
    println!(
        "{} of {} steps of the table were taken; not: {}",
        all.len(),
        steps.len(),
        missing.join(", ")
    );
    if mismatches == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
