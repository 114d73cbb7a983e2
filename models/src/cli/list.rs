//! The command `list`: all names, and what they mean.

use super::{Format, List, print, print_json};
use serde_json::{Value, json};
use std::process::ExitCode;
use xfetch_models::catalogue::{Invariant, Protocol, Scenario};
use xfetch_models::page::markdown;

pub(super) fn run(options: &List) -> ExitCode {
    match options.format {
        Format::Json => print_json(&json()),
        Format::Text => tables().iter().for_each(|table| print(&format!("{table}\n"))),
    }
    ExitCode::SUCCESS
}

fn tables() -> [String; 3] {
    let scenarios = Scenario::ALL.iter().map(|scenario| row(&[scenario.slug(), scenario.about()]));
    let protocols = Protocol::ALL.iter().map(|protocol| {
        let broken = protocol.breaks().iter();
        let broken: Vec<_> =
            broken.map(|(scenario, invariant)| format!("{invariant} in {scenario}")).collect();
        row(&[protocol.slug(), protocol.about(), &broken.join(", ")])
    });
    let invariants =
        Invariant::ALL.iter().map(|invariant| row(&[invariant.slug(), invariant.about()]));
    [
        markdown(&["scenario", "what happens"], scenarios.collect()),
        markdown(&["protocol", "how it differs", "what it violates"], protocols.collect()),
        markdown(&["invariant", "what must stay true"], invariants.collect()),
    ]
}

fn row(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

/// The same as data. `docs/REPORT.md` is the schema.
fn json() -> Value {
    let named = |name: &str, about: &str| json!({ "name": name, "about": about });
    let protocol = |it: &Protocol| {
        let violates = |(scenario, invariant): &(Scenario, Invariant)| {
            let (scenario, invariant) = (scenario.slug(), invariant.slug());
            json!({ "scenario": scenario, "invariant": invariant })
        };
        let violates: Vec<_> = it.breaks().iter().map(violates).collect();
        json!({ "name": it.slug(), "about": it.about(), "violates": violates })
    };
    let scenarios = Scenario::ALL.iter().map(|it| named(it.slug(), it.about()));
    let invariants = Invariant::ALL.iter().map(|it| named(it.slug(), it.about()));
    json!({
        "schema": 1,
        "scenarios": scenarios.collect::<Vec<_>>(),
        "protocols": Protocol::ALL.iter().map(protocol).collect::<Vec<_>>(),
        "invariants": invariants.collect::<Vec<_>>(),
    })
}
