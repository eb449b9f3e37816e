//! Tables of rows: data and samples. In: the plan of a run, or a file. Out: the first rows as texts.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use pref_data::{ReadError, SourceRow, read_rows};
use pref_eval::RowTable;
use serde_json::{Map, Value};

use super::folder::RunFolder;
use super::settings::text;
use crate::progress;

/// The fields that a table shows, in this order, if a row has them.
const FIELDS: [&str; 18] = [
    "prompt",
    "question",
    "messages",
    "conversations",
    "text",
    "chosen",
    "rejected",
    "completion",
    "response",
    "label",
    "answer",
    "extracted",
    "verdict",
    "is_correct",
    "score",
    "sample",
    "finish_reason",
    "n_tokens",
];

/// The files of samples that a run's folder may have.
const SAMPLES: [&str; 2] = ["samples.jsonl", "checked.jsonl"];

/// The first rows of the data of a run, and of the samples in its folder. `shown` are the files that the page has
/// already.
pub(super) fn of_run(folder: &RunFolder, n: usize, shown: &mut BTreeSet<String>) -> Vec<RowTable> {
    let mut tables = Vec::new();
    for (key, title) in [("eval", "Held-out rows"), ("train", "Training rows")] {
        if let Some(path) = text(&folder.plan, "data", key)
            // The hub is not asked for a table.
            && !path.starts_with("hub:")
            && path != "-"
            && shown.insert(path.to_owned())
        {
            tables.extend(or_note(table(Path::new(path), title, n)));
        }
    }
    for name in SAMPLES {
        let path = folder.path.join(name);
        if path.is_file() {
            tables.extend(or_note(table(&path, "Samples", n)));
        }
    }
    tables
}

/// The first rows of a file of samples.
pub(super) fn of_samples(file: &Path, n: usize) -> Result<Option<RowTable>> {
    Ok(table(file, "Samples", n)?)
}

/// A table of data that cannot be read any more is left out.
fn or_note(table: Result<Option<RowTable>, ReadError>) -> Option<RowTable> {
    table.unwrap_or_else(|error| {
        progress::note(&format!("a table is left out: {error}"));
        None
    })
}

/// The first `n` rows of a file. `None` if there are no rows to show.
fn table(path: &Path, title: &str, n: usize) -> Result<Option<RowTable>, ReadError> {
    if n == 0 {
        return Ok(None);
    }
    let mut rows: Vec<Map<String, Value>> = Vec::new();
    let mut has_more = false;
    for row in read_rows(path)? {
        let SourceRow { object, .. } = row?;
        if rows.len() == n {
            has_more = true;
            break;
        }
        rows.push(object);
    }
    let known: Vec<&str> = FIELDS
        .into_iter()
        .filter(|field| rows.iter().any(|row| row.contains_key(*field)))
        .collect();
    let mut columns: Vec<String> = known.into_iter().map(str::to_owned).collect();
    if columns.is_empty() {
        columns = rows
            .first()
            .map(|row| row.keys().cloned().collect())
            .unwrap_or_default();
    }
    let cells = |row: &Map<String, Value>| columns.iter().map(|name| cell(row.get(name))).collect();
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy();
    let note = match has_more {
        true => format!("The first {n} rows of {name}."),
        false => format!("All rows of {name}."),
    };
    let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
    Ok((!cells.is_empty()).then(|| RowTable {
        title: title.to_owned(),
        note,
        rows: cells,
        columns,
    }))
}

/// A value as text. Messages are shown as a conversation.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            let messages: Option<Vec<String>> = items.iter().map(message).collect();
            messages.map_or_else(
                || Value::Array(items.clone()).to_string(),
                |m| m.join("\n\n"),
            )
        }
        Some(other) => other.to_string(),
    }
}

/// A message as `role: content`.
fn message(value: &Value) -> Option<String> {
    let field = |names: [&str; 2]| names.iter().find_map(|name| value[*name].as_str());
    let (role, content) = (field(["role", "from"])?, field(["content", "value"])?);
    Some(format!("{role}: {content}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_are_shown_as_a_conversation() {
        let value =
            json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]);
        assert_eq!(cell(Some(&value)), "user: hi\n\nassistant: ho");
        assert_eq!(cell(Some(&json!([1, 2]))), "[1,2]");
        assert_eq!(cell(None), "");
    }
}
