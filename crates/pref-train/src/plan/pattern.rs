//! Patterns of parameter names. In: the text of a pattern and the setting that has it. Out: the pattern, or an
//! error that names the setting.

use glob::Pattern;

use super::error::PlanError;

/// The pattern of a text: `*` stands for any text, `?` for any character and `[0-3]` for one of these.
///
/// # Errors
/// [`PlanError::Value`] with the setting `key`, if the text is not a pattern.
pub(crate) fn name_pattern(key: &str, text: &str) -> Result<Pattern, PlanError> {
    Pattern::new(text).map_err(|error| PlanError::Value {
        key: key.to_owned(),
        message: format!("`{text}` is not a pattern: {}", error.msg),
    })
}
