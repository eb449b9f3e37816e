//! Numbers as they are written. In: text. Out: an exact number and the length of its text.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Zero;

use crate::answers::limits::MAX_DIGITS;

/// How commas in numbers are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commas {
    /// `1,000` is one thousand.
    Thousands,
    /// A comma separates items, except in `{,}`.
    Items,
    /// `3,5` is three and a half.
    Decimal,
}

/// A number at the start of a text.
pub(crate) struct Written {
    pub(crate) number: BigRational,
    /// Bytes of the text.
    pub(crate) length: usize,
    /// The digits, if it is a whole number without separators.
    pub(crate) plain: bool,
}

/// Reads the number at the start of `text`: digits with separators, a fraction part, periods and a power of ten.
/// None if the text begins with no digit, or with more than 1,000.
pub(crate) fn number_at(text: &str, commas: Commas) -> Option<Written> {
    let bytes = text.as_bytes();
    let (mut whole, mut at, grouped) = whole_part(text, commas);
    let mut fraction = String::new();
    let point = match commas {
        Commas::Decimal => b',',
        Commas::Thousands | Commas::Items => b'.',
    };
    let european = european(text, commas);
    let mut plain = !grouped;
    if let Some((digits, decimals, length)) = european {
        (whole, fraction, at, plain) = (digits, decimals, length, false);
    } else if bytes.get(at) == Some(&point) {
        let digits = digits_at(&bytes[at + 1..]);
        let is_point = digits > 0 || (!whole.is_empty() && !text[at + 1..].starts_with('.'));
        if is_point {
            fraction = text[at + 1..at + 1 + digits].to_owned();
            at += 1 + digits;
            plain = false;
        }
    }
    if whole.is_empty() && fraction.is_empty() || whole.len() + fraction.len() > MAX_DIGITS {
        return None;
    }
    let mut period = String::new();
    let has_point = !fraction.is_empty() || (at > 0 && bytes[at - 1] == point);
    if has_point && let Some((digits, length)) = period_at(&text[at..]) {
        (period, at) = (digits, at + length);
    } else if has_point && let Some((digits, length)) = ellipsis_at(&text[at..], &fraction) {
        (period, at) = (digits, at + length);
    }
    let mut number = decimal(&whole, &fraction, &period)?;
    if let Some((exponent, length)) = exponent_at(&text[at..]) {
        let power = num_traits::pow(BigInt::from(10), exponent.unsigned_abs() as usize);
        number = match exponent < 0 {
            true => number / BigRational::from_integer(power),
            false => number * BigRational::from_integer(power),
        };
        at += length;
        plain = false;
    }
    Some(Written {
        number,
        length: at,
        plain,
    })
}

fn digits_at(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| b.is_ascii_digit()).count()
}

/// The digits before the point, the length of their text, and whether they had separators.
fn whole_part(text: &str, commas: Commas) -> (String, usize, bool) {
    let bytes = text.as_bytes();
    let mut at = digits_at(bytes);
    let mut digits = text[..at].to_owned();
    let mut grouped = false;
    if at == 0 || at > 3 {
        return (digits, at, false);
    }
    let separators: &[&str] = match commas {
        Commas::Thousands => &["{,}", "\\,", "\\ ", ",\\!", ",", "'", "_", " "],
        Commas::Items => &["{,}", "\\,", "\\ ", ",\\!", "'", "_", " "],
        Commas::Decimal => &["\\,", "\\ ", "'", "_", " "],
    };
    // Only one kind of separator is used in a number.
    for separator in separators {
        // Lakh and crore: 1,00,000.
        if *separator == "," && at <= 2 && bytes.get(at) == Some(&b',') && lakhs(&text[at..]) > 0 {
            let length = lakhs(&text[at..]);
            digits.extend(text[at..at + length].chars().filter(char::is_ascii_digit));
            return (digits, at + length, true);
        }
        while text[at..].starts_with(separator) {
            let start = at + separator.len();
            if digits_at(&bytes[start..]) != 3 {
                break;
            }
            // `1 000/3` may be a mixed number.
            if *separator == " " && matches!(bytes.get(start + 3), Some(b'/' | b'^' | b'_')) {
                break;
            }
            digits.push_str(&text[start..start + 3]);
            at = start + 3;
            grouped = true;
        }
        if grouped {
            return (digits, at, true);
        }
    }
    (digits, at, false)
}

