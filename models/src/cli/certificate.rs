//! The certificate: which engine sees which broken twin, and how sure that is.

use super::{Certificate, cores, keep, progress, refuse};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use xfetch_models::catalogue::Engine;
use xfetch_models::certificate::{CALLERS, CONFIDENCE, ENGINES, EXECUTIONS, Sight, Subject, ask};
use xfetch_models::engine::Refused;
use xfetch_models::page::markdown;

/// 0 if it is written, or is as it was; 1 if it has changed.
pub(super) fn run(options: &Certificate) -> ExitCode {
    let subjects = Subject::all();
    let sights = match all(&subjects, options.seeds.into()) {
        Ok(sights) => sights,
        Err(refused) => return refuse(refused),
    };
    for (subject, sights) in subjects.iter().zip(&sights) {
        if subject.invariant.is_some() && !sights.iter().any(Sight::is_broken) {
            eprintln!("no engine sees that {} is broken in {}", subject.protocol, subject.scenario);
            return ExitCode::FAILURE;
        }
    }
    let page = page(&subjects, &sights, options.seeds.into());
    keep(&options.page, "certificate", &page)
}

/// A row for each subject, a sight for each engine; on all cores.
fn all(subjects: &[Subject], seeds: u64) -> Result<Vec<Vec<Sight>>, Refused> {
    let cells: Vec<(Subject, Engine)> =
        subjects.iter().flat_map(|subject| ENGINES.map(|engine| (*subject, engine))).collect();
    let bar = progress::of_cells(cells.len(), &Default::default());
    let done = Mutex::new(Vec::new());
    let work = |next: &AtomicUsize, of_loom: bool| {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some((subject, engine)) = cells.get(place) else { return };
            if (*engine == Engine::Loom) == of_loom {
                let sight = ask(*subject, *engine, seeds);
                done.lock().unwrap_or_else(PoisonError::into_inner).push((place, sight));
                bar.inc(1);
            }
        }
    };
    // loom unwinds threads by panics, and Shuttle, once it has run, prints every panic of the process.
    for of_loom in [true, false] {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..cores() {
                scope.spawn(|| work(&next, of_loom));
            }
        });
    }
    bar.finish_and_clear();
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(place, _)| *place);
    let sights: Result<Vec<_>, _> = done.into_iter().map(|(_, sight)| sight).collect();
    Ok(sights?.chunks(ENGINES.len()).map(<[Sight]>::to_vec).collect())
}

fn page(subjects: &[Subject], sights: &[Vec<Sight>], seeds: u64) -> String {
    let mut header = vec!["variant", "violates", "in"];
    header.extend(ENGINES.map(Engine::slug));
    let row = |(subject, sights): (&Subject, &Vec<Sight>)| -> Vec<String> {
        let violates = subject.invariant.map_or("nothing", |invariant| invariant.slug());
        let about = [subject.protocol.slug(), violates, subject.scenario.slug()];
        about.into_iter().map(str::to_owned).chain(sights.iter().map(Sight::to_string)).collect()
    };
    let rows = subjects.iter().zip(sights).map(row).collect();
    format!(
        "# The certificate\n\n\
         Would this suite notice? Each variant of the protocol differs from what ships in one step. A cell says\n\
         what an engine sees of it. `cargo run --release -- certificate` writes this page; CI measures it again\n\
         and compares (`--check`).\n\n\
         - **broken**: the invariant that the variant was written to violate is violated. `sections` and loom go\n  \
         through every interleaving of two callers (of three, where two cannot violate it), loom up to the bounds of\n  \
         docs/MODELS.md: at which execution `sections` sees it, and how many loom has in all. The others sample, from\n  \
         {seeds} seeds, {CALLERS} callers, at most {EXECUTIONS} executions each: the median of the executions until it is seen, and the\n  \
         {:.0} % upper bound (Clopper and Pearson 1934) on the chance that such a sample misses it.\n\
         - **holds**: every interleaving keeps everything. **bounded**: what was looked at does.\n\
         - **instead**: something else is violated, and what. **blind**: the engine cannot see it, and why.\n\n\
         `as-built` and `double-recheck` violate nothing, and have to survive everywhere; `always-skip` violates its\n\
         invariant in every execution, and has to be seen at once.\n\n{}\n",
        100.0 * CONFIDENCE,
        markdown(&header, rows),
    )
}
