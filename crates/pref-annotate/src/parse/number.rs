//! Numbers as models write them. In: a JSON value or a text. Out: a number or a range.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

/// A number, or a range of two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Amount {
    One(f64),
    Range(f64, f64),
}

/// The digit zero of scripts that have ten digits in a row (Unicode's class Nd).
const ZEROS: [char; 24] = [
    '\u{0660}',
    '\u{06F0}',
    '\u{07C0}',
    '\u{0966}',
    '\u{09E6}',
    '\u{0A66}',
    '\u{0AE6}',
    '\u{0B66}',
    '\u{0BE6}',
    '\u{0C66}',
    '\u{0CE6}',
    '\u{0D66}',
    '\u{0DE6}',
    '\u{0E50}',
    '\u{0ED0}',
    '\u{0F20}',
    '\u{1040}',
    '\u{17E0}',
    '\u{1810}',
    '\u{A9D0}',
    '\u{FF10}',
    '\u{1D7CE}',
    '\u{1D7D8}',
    '\u{1D7F6}',
];

/// Chinese digits.
const CHINESE: &str = "零一二三四五六七八九";

/// The same text with ASCII digits, and with `.` for the decimal points of other scripts.
pub(crate) fn ascii_digits(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_ascii() {
                return c;
            }
            let digit = ZEROS.iter().find_map(|&zero| {
                let offset = (c as u32).checked_sub(zero as u32)?;
                char::from_digit(offset, 10).filter(|_| offset < 10)
            });
            let chinese = || {
                let at = CHINESE.chars().position(|digit| digit == c)?;
                char::from_digit(at as u32, 10)
            };
            match c {
                '\u{066B}' | '．' => '.',
                '－' | '–' | '—' | '−' | '~' | '〜' | '～' => '-',
                '／' => '/',
                _ => digit.or_else(chinese).unwrap_or(c),
            }
        })
        .collect()
}

static AMOUNT: LazyLock<Regex> = LazyLock::new(|| {
    let number = r"([+]?\d{1,6}(?:[.,]\d{1,4})?)";
    let pattern = format!(
        r"(?i)^[\s*_`<\[(]*{number}(?:\s*(?:-|to|or)\s*{number})?(?:\s*(?:/|of|out of)\s*{number})?[\s*_`>\]).]*$"
    );
    Regex::new(&pattern).expect("the pattern is a constant")
});

/// The number or range that a value is. In `3/4` and `3 out of 4` the second number must be `max`. A text with
/// any other word is no number.
pub(crate) fn amount_of(value: &Value, max: i64) -> Option<Amount> {
    match value {
        Value::Number(number) => number.as_f64().map(Amount::One),
        Value::String(text) => {
            let text = ascii_digits(text);
            let found = AMOUNT.captures(&text)?;
            let number = |i: usize| {
                let text = found.get(i)?.as_str().replace(',', ".");
                text.trim_start_matches('+').parse::<f64>().ok()
            };
            if number(3).is_some_and(|of| of != max as f64) {
                return None;
            }
            let first = number(1)?;
            Some(match number(2) {
                Some(second) => Amount::Range(first, second),
                None => Amount::One(first),
            })
        }
        _ => None,
    }
}

static FINAL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"-?\d[\d,]*(?:\.\d+)?|-?\.\d+").expect("the pattern is a constant")
});

/// The first number of a text, such as `-1,234.5` in `$ -1,234.5 dollars`. Commas in it are left out.
pub(crate) fn number_of(text: &str) -> Option<f64> {
    let text = ascii_digits(text);
    let found = FINAL.find(&text)?;
    let number: f64 = found.as_str().replace(',', "").parse().ok()?;
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<Amount>) {
        assert_eq!(amount_of(&json!(text), 4), expected, "{text}");
    }

    #[test]
    fn numbers_are_read_as_models_write_them() {
        for text in [
            "3",
            " 3.0 ",
            "**3**",
            "3/4",
            "3 out of 4",
            "٣",
            "３",
            "३",
            "三",
            "3,0",
            "<3>",
            "3.",
        ] {
            check(text, Some(Amount::One(3.0)));
        }
        for text in ["3-4", "3 – 4", "3 to 4", "٣–٤", "3-4/4"] {
            check(text, Some(Amount::Range(3.0, 4.0)));
        }
        for text in [
            "", "three", "3/5", "-3", "3 apples", "NaN", "1e3", "3 4", "∞",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn the_first_number_of_a_text_is_found() {
        assert_eq!(number_of(" $1,234.50 a day"), Some(1234.5));
        assert_eq!(number_of("about -3%"), Some(-3.0));
        assert_eq!(number_of("none"), None);
    }
}