/// The length of `,dd,dd,ddd`, with at least one group of two digits.
fn lakhs(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut twos = 0;
    while bytes.get(at) == Some(&b',') {
        match digits_at(&bytes[at + 1..]) {
            2 => (at, twos) = (at + 3, twos + 1),
            3 if twos > 0 => return at + 4,
            _ => return 0,
        }
    }
    0
}

/// Whole digits, decimals and length of a number such as `1.234,56` or `1.234.567`.
fn european(text: &str, commas: Commas) -> Option<(String, String, usize)> {
    let bytes = text.as_bytes();
    let mut at = digits_at(bytes);
    if at == 0 || at > 3 || text.starts_with('0') {
        return None;
    }
    let mut digits = text[..at].to_owned();
    let mut groups = 0;
    while bytes.get(at) == Some(&b'.') && digits_at(&bytes[at + 1..]) == 3 {
        digits.push_str(&text[at + 1..at + 4]);
        (at, groups) = (at + 4, groups + 1);
    }
    let decimals = match bytes.get(at) {
        Some(b',') if commas != Commas::Items => digits_at(&bytes[at + 1..]),
        _ => 0,
    };
    match (groups, decimals) {
        (0, _) | (1, 0) => None,
        (_, 0) => Some((digits, String::new(), at)),
        // `1.234,567` could be a list of two numbers, but it is a price far more often.
        (_, n) => Some((digits, text[at + 1..at + 1 + n].to_owned(), at + 1 + n)),
    }
}

/// The digits that repeat, in the notations of `0.\overline{3}`, `0.\dot{3}` and `0.(3)`.
fn period_at(text: &str) -> Option<(String, usize)> {
    for mark in ["\\overline", "\\bar", "\\dot", "\\overbar"] {
        let Some(rest) = text.strip_prefix(mark) else {
            continue;
        };
        let rest = rest.trim_start();
        let skipped = text.len() - rest.len();
        let inner = rest.strip_prefix('{').unwrap_or(rest);
        let is_braced = inner.len() < rest.len();
        let digits = match is_braced {
            true => digits_at(inner.as_bytes()),
            false => digits_at(inner.as_bytes()).min(1),
        };
        if digits == 0 || (is_braced && !inner[digits..].starts_with('}')) {
            return None;
        }
        let braces = 2 * usize::from(is_braced);
        return Some((inner[..digits].to_owned(), skipped + digits + braces));
    }
    let inner = text.strip_prefix('(')?;
    let digits = digits_at(inner.as_bytes());
    let is_period = digits > 0 && inner[digits..].starts_with(')');
    is_period.then(|| (inner[..digits].to_owned(), digits + 2))
}

/// The digits that repeat before an ellipsis, such as `3` in `0.333...`.
fn ellipsis_at(text: &str, fraction: &str) -> Option<(String, usize)> {
    let marks = ["...", "\\ldots", "\\dots", "\\cdots"];
    let mark = marks.iter().find(|mark| text.starts_with(**mark))?;
    let shown = fraction.len();
    for length in 1..=shown / 2 {
        let period = &fraction[shown - length..];
        let before = &fraction[..shown - length];
        let is_repeated = before.ends_with(period);
        let is_enough = length > 1 || before.ends_with(&period.repeat(2));
        if is_repeated && is_enough {
            return Some((period.to_owned(), mark.len()));
        }
    }
    None
}

/// The power of ten after `e`, at most 1,000.
fn exponent_at(text: &str) -> Option<(i64, usize)> {
    let rest = text.strip_prefix(['e', 'E'])?;
    let digits = rest.strip_prefix(['+', '-']).unwrap_or(rest);
    let n = digits_at(digits.as_bytes());
    let after = digits[n..].chars().next();
    if n == 0 || n > 4 || after.is_some_and(char::is_alphabetic) {
        return None;
    }
    let value: i64 = digits[..n].parse().ok()?;
    let is_negative = rest.starts_with('-');
    (value <= 1_000).then(|| {
        let value = if is_negative { -value } else { value };
        (value, 1 + rest.len() - digits.len() + n)
    })
}

