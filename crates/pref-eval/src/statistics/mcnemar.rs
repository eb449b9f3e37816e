//! McNemar's test. In: how many questions only one of two systems solves. Out: a p-value.

/// The two-sided p-value of McNemar's exact test: how likely a difference at least as large is if both systems are
/// equally good.
///
/// `only_first` and `only_second` count the questions that only the first or only the second system solves; under the
/// null hypothesis each of them is a fair coin. The p-value is twice the smaller tail of the binomial distribution, at
/// most 1.
pub fn mcnemar(only_first: usize, only_second: usize) -> f64 {
    let n = only_first + only_second;
    let fewer = only_first.min(only_second);
    if n == 0 || only_first == only_second {
        return 1.0;
    }
    // ln C(n, k) - n ln 2, one term after the other; the terms grow up to k = n/2, so none is lost in the sum.
    let mut ln_term = -(n as f64) * std::f64::consts::LN_2;
    let mut terms = vec![ln_term];
    for k in 1..=fewer {
        ln_term += ((n - k + 1) as f64 / k as f64).ln();
        terms.push(ln_term);
    }
    let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = terms.iter().map(|term| (term - largest).exp()).sum();
    (2.0 * sum * largest.exp()).min(1.0)
}
