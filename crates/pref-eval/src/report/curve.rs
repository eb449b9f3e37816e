//! Charts of metrics by step. In: a panel and its series. Out: a figure with inline SVG and a table of its numbers.

use std::collections::BTreeMap;
use std::fmt::Write;

use maud::{Markup, html};

use super::axis::Axis;
use super::numbers::{coordinate, short, tick};
use super::panels::{Panel, Range};
use super::series::{Point, Series};

/// Size of a chart, in units of its view box.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 230.0;
/// The edges of the plot in it.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 346.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 192.0;
/// Least distance between two labels of lines.
const LABEL_DISTANCE: f64 = 13.0;
/// Colours, dash patterns and markers; the style sheet has a class `s0`, `s1`, … for each.
pub(super) const STYLES: usize = 6;
/// Markers of a line of evaluations, at most.
const MOST_MARKERS: usize = 40;
/// Rows of a table of numbers for training steps, at most, and for evaluations.
const MOST_ROWS: usize = 16;

/// The figure of a panel. Nothing if it has no values.
pub(super) fn figure(panel: &Panel, series: &[Series]) -> Markup {
    if series.is_empty() {
        return html! {};
    }
    html! {
        figure.chart {
            figcaption { strong { (panel.title) } @if !panel.unit.is_empty() { " " span.unit { (panel.unit) } } }
            (svg(panel, series))
            details {
                summary { "Numbers" }
                (numbers(series))
            }
        }
    }
}

fn svg(panel: &Panel, series: &[Series]) -> Markup {
    let (x, y) = axes(panel, series);
    let bottom = coordinate(BOTTOM);
    let middle = coordinate(f64::midpoint(LEFT, RIGHT));
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" {
            title { (panel.title) " by step" }
            desc { (description(series)) }
            g.grid {
                @for value in y.ticks() {
                    @let place = coordinate(y.place(value));
                    path.zero[value == 0.0] d=(format!("M{LEFT} {place}H{RIGHT}")) {}
                    text.y x=(coordinate(LEFT - 7.0)) y=(coordinate(y.place(value) + 4.0)) { (tick(value, y.step)) }
                }
                @if panel.range == Range::Share && y.contains(0.5) {
                    path.half d=(format!("M{LEFT} {}H{RIGHT}", coordinate(y.place(0.5)))) {}
                }
                @for value in x.ticks() {
                    @let place = coordinate(x.place(value));
                    path d=(format!("M{place} {bottom}v4")) {}
                    text.x x=(place) y=(coordinate(BOTTOM + 17.0)) { (tick(value, x.step)) }
                }
                text.x x=(middle) y=(coordinate(HEIGHT - 6.0)) { "step" }
            }
            @for line in series {
                g class=(format!("s{}{}", line.style % STYLES, if line.is_evaluation { " held" } else { "" })) {
                    @if line.points.iter().any(|point| point.least < point.largest) {
                        polygon.band points=(band(&line.points, &x, &y)) {}
                    }
                    @if line.points.len() > 1 {
                        polyline.raw[!line.smooth.is_empty()] points=(polyline(&line.points, &x, &y)) {}
                    }
                    @if !line.smooth.is_empty() {
                        polyline points=(polyline(&line.smooth, &x, &y)) {}
                    }
                    @if line.is_evaluation || line.points.len() == 1 {
                        @for point in evenly(&line.points, MOST_MARKERS) {
                            (marker(line.style, x.place(point.step), y.place(point.mean)))
                        }
                    }
                }
            }
            @for (style, place, end, label) in labels(series, &x, &y) {
                @let text = coordinate(place + 4.0);
                g class=(format!("s{}", style % STYLES)) {
                    path.leader d=(format!("M{} {}L{} {}", coordinate(end.0 + 3.0), coordinate(end.1), coordinate(RIGHT + 8.0), coordinate(place))) {}
                    text.label x=(coordinate(RIGHT + 10.0)) y=(text) { (label) }
                }
            }
        }
    }
}

