//! Patterns of a plan and the parameters of a model. In: a pattern, and the names of all parameters. Out: the
//! pattern, or an error that lists similar names if it fits none.

use glob::Pattern;

use crate::error::TrainError;
use crate::plan::name_pattern;

/// Number of names that an error lists.
const LISTED: usize = 3;

/// The pattern `text` of the setting `key`, which fits at least one of the names.
///
/// # Errors
/// [`TrainError::NoSuchParameter`] if it fits none, and the error of a text that is no pattern.
pub(crate) fn fitting_pattern(
    key: &str,
    text: &str,
    names: &[String],
) -> Result<Pattern, TrainError> {
    let pattern = name_pattern(key, text)?;
    match names.iter().any(|name| pattern.matches(name)) {
        true => Ok(pattern),
        false => Err(TrainError::NoSuchParameter {
            key: key.to_owned(),
            pattern: text.to_owned(),
            similar: similar(text, names),
        }),
    }
}

/// The names that are most similar to a pattern: each part of the pattern is compared with the parts of a name.
fn similar(pattern: &str, names: &[String]) -> String {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    let of_part = |part: &str, name: &str| {
        let parts = name
            .split('.')
            .map(|other| strsim::jaro_winkler(part, other));
        parts.fold(0.0, f64::max)
    };
    let distance = |name: &&str| {
        let parts = pattern
            .split('.')
            .filter(|part| part.contains(char::is_alphabetic));
        let similarity: f64 = parts.map(|part| of_part(part, name)).sum();
        (similarity * -1e6) as i64
    };
    names.sort_by_key(distance);
    names.truncate(LISTED);
    names.join(", ")
}
