//! Numbers as text. In: a number. Out: short text that is the same on every machine.

/// A number with about four significant digits: `0.6931`, `12.35`, `-152`, `5e-7`.
pub(super) fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if !value.is_finite() {
        return "–".to_owned();
    }
    let size = value.abs();
    let text = match size {
        _ if !(1e-3..1e6).contains(&size) => return scientific(value),
        _ if size >= 1000.0 => format!("{value:.0}"),
        _ if size >= 100.0 => format!("{value:.1}"),
        _ if size >= 10.0 => format!("{value:.2}"),
        _ if size >= 1.0 => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    };
    minus(trimmed(&text))
}

/// A number with a fixed number of digits, and with its sign: `+0.42`, `−1.30`, `0.00`.
pub(super) fn signed(value: f64, digits: usize) -> String {
    let text = format!("{value:+.digits$}");
    let is_zero = text.chars().all(|c| !c.is_ascii_digit() || c == '0');
    match is_zero {
        true => text[1..].to_owned(),
        false => minus(&text),
    }
}

/// A share as percent with one digit: `67.0 %`.
pub(super) fn percent(share: f64) -> String {
    match share.is_finite() {
        true => format!("{:.1} %", 100.0 * share),
        false => "–".to_owned(),
    }
}

/// The number of a tick. `step` is the distance to the next one.
pub(super) fn tick(value: f64, step: f64) -> String {
    if value.abs() < step * 1e-6 {
        return "0".to_owned();
    }
    if value.abs() >= 1e6 || step < 1e-4 {
        return scientific(value);
    }
    let digits = (-step.log10()).ceil().max(0.0) as usize;
    // 0.25 needs a digit more than its size tells.
    let digits = (digits..digits + 2)
        .find(|&digits| {
            let scaled = step * 10_f64.powi(digits as i32);
            (scaled - scaled.round()).abs() < 1e-6
        })
        .unwrap_or(digits);
    minus(&format!("{value:.digits$}"))
}

/// A coordinate of a picture, in tenths.
pub(super) fn coordinate(value: f64) -> String {
    let text = format!("{value:.1}");
    if text == "-0.0" {
        return "0".to_owned();
    }
    trimmed(&text).to_owned()
}

fn scientific(value: f64) -> String {
    let text = format!("{value:.2e}");
    match text.split_once('e') {
        Some((digits, exponent)) => minus(&format!("{}e{exponent}", trimmed(digits))),
        None => text,
    }
}

/// The text without zeros at the end of a fraction.
fn trimmed(text: &str) -> &str {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    }
}

fn minus(text: &str) -> String {
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: f64, expected: &str) {
        assert_eq!(short(value), expected);
    }

    #[test]
    fn numbers_are_short() {
        check(0.0, "0");
        check(-0.0, "0");
        check(0.123_456, "0.1235");
        check(12.345_6, "12.35");
        check(-152.04, "−152");
        check(5e-7, "5e−7");
        check(1234.6, "1235");
        check(12_345_678.0, "1.23e7");
        check(f64::NAN, "–");
    }

    #[test]
    fn signs_are_shown_except_of_zero() {
        assert_eq!(signed(0.416, 2), "+0.42");
        assert_eq!(signed(-1.3, 2), "−1.30");
        assert_eq!(signed(-0.0004, 2), "0.00");
    }

    #[test]
    fn ticks_have_the_digits_of_their_distance() {
        assert_eq!(tick(0.25, 0.25), "0.25");
        assert_eq!(tick(0.5, 0.25), "0.50");
        assert_eq!(tick(-2.0, 1.0), "−2");
        assert_eq!(tick(1e-12, 0.1), "0");
        assert_eq!(tick(2e-5, 1e-5), "2e−5");
    }
}
