//! The lines of a chart. In: the metrics of the runs, and a panel. Out: series of points, each with its style and label.

use super::contents::{MetricsRow, Run};
use super::panels::Panel;

/// Points that a line is drawn through, at most; more are summarised.
const MOST_POINTS: usize = 300;

/// A line of a chart.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series {
    /// The text at the end of the line.
    pub(super) label: String,
    /// The name in the table of numbers.
    pub(super) name: String,
    /// Number of the colour, the dash pattern and the marker.
    pub(super) style: usize,
    /// Whether the values are those of evaluations, which are drawn with markers.
    pub(super) is_evaluation: bool,
    /// Every value: step and value, by step.
    pub(super) values: Vec<(f64, f64)>,
    /// The points of the line.
    pub(super) points: Vec<Point>,
    /// Running means; empty if there are few values.
    pub(super) smooth: Vec<Point>,
}

/// Fewest values that have running means.
const FEWEST_SMOOTHED: usize = 30;
/// A running mean is over this part of all values, on both sides together.
const SMOOTHED_PART: usize = 15;

/// One value, or several neighbours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// The mean of the steps.
    pub(super) step: f64,
    /// The mean, the least and the largest of the values.
    pub(super) mean: f64,
    pub(super) least: f64,
    pub(super) largest: f64,
}

/// The letter of a run in the legend: A, B, …, Z, A2, ….
pub(super) fn letter(run: usize) -> String {
    let letter = char::from(b'A' + (run % 26) as u8);
    match run / 26 {
        0 => letter.to_string(),
        round => format!("{letter}{}", round + 1),
    }
}

/// The series of a panel. With one run, the metrics have different styles, else the runs.
pub(super) fn series(runs: &[Run], panel: &Panel) -> Vec<Series> {
    let is_alone = runs.len() == 1;
    let mut all = Vec::new();
    for (r, run) in runs.iter().enumerate() {
        for (m, (metric, label)) in panel.metrics.iter().enumerate() {
            let has_training = run.steps.iter().any(|row| row.values.contains_key(metric));
            for is_evaluation in [false, true] {
                let rows = match is_evaluation {
                    false => &run.steps,
                    true => &run.evaluations,
                };
                let values = values(rows, metric);
                if values.is_empty() {
                    continue;
                }
                let what = match is_evaluation {
                    false => "training",
                    true => "held out",
                };
                let short = match (is_alone, label.is_empty(), is_evaluation) {
                    (true, true, _) => what.to_owned(),
                    (true, false, false) => label.clone(),
                    (false, _, false) => letter(r),
                    // The markers tell it from the training's line.
                    (true, false, true) | (false, _, true) if has_training => String::new(),
                    (true, false, true) => label.clone(),
                    (false, _, true) => letter(r),
                };
                let parts = match is_alone {
                    true => [label.clone(), what.to_owned()],
                    false => [letter(r), what.to_owned()],
                };
                all.push(Series {
                    label: short,
                    name: parts.join(" ").trim().to_owned(),
                    style: if is_alone { m } else { r },
                    is_evaluation,
                    smooth: match is_evaluation || !panel.is_smoothed {
                        true => Vec::new(),
                        false => running_means(&values),
                    },
                    points: points(&values),
                    values,
                });
            }
        }
    }
    all
}

/// Step and value of each row that has the metric, by step. Of rows with the same step, the last one counts.
fn values(rows: &[MetricsRow], metric: &str) -> Vec<(f64, f64)> {
    let value = |row: &MetricsRow| {
        let value = *row.values.get(metric)?;
        // The distance of two larger numbers would be infinite.
        (value.abs() < 1e300).then_some((row.step, value))
    };
    let by_step: std::collections::BTreeMap<u64, f64> = rows.iter().filter_map(value).collect();
    let places = by_step.into_iter();
    places.map(|(step, value)| (step as f64, value)).collect()
}

/// The points of a line: the values themselves, or means of equally many neighbours.
fn points(values: &[(f64, f64)]) -> Vec<Point> {
    let size = values.len().div_ceil(MOST_POINTS).max(1);
    let mean = |values: &mut dyn Iterator<Item = f64>, n: usize| values.sum::<f64>() / n as f64;
    let point = |part: &[(f64, f64)]| Point {
        step: mean(&mut part.iter().map(|(step, _)| *step), part.len()),
        mean: mean(&mut part.iter().map(|(_, value)| *value), part.len()),
        least: part.iter().map(|(_, v)| *v).fold(f64::INFINITY, f64::min),
        largest: part
            .iter()
            .map(|(_, v)| *v)
            .fold(f64::NEG_INFINITY, f64::max),
    };
    values.chunks(size).map(point).collect()
}

/// The mean of each value and its neighbours. At the ends there are fewer neighbours.
fn running_means(values: &[(f64, f64)]) -> Vec<Point> {
    if values.len() < FEWEST_SMOOTHED {
        return Vec::new();
    }
    let half = values.len() / SMOOTHED_PART / 2;
    let mean = |i: usize| {
        let reach = half.min(i).min(values.len() - 1 - i);
        let part = &values[i - reach..=i + reach];
        part.iter().map(|(_, value)| *value).sum::<f64>() / part.len() as f64
    };
    let means: Vec<(f64, f64)> = values
        .iter()
        .enumerate()
        .map(|(i, (step, _))| (*step, mean(i)))
        .collect();
    points(&means)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_values_become_means_with_their_range() {
        let values: Vec<(f64, f64)> = (0..600).map(|i| (f64::from(i), f64::from(i % 2))).collect();
        let points = points(&values);
        assert_eq!(points.len(), 300);
        let first = Point {
            step: 0.5,
            mean: 0.5,
            least: 0.0,
            largest: 1.0,
        };
        assert_eq!(points[0], first);
    }

    #[test]
    fn runs_have_letters() {
        assert_eq!([0, 25, 26].map(letter), ["A", "Z", "A2"]);
    }
}
