//! Pictures with one line for each contender.

use plotters::prelude::*;
use std::collections::HashMap;
use std::error::Error;

/// A line of a picture.
pub struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// The picture as SVG. `ticks` name the places of the horizontal axis.
pub fn lines(across: &str, up: &str, lines: &[Line], ticks: &HashMap<i64, &str>) -> String {
    let mut text = String::new();
    draw(&mut text, (across, up), lines, ticks).expect("text has room for a picture");
    text
}

/// Where a line ends.
fn end(line: &Line) -> f64 {
    line.points.last().map_or(0.0, |point| point.1)
}

fn draw(
    into: &mut String,
    (across, up): (&str, &str),
    lines: &[Line],
    ticks: &HashMap<i64, &str>,
) -> Result<(), Box<dyn Error>> {
    let points = || lines.iter().flat_map(|line| &line.points);
    let most = points().map(|point| point.1).fold(1.0, f64::max) * 1.05;
    let (first, last) = points()
        .fold((f64::MAX, f64::MIN), |(first, last), point| (first.min(point.0), last.max(point.0)));
    let room = (last - first) * 0.6;
    let root = SVGBackend::with_string(into, (1_000, 560)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(first..last + room, 0.0..most)?;
    let tick = |place: &f64| {
        let whole = (place.fract().abs() < 1e-9).then_some(*place as i64);
        whole.and_then(|place| ticks.get(&place)).map_or(String::new(), |it| (*it).to_owned())
    };
    chart
        .configure_mesh()
        .x_desc(across)
        .y_desc(up)
        .x_labels(20)
        .x_label_formatter(&tick)
        .y_label_formatter(&|mops| format!("{mops:.0}"))
        .light_line_style(WHITE)
        .draw()?;
    // In the order of their right ends, so that the names stand as the lines do.
    let mut lines: Vec<_> = lines.iter().collect();
    lines.sort_by(|one, other| end(other).total_cmp(&end(one)));
    for (number, line) in lines.iter().enumerate() {
        let ours = line.name.starts_with("ours");
        // Dark enough for a white page.
        let hue = number as f64 / lines.len() as f64;
        let colour = HSLColor(hue, 0.9, 0.36).to_rgba();
        let style = colour.stroke_width(if ours { 4 } else { 2 });
        let drawn = chart.draw_series(LineSeries::new(line.points.iter().copied(), style))?;
        drawn
            .label(&line.name)
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE)
        .border_style(BLACK)
        .draw()?;
    root.present()?;
    Ok(())
}
