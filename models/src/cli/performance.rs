//! The command `performance`: measures the speed of each engine and writes the first part of docs/PERFORMANCE.md.

use super::{Performance, name, refuse};
use std::process::ExitCode;

/// Shuttle's own search needs one more build of the core, which only the feature `plain` has.
#[cfg(not(feature = "plain"))]
pub(super) fn run(Performance { output, seconds, format }: &Performance) -> ExitCode {
    let format = if *format == super::Format::Json { " --format json" } else { "" };
    refuse(format!(
        "`performance` needs the feature `plain`: cargo run --release --features plain -- performance \
         --output {} --seconds {seconds}{format}",
        name(output)
    ))
}

#[cfg(feature = "plain")]
pub(super) use measured::run;

#[cfg(feature = "plain")]
mod measured {
    use super::super::{Format, Kept, can_write, cores, note, print_json, progress, write};
    use super::*;
    use indicatif::ProgressBar;
    use serde_json::{Value, json};
    use std::collections::BTreeMap;
    use std::time::Duration;
    use xfetch_models::catalogue::Engine;
    use xfetch_models::engine::Refused;
    use xfetch_models::page::markdown;
    use xfetch_models::performance::{
        FEW, MANY, RATED_FOR, REPEATED_FOR, Run, SEARCHES, WAYS, Way,
    };

    /// The text from this line on is written by hand, and kept.
    const BY_HAND: &str = "<!-- What `performance` measures ends here; what follows is kept. -->";

    /// The measurement for each way and number of callers, or the reason why there is none.
    type Cells<T> = BTreeMap<(Way, usize), Result<T, String>>;

    /// Exit code 0: the page is written; 1: two searches do not have the same outcomes.
    pub(in super::super) fn run(options: &Performance) -> ExitCode {
        let output = &options.output;
        if let Err(cannot) = can_write(output) {
            return refuse(cannot);
        }
        let time = Duration::from_secs(options.seconds.into());
        let (searches, rates) = match measure_all(time) {
            Ok(measured) => measured,
            Err(refused) => return refuse(refused),
        };
        let mut figures = json(&searches, &rates, time);
        let print_figures = |figures: &Value| {
            if options.format == Format::Json {
                print_json(figures);
            }
        };
        if let Some((way, callers)) = disagrees(&searches) {
            let way = way.name();
            note(format_args!("{way}, {callers} callers: its outcomes are not those of sections"));
            print_figures(&figures);
            return ExitCode::FAILURE;
        }
        let old = std::fs::read_to_string(output).unwrap_or_default();
        let kept = old.split_once(BY_HAND).map_or("\n", |(_, kept)| kept);
        if let Err(cannot) = write(output, &(page(&searches, &rates, time) + BY_HAND + kept)) {
            return refuse(cannot);
        }
        options.format.aside(&format!("{} is written", name(output)));
        figures["page"] = Kept::Written.slug().into();
        print_figures(&figures);
        ExitCode::SUCCESS
    }

    fn measure_all(time: Duration) -> Result<(Cells<Run>, Cells<f64>), Refused> {
        let (mut searches, mut rates) = (Cells::new(), Cells::new());
        let cells = SEARCHES.len() * FEW.len() + WAYS.len() * MANY.len();
        let bar = progress::of_cells(cells, &Default::default());
        for way in SEARCHES {
            measure(way, FEW, &mut searches, &bar, |callers| way.search(callers, time))?;
        }
        for way in WAYS {
            measure(way, MANY, &mut rates, &bar, |callers| way.rate(callers))?;
        }
        bar.finish_and_clear();
        Ok((searches, rates))
    }

    fn measure<T>(
        way: Way,
        callers: [usize; 4],
        into: &mut Cells<T>,
        bar: &ProgressBar,
        one: impl Fn(usize) -> Result<T, Refused>,
    ) -> Result<(), Refused> {
        for callers in callers {
            let measured = match way.refuses(callers) {
                Some(why) => Err(why),
                None => Ok(one(callers)?),
            };
            into.insert((way, callers), measured);
            bar.inc(1);
        }
        Ok(())
    }

    fn ran(searches: &Cells<Run>, way: Way, callers: usize) -> Option<&Run> {
        searches.get(&(way, callers))?.as_ref().ok()
    }

    /// A search whose outcomes are not those of `sections`.
    fn disagrees(searches: &Cells<Run>) -> Option<(Way, usize)> {
        let wrong = |(way, callers): &&(Way, usize)| {
            let sections = ran(searches, SEARCHES[0], *callers).filter(|run| run.complete);
            let run = ran(searches, *way, *callers);
            sections.zip(run).is_some_and(|(sections, run)| !run.agrees_with(sections))
        };
        searches.keys().find(wrong).copied()
    }

    /// The page without its figures; a test compares it with docs/PERFORMANCE.md.
    const PAGE: &str = include_str!("performance.md");

