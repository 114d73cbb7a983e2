//! Shrinks a failing schedule by replays alone.

use crate::schedule::Schedule;

/// A failing schedule and its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// The choices of the replay that failed.
    pub schedule: Schedule,
    /// Its preemptions.
    pub preemptions: u32,
}

impl Failing {
    /// What shrinking reduces, the most important first: preemptions, choices that are not 0, the place
    /// of the last one, the choices themselves.
    fn size(&self) -> (u32, usize, usize, &[u32]) {
        let choices = self.schedule.choices();
        let deviations = choices.iter().filter(|choice| **choice != 0).count();
        (self.preemptions, deviations, choices.len(), choices)
    }
}

/// Shrinks a failing schedule to a local minimum. No choice can be dropped, lowered or set to 0, and no
/// run of choices can be set to 0, unless the failure goes away or the schedule grows.
///
/// `fails` replays a candidate. If it still fails, `fails` returns the choices that were taken.
pub fn shrink(start: Failing, mut fails: impl FnMut(&Schedule) -> Option<Failing>) -> Failing {
    let mut best = start;
    'again: loop {
        for candidate in candidates(best.schedule.choices()) {
            if let Some(smaller) = fails(&best.schedule.with(candidate))
                && smaller.size() < best.size()
            {
                best = smaller;
                continue 'again;
            }
        }
        return best;
    }
}

/// Candidates for a smaller schedule, those with the largest changes first.
fn candidates(choices: &[u32]) -> Vec<Vec<u32>> {
    let mut all = Vec::new();
    let mut length = choices.len();
    while length > 0 {
        for from in (0..choices.len()).step_by(length) {
            let end = choices.len().min(from + length);
            let mut zeroed = choices.to_vec();
            zeroed[from..end].fill(0);
            let mut cut = choices.to_vec();
            cut.drain(from..end);
            all.extend([cut, zeroed]);
        }
        length /= 2;
    }
    for place in (0..choices.len()).filter(|place| choices[*place] > 0) {
        let with = |choice: u32| {
            let mut other = choices.to_vec();
            other[place] = choice;
            other
        };
        all.extend((1..choices[place]).map(with));
        // The same deviation one decision earlier.
        if place > 0 && choices[place - 1] == 0 {
            let mut earlier = with(0);
            earlier[place - 1] = choices[place];
            all.push(earlier);
        }
    }
    all.retain(|candidate| candidate != choices);
    all
}
