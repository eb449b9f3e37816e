//! Logistic regression with an L1 penalty and targets between 0 and 1. In: observations of three terms. Out: the
//! coefficients.

/// Number of terms.
pub(super) const N_TERMS: usize = 3;

/// An observation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Observation {
    pub(super) terms: [f64; N_TERMS],
    /// From 0 to 1.
    pub(super) target: f64,
    pub(super) weight: f64,
}

/// Penalties that are tried: scikit-learn's default, the inverse of ten values from 1e-4 to 1e4.
fn penalties() -> impl Iterator<Item = f64> {
    (0..10).map(|i| 10_f64.powf(4.0 - 8.0 * f64::from(i) / 9.0))
}

const FOLDS: usize = 5;

/// `1 / (1 + exp(−terms · coefficients))`.
pub(super) fn probability(terms: &[f64; N_TERMS], coefficients: &[f64; N_TERMS]) -> f64 {
    1.0 / (1.0 + (-dot(terms, coefficients)).exp())
}

fn dot(a: &[f64; N_TERMS], b: &[f64; N_TERMS]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The negative log-likelihood of an observation, without its weight.
fn loss(row: &Observation, coefficients: &[f64; N_TERMS]) -> f64 {
    let z = dot(&row.terms, coefficients);
    // log(1 + e^z) − target·z, without an overflow.
    z.max(0.0) + (-z.abs()).exp().ln_1p() - row.target * z
}

/// The penalty with the least loss on rows that the fit has not seen; of equal ones the strongest.
pub(super) fn best_penalty(rows: &[Observation]) -> f64 {
    let unseen_loss = |penalty: f64| {
        let fold = |k: usize| {
            let part = |is_unseen: bool| -> Vec<Observation> {
                let rows = rows.iter().copied().enumerate();
                rows.filter(|(i, _)| (i % FOLDS == k) == is_unseen)
                    .map(|(_, row)| row)
                    .collect()
            };
            let coefficients = fit(&part(false), penalty, [0.0; N_TERMS]);
            let unseen = part(true);
            let losses = unseen
                .iter()
                .map(|row| row.weight * loss(row, &coefficients));
            losses.sum::<f64>() / unseen.len().max(1) as f64
        };
        (0..FOLDS).map(fold).sum::<f64>()
    };
    let tried: Vec<(f64, f64)> = penalties().map(|p| (p, unseen_loss(p))).collect();
    let best = tried.iter().min_by(|a, b| a.1.total_cmp(&b.1));
    best.map_or(1.0, |(penalty, _)| *penalty)
}

/// Coefficients that minimise `Σ weight · loss + penalty · Σ |coefficient|`, by Newton steps from `start`.
pub(super) fn fit(rows: &[Observation], penalty: f64, start: [f64; N_TERMS]) -> [f64; N_TERMS] {
    const MOST_STEPS: usize = 100;
    const TOLERANCE: f64 = 1e-8;
    /// A whole step of this length stays where the curvature is nearly the same.
    const SHORT: f64 = 0.3;
    let objective = |at: &[f64; N_TERMS]| {
        let losses = rows.iter().map(|row| row.weight * loss(row, at));
        losses.sum::<f64>() + penalty * at.iter().map(|c| c.abs()).sum::<f64>()
    };
    let mut at = start;
    for _ in 0..MOST_STEPS {
        let (gradient, curvature) = derivatives(rows, &at);
        let step = descent(&at, &gradient, &curvature, penalty);
        let longest = step
            .iter()
            .fold(0.0, |longest: f64, s| longest.max(s.abs()));
        let moved =
            |scale: f64| -> [f64; N_TERMS] { std::array::from_fn(|i| at[i] + scale * step[i]) };
        let mut scale = 1.0;
        if longest > SHORT {
            let value = objective(&at);
            while scale > 1e-6 && objective(&moved(scale)) > value {
                scale /= 2.0;
            }
        }
        at = moved(scale);
        if longest < TOLERANCE {
            break;
        }
    }
    at
}

type Matrix = [[f64; N_TERMS]; N_TERMS];

/// The gradient and the second derivatives of the loss.
fn derivatives(rows: &[Observation], at: &[f64; N_TERMS]) -> ([f64; N_TERMS], Matrix) {
    let mut gradient = [0.0; N_TERMS];
    let mut curvature = [[0.0; N_TERMS]; N_TERMS];
    for row in rows {
        let p = probability(&row.terms, at);
        let slope = row.weight * (p - row.target);
        let bend = row.weight * p * (1.0 - p);
        for (i, term) in row.terms.iter().enumerate() {
            gradient[i] += slope * term;
            for (sum, other) in curvature[i].iter_mut().zip(&row.terms) {
                *sum += bend * term * other;
            }
        }
    }
    (gradient, curvature)
}

/// The step to the minimum of the second-order approximation with the penalty, one coordinate after the other.
fn descent(
    at: &[f64; N_TERMS],
    gradient: &[f64; N_TERMS],
    curvature: &Matrix,
    penalty: f64,
) -> [f64; N_TERMS] {
    const MOST_SWEEPS: usize = 1_000;
    let mut step = [0.0; N_TERMS];
    for _ in 0..MOST_SWEEPS {
        let mut change: f64 = 0.0;
        for i in 0..N_TERMS {
            // A term that never differs from 0 has no curvature, and stays where it is.
            let bend = curvature[i][i];
            if bend <= 0.0 {
                continue;
            }
            let slope = gradient[i] + dot(&curvature[i], &step);
            let wanted = at[i] + step[i] - slope / bend;
            let shrunk = wanted.signum() * (wanted.abs() - penalty / bend).max(0.0);
            let new = shrunk - at[i];
            change = change.max((new - step[i]).abs());
            step[i] = new;
        }
        if change < 1e-12 {
            break;
        }
    }
    step
}
