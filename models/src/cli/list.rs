//! The command `list`: all names, and what they mean.

use super::print;
use std::process::ExitCode;
use xfetch_models::catalogue::{Invariant, Protocol, Scenario};
use xfetch_models::page::markdown;

pub(super) fn run() -> ExitCode {
    let scenarios = Scenario::ALL.iter().map(|scenario| row(&[scenario.slug(), scenario.about()]));
    let protocols = Protocol::ALL.iter().map(|protocol| {
        let broken = protocol.breaks().iter();
        let broken: Vec<_> =
            broken.map(|(scenario, invariant)| format!("{invariant} in {scenario}")).collect();
        row(&[protocol.slug(), protocol.about(), &broken.join(", ")])
    });
    let invariants =
        Invariant::ALL.iter().map(|invariant| row(&[invariant.slug(), invariant.about()]));
    for table in [
        markdown(&["scenario", "what happens"], scenarios.collect()),
        markdown(&["protocol", "how it differs", "what it violates"], protocols.collect()),
        markdown(&["invariant", "what must stay true"], invariants.collect()),
    ] {
        print(&format!("{table}\n"));
    }
    ExitCode::SUCCESS
}

fn row(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}
