//! The same characters for the same thing. In: an answer as it was written. Out: the answer without the marks around
//! it, with ASCII or LaTeX names in place of special characters, and `$` only as the sign of the dollar.

/// Characters with another spelling that the lexer knows.
const SPELLINGS: [(char, &str); 78] = [
    ('\u{2212}', "-"),
    ('–', "-"),
    ('‐', "-"),
    ('‑', "-"),
    ('—', " - "),
    ('×', " * "),
    ('·', " * "),
    ('∙', " * "),
    ('⋅', " * "),
    ('÷', " / "),
    ('∕', "/"),
    ('⁄', "/"),
    ('√', "\\sqrt "),
    ('∛', "\\cbrt "),
    ('π', "\\pi "),
    ('∞', "\\infty "),
    ('≤', "\\le "),
    ('⩽', "\\le "),
    ('≥', "\\ge "),
    ('⩾', "\\ge "),
    ('≠', "\\ne "),
    ('≈', "\\approx "),
    ('±', "\\pm "),
    ('∓', "\\mp "),
    ('∪', "\\cup "),
    ('∩', "\\cap "),
    ('∈', "\\in "),
    ('∅', "\\emptyset "),
    ('ℝ', "\\mathbb{R}"),
    ('°', "\\degree "),
    ('º', "\\degree "),
    ('…', "..."),
    ('⟨', "\\langle "),
    ('⟩', "\\rangle "),
    ('⌊', "\\lfloor "),
    ('⌋', "\\rfloor "),
    ('⌈', "\\lceil "),
    ('⌉', "\\rceil "),
    ('½', " 1/2"),
    ('⅓', " 1/3"),
    ('⅔', " 2/3"),
    ('¼', " 1/4"),
    ('¾', " 3/4"),
    ('⅕', " 1/5"),
    ('⅖', " 2/5"),
    ('⅗', " 3/5"),
    ('⅘', " 4/5"),
    ('⅙', " 1/6"),
    ('⅚', " 5/6"),
    ('⅛', " 1/8"),
    ('⅜', " 3/8"),
    ('⅝', " 5/8"),
    ('⅞', " 7/8"),
    ('′', "'"),
    ('’', "'"),
    ('‘', "'"),
    ('“', "\""),
    ('”', "\""),
    ('μ', "\\mu "),
    ('µ', "\\mu "),
    ('θ', "\\theta "),
    ('α', "\\alpha "),
    ('β', "\\beta "),
    ('γ', "\\gamma "),
    ('δ', "\\delta "),
    ('λ', "\\lambda "),
    ('φ', "\\phi "),
    ('ω', "\\omega "),
    ('Ω', "\\Omega "),
    ('σ', "\\sigma "),
    ('ρ', "\\rho "),
    ('％', "%"),
    ('，', ","),
    ('（', "("),
    ('）', ")"),
    ('：', ":"),
    ('＝', "="),
    ('。', "."),
];

/// The signs of powers and indices that are characters of their own.
const SUPERSCRIPTS: &str = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const SUBSCRIPTS: &str = "₀₁₂₃₄₅₆₇₈₉";

/// Stands for a dollar sign while `$` still means mathematics.
const DOLLAR: char = '\u{1}';

/// An answer without the marks around it, in the lexer's spelling.
pub(crate) fn clean(text: &str) -> String {
    let mut text = strip(text).to_owned();
    // Each round removes a pair of marks, so the text gets shorter.
    loop {
        let inner = strip(&text);
        if inner.len() == text.len() {
            break;
        }
        text = inner.to_owned();
    }
    dollars(&spell(&text))
}

/// The text without space, marks of sentences and one pair of delimiters around it.
fn strip(text: &str) -> &str {
    let text = text.trim();
    let text = match text.strip_suffix(['.', ',', ';', ':', '。']) {
        // An ellipsis is part of a number.
        Some(rest) if !rest.ends_with('.') => rest.trim_end(),
        _ => text,
    };
    let text = text.strip_suffix("\\").unwrap_or(text);
    const PAIRS: [(&str, &str); 12] = [
        ("$$", "$$"),
        ("$", "$"),
        ("\\(", "\\)"),
        ("\\[", "\\]"),
        ("**", "**"),
        ("__", "__"),
        ("*", "*"),
        ("`", "`"),
        ("\"", "\""),
        ("“", "”"),
        ("<<", ">>"),
        ("\\boxed", ""),
    ];
    for (open, close) in PAIRS {
        let Some(inner) = text.strip_prefix(open) else {
            continue;
        };
        if open == "\\boxed" {
            if let Some(inner) = whole_group(inner.trim_start()) {
                return inner;
            }
            continue;
        }
        if let Some(inner) = inner.strip_suffix(close)
            && !inner.contains(open)
            && !inner.contains(close)
            && !inner.ends_with('\\')
        {
            return inner;
        }
    }
    text
}

