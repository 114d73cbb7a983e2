//! Makes a failing schedule small, by replays alone.

use crate::schedule::Schedule;

/// A schedule that fails, and how large it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// The choices, as the replay that failed says they are.
    pub schedule: Schedule,
    /// Its preemptions.
    pub preemptions: u32,
}

impl Failing {
    /// What is made small, the most important first: preemptions, choices that are not 0, the place
    /// of the last one, the choices themselves.
    fn size(&self) -> (u32, usize, usize, &[u32]) {
        let choices = self.schedule.choices();
        let deviations = choices.iter().filter(|choice| **choice != 0).count();
        (self.preemptions, deviations, choices.len(), choices)
    }
}

/// Shrinks a failing schedule to a local minimum: no choice can be dropped, lowered or made 0, no
/// run of choices made 0, without either the failure going away or the schedule growing.
///
/// `fails` replays a candidate; if it still fails, it returns the choices that were really taken.
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

/// Smaller schedules, the boldest first.
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
        // The same deviation one decision earlier, or moved to the next but one.
        if place > 0 && choices[place - 1] == 0 {
            let mut earlier = with(0);
            earlier[place - 1] = choices[place];
            all.push(earlier);
        }
    }
    all.retain(|candidate| candidate != choices);
    all
}
