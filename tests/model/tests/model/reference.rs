//! The tiny decoders compared with the reference implementation: log-probs of every token, logits of the last
//! position, and a greedy continuation with the key-value cache.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use burn::backend::{Autodiff, Flex, NdArray};
use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use pref_model::{Decoder, GenerateOptions, Kernels, Policy, generate, response_log_probs};
use serde::Deserialize;

use crate::common::{MODELS, fixture};

/// Largest allowed error of a log-prob, nats, or of a logit.
const TOLERANCE: f32 = 2e-4;
#[derive(Deserialize)]
struct Expected {
    cases: Vec<Case>,
    greedy: Greedy,
}

#[derive(Deserialize)]
struct Case {
    input_ids: Vec<i32>,
    log_probs: Vec<f32>,
    last_logits: Vec<f32>,
}

#[derive(Deserialize)]
struct Greedy {
    prompt: Vec<u32>,
    continuation: Vec<u32>,
}

fn row<B: Backend>(ids: &[i32]) -> Tensor<B, 2, Int> {
    let data = TensorData::new(ids.to_vec(), [1, ids.len()]);
    Tensor::from_data(data, &B::Device::default())
}

#[track_caller]
fn near(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    assert!(!expected.is_empty(), "{what}: nothing to compare");
    let error = found
        .iter()
        .zip(expected)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(error <= TOLERANCE, "{what}: off by {error}");
}

#[track_caller]
fn check<B: Kernels>() {
    for name in MODELS {
        let device = B::Device::default();
        let text = std::fs::read_to_string(fixture(name).join("expected.json")).unwrap();
        let expected: Expected = serde_json::from_str(&text).unwrap();
        assert_eq!(expected.cases.len(), 3, "{name}");
        let model = Decoder::<B>::load(&fixture(name), &device).unwrap();
        for case in &expected.cases {
            let tokens = row::<B>(&case.input_ids);
            let found = response_log_probs(&model, tokens.clone(), &[1..case.input_ids.len()]);
            let found: Vec<f32> = found.into_data().iter().collect();
            near(&format!("{name} log-probs"), &found, &case.log_probs);

            let hidden = model.hidden(tokens, &[]);
            let last = hidden.narrow(1, case.input_ids.len() - 1, 1);
            let logits = model.logits(last.reshape([1, -1]));
            let logits: Vec<f32> = logits.into_data().iter().collect();
            near(&format!("{name} logits"), &logits, &case.last_logits);
        }
        let options = GenerateOptions {
            max_new_tokens: expected.greedy.continuation.len(),
            ..GenerateOptions::default()
        };
        let found = generate(&model, &expected.greedy.prompt, &options).unwrap();
        assert_eq!(found, expected.greedy.continuation, "{name} greedy");
    }
}

#[test]
fn all_models_on_flex() {
    check::<Flex>();
}

#[test]
fn all_models_on_ndarray() {
    check::<NdArray>();
}

#[test]
fn all_models_under_autodiff() {
    check::<Autodiff<Flex>>();
}
