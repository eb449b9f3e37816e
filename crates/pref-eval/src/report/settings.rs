//! The settings of the runs. In: runs. Out: a table of the settings that differ, and one of all.

use maud::{Markup, html};

use super::contents::Run;
use super::series::letter;

/// The settings of one run, or of several side by side.
pub(super) fn section(runs: &[Run]) -> Markup {
    let names = names(runs);
    if names.is_empty() {
        return html! {};
    }
    let differing: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| {
            runs.iter()
                .any(|run| value(run, name) != value(&runs[0], name))
        })
        .collect();
    html! {
        section {
            h2 { "Plan" }
            @if runs.len() > 1 {
                @if differing.is_empty() {
                    p { "All settings are the same." }
                } @else {
                    p { "These settings differ." }
                    (table(runs, &differing))
                }
            }
            details {
                summary { "All " (names.len()) " settings" }
                (table(runs, &names))
            }
        }
    }
}

fn table(runs: &[Run], names: &[&str]) -> Markup {
    html! {
        div.scroll { table.settings {
            thead { tr {
                th scope="col" { "setting" }
                @for r in 0..runs.len() {
                    th scope="col" { @if runs.len() == 1 { "value" } @else { (letter(r)) } }
                }
            } }
            tbody { @for name in names { tr {
                th scope="row" { code { (name) } }
                @for run in runs { td { (value(run, name).unwrap_or("–")) } }
            } } }
        } }
    }
}

/// The names of all settings, in the order of the first run that has them.
fn names(runs: &[Run]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in runs.iter().flat_map(|run| &run.settings) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names
}

fn value<'a>(run: &'a Run, name: &str) -> Option<&'a str> {
    let found = run.settings.iter().find(|(other, _)| other == name);
    found.map(|(_, value)| value.as_str())
}
