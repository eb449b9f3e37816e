//! What a continuation may be. In: the logits of the next token, and the tokens that were chosen. Out: logits without the
//! tokens that the form forbids, and the end of the form.

use std::sync::Arc;

use super::finish::Finish;
use super::options::GenerateError;

/// Holds a continuation to a form, such as a JSON schema, token by token.
pub trait Guide: Send + Sync {
    /// Sets the logits of tokens that must not come next to `−∞`, `[vocab]`. At least one has to stay finite.
    ///
    /// # Errors
    /// A message, which becomes [`GenerateError::Guide`]. The other texts of the sampler end with it.
    fn mask(&mut self, logits: &mut [f32]) -> Result<(), String>;

    /// Takes note of the token that was chosen.
    ///
    /// # Errors
    /// As [`mask`](Self::mask).
    fn push(&mut self, id: u32) -> Result<(), String>;

    /// Whether the continuation ends with the last token, and why. `None` leaves it to the options.
    fn finish(&self) -> Option<Finish>;
}

/// Makes the guide of a sample of a prompt, at its start.
pub type MakeGuide = Arc<dyn Fn() -> Result<Box<dyn Guide>, String> + Send + Sync>;

/// The error of a guide.
pub(super) fn failed(message: String) -> GenerateError {
    GenerateError::Guide { message }
}