/// The axes that all series fit on.
fn axes(panel: &Panel, series: &[Series]) -> (Axis, Axis) {
    let points = || series.iter().flat_map(|line| &line.points);
    let least = |of: fn(&Point) -> f64| points().map(of).fold(f64::INFINITY, f64::min);
    let largest = |of: fn(&Point) -> f64| points().map(of).fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = match panel.range {
        Range::Share => (0.0, 1.0),
        Range::Zero => (least(|p| p.least).min(0.0), largest(|p| p.largest).max(0.0)),
        Range::Values => (least(|p| p.least), largest(|p| p.largest)),
    };
    let first = least(|p| p.step);
    let last = largest(|p| p.step);
    // A run begins at step 0 if something was measured near it.
    let first = if first < last / 10.0 { 0.0 } else { first };
    (
        Axis::new(first, last, 5, false, [LEFT, RIGHT]),
        Axis::new(low, high, 4, true, [BOTTOM, TOP]),
    )
}

/// `x,y` of each point.
fn polyline(points: &[Point], x: &Axis, y: &Axis) -> String {
    let mut text = String::new();
    for point in points {
        push(&mut text, x.place(point.step), y.place(point.mean));
    }
    text
}

/// The outline of the range of the values.
fn band(points: &[Point], x: &Axis, y: &Axis) -> String {
    let mut text = String::new();
    for point in points {
        push(&mut text, x.place(point.step), y.place(point.largest));
    }
    for point in points.iter().rev() {
        push(&mut text, x.place(point.step), y.place(point.least));
    }
    text
}

fn push(text: &mut String, x: f64, y: f64) {
    if !text.is_empty() {
        text.push(' ');
    }
    let (x, y) = (coordinate(x), coordinate(y));
    write!(text, "{x},{y}").expect("a string takes any text");
}

/// A circle, square, triangle, diamond, cross or ring, by the style.
pub(super) fn marker(style: usize, x: f64, y: f64) -> Markup {
    let path = |parts: &[(f64, f64)]| {
        let mut text = String::new();
        for &(dx, dy) in parts {
            push(&mut text, x + dx, y + dy);
        }
        text
    };
    html! {
        @match style % STYLES {
            0 => { circle.mark cx=(coordinate(x)) cy=(coordinate(y)) r="3.5" {} }
            1 => { rect.mark x=(coordinate(x - 3.2)) y=(coordinate(y - 3.2)) width="6.4" height="6.4" {} }
            2 => { polygon.mark points=(path(&[(0.0, -4.2), (4.0, 3.2), (-4.0, 3.2)])) {} }
            3 => { polygon.mark points=(path(&[(0.0, -4.6), (4.6, 0.0), (0.0, 4.6), (-4.6, 0.0)])) {} }
            4 => { polygon.mark points=(path(&[(0.0, 4.2), (4.0, -3.2), (-4.0, -3.2)])) {} }
            _ => { circle.ring cx=(coordinate(x)) cy=(coordinate(y)) r="3.5" {} }
        }
    }
}

/// The labels at the ends of the lines: style, height, end of the line and text. They do not overlap.
fn labels<'a>(series: &'a [Series], x: &Axis, y: &Axis) -> Vec<(usize, f64, (f64, f64), &'a str)> {
    let mut labels: Vec<_> = series
        .iter()
        .filter(|line| !line.label.is_empty())
        .filter_map(|line| {
            let last = line.smooth.last().or(line.points.last())?;
            let end = (x.place(last.step), y.place(last.mean));
            Some((line.style, end.1, end, line.label.as_str()))
        })
        .collect();
    if let [only] = &labels[..]
        && series.len() == 1
        && only.3 == "training"
    {
        return Vec::new();
    }
    labels.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut below = f64::NEG_INFINITY;
    for (_, place, ..) in &mut labels {
        *place = place.max(below + LABEL_DISTANCE);
        below = *place;
    }
    let mut above = BOTTOM + LABEL_DISTANCE;
    for (_, place, ..) in labels.iter_mut().rev() {
        *place = place.min(above - LABEL_DISTANCE);
        above = *place;
    }
    labels
}

