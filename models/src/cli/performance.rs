//! The command `performance`: measures the speed of each engine and writes docs/PERFORMANCE.md.

use super::{Performance, refuse};
use std::process::ExitCode;

/// Shuttle's own search needs one more build of the core, which only the feature `plain` has.
#[cfg(not(feature = "plain"))]
pub(super) fn run(Performance { output, seconds }: &Performance) -> ExitCode {
    refuse(format!(
        "`performance` needs the feature `plain`: cargo run --release --features plain -- performance \
         --output {} --seconds {seconds}",
        output.display()
    ))
}

#[cfg(feature = "plain")]
pub(super) use measured::run;

#[cfg(feature = "plain")]
mod measured {
    use super::super::{cores, print, progress};
    use super::*;
    use indicatif::ProgressBar;
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
        let time = Duration::from_secs(options.seconds.into());
        let (searches, rates) = match measure_all(time) {
            Ok(measured) => measured,
            Err(refused) => return refuse(refused),
        };
        if let Some((way, callers)) = disagrees(&searches) {
            eprintln!("{}, {callers} callers: its outcomes are not those of sections", way.name());
            return ExitCode::FAILURE;
        }
        let (output, path) = (&options.output, options.output.display());
        let old = std::fs::read_to_string(output).unwrap_or_default();
        let kept = old.split_once(BY_HAND).map_or("\n", |(_, kept)| kept);
        match std::fs::write(output, page(&searches, &rates, time) + BY_HAND + kept) {
            Ok(()) => {
                print(&format!("{path} is written"));
                ExitCode::SUCCESS
            }
            Err(error) => refuse(format!("cannot write {path}: {error}")),
        }
    }

    fn measure_all(time: Duration) -> Result<(Cells<Run>, Cells<f64>), Refused> {
        let (mut searches, mut rates) = (Cells::new(), Cells::new());
        let cells = SEARCHES.len() * FEW.len() + WAYS.len() * MANY.len();
        let bar = progress::of_cells(cells, &Default::default());
        // loom unwinds threads with panics. Once Shuttle has run, it prints every panic of the process.
        for of_loom in [true, false] {
            let is_now = |way: &&Way| (**way == Way::Of(Engine::Loom)) == of_loom;
            for way in SEARCHES.iter().filter(is_now) {
                measure(*way, FEW, &mut searches, &bar, |callers| way.search(callers, time))?;
            }
            for way in WAYS.iter().filter(is_now) {
                measure(*way, MANY, &mut rates, &bar, |callers| way.rate(callers))?;
            }
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

    fn page(searches: &Cells<Run>, rates: &Cells<f64>, time: Duration) -> String {
        let mut until = vec!["callers"];
        until.extend(SEARCHES.map(Way::name));
        until.extend(["ratio of executions", "ratio of times", "outcomes (most computes)"]);
        let growth = ["search", "2 to 3 callers", "3 to 4", "4 to 5"];
        let rate = ["engine", "2 callers", "4 callers", "10 callers", "100 callers"];
        let tables = [
            markdown(&until, FEW.map(|callers| until_complete(searches, callers)).to_vec()),
            markdown(&growth, SEARCHES.map(|way| growths(searches, way)).to_vec()),
            markdown(&rate, WAYS.map(|way| rates_of(rates, way)).to_vec()),
        ];
        prose(cores(), time, &tables)
    }

    /// The page above the part that is written by hand.
    fn prose(cores: usize, time: Duration, [until, growth, rates]: &[String; 3]) -> String {
        format!(
            "# Performance\n\n\
             This page measures how fast each [engine](GLOSSARY.md#engine) is. All of them run the [field\n\
             report](GLOSSARY.md#field-report)'s [scenario](GLOSSARY.md#scenario) (`field`) on the shipped protocol\n\
             (`double-recheck`). `cargo run --release --features plain -- performance` measures that and writes this page,\n\
             in ten minutes. Each engine has one OS thread of a machine with {cores} cores. It is one run, and the machine did\n\
             other things beside it: read the ratios, not the times. The counts of complete searches do not differ from run\n\
             to run. A test compares those of `sections` with what a program of the abstract protocol counts.\n\n\
             ## Until complete\n\n\
             Each field of the table shows the [executions](GLOSSARY.md#execution), and the time until there are no others,\n\
             at most {time:?}. A search that takes less than {REPEATED_FOR:?} is repeated for {REPEATED_FOR:?}, and the mean counts. [Redundant\n\
             executions](GLOSSARY.md#redundant-execution) repeat others from some [section](GLOSSARY.md#section) on. They\n\
             cost time, and are a part of the ratios. The ratios are `sections` : loom : Shuttle's DFS.\n\n\
             The three do not do the same. `sections` takes one execution of each class of orders, sequentially consistent.\n\
             loom has the C11 memory model, so it has more to look at, and a reduction of its own. Shuttle's DFS runs the\n\
             same text on Shuttle's own mutex, read-write lock and condition variable. It takes every order of its\n\
             scheduling points. There are several for each lock, and those of main are among them.\n\n\
             Yet all complete searches have the same outcomes: how many computes, which caller got which answer, what is\n\
             violated. The other searches have none but those. The command fails otherwise.\n\n\
             {until}\n\n\
             By how much one caller more multiplies the executions, redundant ones included:\n\n\
             {growth}\n\n\
             ## Executions per second\n\n\
             Each engine runs for about {RATED_FOR:?}, with judging and redundant executions included. A search that comes to its end\n\
             begins anew. Where a search does not come to its end, its rate says nothing about coverage. An execution of\n\
             `threads` has two computes that sleep for a millisecond each.\n\n\
             {rates}\n\n"
        )
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

    #[cfg(test)]
    mod tests {
        use super::*;

        fn is_row(line: &str) -> bool {
            line.starts_with('|')
        }

        /// The page is measured once, so only its prose is compared.
        #[test]
        fn the_page_has_the_prose_of_this_command() {
            let page = include_str!("../../../docs/PERFORMANCE.md");
            let (measured, _) = page.split_once(BY_HAND).expect("the marker is there");
            let lines: Vec<_> = measured.lines().collect();
            let tables: Vec<String> = lines
                .chunk_by(|one, next| is_row(one) == is_row(next))
                .filter(|block| is_row(block[0]))
                .map(|block| block.join("\n"))
                .collect();
            let tables: [String; 3] = tables.try_into().expect("three tables");
            let (_, cores) = measured.split_once("a machine with ").expect("the cores are named");
            let cores = cores.split(' ').next().and_then(|cores| cores.parse().ok());
            let prose = prose(cores.expect("a number"), Duration::from_secs(60), &tables);
            assert_eq!(prose, measured);
        }
    }
}
