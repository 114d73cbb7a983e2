//! XFetch: a request sometimes refreshes an entry before its deadline (Vattani, Chierichetti and Lowenstein,
//! "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015). The look of the protocol asks it.
//!
//! A request nominates the entry's version if `delta * beta * -ln(u) >= remaining`. Here `delta` is how long
//! the entry's own compute took, `remaining` is the time until its deadline, and `u` is drawn from (0, 1]. So
//! the probability is `exp(-remaining / (beta * delta))`. A nomination alone decides nothing: the lease and
//! the re-check of the version decide.

use crate::error::ConfigError;

/// The longest gap, in units of `beta * delta`. A draw has 53 bits, so it is never below 2^-53, and
/// `-ln(2^-53) = 53 * ln 2 = 36.73...`. With more time left no draw can nominate, so none is made.
const LONGEST_GAP: f64 = 53.0 * std::f64::consts::LN_2;

/// How early entries are refreshed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Early {
    beta: f64,
}

impl Early {
    pub(crate) fn new(beta: f64) -> Result<Self, ConfigError> {
        if !(0.0..=1e9).contains(&beta) {
            return Err(ConfigError::Beta { beta });
        }
        Ok(Self { beta })
    }

    /// Whether this request nominates an entry that has `remaining` nanoseconds left and took
    /// `delta` to compute.
    pub(crate) fn nominates(self, remaining: u64, delta: u64, draw: impl FnOnce() -> f64) -> bool {
        let unit = self.beta * delta as f64;
        let remaining = remaining as f64;
        if unit <= 0.0 || remaining > unit * LONGEST_GAP {
            return false;
        }
        unit * -unit_interval(draw()).ln() >= remaining
    }

    /// With more nanoseconds left than this, no request nominates an entry that took `delta` to compute.
    pub(crate) fn longest_gap(self, delta: u64) -> u64 {
        (self.beta * delta as f64 * LONGEST_GAP).ceil() as u64
    }
}

/// A draw of a user's source, clamped to (0, 1]: ln(0) would be infinite.
pub(crate) fn unit_interval(draw: f64) -> f64 {
    if draw.is_nan() { 1.0 } else { draw.clamp(f64::EPSILON / 2.0, 1.0) }
}

/// A number in (0, 1] with 53 bits.
pub(crate) fn draw() -> f64 {
    ((fastrand::u64(..) >> 11) + 1) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: f64 = 1.0 / (1_u64 << 53) as f64;

    fn early(beta: f64) -> Early {
        Early::new(beta).expect("a beta")
    }

    #[test]
    fn no_draw_is_made_if_none_can_nominate() {
        let delta = 1_000;
        let longest = (LONGEST_GAP * delta as f64) as u64;
        assert!(early(1.0).nominates(longest, delta, || SMALLEST));
        assert!(!early(1.0).nominates(longest + 1, delta, || unreachable!("it cannot matter")));
        assert!(!early(0.0).nominates(1, delta, || unreachable!("beta is zero")));
        assert!(!early(1.0).nominates(1, 0, || unreachable!("no compute was measured")));
        assert_eq!(
            early(1.0).longest_gap(delta),
            longest + 1,
            "a gap that is not whole is rounded up"
        );
        assert_eq!((early(0.0).longest_gap(delta), early(1.0).longest_gap(0)), (0, 0));
    }

    /// This longest gap is a whole number of nanoseconds.
    #[test]
    fn the_smallest_draw_nominates_at_the_longest_gap() {
        let delta = 1_u64 << 57;
        let longest = LONGEST_GAP * delta as f64;
        assert_eq!(longest as u64 as f64, longest);
        assert!(early(1.0).nominates(longest as u64, delta, || SMALLEST));
    }

    #[test]
    fn draws_are_spread_evenly_over_the_interval() {
        fastrand::seed(7);
        let drawn: Vec<_> = (0..10_000).map(|_| draw()).collect();
        assert!(drawn.iter().all(|drawn| (SMALLEST..=1.0).contains(drawn)));
        for tenth in 0..10 {
            let here = drawn.iter().filter(|drawn| (**drawn * 10.0) as usize == tenth).count();
            assert!((900..1_100).contains(&here), "{here} in tenth {tenth}");
        }
    }

    #[test]
    fn a_draw_of_one_nominates_only_at_the_deadline() {
        assert!(!early(1.0).nominates(1, 1_000_000, || 1.0));
        assert!(early(1.0).nominates(0, 1_000_000, || 1.0));
    }

    #[test]
    fn a_draw_outside_the_interval_is_clamped() {
        assert_eq!(unit_interval(0.0), SMALLEST);
        assert_eq!(unit_interval(-3.0), SMALLEST);
        assert_eq!(unit_interval(7.0), 1.0);
        assert_eq!(unit_interval(f64::NAN), 1.0);
    }

    #[test]
    fn a_compute_of_less_than_a_microsecond_still_counts() {
        assert!(early(1.0).nominates(999, 999, || 0.36));
        assert!(!early(1.0).nominates(999, 999, || 0.37));
    }

    /// Pearson's chi-square of nominations against `exp(-g / (beta * delta))`, with one degree of freedom for
    /// each of 15 settings. 10.83 is its 99.9 % quantile; the seed is fixed.
    #[test]
    fn nominations_are_as_frequent_as_the_paper_says() {
        let mut chance = fastrand::Rng::with_seed(20_261_125);
        let mut settings = 0;
        for delta in [1_000, 999_000, 50_000_000, 3_000_000_000, 36_000_000_000_000_u64] {
            for (beta, gaps) in [(0.5, 0.4), (1.0, 1.0), (2.0, 2.5)] {
                let remaining = (beta * delta as f64 * gaps) as u64;
                let expected = (-(remaining as f64) / (beta * delta as f64)).exp();
                let rounds = 20_000;
                let draw = || ((chance.u64(..) >> 11) + 1) as f64 / (1_u64 << 53) as f64;
                let mut draw = draw;
                let nominated = (0..rounds)
                    .filter(|_| early(beta).nominates(remaining, delta, &mut draw))
                    .count() as f64;
                let mean = f64::from(rounds) * expected;
                let chi = (nominated - mean).powi(2) / (mean * (1.0 - expected));
                assert!(chi < 10.83, "delta {delta} ns, beta {beta}: chi-square {chi}");
                settings += 1;
            }
        }
        assert_eq!(settings, 15);
    }
}
