//! Measures the load on the origin when keys that were written together become stale, with and without jitter.

use crate::chooser::Chooser;
use crate::plan::{Plan, Shape, Wishes};
use crate::plot::NotDrawn;
use crate::workload::{Act, Arrival, Ask, Origin, Sent};
use crate::world::{self, Watch};
use plotters::prelude::*;
use std::error::Error;
use std::time::Duration;

/// Keys that are written together.
pub const KEYS: u64 = 1_000;
/// The payload TTL.
pub const PAYLOAD: Duration = Duration::from_secs(10);
/// How often each key is requested.
pub const EVERY: Duration = Duration::from_millis(200);
/// The jitters that are compared.
pub const JITTERS: [f64; 4] = [0.0, 0.1, 0.5, 1.0];
/// Computes are counted in slices of this length.
pub const SLICE: Duration = Duration::from_millis(200);

const LENGTH: Duration = Duration::from_secs(25);

/// What happened with one jitter.
#[derive(Clone, Debug, PartialEq)]
pub struct Burst {
    /// The jitter.
    pub jitter: f64,
    /// Computes that started in each slice.
    pub computes: Vec<u64>,
}

impl Burst {
    /// The most computes of a slice.
    pub fn peak(&self) -> u64 {
        self.computes.iter().copied().max().unwrap_or(0)
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.computes.iter().sum()
    }
}

/// Writes a thousand keys at once and requests each of them five times a second, with one jitter after the other.
pub fn bursts() -> Vec<Burst> {
    JITTERS.map(burst).to_vec()
}

fn burst(jitter: f64) -> Burst {
    let wishes = Wishes {
        shape: Shape::Service,
        length: Some(LENGTH),
        keys: Some(KEYS),
        payload: Some(PAYLOAD),
        jitter: Some(jitter),
        faults: Some(Vec::new()),
        ..Wishes::fleet(1, 0)
    };
    let mut plan = Plan::new(&wishes);
    // Workers enough, so that the origin is what limits, and no early refresh.
    plan.pool = Some((16, 4_096));
    plan.options.beta = 0.0;
    plan.looks = (LENGTH.as_nanos() / SLICE.as_nanos()) as u32;
    let inserts = (0..KEYS).map(|key| Arrival { at: 0, act: Act::Insert(key) });
    let gap = (EVERY.as_nanos() as u64) / KEYS;
    let takes = Duration::from_millis(1).as_nanos() as u64;
    let asks = (0..(LENGTH.as_nanos() as u64) / gap).map(move |number| {
        let key = number % KEYS;
        let (origin, executor) = (Origin::Returns, Sent::Runs);
        let act = Act::Ask(Ask { key, inner: None, takes, origin, executor });
        Arrival { at: number * gap, act }
    });
    let chooser = Chooser::seeded(&plan, 0, false);
    let (run, _) = world::run(&plan, inserts.chain(asks), chooser, Watch::default());
    let mut before = 0;
    let computes = run.books.samples.iter().map(|sample| {
        let all = sample.all.computes;
        all - std::mem::replace(&mut before, all)
    });
    Burst { jitter, computes: computes.collect() }
}

/// The picture as SVG: computes over time, a line for each jitter.
///
/// # Errors
///
/// If the library cannot draw it.
pub fn svg(bursts: &[Burst]) -> Result<String, NotDrawn> {
    let mut text = String::new();
    draw(bursts, &mut text).map_err(|error| NotDrawn::of(error.as_ref()))?;
    Ok(text)
}

fn draw(bursts: &[Burst], into: &mut String) -> Result<(), Box<dyn Error>> {
    let end = LENGTH.as_secs_f64();
    let most = bursts.iter().map(Burst::peak).max().unwrap_or(1) as f64;
    let root = SVGBackend::with_string(into, (1_000, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption("1,000 keys that were written together", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(0.0..end, 0.0..most * 1.05)?;
    chart
        .configure_mesh()
        .x_desc("virtual seconds")
        .y_desc("computes in 0.2 s")
        .light_line_style(WHITE)
        .draw()?;
    for (burst, colour) in bursts.iter().zip([RED, BLUE, GREEN, BLACK]) {
        let at = |place: usize| (place + 1) as f64 * SLICE.as_secs_f64();
        let line = burst.computes.iter().enumerate().map(|(place, it)| (at(place), *it as f64));
        chart
            .draw_series(LineSeries::new(line, colour))?
            .label(format!("jitter {}", burst.jitter))
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour));
    }
    chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw()?;
    root.present()?;
    drop(chart);
    drop(root);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without jitter all keys are refreshed within the time in which each is requested once. With jitter 0.5 that takes
    /// half of the payload TTL: 5 s instead of 0.2 s.
    #[test]
    fn a_jitter_of_one_half_never_leaves_more_than_a_tenth_of_the_peak() {
        let [none, half] = [0.0, 0.5].map(burst);
        assert!(none.peak() >= KEYS / 2, "{}", none.peak());
        assert!(half.peak() <= none.peak() / 10, "{} and {}", half.peak(), none.peak());
        // Lifetimes are shorter by a quarter in the mean, so there are a third more computes.
        assert!(
            half.total() as f64 <= none.total() as f64 * 1.5,
            "{} and {}",
            half.total(),
            none.total()
        );
    }
}