    fn page(searches: &Cells<Run>, rates: &Cells<f64>, time: Duration) -> String {
        let mut until = vec!["callers"];
        until.extend(SEARCHES.map(Way::name));
        until.extend(["ratio of executions", "ratio of times", "outcomes (most computes)"]);
        let growth = ["search", "2 to 3 callers", "3 to 4", "4 to 5"];
        let rate = ["engine", "2 callers", "4 callers", "10 callers", "100 callers"];
        let until_rows = FEW.map(|callers| until_complete(searches, callers)).to_vec();
        let growth_rows = SEARCHES.map(|way| growths(searches, way)).to_vec();
        let rate_rows = WAYS.map(|way| rates_of(rates, way)).to_vec();
        [
            ("{cores}", cores().to_string()),
            ("{time}", format!("{time:?}")),
            ("{while}", format!("{REPEATED_FOR:?}")),
            ("{rated}", format!("{RATED_FOR:?}")),
            ("{until}", markdown(&until, until_rows)),
            ("{growth}", markdown(&growth, growth_rows)),
            ("{rate}", markdown(&rate, rate_rows)),
        ]
        .into_iter()
        .fold(PAGE.to_owned(), |page, (place, text)| page.replace(place, &text))
    }

    /// A row of the first table.
    fn until_complete(searches: &Cells<Run>, callers: usize) -> Vec<String> {
        let mut row = vec![callers.to_string()];
        row.extend(SEARCHES.map(|way| match &searches[&(way, callers)] {
            Ok(run) => in_words(run),
            Err(why) => why.clone(),
        }));
        row.push(ratio(searches, callers, |run| run.all() as f64));
        row.push(ratio(searches, callers, |run| run.time.as_secs_f64()));
        let complete = ran(searches, SEARCHES[0], callers).filter(|run| run.complete);
        row.push(
            complete.map_or_else(
                || "-".into(),
                |run| format!("{} ({})", run.outcomes.len(), run.worst()),
            ),
        );
        row
    }

    fn in_words(run: &Run) -> String {
        let Run { executions, redundant, time, complete, .. } = run;
        match (complete, redundant) {
            (false, _) => format!("unfinished after {executions} executions"),
            (true, 0) => format!("{executions} in {time:.1?}"),
            (true, _) => format!("{executions} (and {redundant} redundant) in {time:.1?}"),
        }
    }

    /// The ratio `sections` : loom : DFS. `>` marks a search that was cut off.
    fn ratio(searches: &Cells<Run>, callers: usize, of: impl Fn(&Run) -> f64) -> String {
        let complete = ran(searches, SEARCHES[0], callers).filter(|run| run.complete);
        let Some(one) = complete.map(&of) else { return "-".into() };
        let others = [Way::Of(Engine::Loom), Way::Dfs].map(|way| {
            ran(searches, way, callers).map_or_else(
                || "-".into(),
                |run| format!("{}{:.0}", if run.complete { "" } else { "> " }, of(run) / one),
            )
        });
        format!("1 : {}", others.join(" : "))
    }

    /// A row of the second table.
    fn growths(searches: &Cells<Run>, way: Way) -> Vec<String> {
        let growth = |pair: &[usize]| {
            let before = ran(searches, way, pair[0]).filter(|run| run.complete);
            let Some((before, after)) = before.zip(ran(searches, way, pair[1])) else {
                return "-".into();
            };
            let factor = after.all() as f64 / before.all() as f64;
            format!("{}{factor:.1}", if after.complete { "" } else { "> " })
        };
        [way.name().to_owned()].into_iter().chain(FEW.windows(2).map(growth)).collect()
    }

    /// A row of the third table.
    fn rates_of(rates: &Cells<f64>, way: Way) -> Vec<String> {
        let of = |callers| match &rates[&(way, callers)] {
            Ok(rate) => format!("{rate:.0}"),
            Err(why) => format!("- ({why})"),
        };
        [way.name().to_owned()].into_iter().chain(MANY.map(of)).collect()
    }

    /// What was measured. `docs/REPORT.md` is the schema.
    fn json(searches: &Cells<Run>, rates: &Cells<f64>, time: Duration) -> Value {
        let searches = searches.iter().map(|((way, callers), measured)| {
            let run = measured.as_ref().ok();
            json!({
                "way": way.name(),
                "callers": callers,
                "refused": measured.as_ref().err(),
                "complete": run.map(|it| it.complete),
                "executions": run.map(|it| it.executions),
                "redundant": run.map(|it| it.redundant),
                "seconds": run.map(|it| it.time.as_secs_f64()),
                "outcomes": run.map(|it| it.outcomes.len()),
                "worst": run.map(Run::worst),
            })
        });
        let rates = rates.iter().map(|((way, callers), measured)| {
            json!({
                "way": way.name(),
                "callers": callers,
                "refused": measured.as_ref().err(),
                "executions_per_second": measured.as_ref().ok(),
            })
        });
        json!({
            "schema": 1,
            "cores": cores(),
            "seconds": time.as_secs(),
            "searches": searches.collect::<Vec<_>>(),
            "rates": rates.collect::<Vec<_>>(),
            "page": null,
        })
    }
}
