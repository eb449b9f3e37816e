//! Joins the rows of rated answers to one prompt. In: consecutive rows with the same prompt and one
//! answer each. Out: one row with the lists `responses` and `ratings`.

use serde_json::Value;

use super::rows::SourceRow;

/// The rated rows of one prompt. A row of another prompt completes the group.
#[derive(Default)]
pub(super) struct PromptGroup(Option<SourceRow>);

impl PromptGroup {
    /// Adds a row. If its prompt differs from the prompt of the earlier rows, returns the earlier
    /// rows as one row.
    pub(super) fn add(&mut self, row: SourceRow) -> Option<SourceRow> {
        match &mut self.0 {
            Some(group) if group.object.get("prompt") == row.object.get("prompt") => {
                append(group, row);
                None
            }
            group => group.replace(first_of_group(row)),
        }
    }

    /// The rows of the last prompt as one row.
    pub(super) fn finish(&mut self) -> Option<SourceRow> {
        self.0.take()
    }
}

/// The first row of a group: its response and rating become lists of one.
fn first_of_group(mut row: SourceRow) -> SourceRow {
    let [response, rating] = take_response_and_rating(&mut row);
    for (list, value) in [("responses", response), ("ratings", rating)] {
        row.object
            .insert(list.to_owned(), Value::Array(vec![value]));
    }
    row
}

/// Adds a row to its group. Other fields are kept only if they have the same value in all rows.
fn append(group: &mut SourceRow, mut row: SourceRow) {
    let [response, rating] = take_response_and_rating(&mut row);
    let lists = [("responses", response), ("ratings", rating)];
    group.object.retain(|field, value| {
        let is_list = lists.iter().any(|(list, _)| list == field);
        is_list || row.object.get(field) == Some(value)
    });
    for (list, value) in lists {
        if let Some(Value::Array(values)) = group.object.get_mut(list) {
            values.push(value);
        }
    }
}

/// Removes the response and the rating from a row. The rating is in `rating` or in `helpfulness`.
fn take_response_and_rating(row: &mut SourceRow) -> [Value; 2] {
    let mut take = |field: &str| row.object.remove(field);
    let response = take("response").unwrap_or_default();
    let rating = take("rating").or_else(|| take("helpfulness"));
    [response, rating.unwrap_or_default()]
}
