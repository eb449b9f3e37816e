//! Stop strings. In: the ids of a continuation, and a function that makes text of ids. Out: whether the text has a stop
//! string, and the text before it.

use std::error::Error;
use std::sync::Arc;

use super::options::GenerateError;

/// Makes text of ids.
pub(super) type TextOf<'a> =
    &'a (dyn Fn(&[u32]) -> Result<String, Box<dyn Error + Send + Sync>> + Sync);

/// Number of tokens that are read before those that a stop string can span. Tokens without text need some room, and
/// so does a character of several tokens.
const MORE_TOKENS: usize = 16;

/// The stop strings of a sampler.
pub(super) struct Stops<'a> {
    strings: Vec<String>,
    text_of: Option<TextOf<'a>>,
    /// Number of tokens at the end of a continuation in which a stop string can have ended with the last one.
    window: usize,
}

impl<'a> Stops<'a> {
    pub(super) fn new(
        strings: &[String],
        text_of: Option<TextOf<'a>>,
    ) -> Result<Self, GenerateError> {
        if !strings.is_empty() && text_of.is_none() {
            return Err(GenerateError::NoText);
        }
        // A token with text has at least a byte of it.
        let longest = strings.iter().map(String::len).max().unwrap_or(0);
        Ok(Self {
            strings: strings.to_vec(),
            text_of,
            window: longest + MORE_TOKENS,
        })
    }

    /// Whether the text of the ids has a stop string, which ends in the last token.
    pub(super) fn ends(&self, ids: &[u32]) -> Result<bool, GenerateError> {
        let (Some(text_of), false) = (self.text_of, self.strings.is_empty()) else {
            return Ok(false);
        };
        let has_stop = |ids: &[u32]| {
            let text = text_of(ids).map_err(|e| GenerateError::Text(Arc::from(e)))?;
            Ok(self.strings.iter().any(|stop| text.contains(stop)))
        };
        // The text of some tokens in the middle can begin otherwise, so the whole text decides.
        let last = &ids[ids.len().saturating_sub(self.window)..];
        Ok(has_stop(last)? && (last.len() == ids.len() || has_stop(ids)?))
    }
}

/// The text before the first stop string, or the whole text if it has none.
///
/// ```
/// use pref_model::before_stop;
/// let stops = ["\n\n".to_owned(), "Question".to_owned()];
/// assert_eq!(before_stop("It is 4.\nQuestion: 3\n\n", &stops), "It is 4.\n");
/// ```
pub fn before_stop<'a>(text: &'a str, stops: &[String]) -> &'a str {
    let places = stops.iter().filter_map(|stop| text.find(stop.as_str()));
    match places.min() {
        Some(end) => &text[..end],
        None => text,
    }
}
