//! Executions that were written down by hand are judged as the table says.

use xfetch_spec::refine::{self, Mismatch, Taken};
use xfetch_spec::table::System;
use xfetch_vocabulary::history::{Event, History, Record};

const STORAGE: u64 = 120;

fn judged(events: &[(usize, u64, Event)]) -> Result<(Taken, Vec<String>), Mismatch> {
    let record = |(step, (task, now, event)): (usize, &(usize, u64, Event))| Record {
        task: *task,
        step,
        now: *now,
        key: 7,
        event: *event,
    };
    let history = History {
        records: events.iter().enumerate().map(record).collect(),
        payload: 5,
        storage: STORAGE,
        back_off: 1,
        capacity: usize::MAX,
        ..History::default()
    };
    let system = System::shipped().unwrap_or_else(|error| panic!("the shipped table: {error}"));
    let taken = refine::check(&system, &history)?;
    let names = taken.steps.iter().map(|it| system.table.steps[*it].name.clone()).collect();
    Ok((taken, names))
}

/// Two misses at once: the first one computes, and the second one waits for it.
fn two_misses() -> Vec<(usize, u64, Event)> {
    use Event::*;
    vec![
        (1, 0, Asked),
        (2, 0, Asked),
        (1, 0, Looked(None)),
        (1, 0, Miss),
        (2, 0, Looked(None)),
        (2, 0, Miss),
        (1, 0, Leased(1)),
        (1, 0, ComputeStarted(1, None)),
        (1, 0, Makes(1)),
        (1, 0, ComputeFinished(1, true)),
        (1, 0, Published(1, 1)),
        (1, 0, Released(1)),
        (2, 0, Waited(1)),
        (2, 0, Answered(1)),
        (1, 0, Answered(1)),
    ]
}

fn at(events: &[(usize, u64, Event)], event: Event) -> usize {
    let place = events.iter().position(|it| it.2 == event);
    place.unwrap_or_else(|| panic!("{event:?} is not there"))
}

fn fails_at(events: &[(usize, u64, Event)]) -> Option<Event> {
    judged(events).err().map(|it| it.record.event)
}

#[test]
fn a_miss_that_waits_for_another_one_is_an_execution_of_the_table() {
    let (taken, names) = judged(&two_misses()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((taken.keys, taken.left_out.len()), (1, 0));
    for name in ["wait", "inside", "publish", "release-current", "told-value"] {
        assert!(names.iter().any(|it| it == name), "{name} is not in {names:?}");
    }
}

#[test]
fn a_release_before_the_publication_is_no_step() {
    let mut events = two_misses();
    let published = at(&events, Event::Published(1, 1));
    events.swap(published, published + 1);
    assert_eq!(fails_at(&events), Some(Event::Released(1)));
}

#[test]
fn a_second_lease_beside_a_held_one_is_no_step() {
    let mut events = two_misses();
    let started = at(&events, Event::ComputeStarted(1, None));
    events.insert(started, (2, 0, Event::Leased(2)));
    assert_eq!(fails_at(&events), Some(Event::Leased(2)));
}

#[test]
fn a_publication_after_an_invalidation_is_no_step_and_a_discard_is_one() {
    let mut events = two_misses();
    let finished = at(&events, Event::ComputeFinished(1, true));
    events.insert(finished, (3, 0, Event::Invalidated));
    events.insert(finished + 1, (3, 0, Event::Revoked(1)));
    assert_eq!(fails_at(&events), Some(Event::Published(1, 1)));
    let published = at(&events, Event::Published(1, 1));
    events[published].2 = Event::Discarded(1);
    assert_eq!(fails_at(&events), None);
}

#[test]
fn a_version_that_was_never_in_the_map_cannot_be_looked_at() {
    let mut events = two_misses();
    events[2].2 = Event::Looked(Some(9));
    assert_eq!(fails_at(&events), Some(Event::Looked(Some(9))));
}

#[test]
fn a_request_that_waits_for_a_value_returns_no_error() {
    let mut events = two_misses();
    let answered = events.iter().position(|it| it.0 == 2 && it.2 == Event::Answered(1));
    events[answered.unwrap_or_default()].2 = Event::Refused;
    assert_eq!(fails_at(&events), Some(Event::Refused));
}

#[test]
fn a_value_is_no_hit_after_its_storage_deadline() {
    use Event::*;
    let hit = |now| {
        vec![
            (1, 0, Inserted(1)),
            (1, 0, Put(0)),
            (1, now, Asked),
            (1, now, Looked(Some(1))),
            (1, now, FreshHit(1)),
            (1, now, Answered(0)),
        ]
    };
    assert_eq!(fails_at(&hit(1)), None);
    assert_eq!(fails_at(&hit(STORAGE)), Some(FreshHit(1)));
}

#[test]
fn a_value_is_not_stale_before_its_payload_deadline() {
    use Event::*;
    let stale = |now| {
        vec![
            (1, 0, Inserted(1)),
            (1, now, Asked),
            (1, now, Looked(Some(1))),
            (1, now, StaleHit(1)),
            (1, now, StillNeeded),
            (1, now, Leased(1)),
            (1, now, Rejected(1)),
            (1, now, Dropped(1)),
            (1, now, Released(1)),
            (1, now, Answered(0)),
        ]
    };
    assert_eq!(fails_at(&stale(5)), None);
    assert_eq!(fails_at(&stale(4)), Some(StaleHit(1)));
}

#[test]
fn a_lease_that_is_held_at_the_end_is_a_mismatch() {
    let events = &two_misses()[..11];
    assert!(judged(events).is_err());
}

#[test]
fn records_that_make_no_sense_are_a_mismatch_and_no_panic() {
    use Event::*;
    for event in
        [Released(3), Published(3, 3), Waited(1), Answered(1), Busy(1), TakenOver(2), Swept(1)]
    {
        assert_eq!(fails_at(&[(1, 0, event)]), Some(event));
    }
    assert_eq!(fails_at(&[]), None);
}
