//! Tables of pairs and samples. In: rows of texts. Out: a table whose long cells scroll.

use maud::{Markup, html};

use super::contents::RowTable;

/// A table of texts.
pub(super) fn section(table: &RowTable) -> Markup {
    html! {
        section {
            h2 { (table.title) }
            @if !table.note.is_empty() { p.note { (table.note) } }
            div.scroll { table.texts {
                thead { tr { @for name in &table.columns { th scope="col" { (name) } } } }
                tbody { @for row in &table.rows { tr { @for cell in row { td { div.text { (cell) } } } } } }
            } }
        }
    }
}
