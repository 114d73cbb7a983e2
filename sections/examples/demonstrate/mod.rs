//! What every example shows of its program: the bug, as `check` reports it, and the search of the repaired version.

use sections::{Coverage, Error, Execution, Failing, Outcome, Schedule, Search};
use sections::{check, replay, shrink};
use std::ops::ControlFlow;
use std::panic::{RefUnwindSafe, UnwindSafe, catch_unwind, set_hook, take_hook};

/// Finds an execution of `broken` that fails, makes it small, replays it, prints the report, and searches `repaired`.
pub fn demonstrate<B, R>(broken: B, repaired: R) -> Result<Coverage, Error>
where
    B: Fn() + Copy + Send + Sync + UnwindSafe + RefUnwindSafe + 'static,
    R: Fn() + Copy + Send + Sync + 'static,
{
    // The shortest way: it panics with the report of a small execution that fails, and a panic is printed.
    catch_unwind(|| check(broken)).expect_err("the broken version fails its check");

    // The same step by step. A panic of an execution is an outcome, which need not be printed.
    let hook = take_hook();
    set_hook(Box::new(|_| {}));
    let found = failing_with_most_preemptions(broken)?.expect("the broken version has a bug");
    let small = shrink(found.clone(), |candidate| fails(candidate, broken));
    let again = replay(&small.schedule, broken)?;
    set_hook(hook);
    println!("\nfails:  {} (preemptions: {})", found.schedule, found.preemptions);
    println!("shrunk: {} (preemptions: {})", small.schedule, small.preemptions);
    println!("replay: {:?}", again.outcome);
    assert!(is_failure(&again));

    // A schedule is also a text, for a regression test or for the variable SECTIONS_REPLAY.
    let schedule: Schedule = small.schedule.to_string().parse().expect("it reads what it writes");
    assert_eq!(schedule, small.schedule);

    let (coverage, failures) =
        Search::default().run(repaired, |failures: &mut u32, execution| {
            *failures += u32::from(is_failure(&execution));
            ControlFlow::Continue(())
        })?;
    let Coverage { complete, redundant, exhausted } = coverage;
    println!("repaired: {complete} executions, {redundant} redundant, exhausted: {exhausted}");
    assert_eq!(failures.iter().sum::<u32>(), 0, "the repaired version fails");
    Ok(coverage)
}

fn is_failure(execution: &Execution<()>) -> bool {
    execution.outcome != Outcome::Returned(()) || execution.panics.iter().any(|panic| !panic.seen)
}

fn failing(execution: &Execution<()>) -> Option<Failing> {
    let Execution { schedule, preemptions, .. } = execution;
    is_failure(execution).then(|| Failing { schedule: schedule.clone(), preemptions: *preemptions })
}

fn failing_with_most_preemptions<B>(body: B) -> Result<Option<Failing>, Error>
where
    B: Fn() + Copy + Send + Sync + 'static,
{
    // One worker, so that every run finds the same one.
    let search = Search { workers: 1, ..Search::default() };
    let (_, found) = search.run(body, |found: &mut Option<Failing>, execution| {
        let most = found.as_ref().map(|found| found.preemptions);
        *found = failing(&execution)
            .filter(|new| most.is_none_or(|most| new.preemptions > most))
            .or(found.take());
        ControlFlow::Continue(())
    })?;
    Ok(found.into_iter().flatten().next())
}

/// The execution along this schedule, if it fails. A schedule that shrinking makes up may not fit: that is no failure.
fn fails<B>(schedule: &Schedule, body: B) -> Option<Failing>
where
    B: Fn() + Copy + Send + Sync + 'static,
{
    failing(&replay(schedule, body).ok()?)
}
