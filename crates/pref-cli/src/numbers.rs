//! Numbers of tables. In: shares, differences and their intervals. Out: text.

/// A share as percent: `67.0 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A difference of shares in points, with its sign: `+28.4`.
pub(crate) fn points(difference: f64) -> String {
    format!("{:+.1}", 100.0 * difference)
}

/// A p-value: `0.032`, or `4.9e-24` if it is small.
pub(crate) fn p_value(p: f64) -> String {
    match p < 0.001 {
        true => format!("{p:.1e}"),
        false => format!("{p:.3}"),
    }
}

/// A value with the ends of its interval: `+28.4 [+23.2, +33.6]`.
pub(crate) fn bracketed(show: impl Fn(f64) -> String, values: [f64; 3]) -> String {
    let [value, low, high] = values.map(show);
    format!("{value} [{low}, {high}]")
}