/// `whole.fraction` with the digits of `period` repeated for ever.
fn decimal(whole: &str, fraction: &str, period: &str) -> Option<BigRational> {
    let parse = |digits: &str| -> Option<BigInt> {
        match digits.is_empty() {
            true => Some(BigInt::zero()),
            false => BigInt::parse_bytes(digits.as_bytes(), 10),
        }
    };
    let ten = |n: usize| num_traits::pow(BigInt::from(10), n);
    let scale = ten(fraction.len());
    let number = BigRational::new(parse(&format!("{whole}{fraction}"))?, scale.clone());
    if period.is_empty() {
        return Some(number);
    }
    let nines = (ten(period.len()) - 1) * scale;
    Some(number + BigRational::new(parse(period)?, nines))
}

const WORDS: [(&str, i64); 29] = [
    ("zero", 0),
    ("one", 1),
    ("two", 2),
    ("three", 3),
    ("four", 4),
    ("five", 5),
    ("six", 6),
    ("seven", 7),
    ("eight", 8),
    ("nine", 9),
    ("ten", 10),
    ("eleven", 11),
    ("twelve", 12),
    ("thirteen", 13),
    ("fourteen", 14),
    ("fifteen", 15),
    ("sixteen", 16),
    ("seventeen", 17),
    ("eighteen", 18),
    ("nineteen", 19),
    ("twenty", 20),
    ("thirty", 30),
    ("forty", 40),
    ("fifty", 50),
    ("sixty", 60),
    ("seventy", 70),
    ("eighty", 80),
    ("ninety", 90),
    ("dozen", 12),
];

/// The value of a word for a number up to ninety.
pub(crate) fn small_word(word: &str) -> Option<i64> {
    let found = WORDS.iter().find(|(name, _)| *name == word)?;
    Some(found.1)
}

/// The value of a word that multiplies the number before it.
pub(crate) fn scale_word(word: &str) -> Option<i64> {
    match word {
        "hundred" => Some(100),
        "thousand" => Some(1_000),
        "million" | "millions" => Some(1_000_000),
        "billion" | "billions" => Some(1_000_000_000),
        "trillion" | "trillions" => Some(1_000_000_000_000),
        _ => None,
    }
}

/// The denominator that a word names, such as 4 for `quarters`.
pub(crate) fn denominator_word(word: &str) -> Option<i64> {
    match word.strip_suffix('s').unwrap_or(word) {
        "half" | "halve" => Some(2),
        "third" => Some(3),
        "quarter" | "fourth" => Some(4),
        "fifth" => Some(5),
        "sixth" => Some(6),
        "seventh" => Some(7),
        "eighth" => Some(8),
        "ninth" => Some(9),
        "tenth" => Some(10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, commas: Commas, expected: Option<(&str, usize)>) {
        let found = number_at(text, commas).map(|w| (w.number.to_string(), w.length));
        let expected = expected.map(|(number, length)| (number.to_owned(), length));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn numbers_have_separators_points_and_powers() {
        use Commas::{Decimal, Items, Thousands};
        check("1,234,567.5 x", Thousands, Some(("2469135/2", 11)));
        check("1,000", Items, Some(("1", 1)));
        check("1{,}000", Items, Some(("1000", 7)));
        check("12,34", Thousands, Some(("12", 2)));
        check("1,00,000", Thousands, Some(("100000", 8)));
        check("1.234,5", Thousands, Some(("2469/2", 7)));
        check("1.234.567", Thousands, Some(("1234567", 9)));
        check("1 000 000", Thousands, Some(("1000000", 9)));
        check("3,5", Decimal, Some(("7/2", 3)));
        check(".5", Thousands, Some(("1/2", 2)));
        check("1.5e-3", Thousands, Some(("3/2000", 6)));
        check("2e", Thousands, Some(("2", 1)));
        check("0.\\overline{3}", Thousands, Some(("1/3", 14)));
        check("0.1(6)", Thousands, Some(("1/6", 6)));
        check("0.333...", Thousands, Some(("1/3", 8)));
        check("2(3)", Thousands, Some(("2", 1)));
        check("1'000", Thousands, Some(("1000", 5)));
        check("x", Thousands, None);
    }
}
