//! Rates of several samples for a question. In: right and wrong samples, or classes of equal answers. Out: pass@k and
//! maj@k.

/// The probability that at least one of `k` samples is right, estimated without bias from `n` samples of which
/// `n_right` are right: `1 - C(n - n_right, k) / C(n, k)` (Chen et al. 2021, eq. 1).
///
/// None if fewer than `k` samples were drawn, if `k` is 0, or if more samples are right than were drawn.
pub fn pass_at_k(n: usize, n_right: usize, k: usize) -> Option<f64> {
    if k == 0 || k > n || n_right > n {
        return None;
    }
    let n_wrong = n - n_right;
    if n_wrong < k {
        return Some(1.0);
    }
    // C(w, k) / C(n, k) = Π (1 - k / i) for i from w + 1 to n
    let all_wrong: f64 = (n_wrong + 1..=n)
        .map(|i| 1.0 - k as f64 / i as f64)
        .product();
    Some(1.0 - all_wrong)
}

/// Samples of a question whose answers are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerClass {
    /// Number of samples.
    pub n: usize,
    /// Whether the answer is the expected one.
    pub is_right: bool,
}

/// The probability that the most frequent answer of `k` samples is right, where the samples are drawn from the given
/// ones without replacement, and one of several equally frequent answers is chosen at random.
///
/// The samples are grouped in classes of equal answers; samples without an answer are classes of their own that are
/// wrong. With `k` equal to the number of samples the value is exact: 1, 0, or the share of right classes among the
/// most frequent ones. For a smaller `k` it is the mean over 2,000 seeded draws.
///
/// None if fewer than `k` samples were drawn or `k` is 0.
pub fn maj_at_k(classes: &[AnswerClass], k: usize, seed: u64) -> Option<f64> {
    use rand::SeedableRng;
    use rand::seq::SliceRandom;

    let n: usize = classes.iter().map(|class| class.n).sum();
    if k == 0 || k > n {
        return None;
    }
    let counts: Vec<usize> = classes.iter().map(|class| class.n).collect();
    if k == n {
        return Some(share_of_right(classes, &counts));
    }
    if k == 1 {
        let n_right: usize = classes
            .iter()
            .filter(|class| class.is_right)
            .map(|class| class.n)
            .sum();
        return Some(n_right as f64 / n as f64);
    }
    let mut samples: Vec<usize> = counts
        .iter()
        .enumerate()
        .flat_map(|(i, &n)| std::iter::repeat_n(i, n))
        .collect();
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let mut total = 0.0;
    for _ in 0..DRAWS {
        let (drawn, _) = samples.partial_shuffle(&mut random, k);
        let mut counts = vec![0; classes.len()];
        for &mut class in drawn {
            counts[class] += 1;
        }
        total += share_of_right(classes, &counts);
    }
    Some(total / DRAWS as f64)
}

/// Draws for the estimate of maj@k.
const DRAWS: usize = 2_000;

/// The share of right classes among those with the largest count.
fn share_of_right(classes: &[AnswerClass], counts: &[usize]) -> f64 {
    let most = counts.iter().copied().max().unwrap_or(0);
    let winners = classes.iter().zip(counts).filter(|(_, n)| **n == most);
    let (mut n_right, mut n) = (0_u32, 0_u32);
    for (class, _) in winners {
        n += 1;
        n_right += u32::from(class.is_right);
    }
    f64::from(n_right) / f64::from(n.max(1))
}
