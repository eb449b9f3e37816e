//! The empty thought, after which a reasoning model answers without thinking. In: a prompt. Out: the prompt with it.

/// The thought of an answer without thinking (BVPO).
pub(crate) const EMPTY_THOUGHT: &str = "<think></think>";

/// The prompt with an empty thought at its end. Some templates begin the thought themselves.
pub(crate) fn with_empty_thought(prompt: &str) -> String {
    let before = prompt.trim_end().strip_suffix("<think>").unwrap_or(prompt);
    format!("{before}{EMPTY_THOUGHT}")
}
