//! Properties of every decoder: padding, batching and the cache change nothing, gradients equal finite
//! differences, and sampling follows its settings.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::ops::Range;

use burn::backend::{Autodiff, Flex};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use pref_model::{Decoder, GenerateError, GenerateOptions, Policy, generate, response_log_probs};

use crate::common::{FAMILIES, fixture};

fn load<B: Backend>(name: &str) -> Decoder<B> {
    Decoder::load(&fixture(name), &B::Device::default()).unwrap()
}

fn rows<B: Backend>(rows: &[&[i32]]) -> Tensor<B, 2, Int> {
    let width = rows.iter().map(|row| row.len()).max().unwrap();
    let padded: Vec<i32> = rows
        .iter()
        .flat_map(|row| {
            row.iter()
                .copied()
                .chain(std::iter::repeat_n(9, width - row.len()))
        })
        .collect();
    let data = TensorData::new(padded, [rows.len(), width]);
    Tensor::from_data(data, &B::Device::default())
}

/// Log-probs of the response of each row, without padding.
fn scores(model: &Decoder<Flex>, batch: &[(&[i32], Range<usize>)]) -> Vec<Vec<f32>> {
    let ids: Vec<&[i32]> = batch.iter().map(|(ids, _)| *ids).collect();
    let responses: Vec<Range<usize>> = batch.iter().map(|(_, r)| r.clone()).collect();
    let values = response_log_probs(model, rows(&ids), &responses);
    let [_, width] = values.dims();
    let values: Vec<f32> = values.into_data().iter().collect();
    assert_eq!(values.len(), width * responses.len());
    let cut = |(row, r): (&[f32], &Range<usize>)| row[..r.len()].to_vec();
    values.chunks(width).zip(&responses).map(cut).collect()
}

fn near(a: &[f32], b: &[f32], allowed: f32) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= allowed, "{a} {b}");
    }
}

#[test]
fn a_batch_gives_each_row_what_it_gets_alone() {
    // Longer than the windows of 24 tokens.
    let long: Vec<i32> = (0..60).map(|i| 5 + i * 37 % 900).collect();
    let short: Vec<i32> = (0..11).map(|i| 700 - i * 31).collect();
    for name in FAMILIES {
        let model = load::<Flex>(name);
        let together = scores(&model, &[(&long, 3..60), (&short, 4..9)]);
        let alone = [
            scores(&model, &[(&long, 3..60)]).remove(0),
            scores(&model, &[(&short, 4..9)]).remove(0),
        ];
        assert_eq!(together.len(), alone.len());
        for (a, b) in together.iter().zip(&alone) {
            near(a, b, 2e-5);
        }
        // The log-probs of a response are the first ones of every longer response.
        near(
            &scores(&model, &[(&long, 1..60)])[0][2..],
            &together[0],
            2e-5,
        );
    }
}

#[test]
fn the_cache_changes_nothing() {
    let prompt: Vec<u32> = (0..30).map(|i| 5 + i * 29 % 900).collect();
    for name in FAMILIES {
        let model = load::<Flex>(name);
        let options = GenerateOptions {
            max_new_tokens: 12,
            ..GenerateOptions::default()
        };
        let with_cache = generate(&model, &prompt, &options).unwrap();
        let mut ids: Vec<i32> = prompt.iter().map(|&id| id as i32).collect();
        for next in with_cache {
            let n = ids.len();
            let hidden = model.hidden(rows(&[&ids]), &[]).narrow(1, n - 1, 1);
            let logits = model.logits(hidden.reshape([1, -1]));
            let likeliest = logits.argmax(1).into_data().iter::<i64>().next().unwrap();
            assert_eq!(likeliest, i64::from(next), "{name}");
            ids.push(next as i32);
        }
    }
}

/// Adds `by` times a direction to one parameter.
struct Nudge<'a> {
    /// Index of the parameter to change.
    turn: usize,
    by: f32,
    direction: &'a [f32],
    /// Number of parameters visited so far.
    seen: usize,
}

impl<B: Backend> ModuleMapper<B> for Nudge<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let (id, tensor, mapper) = param.consume();
        let is_turn = self.seen == self.turn;
        self.seen += 1;
        if !is_turn {
            return Param::from_mapped_value(id, tensor, mapper);
        }
        let direction = TensorData::new(self.direction.to_vec(), tensor.dims());
        let direction = Tensor::from_data(direction, &tensor.device());
        Param::from_mapped_value(id, tensor + direction * self.by, mapper)
    }
}

