//! Evaluations before and after. In: runs. Out: a table of the metrics of the first and the last evaluation, with
//! intervals where the values of single pairs are known.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::contents::{EvaluatedPair, MetricsRow, Run};
use super::numbers::{short, signed};
use super::series::letter;
use super::shares::{ACCURACIES, first_and_last};
use crate::statistics::paired_difference;

/// Seed of the bootstrap, the same for all pages.
const SEED: u64 = 0;

/// A column of the table.
struct Column<'a> {
    name: String,
    row: &'a MetricsRow,
    pairs: Option<&'a [EvaluatedPair]>,
}

/// The metrics of the first and the last evaluation of each run.
pub(super) fn section(runs: &[Run]) -> Markup {
    let columns: Vec<Column<'_>> = runs
        .iter()
        .enumerate()
        .flat_map(|(r, run)| {
            let name = match runs.len() {
                1 => String::new(),
                _ => format!("{} ", letter(r)),
            };
            first_and_last(run).map(move |(row, when)| Column {
                name: format!("{name}{when}"),
                row,
                pairs: run.pairs.get(&row.step).map(Vec::as_slice),
            })
        })
        .collect();
    if columns.is_empty() {
        return html! {};
    }
    let names = columns.iter().flat_map(|column| column.row.values.keys());
    let names: BTreeSet<&String> = names.collect();
    // With a run that was evaluated twice, the change is a column.
    let change = match (runs.len(), &columns[..]) {
        (1, [before, after]) => Some((before, after)),
        _ => None,
    };
    html! {
        section {
            h2 { "Evaluation on held-out rows" }
            div.scroll { table {
                thead { tr {
                    th scope="col" { "mean of " (columns[0].row.n_rows) " rows" }
                    @for column in &columns { th scope="col" { (column.name) } }
                    @if change.is_some() { th scope="col" { "change" } }
                } }
                tbody { @for name in names { tr {
                    th scope="row" { code { (name) } }
                    @for column in &columns { td { (cell(column, name)) } }
                    @if let Some((before, after)) = change { td { (change_cell(before, after, name)) } }
                } } }
            } }
            @if columns.iter().any(|column| column.pairs.is_some()) {
                p.note { "In brackets: 95 % intervals of a bootstrap over the pairs, with 10,000 resamples; those of changes are paired." }
            }
        }
    }
}

/// A mean, with its interval if the values of the pairs are known.
fn cell(column: &Column<'_>, name: &str) -> Markup {
    let Some(mean) = column.row.values.get(name) else {
        return html! { "–" };
    };
    // Shares have Wilson's interval in a table of their own.
    let is_share = ACCURACIES.contains(&name);
    let pairs = column.pairs.filter(|_| !is_share);
    let values = pairs.and_then(|pairs| {
        let of = value_of(column.row, name)?;
        Some(pairs.iter().map(|pair| (0.0, of(pair))).collect::<Vec<_>>())
    });
    html! { (short(*mean)) (interval(values, short)) }
}

/// The change of a mean.
fn change_cell(before: &Column<'_>, after: &Column<'_>, name: &str) -> Markup {
    let (Some(from), Some(to)) = (before.row.values.get(name), after.row.values.get(name)) else {
        return html! { "–" };
    };
    let values = value_of(after.row, name).and_then(|of| {
        let (before, after) = (before.pairs?, after.pairs?);
        let both = before.iter().zip(after);
        Some(both.map(|(b, a)| (of(b), of(a))).collect::<Vec<_>>())
    });
    html! { (signed(to - from, 4)) (interval(values, |value| signed(value, 4))) }
}

/// The interval of the mean difference of each second and first value.
fn interval(values: Option<Vec<(f64, f64)>>, number: impl Fn(f64) -> String) -> Markup {
    // Values that are all the same have no interval worth a line.
    let found = values.and_then(|values| paired_difference(&values, SEED));
    html! {
        @if let Some(found) = found && found.low < found.high {
            span.unit { " [" (number(found.low)) ", " (number(found.high)) "]" }
        }
    }
}

/// A value of a pair.
type Value = fn(&EvaluatedPair) -> f64;

/// The value of a pair whose mean is the metric. `None` for a metric whose values are not known.
fn value_of(row: &MetricsRow, name: &str) -> Option<Value> {
    // With emptied traces, the loss is a mixture of two sets.
    let is_mixed = row.values.contains_key("empty_loss");
    let value: Value = match name {
        "loss" if !is_mixed => |pair| pair.loss,
        "rewards/chosen" => |pair| pair.chosen,
        "rewards/rejected" => |pair| pair.rejected,
        "rewards/margins" | "margin" => |pair| pair.chosen - pair.rejected,
        "rewards/accuracies" | "accuracy" => {
            |pair| f64::from(u8::from(pair.chosen > pair.rejected))
        }
        _ => return None,
    };
    Some(value)
}
