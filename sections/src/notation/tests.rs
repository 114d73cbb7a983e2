//! Texts that are schedules, texts that are none, and what a schedule loses as a text: nothing.

use super::{MOST, NotASchedule};
use crate::learned::Learned;
use crate::operation::Object;
use crate::schedule::Schedule;
use proptest::collection::{btree_set, vec};
use proptest::prelude::{Strategy, any, prop_oneof, proptest};
use proptest::{prop_assert, prop_assert_eq};
use std::sync::Arc;

fn schedules() -> impl Strategy<Value = Schedule> {
    let choice = prop_oneof![4 => 0..3_u32, 1 => any::<u32>()];
    let runs = vec((choice, 1..20_usize), 0..20);
    let locks = btree_set((0..5_usize, 1..50_u32), 0..5);
    (runs, locks, any::<bool>()).prop_map(|(runs, locks, main_takes_part)| {
        let choices = runs.into_iter().flat_map(|(choice, times)| vec![choice; times]).collect();
        let lock = |(maker, number)| Object::made_by(maker, number);
        let tried = locks.into_iter().map(lock).collect();
        Schedule::new(choices).knowing(&Arc::new(Learned { tried, main_takes_part }))
    })
}

proptest! {
    #[test]
    fn a_schedule_is_the_same_after_it_was_a_text(schedule in schedules()) {
        prop_assert_eq!(schedule.to_string().parse(), Ok(schedule));
    }

    /// A text that is cut, or has one other character, is read as what it says or refused at a place in it.
    #[test]
    fn a_damaged_text_is_read_or_refused_at_a_place(
        schedule in schedules(),
        at in any::<usize>(),
        other in any::<Option<char>>(),
    ) {
        let text = schedule.to_string();
        let at = at % text.len();
        let rest = other.map(|other| format!("{other}{}", &text[at + 1..])).unwrap_or_default();
        let damaged = format!("{}{rest}", &text[..at]);
        match damaged.parse::<Schedule>() {
            Ok(read) => prop_assert_eq!(read.to_string().parse(), Ok(read)),
            Err(NotASchedule { at, .. }) => prop_assert!(damaged.is_char_boundary(at)),
        }
    }
}

#[test]
fn the_grammar_is_the_documented_one() {
    let tried = [Object::made_by(0, 1), Object::made_by(2, 3)].into();
    let knowing = Schedule::new([vec![0; 12], vec![1, 2, 2]].concat())
        .knowing(&Arc::new(Learned { tried, main_takes_part: true }));
    assert_eq!(knowing.to_string(), "0x12.1.2x2;tried=0.1,2.3;main");
    assert_eq!(Schedule::default().to_string(), "-");
    for same in ["-", "0", "0x7", "0.0.0"] {
        assert_eq!(same.parse(), Ok(Schedule::default()), "{same}");
    }
    assert_eq!("1x1.0x2".parse(), Ok(Schedule::new(vec![1])));
}

#[test]
fn a_wrong_text_is_refused_where_it_is_wrong() {
    let most = format!("1x{MOST}.1x2");
    let texts = [
        ("", 0),
        (" 1", 0),
        ("+1", 0),
        ("4294967296", 0),
        ("1.", 2),
        ("1..2", 2),
        ("1.-", 2),
        ("-.1", 1),
        ("1x", 2),
        ("1x0", 2),
        ("1x99999999", 2),
        (&most, most.len() - 1),
        ("1;", 1),
        ("1;tried=", 8),
        ("1;tried=0", 9),
        ("1;tried=0.", 10),
        ("1;tried=0.0", 8),
        ("1;tried=0.1,4294967295.1", 12),
        ("1;main;tried=0.1", 6),
        ("1;maine", 6),
        ("1\u{e9}", 1),
    ];
    for (text, at) in texts {
        assert_eq!(text.parse::<Schedule>().map_err(|error| error.at), Err(at), "{text}");
    }
    let error = "1x0".parse::<Schedule>().unwrap_err().to_string();
    assert!(error.starts_with("not a schedule: at byte 2"), "{error}");
}
