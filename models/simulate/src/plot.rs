//! A picture of a run: requests, computes and efficiency over time.

use crate::judge::Counts;
use crate::report::{Report, Sample};
use plotters::prelude::*;
use std::error::Error;
use std::fmt;

/// The most points of a line: a quarter of an hour of a day.
const POINTS: usize = 96;

/// A picture that could not be drawn.
#[derive(Debug)]
pub struct NotDrawn(String);

impl NotDrawn {
    pub(crate) fn of(error: &dyn Error) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Display for NotDrawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the picture cannot be drawn: {}", self.0)
    }
}

impl Error for NotDrawn {}

/// What happened between two looks.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    hour: f64,
    requests: f64,
    computes: f64,
    /// In percent. `None` if nothing triggered a refresh.
    efficiency: Option<f64>,
}

fn points(samples: &[Sample]) -> Vec<Point> {
    let per_point = samples.len().div_ceil(POINTS).max(1);
    let mut before = Counts::default();
    let point = |sample: &Sample| {
        let new = sample.all.since(&before);
        before = sample.all;
        Point {
            hour: sample.at.as_secs_f64() / 3_600.0,
            requests: new.requests() as f64,
            computes: new.computes as f64,
            efficiency: new.efficiency().map(|share| share * 100.0),
        }
    };
    samples.chunks(per_point).filter_map(<[Sample]>::last).map(point).collect()
}

/// The picture as SVG. A scale on the left is for requests and computes, one on the right for the efficiency.
///
/// # Errors
///
/// If the library cannot draw it.
pub fn svg(report: &Report) -> Result<String, NotDrawn> {
    let mut text = String::new();
    draw(report, &mut text).map_err(|error| NotDrawn::of(error.as_ref()))?;
    Ok(text)
}

fn draw(report: &Report, into: &mut String) -> Result<(), Box<dyn Error>> {
    let points = points(&report.run.books.samples);
    let end = report.run.books.length().as_secs_f64() / 3_600.0;
    let most = points.iter().map(|point| point.requests.max(point.computes)).fold(1.0, f64::max);
    let (seed, protocol) = (report.plan.seed, report.plan.protocol);
    let root = SVGBackend::with_string(into, (1_000, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(format!("{protocol}, seed {seed}"), ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .right_y_label_area_size(60)
        .build_cartesian_2d(0.0..end, 0.0..most * 1.05)?
        .set_secondary_coord(0.0..end, 0.0..105.0);
    chart
        .configure_mesh()
        .x_desc("virtual hours")
        .y_desc("requests and computes")
        .x_label_formatter(&|hour| tick(*hour))
        .y_label_formatter(&|count| tick(*count))
        .light_line_style(WHITE)
        .draw()?;
    chart
        .configure_secondary_axes()
        .y_desc("efficiency %")
        .y_label_formatter(&|it| tick(*it))
        .draw()?;
    let line = |of: fn(&Point) -> Option<f64>, colour: RGBColor| {
        let points: Vec<_> = points.iter().filter_map(|it| Some((it.hour, of(it)?))).collect();
        LineSeries::new(points, colour.stroke_width(2))
    };
    let (blue, red, green) = (RGBColor(31, 119, 180), RGBColor(214, 39, 40), RGBColor(44, 160, 44));
    let key = |colour: RGBColor| {
        move |(x, y): (i32, i32)| {
            PathElement::new(vec![(x, y), (x + 18, y)], colour.stroke_width(2))
        }
    };
    let requests = chart.draw_series(line(|it| Some(it.requests), blue))?;
    requests.label("requests").legend(key(blue));
    let computes = chart.draw_series(line(|it| Some(it.computes), red))?;
    computes.label("computes").legend(key(red));
    let efficiency = chart.draw_secondary_series(line(|it| it.efficiency, green))?;
    efficiency.label("efficiency, right").legend(key(green));
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE)
        .border_style(BLACK)
        .draw()?;
    root.present()?;
    Ok(())
}

/// A number at a scale, without digits that say nothing.
fn tick(number: f64) -> String {
    let text = format!("{number:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::{POINTS, points, tick};
    use crate::judge::Counts;
    use crate::report::Sample;
    use std::time::Duration;

    fn sample(minute: u64, requests: u64, triggers: u64, computes: u64) -> Sample {
        Sample {
            at: Duration::from_secs(minute * 60),
            counts: Counts::default(),
            keys: 0,
            leases: 0,
            slots: 0,
            store_bytes: 0,
            lease_bytes: 0,
            oldest: Duration::ZERO,
            all: Counts {
                hits_fresh: requests - triggers,
                hits_stale: triggers,
                computes,
                ..Counts::default()
            },
        }
    }

    #[test]
    fn a_point_has_what_came_since_the_point_before() {
        let points =
            points(&[sample(30, 100, 10, 1), sample(60, 250, 10, 1), sample(90, 300, 20, 6)]);
        let of = |number: usize| {
            (points[number].requests, points[number].computes, points[number].efficiency)
        };
        assert_eq!(of(0), (100.0, 1.0, Some(90.0)));
        assert_eq!(of(1), (150.0, 0.0, None));
        assert_eq!(of(2), (50.0, 5.0, Some(50.0)));
    }

    #[test]
    fn the_points_of_a_day_have_all_of_its_requests() {
        let samples: Vec<_> = (1..=1_440).map(|minute| sample(minute, minute * 10, 0, 0)).collect();
        let points = points(&samples);
        assert_eq!(points.len(), POINTS);
        assert_eq!(points.iter().map(|point| point.requests).sum::<f64>(), 14_400.0);
    }

    #[test]
    fn a_tick_has_no_trailing_zeros() {
        assert_eq!([tick(0.0), tick(24.0), tick(2.5), tick(1_500.0)], ["0", "24", "2.5", "1500"]);
    }
}
