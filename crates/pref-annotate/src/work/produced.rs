//! What becomes of a row. In: a row and its judgements. Out: a row of the output, or why there is none.

use serde_json::Value;

/// What becomes of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Produced {
    /// A row of the output.
    Row(Value),
    /// The judge says that there is nothing to learn from it; why.
    Dropped(&'static str),
    /// A judgement is missing.
    Incomplete,
}

/// A list of texts in a row.
pub(super) fn strings(list: &Value) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(|text| text.as_str().map(str::to_owned))
        .collect()
}
