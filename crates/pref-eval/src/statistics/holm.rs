//! Holm's correction. In: p-values of several tests. Out: p-values that hold for all of them together.

/// The p-values after Holm's step-down correction (Holm 1979), in the order of the input.
///
/// The smallest of `m` values is multiplied by `m`, the next one by `m - 1` and so on; a corrected value is at most 1
/// and at least as large as those before it. NaN stays NaN and counts as no test.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len())
        .filter(|&i| !p_values[i].is_nan())
        .collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut corrected = vec![f64::NAN; p_values.len()];
    let mut largest = 0.0_f64;
    for (rank, &i) in order.iter().enumerate() {
        largest = largest
            .max((order.len() - rank) as f64 * p_values[i])
            .min(1.0);
        corrected[i] = largest;
    }
    corrected
}
