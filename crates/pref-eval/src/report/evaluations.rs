//! Evaluations before and after. In: runs. Out: a table of the metrics of the first and the last evaluation.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::contents::{MetricsRow, Run};
use super::numbers::{short, signed};
use super::series::letter;
use super::shares::first_and_last;

/// The metrics of the first and the last evaluation of each run.
pub(super) fn section(runs: &[Run]) -> Markup {
    let columns: Vec<(String, &MetricsRow)> = runs
        .iter()
        .enumerate()
        .flat_map(|(r, run)| {
            let name = match runs.len() {
                1 => String::new(),
                _ => format!("{} ", letter(r)),
            };
            first_and_last(run).map(move |(row, when)| (format!("{name}{when}"), row))
        })
        .collect();
    if columns.is_empty() {
        return html! {};
    }
    let names: BTreeSet<&String> = columns
        .iter()
        .flat_map(|(_, row)| row.values.keys())
        .collect();
    // With a run that was evaluated twice, the change is a column.
    let change = match (runs.len(), &columns[..]) {
        (1, [(_, before), (_, after)]) => Some((before, after)),
        _ => None,
    };
    html! {
        section {
            h2 { "Evaluation on held-out rows" }
            div.scroll { table {
                thead { tr {
                    th scope="col" { "mean of " (columns[0].1.n_rows) " rows" }
                    @for (name, _) in &columns { th scope="col" { (name) } }
                    @if change.is_some() { th scope="col" { "change" } }
                } }
                tbody { @for name in names { tr {
                    th scope="row" { code { (name) } }
                    @for (_, row) in &columns { td { @match row.values.get(name) { Some(value) => (short(*value)), None => "–" } } }
                    @if let Some((before, after)) = change {
                        td { @match (before.values.get(name), after.values.get(name)) {
                            (Some(before), Some(after)) => (signed(after - before, 4)),
                            _ => "–",
                        } }
                    }
                } } }
            } }
        }
    }
}
