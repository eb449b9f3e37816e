//! Finds the shape of rows from their fields. In: rows. Out: a shape, or an error if the rows have
//! several shapes.

use serde_json::Value;

use super::error::ReadError;
use super::rows::SourceRow;
use super::shape::Shape;
use crate::text::Place;

/// The shape of a row, or None if its fields do not determine it. A field that is null counts as
/// unknown: a row whose prompt is null may be one of `pairs` without its prompt, or one of a table
/// whose prompt column is empty.
pub(super) fn shape_of_row(row: &SourceRow) -> Option<Shape> {
    let column = |field: &str| row.object.contains_key(field);
    let has = |field: &str| has_value(row, field);
    let is_list = |field: &str| matches!(row.object.get(field), Some(Value::Array(_)));
    if has("chosen") && has("rejected") {
        return match (has("prompt"), has("conversations")) {
            (true, _) => Some(Shape::Pairs),
            (false, true) => Some(Shape::ShareGpt),
            (false, false) if column("prompt") || column("conversations") => None,
            (false, false) => Some(Shape::ImplicitPrompt),
        };
    }
    if has("prompt") && is_list("responses") && is_list("ratings") {
        return Some(Shape::Rated);
    }
    if has("prompt") && has("completion") {
        return match (has("label"), column("label")) {
            (true, _) => Some(Shape::Unpaired),
            (false, true) => None,
            (false, false) => Some(Shape::PromptCompletion),
        };
    }
    // a row with one of these columns may lack a value in it
    let is_answers = ["chosen", "rejected", "completion", "response", "responses"]
        .into_iter()
        .any(column);
    if !is_answers && (is_list("messages") || is_list("conversations")) {
        return Some(Shape::Messages);
    }
    if !is_answers && !column("prompt") && !column("messages") && has("text") {
        return Some(Shape::Text);
    }
    match (
        has("prompt") && has("response"),
        has("rating"),
        has("helpfulness"),
    ) {
        (true, true, _) => Some(Shape::RatedRows),
        (true, false, true) => Some(Shape::HelpSteer),
        (true, false, false) | (false, ..) if is_sampled(row) => Some(Shape::Samples),
        (true, false, false) | (false, ..) => None,
    }
}

/// Whether a row is a sampled answer. A row with the column of a rating may lack its value, and one with another answer may
/// be of another shape.
fn is_sampled(row: &SourceRow) -> bool {
    const OTHERS: [&str; 6] = [
        "rating",
        "helpfulness",
        "chosen",
        "rejected",
        "completion",
        "responses",
    ];
    let prompts = ["prompt", "messages", "conversations"];
    has_value(row, "response")
        && prompts.into_iter().any(|field| has_value(row, field))
        && !OTHERS
            .into_iter()
            .any(|field| row.object.contains_key(field))
}

/// The shape of all rows that have one. None if no row has one.
///
/// # Errors
/// [`ReadError::Shapes`] names the first row of each shape if there are several.
pub(super) fn shape_of_rows<'a>(
    rows: impl Iterator<Item = &'a SourceRow> + Clone,
) -> Result<Option<Shape>, ReadError> {
    let mut found: Vec<(Shape, Place)> = Vec::new();
    for row in rows.clone() {
        let shape = shape_of_row(row).filter(|shape| found.iter().all(|(s, _)| s != shape));
        found.extend(shape.map(|shape| (shape, row.place())));
    }
    match &found[..] {
        [(shape, _)] => Ok(Some(*shape)),
        // there is a prompt column, and it is empty in every row
        [] => {
            let has = |row: &SourceRow| has_value(row, "chosen") && has_value(row, "rejected");
            let mut rows = rows.filter(|row| has(row));
            Ok(rows.next().map(|_| Shape::ImplicitPrompt))
        }
        _ => Err(ReadError::Shapes { found }),
    }
}

/// Whether a field has a value. An empty cell of a table has none.
fn has_value(row: &SourceRow, field: &str) -> bool {
    match row.object.get(field) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !(row.is_table && text.is_empty()),
        Some(_) => true,
    }
}
