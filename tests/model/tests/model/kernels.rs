//! Every operation of `Kernels` gives the values and the gradients of its plain body, on both CPU backends. The
//! gradients are compared with those of automatic differentiation of the plain body.

use std::ops::Range;

use burn::backend::{Autodiff, Flex, NdArray};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use pref_model::plain_kernels as plain;
use pref_model::{
    Activation, AdamWStep, Kernels, Rotary, ScoreRule, SgdStep, Visibility, token_log_probs,
};
use proptest::prelude::*;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Random values from −1 to 1.
fn random<B: Backend, const D: usize>(rng: &mut ChaCha8Rng, shape: [usize; D]) -> Tensor<B, D> {
    let n = shape.iter().product();
    let values: Vec<f32> = (0..n).map(|_| rng.random_range(-1.0..1.0)).collect();
    Tensor::from_data(TensorData::new(values, shape), &Default::default())
}

fn numbers<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    tensor.into_data().iter().collect()
}

#[track_caller]
fn assert_near(found: &[f32], expected: &[f32], what: &str) {
    assert_within(1e-5, found, expected, what);
}

#[track_caller]
fn assert_within(bar: f32, found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1.0_f32, |a, x| a.max(x.abs()));
    for (i, (x, y)) in found.iter().zip(expected).enumerate() {
        assert!(
            (x - y).abs() <= bar * largest,
            "{what}: value {i} is {x}, expected {y}"
        );
    }
}

/// The result of a function of some tensors, and the gradients of the sum of the result times fixed weights.
fn with_gradients<B: AutodiffBackend, const D: usize, const R: usize>(
    inputs: &[Tensor<B, D>],
    f: impl Fn(&[Tensor<B, D>]) -> Tensor<B, R>,
) -> Vec<Vec<f32>> {
    let leaves = inputs.iter().map(|x| x.clone().detach().require_grad());
    let leaves: Vec<Tensor<B, D>> = leaves.collect();
    let result = f(&leaves);
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let weights = random::<B, R>(&mut rng, result.dims());
    let gradients = (result.clone() * weights).sum().backward();
    let of_leaf = |leaf: &Tensor<B, D>| numbers(leaf.grad(&gradients).expect("a gradient"));
    std::iter::once(numbers(result))
        .chain(leaves.iter().map(of_leaf))
        .collect()
}

/// Compares values and gradients of an operation with those of its plain body.
#[track_caller]
fn assert_same<B: AutodiffBackend, const D: usize, const R: usize>(
    what: &str,
    inputs: &[Tensor<B, D>],
    operation: impl Fn(&[Tensor<B, D>]) -> Tensor<B, R>,
    body: impl Fn(&[Tensor<B, D>]) -> Tensor<B, R>,
) {
    let found = with_gradients(inputs, operation);
    let expected = with_gradients(inputs, body);
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let part = match i {
            0 => "values".to_owned(),
            i => format!("gradient of input {i}"),
        };
        // Automatic differentiation of a softmax uses ndarray's approximate reciprocal.
        let bar = if B::name(&Default::default()).contains("ndarray") {
            1e-4
        } else {
            1e-5
        };
        assert_within(bar, found, expected, &format!("{what}, {part}"));
    }
}

/// A decoder's batch: rows, tokens, heads, heads of keys, and the channels of a head.
#[derive(Clone, Debug)]
struct Batch {
    seed: u64,
    rows: usize,
    tokens: usize,
    before: usize,
    group: usize,
    kv_heads: usize,
    head_dim: usize,
    window: Option<usize>,
    branches: bool,
    softcap: Option<f64>,
}

fn batches() -> impl Strategy<Value = Batch> {
    let sizes = (
        1..3_usize,
        1..150_usize,
        0..40_usize,
        1..3_usize,
        1..3_usize,
    );
    let rule = (
        prop::option::of(1..90_usize),
        any::<bool>(),
        prop::option::weighted(0.2, Just(2.0)),
        prop::sample::select(vec![2, 8, 16]),
    );
    (any::<u64>(), sizes, rule).prop_map(
        |(seed, (rows, tokens, before, group, kv_heads), (window, branches, softcap, head_dim))| {
            Batch {
                seed,
                rows,
                tokens,
                before: if branches { 0 } else { before },
                group,
                kv_heads,
                head_dim,
                window,
                branches,
                softcap,
            }
        },
    )
}

