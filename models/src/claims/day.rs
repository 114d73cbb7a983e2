//! The four criteria of the field report's 24 hours: which of them would have noticed which twin.

use crate::catalogue::Protocol;
use crate::page::markdown;
use std::fmt::Write;
use xfetch_simulate::chooser::Chooser;
use xfetch_simulate::plan::{Fault, Plan, Shape, Wishes};
use xfetch_simulate::report::{Verdict, criteria};
use xfetch_simulate::workload::Traffic;
use xfetch_simulate::world::{self, Watch};

/// Requests of a day. Few keys share them, so that requests meet.
const REQUESTS: u64 = 10_000;
const KEYS: u64 = 5;
/// What goes wrong in the second day.
const TROUBLES: [Fault; 4] =
    [Fault::Errors, Fault::SlowComputes, Fault::Bursts, Fault::InvalidationStorms];

/// The two days of a protocol: the verdict of each criterion, and how many invariants the judge saw violated.
struct Days([(Vec<(&'static str, Verdict)>, usize); 2]);

impl Days {
    fn of(protocol: Protocol) -> Self {
        Self([&[][..], &TROUBLES[..]].map(|faults| {
            let wishes = Wishes {
                protocol,
                shape: Shape::Service,
                keys: Some(KEYS),
                faults: Some(faults.to_vec()),
                ..Wishes::fleet(1, REQUESTS)
            };
            let plan = Plan::new(&wishes);
            let watch = Watch { goes_on: true, ..Watch::default() };
            let chooser = Chooser::seeded(&plan, 0, false);
            let (run, _) = world::run(&plan, Traffic::new(&plan), chooser, watch);
            // The monitoring of the report has no judge, so it cannot tell an error that was made up.
            let verdicts = criteria(&run.books.hours, false).map(|it| (it.name, it.verdict));
            (verdicts.to_vec(), run.judge.violations().len())
        }))
    }

    fn rows(&self) -> impl Iterator<Item = &(Vec<(&'static str, Verdict)>, usize)> {
        self.0.iter()
    }
}

/// The section of the page.
pub(super) fn section() -> String {
    let protocols: Vec<_> =
        Protocol::ALL.iter().copied().filter(|it| *it != Protocol::DefaultConfig).collect();
    let days = of_all(&protocols);
    let shipped = protocols.iter().position(|protocol| protocol.is_shipped());
    let shipped = &days[shipped.unwrap_or_default()];
    let (mut rows, mut noticed, mut judged) = (Vec::new(), 0, 0);
    for (protocol, of) in protocols.iter().zip(&days) {
        let mut row = vec![protocol.to_string()];
        let mut differs = false;
        for ((verdicts, violated), (as_shipped, _)) in of.rows().zip(shipped.rows()) {
            for ((_, verdict), (_, before)) in verdicts.iter().zip(as_shipped) {
                let is_new = verdict == &Verdict::Fail && before == &Verdict::Pass;
                differs |= is_new;
                row.push(format!("{}{}", verdict.word(), if is_new { " (noticed)" } else { "" }));
            }
            row.push(violated.to_string());
        }
        let is_twin = !protocol.keeps_all();
        noticed += usize::from(is_twin && differs);
        judged += usize::from(is_twin && of.rows().any(|(_, violated)| *violated > 0));
        rows.push(row);
    }
    let mut header = vec!["protocol"];
    for (verdicts, _) in shipped.rows() {
        header.extend(verdicts.iter().map(|(name, _)| *name));
        header.push("invariants");
    }
    let failing: Vec<_> = shipped.0[0]
        .0
        .iter()
        .filter(|(_, verdict)| *verdict == Verdict::Fail)
        .map(|(name, _)| *name)
        .collect();
    let troubles: Vec<_> = TROUBLES.iter().map(|fault| format!("`{fault}`")).collect();
    let mut out = String::new();
    let _ = write!(
        out,
        "\n## The 24 hours of the report\n\n\
         The report wanted four criteria to hold for 24 hours. Here each protocol has two days as a [simulated\n\
         service](SIMULATE.md), each of {REQUESTS} requests for {KEYS} keys: one without faults, and one with {}. A\n\
         criterion *notices* a twin if it fails on the twin and passes on the shipped code. *Invariants* is the number of\n\
         invariants that the judge of the simulation saw violated on the same day.\n\n\
         **Of {} twins the criteria notice {noticed}, and the judge sees a violation of {judged} on the same two days.**\n\
         On the shipped code itself these criteria fail on the day without faults: {}. Efficiency and skips need requests\n\
         that meet. In a service without stampedes few do, so that each stale hit computes for itself. That is as it should\n\
         be, and the criteria call it a failure.\n\n{}\n",
        troubles.join(", "),
        protocols.iter().filter(|protocol| !protocol.keeps_all()).count(),
        if failing.is_empty() { "none".into() } else { failing.join(", ") },
        markdown(&header, rows),
    );
    out
}

/// The days of each protocol, on two OS threads.
fn of_all(protocols: &[Protocol]) -> Vec<Days> {
    let half = protocols.len() / 2;
    let days = |part: &[Protocol]| part.iter().map(|it| Days::of(*it)).collect::<Vec<_>>();
    let (first, second) = protocols.split_at(half);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| days(second));
        let mut all = days(first);
        match other.join() {
            Ok(more) => all.extend(more),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        all
    })
}
