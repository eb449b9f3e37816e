//! The page. In: a report. Out: one HTML file that needs no other file.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::contents::{Report, Run};
use super::curve::{self, STYLES, marker};
use super::panels::panels;
use super::series::{letter, series};
use super::{evaluations, settings, shares, table, tokens};

/// Nothing is loaded, and no script runs.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

const STYLE: &str = include_str!("style.css");

impl Report {
    /// The page as HTML. The same report gives the same bytes. All texts are escaped.
    pub fn to_html(&self) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) }
                }
                body { main {
                    h1 { (self.title) }
                    (runs(&self.runs))
                    @for table in &self.shares { (shares::section(table)) }
                    @if let Some(table) = shares::of_evaluations(&self.runs) { (shares::section(&table)) }
                    (curves(&self.runs))
                    (evaluations::section(&self.runs))
                    (tokens::section(&self.runs, &self.tokens))
                    (settings::section(&self.runs))
                    @for rows in &self.tables { (table::section(rows)) }
                } }
            }
        };
        let mut text = page.into_string();
        text.push('\n');
        text
    }
}

/// The runs, with the line that each has in the charts.
fn runs(runs: &[Run]) -> Markup {
    html! {
        section {
            div.scroll { table.runs {
                thead { tr {
                    @if runs.len() > 1 { th scope="col" { "line" } }
                    th scope="col" { "run" } th scope="col" { "method" } th scope="col" { "state" }
                } }
                tbody { @for (r, run) in runs.iter().enumerate() { tr {
                    @if runs.len() > 1 { td { (key(r)) " " strong { (letter(r)) } } }
                    th scope="row" { (run.name) }
                    td { (run.method) }
                    td { (run.state) @for note in &run.notes { br; span.warn { "⚠ " (note) } } }
                } } }
            } }
        }
    }
}

/// The colour, the dash pattern and the marker of a run.
fn key(run: usize) -> Markup {
    html! {
        svg.key viewBox="0 0 64 12" aria-hidden="true" {
            g class=(format!("s{}", run % STYLES)) { polyline points="0,6 42,6" {} (marker(run, 54.0, 6.0)) }
        }
    }
}

fn curves(runs: &[Run]) -> Markup {
    let panels = panels(runs);
    if panels.is_empty() {
        return html! { section { h2 { "Curves" } p { "No step has been logged yet." } } };
    }
    html! {
        section {
            h2 { "Curves" }
            p.note {
                "Thin lines are training steps, and strong lines their running means; markers are evaluations on held-out rows."
                @if runs.len() == 1 { " Where a chart has two lines, the dashed one is the second." }
            }
            div.charts { @for panel in &panels { (curve::figure(panel, &series(runs, panel))) } }
        }
    }
}