/// The first and the last value of each series, for readers who do not see the picture.
fn description(series: &[Series]) -> String {
    let one = |line: &Series| {
        let [(first, from), .., (last, to)] = &line.values[..] else {
            let (step, value) = line.values[0];
            return format!("{}: {} at step {step}", line.name, short(value));
        };
        let (from, to) = (short(*from), short(*to));
        format!("{}: {from} at step {first}, {to} at step {last}", line.name)
    };
    series.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// The numbers of a chart: all of them, or some at even distances, the first and the last included.
fn numbers(series: &[Series]) -> Markup {
    let mut rows: BTreeMap<u64, Vec<Option<f64>>> = BTreeMap::new();
    for line in series {
        for (step, _) in evenly(&line.values, MOST_ROWS) {
            rows.entry(*step as u64).or_default();
        }
    }
    for line in series {
        let values: BTreeMap<u64, f64> = line
            .values
            .iter()
            .map(|(step, value)| (*step as u64, *value))
            .collect();
        for (step, row) in &mut rows {
            row.push(values.get(step).copied());
        }
    }
    html! {
        div.scroll { table.numbers {
            thead { tr { th scope="col" { "step" } @for line in series { th scope="col" { (line.name) } } } }
            tbody { @for (step, row) in &rows { tr {
                th scope="row" { (step) }
                @for value in row { td { @match value { Some(value) => (short(*value)), None => "" } } }
            } } }
        } }
    }
}

/// At most `n` items at even distances, the first and the last included.
fn evenly<T>(items: &[T], n: usize) -> Vec<&T> {
    if items.len() <= n {
        return items.iter().collect();
    }
    let last = items.len() - 1;
    (0..n).map(|i| &items[i * last / (n - 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(values: &[(f64, f64)], style: usize) -> Series {
        let point = |&(step, mean): &(f64, f64)| Point {
            step,
            mean,
            least: mean,
            largest: mean,
        };
        Series {
            label: format!("line {style}"),
            name: format!("line {style}"),
            style,
            is_evaluation: false,
            points: values.iter().map(point).collect(),
            smooth: Vec::new(),
            values: values.to_vec(),
        }
    }

    fn panel(range: Range) -> Panel {
        Panel {
            title: "Loss".to_owned(),
            unit: String::new(),
            metrics: Vec::new(),
            range,
            is_smoothed: true,
        }
    }

    #[test]
    fn known_numbers_have_known_places() {
        let lines = [line(&[(0.0, 0.0), (5.0, 0.5), (10.0, 1.0)], 0)];
        let svg = svg(&panel(Range::Share), &lines).into_string();
        // x: 52 to 346, y: 192 for 0 to 12 for 1
        assert!(svg.contains("points=\"52,192 199,102 346,12\""), "{svg}");
    }

    #[test]
    fn labels_do_not_overlap_and_stay_in_the_picture() {
        let lines: Vec<Series> = (0..5)
            .map(|i| line(&[(0.0, 0.0), (10.0, 0.0)], i))
            .collect();
        let (x, y) = axes(&panel(Range::Share), &lines);
        let places: Vec<f64> = labels(&lines, &x, &y).iter().map(|label| label.1).collect();
        for pair in places.windows(2) {
            assert!(pair[1] - pair[0] >= LABEL_DISTANCE - 1e-9, "{places:?}");
        }
        assert!(places.iter().all(|place| (TOP..=HEIGHT).contains(place)));
    }

    #[test]
    fn the_first_and_the_last_of_many_are_shown() {
        let items: Vec<usize> = (0..1000).collect();
        let shown = evenly(&items, 16);
        assert_eq!((shown.len(), *shown[0], *shown[15]), (16, 0, 999));
    }
}
