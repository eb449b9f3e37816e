//! Shares with their 95 % intervals. In: counts. Out: a table, and a picture of the intervals.

use maud::{Markup, html};

use super::axis::Axis;
use super::contents::{DifferenceRow, Run, ShareRow, ShareTable};
use super::curve::marker;
use super::numbers::{coordinate, percent, short, signed};
use super::series::letter;
use crate::statistics::{Share, wilson};

/// The picture: its size, the edges of the axis, the height of a row, and the space below the rows.
const WIDTH: f64 = 420.0;
const LEFT: f64 = 16.0;
const RIGHT: f64 = 396.0;
const ROW: f64 = 22.0;
const BELOW: f64 = 24.0;

/// The shares of a table, and their differences.
pub(super) fn section(table: &ShareTable) -> Markup {
    html! {
        section {
            h2 { (table.title) }
            div.side {
                div.scroll { table {
                    thead { tr {
                        th scope="col" { "" } th scope="col" { "share" }
                        th scope="col" { "95 % interval" } th scope="col" { "count" }
                    } }
                    tbody { @for row in &table.rows { (share_row(row)) } }
                } }
                (picture(&table.rows))
            }
            @if !table.differences.is_empty() {
                div.scroll { table {
                    thead { tr {
                        th scope="col" { "difference" } th scope="col" { "points" } th scope="col" { "95 % interval" }
                        th scope="col" { "gained" } th scope="col" { "lost" } th scope="col" { "McNemar’s p" }
                    } }
                    tbody { @for row in &table.differences { (difference_row(row)) } }
                } }
            }
            p.note {
                @if !table.note.is_empty() { (table.note) " " }
                "Intervals of shares are Wilson’s"
                @if !table.differences.is_empty() { ", those of differences come from a paired bootstrap with 10,000 resamples" }
                "."
            }
        }
    }
}

fn share_row(row: &ShareRow) -> Markup {
    let Share { share, low, high } = wilson(row.n_right, row.n);
    html! { tr {
        th scope="row" { (row.label) }
        td { (percent(share)) }
        td { (percent(low)) " to " (percent(high)) }
        td { (row.n_right) " of " (row.n) }
    } }
}

fn difference_row(row: &DifferenceRow) -> Markup {
    let points = |share: f64| signed(100.0 * share, 1);
    html! { tr {
        th scope="row" { (row.label) }
        td { (points(row.difference.difference)) }
        td { (points(row.difference.low)) " to " (points(row.difference.high)) }
        td { (row.gained) } td { (row.lost) } td { (short(row.p)) }
    } }
}

/// A line for each share: its interval and its value, from 0 to 100 %.
fn picture(rows: &[ShareRow]) -> Markup {
    let bottom = 8.0 + ROW * rows.len() as f64;
    let x = Axis::new(0.0, 1.0, 4, true, [LEFT, RIGHT]);
    html! {
        svg.intervals viewBox=(format!("0 0 {WIDTH} {}", bottom + BELOW)) role="img" {
            title { "Shares with their 95 % intervals" }
            g.grid { @for value in x.ticks() {
                @let place = coordinate(x.place(value));
                path.half[value == 0.5] d=(format!("M{place} 4V{}", coordinate(bottom))) {}
                text.x x=(place) y=(coordinate(bottom + 16.0)) { (format!("{:.0} %", 100.0 * value)) }
            } }
            @for (i, row) in rows.iter().enumerate() {
                @let Share { share, low, high } = wilson(row.n_right, row.n);
                @let y = 8.0 + ROW * (i as f64 + 0.5);
                @let style = i % 2;
                @if share.is_finite() {
                    g class=(format!("s{style}")) {
                        path.interval d=(format!("M{} {}H{}", coordinate(x.place(low)), coordinate(y), coordinate(x.place(high)))) {}
                        (marker(style, x.place(share), y))
                    }
                }
            }
        }
    }
}

/// Metrics that are shares of pairs, and for each the number of pairs that have it.
pub(super) const ACCURACIES: [&str; 2] = ["rewards/accuracies", "accuracy"];

/// The reward accuracy of the first and the last evaluation of each run, if the runs have one. `None` for runs whose
/// accuracy is not a share of pairs.
pub(super) fn of_evaluations(runs: &[Run]) -> Option<ShareTable> {
    let mut rows = Vec::new();
    for (r, run) in runs.iter().enumerate() {
        let name = match runs.len() {
            1 => String::new(),
            _ => format!("{} ", letter(r)),
        };
        for (row, when) in first_and_last(run) {
            let value = ACCURACIES.iter().find_map(|metric| row.values.get(*metric));
            let n = row.n_rows as usize;
            // The share of segments, or of tokens, is not a count of rows.
            let n_right = value.map(|value| value * n as f64)?;
            if (n_right - n_right.round()).abs() > 1e-3 {
                return None;
            }
            rows.push(ShareRow {
                label: format!("{name}{when}"),
                n_right: n_right.round() as usize,
                n,
            });
        }
    }
    (!rows.is_empty()).then(|| ShareTable {
        title: "Held-out pairs with the higher reward for the chosen answer".to_owned(),
        note: "A pair with equal rewards does not count as one of them. Before training all rewards are equal if the model is its own reference.".to_owned(),
        rows,
        differences: Vec::new(),
    })
}

/// The first and the last evaluation of a run, with words for when they were.
pub(super) fn first_and_last(
    run: &Run,
) -> impl Iterator<Item = (&super::contents::MetricsRow, String)> {
    let first = run.evaluations.first();
    let last = run.evaluations.last().filter(|_| run.evaluations.len() > 1);
    [first, last].into_iter().flatten().map(|row| {
        let when = match row.step {
            0 => "before training".to_owned(),
            step => format!("after step {step}"),
        };
        (row, when)
    })
}
