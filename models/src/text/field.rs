//! The field report's scenario: all callers at once on one stale key.

use super::core::steps::Protocol;
use super::stage::{PAYLOAD, Stage};
use super::work;
use crate::history::{Answer, History};

const KEY: u64 = 7;
const OLD: u64 = 1;
const NEW: u64 = 2;

pub(super) fn run<P: Protocol>(callers: usize) -> History {
    let stage = Stage::<P>::new();
    stage.cache.insert(KEY, OLD);
    stage.clock.advance(PAYLOAD);
    stage.perform(callers, |_, cache| {
        let found = cache.get_or_compute(&KEY, |_| {
            work();
            NEW
        });
        match found {
            Ok(found) if *found == OLD => Answer::Stale,
            Ok(_) => Answer::Fresh,
            Err(_) => Answer::Error,
        }
    })
}
