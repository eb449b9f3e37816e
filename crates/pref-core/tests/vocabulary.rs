//! KL divergences of next-token distributions, and gradients computed chunk by chunk. In: random
//! logits and hidden states. Out: the same values as without chunks.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::convert::Infallible;
use std::ops::Range;

use burn::backend::{Autodiff, Flex, NdArray};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Distribution, Int, Tensor, backend::AutodiffBackend};
use pref_core::{backward_in_chunks, position_chunks, token_importance, token_kl};

const POSITIONS: usize = 11;
const WIDTH: usize = 6;
const VOCAB: usize = 17;

fn values<B: AutodiffBackend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    tensor.into_data().iter().collect()
}

#[track_caller]
fn assert_near(a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= 1e-5 + 1e-4 * a.abs(), "{a} {b}");
    }
}

/// `Σ r (log r − log p)` in double precision, and its derivative `p − r`.
fn closed_form(reference: &[f32], policy: &[f32]) -> (f64, Vec<f64>) {
    let softmax = |logits: &[f32]| -> Vec<f64> {
        let exps: Vec<f64> = logits.iter().map(|&x| f64::from(x).exp()).collect();
        let sum: f64 = exps.iter().sum();
        exps.iter().map(|e| e / sum).collect()
    };
    let (r, p) = (softmax(reference), softmax(policy));
    let kl = r.iter().zip(&p).map(|(r, p)| r * (r / p).ln()).sum();
    (kl, p.iter().zip(&r).map(|(p, r)| p - r).collect())
}

fn check_divergence<B: AutodiffBackend>() {
    let device = B::Device::default();
    let random = || {
        let normal = Distribution::Normal(0.0, 2.0);
        Tensor::<B, 2>::random([POSITIONS, VOCAB], normal, &device)
    };
    let (reference, policy) = (random(), random().require_grad());
    let kl = token_kl(reference.clone(), policy.clone());
    let gradients = kl.clone().sum().backward();
    let (found, slopes) = (values(kl), policy.grad(&gradients).unwrap().into_data());
    let slopes: Vec<f32> = slopes.iter().collect();
    let (reference, policy) = (values(reference), values(policy));
    for i in 0..POSITIONS {
        let row = i * VOCAB..(i + 1) * VOCAB;
        let (expected, slope) = closed_form(&reference[row.clone()], &policy[row.clone()]);
        assert_near(&found[i..=i], &[expected as f32]);
        let slope: Vec<f32> = slope.iter().map(|&s| s as f32).collect();
        assert_near(&slopes[row], &slope);
    }
}

#[test]
fn the_divergence_equals_its_closed_form_on_both_backends() {
    check_divergence::<Autodiff<Flex>>();
    check_divergence::<Autodiff<NdArray>>();
}

#[test]
fn equal_distributions_have_a_divergence_of_zero() {
    let logits =
        Tensor::<Flex, 2>::from_data([[3.0, -1.0, 1e4], [0.0, 0.0, -1e4]], &Default::default());
    let kl: Vec<f32> = token_kl(logits.clone(), logits + 5.0)
        .into_data()
        .iter()
        .collect();
    assert_eq!(kl, [0.0, 0.0]);
}

#[test]
fn the_importance_is_the_contrast_of_both_distributions() {
    // Probabilities 0.5, 0.3, 0.2 and 0.25, 0.25, 0.5. With b = 1 the weights are 0.25 / 0.25, 0.09 / 0.25 and 0.04 / 0.5.
    let logits = |values: [f32; 3]| {
        let values = values.map(|p| p.ln() + 7.0);
        Tensor::<Flex, 2>::from_data([values; 3], &Default::default())
    };
    let (positive, negative) = (logits([0.5, 0.3, 0.2]), logits([0.25, 0.25, 0.5]));
    let targets = || Tensor::<Flex, 1, Int>::from_data([0, 1, 2], &Default::default());
    let importance = |contrast| -> Vec<f32> {
        let (positive, negative) = (positive.clone(), negative.clone());
        let values = token_importance(positive, negative, targets(), contrast);
        values.into_data().iter().collect()
    };
    assert_near(&importance(1.0), &[1.0 / 1.44, 0.36 / 1.44, 0.08 / 1.44]);
    assert_near(&importance(0.0), &[0.5, 0.3, 0.2]);
}

#[test]
fn chunks_cover_every_position_once() {
    let all = |positions, chunk| position_chunks(positions, chunk).collect::<Vec<Range<usize>>>();
    assert_eq!(all(5, 2), [0..2, 2..4, 4..5]);
    assert_eq!(all(4, 2), [0..2, 2..4]);
    assert_eq!(all(3, 0), [0..3]);
    assert!(all(0, 0).is_empty());
    assert_eq!(all(3, usize::MAX), [0..3]);
}

type B = Autodiff<Flex>;

#[test]
fn gradients_in_chunks_equal_those_of_all_positions_at_once() {
    let device = Default::default();
    let random = |dims: [usize; 2]| Tensor::<B, 2>::random(dims, Distribution::Default, &device);
    let (input, reference) = (random([POSITIONS, WIDTH]), random([POSITIONS, VOCAB]));
    let (body, head) = (
        random([WIDTH, WIDTH]).require_grad(),
        random([WIDTH, VOCAB]).require_grad(),
    );
    let targets: Vec<i64> = (0..POSITIONS as i64)
        .map(|i| i * 5 % VOCAB as i64)
        .collect();
    let targets = Tensor::<B, 1, Int>::from_data(targets.as_slice(), &device);

    let both = |hidden: Tensor<B, 2>, range: Range<usize>| {
        let n = range.len();
        let logits = hidden.matmul(head.clone());
        let at = targets.clone().slice([range.clone()]).reshape([n, 1]);
        let log_probs = log_softmax(logits.clone(), 1).gather(1, at).reshape([n]);
        vec![
            log_probs,
            token_kl(reference.clone().slice([range, 0..VOCAB]), logits),
        ]
    };
    // not linear, so that the derivatives depend on the values
    let loss =
        |values: Vec<Tensor<B, 1>>| (values[0].clone().square() + values[1].clone().exp()).sum();

    let hidden = || input.clone().matmul(body.clone()).tanh();
    let plain = loss(both(hidden(), 0..POSITIONS));
    let gradients = plain.backward();
    let expected = [&body, &head].map(|p| p.grad(&gradients).unwrap());
    let expected = expected.map(|g| g.into_data().iter::<f32>().collect::<Vec<f32>>());

    for chunk in [1, 2, 4, POSITIONS, 0] {
        let mut sums = [vec![0.0; WIDTH * WIDTH], vec![0.0; WIDTH * VOCAB]];
        let found = backward_in_chunks(
            hidden(),
            chunk,
            2,
            both,
            |leaves| {
                let loss = loss(leaves);
                Ok::<_, Infallible>((loss.clone(), values(loss)))
            },
            |gradients| {
                for (sum, p) in sums.iter_mut().zip([&body, &head]) {
                    if let Some(g) = p.grad(&gradients) {
                        let g: Vec<f32> = g.into_data().iter().collect();
                        assert_eq!(sum.len(), g.len());
                        sum.iter_mut().zip(g).for_each(|(s, g)| *s += g);
                    }
                }
            },
        );
        assert_near(&found.unwrap(), &values(plain.clone()));
        for (sum, expected) in sums.iter().zip(&expected) {
            assert_near(sum, expected);
        }
    }
}
