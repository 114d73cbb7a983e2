//! The four criteria of the field report's 24 hours: which of them would have noticed which twin.

use crate::catalogue::Protocol;
use crate::page::markdown;
use std::fmt::Write;
use xfetch_simulate::chooser::Chooser;
use xfetch_simulate::plan::{Fault, Plan, Shape, Wishes};
use xfetch_simulate::report::{Criterion, Verdict, criteria};
use xfetch_simulate::workload::Traffic;
use xfetch_simulate::world::{self, Watch};

/// Requests of a day, and the keys that share them.
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
    let of_day: Vec<_> = shipped
        .rows()
        .zip(["no faults", "faults"])
        .flat_map(|((verdicts, _), day)| {
            let names = verdicts.iter().map(|(name, _)| *name).chain(["invariants"]);
            names.map(move |name| format!("{day}: {name}"))
        })
        .collect();
    header.extend(of_day.iter().map(String::as_str));
    let all = || shipped.rows().flat_map(|(verdicts, _)| verdicts);
    let useless = all().filter(|(_, verdict)| *verdict != Verdict::Pass).count();
    let troubles: Vec<_> = TROUBLES.iter().map(|fault| format!("`{fault}`")).collect();
    let mut out = String::new();
    let _ = write!(
        out,
        "\n## The 24 hours of the report\n\n\
         The report wanted four criteria to hold for 24 hours. Here each protocol has two days as a [simulated\n\
         service](SIMULATE.md), of one seed and {REQUESTS} requests for {KEYS} keys: one without faults, and one with\n\
         {}. The criteria are computed like this:\n\n{}\n\
         *Nothing to judge* means that no hour had the situation. A criterion *notices* a twin if it fails on the twin and\n\
         passes on the shipped code, `double-recheck`. *Invariants* is the number of invariants that the judge of the\n\
         simulation saw violated on the same day.\n\n\
         **Of {} twins the criteria notice {noticed}, and the judge sees a violation of {judged} on the same two days.**\n\
         {useless} of the {} checks do not pass on the shipped code either, so in this traffic they cannot notice any twin.\n\
         Few requests of one key are under way at the same time here. So most stale hits start a compute of their own,\n\
         and efficiency stays low. That is no defect of the cache.\n\n{}\n",
        troubles.join(", "),
        asked(),
        protocols.iter().filter(|protocol| !protocol.keeps_all()).count(),
        all().count(),
        markdown(&header, rows),
    );
    out
}

/// What each criterion asks, as a list.
fn asked() -> String {
    let line = |it: Criterion| format!("- *{}*: {}\n", it.name, it.asks);
    criteria(&[], false).map(line).concat()
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