impl Batch {
    fn visibility(&self, rng: &mut impl Rng) -> Visibility {
        let heads = [self.group * self.kv_heads, self.kv_heads];
        if !self.branches {
            let Self {
                rows,
                tokens,
                before,
                window,
                ..
            } = *self;
            return Visibility::causal(rows, tokens, before, window, heads);
        }
        let branch = |_| -> Range<usize> {
            let start = rng.random_range(0..self.tokens);
            start..rng.random_range(start..=self.tokens)
        };
        let branches: Vec<Range<usize>> = (0..self.rows).map(branch).collect();
        Visibility::branched(&branches, self.tokens, self.window, heads)
    }

    fn attention_is_the_plain_body<B: AutodiffBackend + Kernels>(&self) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let visibility = self.visibility(&mut rng);
        let rule = ScoreRule {
            scale: 0.7,
            softcap: self.softcap,
        };
        let total = self.before + self.tokens;
        // As a decoder has them: the heads of a token are neighbours in memory.
        let mut heads = |heads, tokens| {
            let shape = [self.rows, tokens, heads, self.head_dim];
            random::<B, 4>(&mut rng, shape)
        };
        let inputs = [
            heads(self.group * self.kv_heads, self.tokens),
            heads(self.kv_heads, total),
            heads(self.kv_heads, total),
        ];
        let arranged = |x: &[Tensor<B, 4>]| [0, 1, 2].map(|i| x[i].clone().swap_dims(1, 2));
        assert_same::<B, 4, 4>(
            "attention",
            &inputs,
            |x| {
                let [q, k, v] = arranged(x);
                B::causal_attention(q, k, v, &visibility, rule)
            },
            |x| {
                let [q, k, v] = arranged(x);
                plain::causal_attention(q, k, v, &visibility, rule)
            },
        );
    }

    /// Attention by blocks of queries, values and gradients.
    fn blocks_are_the_plain_body<B: Backend>(&self, size: usize) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let visibility = self.visibility(&mut rng);
        let rule = ScoreRule {
            scale: 0.7,
            softcap: self.softcap,
        };
        let total = self.before + self.tokens;
        let mut heads =
            |heads, tokens| random::<B, 4>(&mut rng, [self.rows, heads, tokens, self.head_dim]);
        let queries = heads(self.group * self.kv_heads, self.tokens);
        let (keys, values) = (heads(self.kv_heads, total), heads(self.kv_heads, total));
        let gradient = heads(self.group * self.kv_heads, self.tokens);
        let inputs = || [queries.clone(), keys.clone(), values.clone()];

        let [q, k, v] = inputs();
        let expected = plain::causal_attention(q, k, v, &visibility, rule);
        let [q, k, v] = inputs();
        let found = plain::causal_attention_in_blocks(q, k, v, &visibility, rule, size);
        assert_near(&numbers(found), &numbers(expected), "attention in blocks");
        let expected =
            plain::causal_attention_backward(inputs(), &visibility, rule, gradient.clone());
        let found = plain::causal_attention_in_blocks_backward(
            inputs(),
            &visibility,
            rule,
            gradient.clone(),
            size,
        );
        for (found, expected) in found.into_iter().zip(expected) {
            let what = "gradient of attention in blocks";
            assert_near(&numbers(found), &numbers(expected), what);
        }
    }

    fn rotary_is_the_plain_body<B: AutodiffBackend + Kernels>(&self) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let tables = if self.branches { self.rows } else { 1 };
        let shape = [tables, 1, self.tokens, self.head_dim / 2];
        let rotary = Rotary::<B> {
            cos: random(&mut rng, shape),
            sin: random(&mut rng, shape),
        };
        let x = random::<B, 4>(
            &mut rng,
            [self.rows, self.tokens, self.kv_heads, self.head_dim],
        );
        assert_same::<B, 4, 4>(
            "rotary",
            &[x],
            |x| B::rotary(x[0].clone().swap_dims(1, 2), &rotary),
            |x| plain::rotary(x[0].clone().swap_dims(1, 2), &rotary),
        );
    }
}