/// The inside of braces that enclose the whole text.
fn whole_group(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    let mut depth = 0_i32;
    for c in inner.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return None;
        }
    }
    (depth == 0).then_some(inner)
}

fn spell(text: &str) -> String {
    let mut spelled = String::with_capacity(text.len());
    let mut raised = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let power = SUPERSCRIPTS.chars().position(|sign| sign == c);
        if c == '⁻' || power.is_some() {
            if !raised {
                spelled.push_str("^{");
            }
            match power {
                Some(digit) => spelled.push_str(&digit.to_string()),
                None => spelled.push('-'),
            }
            let is_followed = chars
                .peek()
                .is_some_and(|&next| next == '⁻' || SUPERSCRIPTS.contains(next));
            if !is_followed {
                spelled.push('}');
            }
            raised = is_followed;
            continue;
        }
        if let Some(digit) = SUBSCRIPTS.chars().position(|sign| sign == c) {
            let is_start = !spelled.ends_with('\u{2}');
            spelled.truncate(spelled.trim_end_matches('\u{2}').len());
            if is_start {
                spelled.push_str("_{");
            }
            spelled.push_str(&digit.to_string());
            match chars.peek().is_some_and(|&next| SUBSCRIPTS.contains(next)) {
                true => spelled.push('\u{2}'),
                false => spelled.push('}'),
            }
            continue;
        }
        if c == '\\' && chars.peek() == Some(&'$') {
            chars.next();
            spelled.push(DOLLAR);
            continue;
        }
        if let Some((_, spelling)) = SPELLINGS.iter().find(|(sign, _)| *sign == c) {
            spelled.push_str(spelling);
            continue;
        }
        match c {
            '\u{ff10}'..='\u{ff19}' => {
                spelled.push(char::from(b'0' + (c as u32 - 0xff10) as u8));
            }
            '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{1}' | '\u{2}' => {}
            // Narrow spaces separate the thousands of a number.
            '\u{2009}' | '\u{202f}' => spelled.push_str("\\,"),
            c if c.is_whitespace() => spelled.push(' '),
            c => spelled.push(c),
        }
    }
    spelled
}

/// Removes each `$` that only marks mathematics.
fn dollars(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let is_price = |i: usize| {
        chars[i + 1..]
            .iter()
            .find(|c| !matches!(c, ' ' | '-'))
            .is_some_and(|c| c.is_ascii_digit() || *c == '.')
    };
    let signs: Vec<usize> = (0..chars.len()).filter(|&i| chars[i] == '$').collect();
    let are_prices = signs.iter().all(|&i| is_price(i));
    let is_pair = signs.len() >= 2 && signs.len().is_multiple_of(2);
    // `$5$ and $6$` has pairs whose second sign is followed by no digit.
    let keep = are_prices && !(is_pair && signs.first() == Some(&0) && chars.last() == Some(&'$'));
    let text: String = chars
        .into_iter()
        .map(|c| match c {
            '$' if !keep => ' ',
            DOLLAR => '$',
            c => c,
        })
        .collect();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(clean(text), expected);
    }

    #[test]
    fn marks_around_an_answer_are_removed() {
        check("\\[\\boxed{42}\\]", "42");
        check("**$\\frac{1}{2}$**.", "\\frac{1}{2}");
        check("\\boxed{\\{1,2\\}}", "\\{1,2\\}");
        check("$\\{1\\}$ and $2$", "\\{1\\}  and  2");
    }

    #[test]
    fn a_dollar_before_a_number_is_money() {
        check("\\$5", "$5");
        check("$5", "$5");
        check("$5$", "5");
        check("-$3.50", "-$3.50");
        check("$5$ or $6$", "5  or  6");
    }

    #[test]
    fn raised_digits_are_powers() {
        check("x² + 10⁻¹²", "x^{2} + 10^{-12}");
        check("x₁₂", "x_{12}");
    }
}
