//! Texts as answers. In: words. Out: the same words in a form that does not depend on case, articles and
//! punctuation.

/// Words in lower case, separated by one space, without articles and without marks.
pub(crate) fn plain_words(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut command = false;
    let mut word = String::new();
    let mut flush = |word: &mut String| {
        if !word.is_empty() && !matches!(word.as_str(), "a" | "an" | "the") {
            words.push(std::mem::take(word));
        }
        word.clear();
    };
    for c in text.chars() {
        if command && c.is_ascii_alphabetic() {
            continue;
        }
        command = false;
        match c {
            '\\' => {
                command = true;
                flush(&mut word);
            }
            '\'' => {}
            c if c.is_alphanumeric() => word.extend(c.to_lowercase()),
            '+' | '-' | '<' | '>' | '=' | '*' | '/' | '^' | '%' | '$' | '(' | ')' | '[' | ']'
                if !word.is_empty() || !c.is_ascii_punctuation() =>
            {
                flush(&mut word);
            }
            _ => flush(&mut word),
        }
    }
    flush(&mut word);
    words.join(" ")
}