/// Operations on `[n, width]`.
fn matrices_are_the_plain_bodies<B>(seed: u64, n: usize, width: usize, n_out: usize)
where
    B: AutodiffBackend<InnerBackend: Kernels> + Kernels,
{
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let x = random::<B, 2>(&mut rng, [n, width]);
    let y = random::<B, 2>(&mut rng, [n, width]) * 6.0;
    let weight = random::<B, 2>(&mut rng, [n_out, width]);
    let first = |x: &[Tensor<B, 2>]| [x[0].clone(), x[1].clone()];
    assert_same(
        "project",
        &[x.clone(), weight.clone()],
        |x| B::project(x[0].clone(), x[1].clone()),
        |x| plain::project(x[0].clone(), x[1].clone()),
    );
    for activation in [Activation::Silu, Activation::GeluTanh] {
        assert_same(
            "gated",
            &[y.clone(), x.clone()],
            |x| {
                let [gate, up] = first(x);
                B::gated(gate, up, activation)
            },
            |x| {
                let [gate, up] = first(x);
                plain::gated(gate, up, activation)
            },
        );
    }
    let norm = random::<B, 2>(&mut rng, [1, width]);
    assert_same(
        "rms norm",
        &[y, norm],
        |x| B::rms_norm(x[0].clone(), x[1].clone().reshape([width]), 1e-5),
        |x| plain::rms_norm(x[0].clone(), x[1].clone().reshape([width]), 1e-5),
    );
    let ids: Vec<i32> = (0..n).map(|_| rng.random_range(0..n_out as i32)).collect();
    let targets = Tensor::<B, 1, Int>::from_data(TensorData::new(ids, [n]), &Default::default());
    for softcap in [None, Some(3.0)] {
        let logits = |x: &[Tensor<B, 2>]| {
            let logits = x[0].clone().matmul(x[1].clone().transpose());
            match softcap {
                Some(cap) => (logits / cap).tanh() * cap,
                None => logits,
            }
        };
        let inputs = [x.clone() * 4.0, weight.clone()];
        let found = |x: &[Tensor<B, 2>]| {
            B::target_log_probs(x[0].clone(), x[1].clone(), softcap, targets.clone())
        };
        let expected = |x: &[Tensor<B, 2>]| token_log_probs(logits(x), targets.clone());
        assert_same::<B, 2, 1>("log-probs", &inputs, found, expected);
        // Without a gradient, logits are computed for a few targets at a time.
        let [x, head] = inputs.clone().map(|x| x.inner());
        let plain = numbers(expected(&inputs));
        let found = <B::InnerBackend as Kernels>::target_log_probs(
            x,
            head,
            softcap,
            targets.clone().inner(),
        );
        assert_near(&numbers(found), &plain, "log-probs without gradients");
    }
}

