//! What `check` reports, and what a recorded step has.

use sections::std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use sections::std::sync::{Arc, Mutex};
use sections::std::thread;
use sections::{Error, Execution, Outcome, Schedule, Search, check, named, replay};
use std::ops::ControlFlow;
use std::panic::catch_unwind;
use std::process::Command;

/// The text that `check` panics with.
fn report(body: impl Fn() + Send + Sync + std::panic::UnwindSafe + 'static) -> String {
    let panic = catch_unwind(|| check(body)).expect_err("the check fails");
    *panic.downcast::<String>().expect("a report is text")
}

fn lost_addition() {
    let counter = Arc::new(AtomicUsize::new(0));
    named(&*counter, "counter");
    let add = || {
        let counter = Arc::clone(&counter);
        thread::spawn(move || {
            let seen = counter.load(SeqCst);
            counter.store(seen + 1, SeqCst);
        })
    };
    let tasks = [add(), add()];
    tasks.into_iter().for_each(|task| task.join().unwrap());
    assert_eq!(counter.load(SeqCst), 2, "an addition is lost");
}

#[test]
fn a_report_has_the_message_the_names_the_places_the_values_and_the_schedule() {
    let text = report(lost_addition);
    let line = |what: &str| text.lines().find(|line| line.contains(what)).map(str::to_owned);
    assert!(line("an addition is lost").is_some(), "{text}");
    let store = line("store to `counter`").expect(&text);
    assert!(store.contains("tests/check.rs:") && store.contains("0 -> 1"), "{text}");
    assert!(line("SECTIONS_REPLAY=").unwrap().contains("cargo test"), "{text}");
    assert_eq!(text.matches('*').count(), 1, "one preemption loses an addition\n{text}");
}

#[test]
fn a_report_of_a_deadlock_says_what_each_task_waits_for() {
    let text = report(|| {
        let locks = Arc::new([Mutex::new(()), Mutex::new(())]);
        named(&locks[0], "left");
        named(&locks[1], "right");
        let its = Arc::clone(&locks);
        thread::spawn(move || {
            let _left = its[0].lock();
            let _right = its[1].lock();
        });
        let _right = locks[1].lock();
        let _left = locks[0].lock();
    });
    assert!(text.contains("deadlock"), "{text}");
    assert!(text.contains("task 0 is about to lock `left`"), "{text}");
    assert!(text.contains("task 1 is about to lock `right`"), "{text}");
}

#[test]
fn a_panic_fails_a_check_unless_somebody_joins_the_task() {
    let text = report(|| drop(thread::spawn(|| panic!("of nobody's"))));
    // The path begins with the package's folder in a workspace, and not in the unpacked package.
    let place = text.lines().find(|line| line.contains("task 1 panicked at ")).expect(&text);
    assert!(place.contains("tests/check.rs:"), "{text}");
    assert!(text.contains("nobody joined it: of nobody's"), "{text}");
    check(|| drop(thread::spawn(|| panic!("joined")).join()));
}

#[test]
fn the_message_of_a_task_is_in_the_report_of_the_body_that_unwraps_it() {
    let text = report(|| thread::spawn(|| panic!("the reason")).join().unwrap());
    assert!(text.contains("task 1 panicked at") && text.contains("the reason"), "{text}");
}

/// Run by the test below, in a process of its own.
#[test]
#[ignore = "it fails by design"]
fn fails_by_design() {
    check(lost_addition);
}

#[test]
fn a_failing_test_prints_one_message_and_the_line_that_repeats_it() {
    let run = |schedule: Option<&str>| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "fails_by_design", "--ignored", "--nocapture"]);
        command.envs(schedule.map(|schedule| ("SECTIONS_REPLAY", schedule)));
        command.env("RUST_BACKTRACE", "0");
        let output = command.output().unwrap();
        assert!(schedule == Some("-") || !output.status.success());
        String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr)
    };
    let printed = run(None);
    assert_eq!(printed.matches("an addition is lost").count(), 1, "{printed}");
    let schedule = printed.lines().find_map(|line| line.strip_prefix("schedule: ")).unwrap();
    let again = run(Some(schedule));
    assert!(again.contains(&format!("schedule: {schedule}")), "{again}");
    assert!(run(Some("-")).contains("does not fail"));
}

#[test]
fn an_assert_in_the_judge_is_an_error_with_the_schedule_that_it_judged() {
    let scenario = || {
        let counter = Arc::new(AtomicUsize::new(0));
        let tasks = [1, 2].map(|number| {
            let counter = Arc::clone(&counter);
            thread::spawn(move || counter.store(number, SeqCst))
        });
        tasks.into_iter().for_each(|task| task.join().unwrap());
        counter.load(SeqCst)
    };
    let judge = |(): &mut (), execution: Execution<usize>| {
        assert_eq!(execution.outcome, Outcome::Returned(2), "the judge");
        ControlFlow::Continue(())
    };
    match Search::default().run(scenario, judge) {
        Err(Error::Judge { message, schedule }) => {
            assert!(message.contains("the judge"), "{message}");
            assert_eq!(replay(&schedule, scenario).unwrap().outcome, Outcome::Returned(1));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_recorded_step_has_the_line_that_called_it() {
    let (load, execution) = (line!() + 2, || {
        let counter = AtomicUsize::new(7);
        thread::spawn(move || counter.load(SeqCst)).join().unwrap()
    });
    let execution = replay(&Schedule::default(), execution).unwrap();
    let step = &execution.steps[0];
    let place = step.place.unwrap();
    assert_eq!((place.file(), place.line()), (file!(), load));
    assert_eq!(step.values, ["7"]);
}
