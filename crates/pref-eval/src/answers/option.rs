//! Options of a multiple choice. In: an answer. Out: the letter of the option that it names.

/// The letter of an option: `B`, `(B)`, `B)`, `\text{(B)}`, `Option B`.
pub(crate) fn option_letter(text: &str) -> Option<char> {
    if text.len() > 60 {
        return None;
    }
    let text = without_looks(text);
    let mut words = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .peekable();
    let is_named = words
        .next_if(|word| ["option", "choice", "answer"].contains(&word.to_lowercase().as_str()))
        .is_some();
    let letter = words.next()?;
    if words.next().is_some() || letter.len() != 1 {
        return None;
    }
    let has_marks = text.contains(['+', '-', '\\', '|', '=', '<', '>', '^', '!', '\'']);
    let is_bracketed = text.trim().starts_with('(') && text.trim().ends_with(')');
    let letter = letter.chars().next()?;
    let is_option =
        letter.is_ascii_uppercase() || ((is_named || is_bracketed) && letter.is_ascii_lowercase());
    (is_option && !has_marks).then(|| letter.to_ascii_uppercase())
}

/// The letter of an option that is followed by its text: `(B) 42`, `B. 42`, `B: 42`.
pub(crate) fn option_before_text(text: &str) -> Option<char> {
    let start: String = text.chars().take(40).collect();
    let text = without_looks(&start);
    let text = text.trim_start_matches(['{', ' ', '*']);
    let rest = text.strip_prefix('(').unwrap_or(text);
    let mut chars = rest.chars();
    let letter = chars.next().filter(char::is_ascii_uppercase)?;
    let mark = chars.next()?;
    let is_option = match mark {
        ')' => true,
        '.' | ':' => rest.len() == text.len() && chars.next().is_some_and(char::is_whitespace),
        _ => false,
    };
    is_option.then_some(letter)
}

/// The text without the commands that only change how a letter looks.
fn without_looks(text: &str) -> String {
    ["\\textbf", "\\text", "\\mathrm", "\\mathbf"]
        .iter()
        .fold(text.to_owned(), |text, command| text.replace(command, ""))
}