fn the_optimiser_is_the_plain_body<B: Kernels>(seed: u64, n: usize) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut values = || random::<B, 1>(&mut rng, [n]);
    let (parameter, gradient, first, second) = (values(), values(), values(), values().abs());
    let step = AdamWStep {
        step: 3,
        rate: 0.01,
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        weight_decay: 0.1,
        l2: 0.2,
        gradient_scale: 0.3,
    };
    let moments = || [first.clone(), second.clone()];
    let (found, found_moments) = B::adamw(parameter.clone(), gradient.clone(), moments(), &step);
    let (expected, expected_moments) =
        plain::adamw(parameter.clone(), gradient.clone(), moments(), &step);
    assert_near(&numbers(found), &numbers(expected), "adamw");
    for (found, expected) in found_moments.into_iter().zip(expected_moments) {
        assert_near(&numbers(found), &numbers(expected), "moment");
    }
    for (velocity, nesterov) in [
        (None, false),
        (Some(first.clone()), false),
        (Some(first), true),
    ] {
        let step = SgdStep {
            rate: 0.01,
            momentum: 0.9,
            nesterov,
            l2: 0.2,
            gradient_scale: 0.3,
        };
        let (found, found_velocity) =
            B::sgd(parameter.clone(), gradient.clone(), velocity.clone(), &step);
        let (expected, expected_velocity) =
            plain::sgd(parameter.clone(), gradient.clone(), velocity, &step);
        assert_near(&numbers(found), &numbers(expected), "sgd");
        let [found, expected] =
            [found_velocity, expected_velocity].map(|v| v.map(numbers).unwrap_or_default());
        assert_near(&found, &expected, "velocity");
    }
    let sum = B::add_into(parameter.clone(), gradient.clone());
    assert_near(&numbers(sum), &numbers(parameter + gradient.clone()), "sum");
    let squares = numbers(B::sum_of_squares(gradient.clone()));
    assert_near(&squares, &numbers(gradient.square().sum()), "squares");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn attention_and_rotary_are_their_plain_bodies(batch in batches()) {
        batch.attention_is_the_plain_body::<Autodiff<Flex>>();
        batch.attention_is_the_plain_body::<Autodiff<NdArray>>();
        batch.blocks_are_the_plain_body::<Flex>(32);
        batch.rotary_is_the_plain_body::<Autodiff<Flex>>();
        batch.rotary_is_the_plain_body::<Autodiff<NdArray>>();
    }

    #[test]
    fn operations_on_matrices_are_their_plain_bodies(
        seed in any::<u64>(),
        n in 1..200_usize,
        width in 1..130_usize,
        n_out in 1..300_usize,
    ) {
        matrices_are_the_plain_bodies::<Autodiff<Flex>>(seed, n, width, n_out);
        matrices_are_the_plain_bodies::<Autodiff<NdArray>>(seed, n, width, n_out);
    }

    #[test]
    fn the_optimisers_pass_is_its_plain_body(seed in any::<u64>(), n in 1..200_000_usize) {
        the_optimiser_is_the_plain_body::<Flex>(seed, n);
    }
}

/// The kernels of the GPU backends, on the device of wgpu. Sizes that are no multiple of a group of threads, more rows
/// than one, and all shapes of rotary tables. There are few cases, because every size compiles kernels.
#[cfg(feature = "wgpu")]
mod wgpu {
    use burn::backend::Wgpu;

    use super::*;

    #[test]
    fn operations_on_matrices_are_their_plain_bodies() {
        for (seed, [n, width, n_out]) in [[1, 1, 2], [130, 96, 300]].into_iter().enumerate() {
            matrices_are_the_plain_bodies::<Autodiff<Wgpu>>(seed as u64, n, width, n_out);
        }
    }

    #[test]
    fn attention_by_blocks_and_rotary_are_their_plain_bodies() {
        let batch = Batch {
            seed: 1,
            rows: 2,
            tokens: 33,
            before: 5,
            group: 2,
            kv_heads: 2,
            head_dim: 8,
            window: Some(12),
            branches: false,
            softcap: None,
        };
        batch.rotary_is_the_plain_body::<Autodiff<Wgpu>>();
        batch.blocks_are_the_plain_body::<Wgpu>(16);
        let batch = Batch {
            before: 0,
            branches: true,
            ..batch
        };
        batch.rotary_is_the_plain_body::<Autodiff<Wgpu>>();
    }

    #[test]
    fn the_optimisers_pass_is_its_plain_body() {
        for n in [1, 70_001] {
            the_optimiser_is_the_plain_body::<Wgpu>(2, n);
        }
    }
}

/// More logits than are computed at a time: the parts give what one product gives.
#[test]
fn log_probs_of_a_large_vocabulary_are_computed_in_parts() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (n, vocab) = (600, 20_000);
    let hidden = random::<Flex, 2>(&mut rng, [n, 4]);
    let head = random::<Flex, 2>(&mut rng, [vocab, 4]);
    let ids: Vec<i32> = (0..n).map(|i| (i * 997 % vocab) as i32).collect();
    let targets = Tensor::<Flex, 1, Int>::from_data(TensorData::new(ids, [n]), &Default::default());
    let found = Flex::target_log_probs(hidden.clone(), head.clone(), None, targets.clone());
    let expected = plain::log_probs_of_logits(hidden.matmul(head.transpose()), targets);
    assert_near(&numbers(found), &numbers(expected), "log-probs");
}
