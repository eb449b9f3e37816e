//! Reads the prompts of files. In: paths and options. Out: prompts with all fields of their rows, one at a time.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::ReadError;
use super::open::source_rows;
use super::rows::PromptRow;

/// Prompts, in the order of their rows.
pub type Prompts = Box<dyn Iterator<Item = Result<PromptRow, ReadError>>>;

/// The prompts of files, folders, patterns or data sets of the hub. A row needs a `prompt` (a text or messages), or
/// `messages` or `conversations`, whose last turns are left out if they are the assistant's, or `chosen` and `rejected` that
/// begin with the prompt. Its answers, if it has any, are not read. `columns` holds, for each field, the name of its column.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join("questions.jsonl");
/// std::fs::write(&file, r#"{"question": "2+2?", "answer": 4}"#)?;
/// let columns = [("prompt".to_owned(), "question".to_owned())].into();
/// let rows: Result<Vec<_>, _> = pref_data::read_prompts(&[&file], &columns)?.collect();
/// let rows = rows?;
/// assert_eq!(rows[0].prompt.to_string(), "2+2?");
/// assert_eq!(rows[0].fields["answer"], 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ReadError`] if there is no file, or a field of `columns` does not exist. The error of a row is returned in place of
/// the row.
pub fn read_prompts(
    paths: &[impl AsRef<Path>],
    columns: &BTreeMap<String, String>,
) -> Result<Prompts, ReadError> {
    let rows = source_rows(paths, columns)?;
    Ok(Box::new(rows.map(|row| row?.prompt_row())))
}
