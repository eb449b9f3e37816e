//! A forward pass in bfloat16 is as near to float32 as PyTorch's autocast, and its gradients as well.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::path::Path;

use burn::backend::{Autodiff, Flex};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{DType, Tensor, TensorData};
use pref_model::{Decoder, Policy, Precision, response_log_probs};

use crate::common::fixture;

type Cpu = Autodiff<Flex>;

/// All gradients of a backward pass, one after the other.
struct Gradients<'a, AB: AutodiffBackend> {
    gradients: &'a AB::Gradients,
    values: Vec<f32>,
}

impl<AB: AutodiffBackend> ModuleVisitor<AB> for Gradients<'_, AB> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<AB, D>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            assert_eq!(gradient.dtype(), DType::F32);
            self.values.extend(gradient.into_data().iter::<f32>());
        }
    }
}

/// Log-probs of a text, and the gradients of their sum.
fn measure(model: &Decoder<Cpu>) -> [Vec<f32>; 2] {
    let ids: Vec<i32> = (0..48).map(|i| (i * 37 + 11) % 250 + 3).collect();
    let tokens = Tensor::from_data(TensorData::new(ids, [1, 48]), &Default::default());
    let log_probs = response_log_probs(model, tokens, &[1..48]);
    let gradients = log_probs.clone().sum().backward();
    let mut visitor = Gradients::<Cpu> {
        gradients: &gradients,
        values: Vec::new(),
    };
    model.visit(&mut visitor);
    [
        log_probs.into_data().iter::<f32>().collect(),
        visitor.values,
    ]
}

fn norm(values: impl Iterator<Item = f32>) -> f64 {
    values
        .map(|x| f64::from(x) * f64::from(x))
        .sum::<f64>()
        .sqrt()
}

/// `autocast` is what PyTorch 2.15's autocast to bfloat16 differs by from float32 on the same text: the root mean square
/// of the differences of the log-probs, nats, and the norm of the differences of all gradients, relative to their norm.
#[track_caller]
fn check(model: Decoder<Cpu>, autocast: [f64; 2]) {
    let exact = measure(&model);
    let model = model.in_precision(Precision::Bf16).unwrap();
    let rounded = measure(&model);
    let differences = |k: usize| exact[k].iter().zip(&rounded[k]).map(|(a, b)| a - b);
    let log_probs = norm(differences(0)) / (exact[0].len() as f64).sqrt();
    let gradients = norm(differences(1)) / norm(exact[1].iter().copied());
    for (found, autocast) in [log_probs, gradients].into_iter().zip(autocast) {
        assert!(found > 0.1 * autocast, "{found}: this is not bfloat16");
        assert!(found < 1.5 * autocast, "{found}, autocast {autocast}");
    }
}

fn decoder(name: &str) -> Decoder<Cpu> {
    Decoder::load(&fixture(name), &Default::default()).unwrap()
}

#[test]
fn every_family_is_as_near_as_autocast() {
    check(decoder("llama"), [0.0758, 0.371]);
    check(decoder("gemma3"), [0.0119, 0.0217]);
    check(decoder("qwen2"), [0.0517, 0.197]);
    check(decoder("qwen3"), [0.00748, 0.0136]);
}

#[test]
fn adapters_are_rounded_as_well() {
    let adapter = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/adapters/dora");
    check(
        decoder("llama").load_lora(&adapter).unwrap(),
        [0.0676, 0.268],
    );
}
