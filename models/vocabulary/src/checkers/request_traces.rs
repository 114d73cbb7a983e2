//! The requests of a story: the records of each request, from its call to its return.

use super::Story;
use crate::history::{Event, Record};
use std::collections::BTreeMap;

/// What one request did.
#[derive(Default)]
pub(super) struct RequestTrace<'a> {
    /// Its records, each with its index in the history.
    pub(super) records: Vec<(usize, &'a Record)>,
}

impl RequestTrace<'_> {
    pub(super) fn events(&self) -> impl Iterator<Item = (usize, Event)> + '_ {
        self.records.iter().map(|(index, record)| (*index, record.event))
    }

    /// The index of the first event for which `is` is true.
    pub(super) fn first(&self, is: impl Fn(Event) -> bool) -> Option<usize> {
        self.events().find(|(_, event)| is(*event)).map(|(index, _)| index)
    }
}

pub(super) struct RequestTraces<'a>(pub(super) Vec<RequestTrace<'a>>);

impl<'a> RequestTraces<'a> {
    /// A caller has one request of a key at a time, unless a compute asks for its own key.
    pub(super) fn of(story: &Story<'a>) -> Self {
        let mut open: BTreeMap<usize, Vec<RequestTrace>> = BTreeMap::new();
        let mut closed = Vec::new();
        for (index, record) in story.records.iter().copied() {
            let open = open.entry(record.task).or_default();
            if record.event == Event::Asked {
                open.push(RequestTrace::default());
            }
            if let Some(request) = open.last_mut() {
                request.records.push((index, record));
            }
            if matches!(record.event, Event::Answered(_) | Event::Refused) {
                closed.extend(open.pop());
            }
        }
        Self(closed)
    }
}
