//! Checks at rest, when all callers have returned.

use super::{Story, Violation};
use crate::catalogue::Invariant;
use crate::history::Event;

/// After the rest there is one request, and a look. This is the counterpart of every "at most": a cache
/// that never computes would keep those.
pub(super) fn refresh_makes_progress(story: &Story) -> Vec<Violation> {
    let Some(rest) = story.events().position(|(_, event)| event == Event::Rest) else {
        return Vec::new();
    };
    let gone = |event| matches!(event, Event::Evicted(_) | Event::Swept(_) | Event::Forgotten);
    let after: Vec<_> = story.events().skip(rest + 1).filter(|(_, event)| !gone(*event)).collect();
    // After the rest only the requested key has events, except for removals.
    let Some((last, _)) = after.last() else { return Vec::new() };
    let computes =
        after.iter().filter(|(_, event)| matches!(event, Event::ComputeStarted(..))).count();
    let leaves_it_fresh = after
        .iter()
        .rfind(|(_, event)| matches!(event, Event::FreshHit(_) | Event::StaleHit(_) | Event::Miss))
        .is_some_and(|(_, event)| matches!(event, Event::FreshHit(_)));
    let progress = computes == 1 && leaves_it_fresh;
    let at = if progress { Vec::new() } else { vec![*last] };
    Story::violations(Invariant::RefreshMakesProgress, at)
}