/// The gradient of every parameter, in their order.
struct Gradients<'a> {
    gradients: &'a <Autodiff<Flex> as burn::tensor::backend::AutodiffBackend>::Gradients,
    found: Vec<Vec<f32>>,
}

impl burn::module::ModuleVisitor<Autodiff<Flex>> for Gradients<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Autodiff<Flex>, D>>) {
        let gradient = param.val().grad(self.gradients).unwrap();
        self.found.push(gradient.into_data().iter().collect());
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let ids: Vec<i32> = (0..40).map(|i| 5 + i * 37 % 900).collect();
    for name in FAMILIES {
        let model = load::<Autodiff<Flex>>(name);
        let loss = response_log_probs(&model, rows(&[&ids]), &[5..40]).mean();
        let mut visitor = Gradients {
            gradients: &loss.backward(),
            found: Vec::new(),
        };
        model.visit(&mut visitor);
        let plain = load::<Flex>(name);
        for (turn, gradient) in visitor.found.iter().enumerate() {
            // Along the gradient, the slope of the loss is the norm of the gradient.
            let norm = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
            let direction: Vec<f32> = gradient.iter().map(|g| g / norm).collect();
            let value = |by: f32| {
                let nudged = plain.clone().map(&mut Nudge {
                    turn,
                    by,
                    direction: &direction,
                    seen: 0,
                });
                let loss = response_log_probs(&nudged, rows(&[&ids]), &[5..40]);
                let values: Vec<f32> = loss.into_data().iter().collect();
                values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64
            };
            // Large enough for the precision of f32, small enough for a straight line.
            let step = (5e-3 / norm).min(2e-3);
            let found = (value(step) - value(-step)) / f64::from(2.0 * step);
            let norm = f64::from(norm);
            // f32 represents the mean of 35 log-probs to about 1e-6.
            assert!(
                (found - norm).abs() <= 5e-4 + 0.03 * norm,
                "{name}, parameter {turn}: norm {norm}, by differences {found}"
            );
        }
    }
}

#[test]
fn sampling_follows_its_settings() {
    let model = load::<Flex>("llama");
    let sample = |temperature: f64, top_p: f64, top_k: usize, seed: u64| {
        let options = GenerateOptions {
            max_new_tokens: 16,
            temperature,
            top_p,
            top_k,
            seed,
            ..GenerateOptions::default()
        };
        generate(&model, &[5, 6, 7], &options).unwrap()
    };
    let greedy = sample(0.0, 1.0, 0, 0);
    assert_eq!(sample(1.0, 1.0, 0, 3), sample(1.0, 1.0, 0, 3));
    assert_ne!(sample(1.0, 1.0, 0, 3), sample(1.0, 1.0, 0, 4));
    assert_eq!(sample(1.0, 1.0, 1, 3), greedy);
    assert_eq!(sample(1.0, 1e-9, 0, 3), greedy);
    assert_eq!(sample(1e-6, 1.0, 0, 3), greedy);
}

#[test]
fn generation_stops_at_a_stop_id_and_at_the_last_position() {
    let model = load::<Flex>("llama");
    let greedy = generate(&model, &[5, 6, 7], &GenerateOptions::default()).unwrap();
    let stop = GenerateOptions {
        stop_ids: vec![greedy[2]],
        ..GenerateOptions::default()
    };
    let stopped = generate(&model, &[5, 6, 7], &stop).unwrap();
    assert!(stopped.len() <= 3 && greedy.starts_with(&stopped));

    let options = GenerateOptions::default();
    let fails = |prompt: &[u32]| generate(&model, prompt, &options).unwrap_err();
    assert!(matches!(fails(&[]), GenerateError::EmptyPrompt));
    assert!(matches!(fails(&[5000]), GenerateError::UnknownToken { .. }));
    assert!(matches!(fails(&vec![5; 512]), GenerateError::NoRoom { .. }));
    let near_the_end = generate(&model, &vec![5; 500], &options).unwrap();
    assert_eq!(near_the_end.len(), 12);
}
