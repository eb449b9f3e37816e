//! Operations on the buffers of the CPU backend `flex`, with vector instructions and threads. In: tensors of
//! `Flex` in float32. Out: the values of the plain bodies, which also take over for other number formats.
//!
//! A result does not depend on the number of threads: sums are divided into parts of a fixed size.

mod attention;
mod blocks;
mod buffers;
mod gate;
mod lanes;
mod log_probs;
mod norm;
mod optimizer;
mod parallel;
mod product;
mod project;
mod project_rows;
mod rotary;
mod shared;
mod texts;

use std::ops::Range;

use burn::backend::Flex;
use burn::tensor::{Int, Tensor};

use super::inputs::{AdamWStep, Rotary, ScoreRule, SgdStep};
use super::plain;
use super::texts::{KeyValues, Texts};
use super::traits::{CPU_TOKENS_OF_A_PASS, Kernels};
use super::visibility::Visibility;
use crate::config::Activation;
use buffers::is_f32;

impl Kernels for Flex {
    const TOKENS_OF_A_PASS: Option<Range<usize>> = Some(CPU_TOKENS_OF_A_PASS);

    fn refusal_of_bf16(_: &Self::Device) -> Option<&'static str> {
        Some(plain::BF16_ON_A_CPU)
    }

    fn project(x: Tensor<Self, 2>, weight: Tensor<Self, 2>) -> Tensor<Self, 2> {
        match is_f32(&[&x, &weight]) {
            true => project::project(x, weight),
            false => plain::project(x, weight),
        }
    }

    fn project_backward(
        x: Option<Tensor<Self, 2>>,
        weight: Option<Tensor<Self, 2>>,
        gradient: Tensor<Self, 2>,
    ) -> [Option<Tensor<Self, 2>>; 2] {
        match is_f32(&[&gradient]) {
            true => project::project_backward(x, weight, gradient),
            false => plain::project_backward(x, weight, gradient),
        }
    }

    fn project_backward_into(
        sum: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        gradient: Tensor<Self, 2>,
    ) -> Tensor<Self, 2> {
        match is_f32(&[&sum, &x, &gradient]) {
            true => project::project_backward_into(sum, x, gradient),
            false => plain::project_backward_into(sum, x, gradient),
        }
    }

    fn project_rows(x: Tensor<Self, 2>, weight: Tensor<Self, 2>) -> Tensor<Self, 2> {
        match is_f32(&[&x, &weight]) {
            true => project_rows::project_rows(x, weight),
            false => plain::project(x, weight),
        }
    }

    fn attention_of_texts(
        new: [Tensor<Self, 3>; 3],
        cache: &mut KeyValues<Self>,
        texts: &Texts,
        window: Option<usize>,
        rule: ScoreRule,
    ) -> Tensor<Self, 3> {
        match is_f32(&new.each_ref()) {
            true => texts::attention_of_texts(new, cache, texts, window, rule),
            false => plain::attention_of_texts(new, cache, texts, window, rule),
        }
    }

    fn causal_attention(
        queries: Tensor<Self, 4>,
        keys: Tensor<Self, 4>,
        values: Tensor<Self, 4>,
        visibility: &Visibility,
        rule: ScoreRule,
    ) -> Tensor<Self, 4> {
        match rule.softcap.is_none() && is_f32(&[&queries, &keys, &values]) {
            true => attention::causal_attention([queries, keys, values], visibility, rule.scale),
            false => plain::causal_attention(queries, keys, values, visibility, rule),
        }
    }

    fn causal_attention_backward(
        inputs: [Tensor<Self, 4>; 3],
        visibility: &Visibility,
        rule: ScoreRule,
        gradient: Tensor<Self, 4>,
    ) -> [Tensor<Self, 4>; 3] {
        match rule.softcap.is_none() && is_f32(&[&gradient]) {
            true => attention::causal_attention_backward(inputs, visibility, rule.scale, gradient),
            false => plain::causal_attention_backward(inputs, visibility, rule, gradient),
        }
    }

    fn rms_norm(x: Tensor<Self, 2>, weight: Tensor<Self, 1>, epsilon: f64) -> Tensor<Self, 2> {
        match is_f32(&[&x]) {
            true => norm::rms_norm(x, weight, epsilon),
            false => plain::rms_norm(x, weight, epsilon),
        }
    }

    fn rms_norm_backward(
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 1>,
        epsilon: f64,
        gradient: Tensor<Self, 2>,
    ) -> (Tensor<Self, 2>, Tensor<Self, 1>) {
        match is_f32(&[&x]) {
            true => norm::rms_norm_backward(x, weight, epsilon, gradient),
            false => plain::rms_norm_backward(x, weight, epsilon, gradient),
        }
    }

    fn rotary(x: Tensor<Self, 4>, rotary: &Rotary<Self>) -> Tensor<Self, 4> {
        match is_f32(&[&x]) {
            true => rotary::rotary(x, rotary),
            false => plain::rotary(x, rotary),
        }
    }

    fn gated(
        gate: Tensor<Self, 2>,
        up: Tensor<Self, 2>,
        activation: Activation,
    ) -> Tensor<Self, 2> {
        match is_f32(&[&gate, &up]) {
            true => gate::gated(gate, up, activation),
            false => plain::gated(gate, up, activation),
        }
    }

    fn gated_backward(
        gate: Tensor<Self, 2>,
        up: Tensor<Self, 2>,
        activation: Activation,
        gradient: Tensor<Self, 2>,
    ) -> [Tensor<Self, 2>; 2] {
        match is_f32(&[&gate, &up]) {
            true => gate::gated_backward(gate, up, activation, gradient),
            false => plain::gated_backward(gate, up, activation, gradient),
        }
    }

    fn target_log_probs(
        hidden: Tensor<Self, 2>,
        head: Tensor<Self, 2>,
        softcap: Option<f64>,
        targets: Tensor<Self, 1, Int>,
    ) -> Tensor<Self, 1> {
        log_probs::target_log_probs(hidden, head, softcap, targets)
    }

    fn log_probs_of_logits(
        logits: Tensor<Self, 2>,
        targets: Tensor<Self, 1, Int>,
    ) -> Tensor<Self, 1> {
        match is_f32(&[&logits]) {
            true => log_probs::log_probs_of_logits(logits, targets),
            false => plain::log_probs_of_logits(logits, targets),
        }
    }

    fn logits_backward(
        logits: Tensor<Self, 2>,
        softcap: Option<f64>,
        targets: Tensor<Self, 1, Int>,
        log_probs: Tensor<Self, 1>,
        gradient: Tensor<Self, 1>,
    ) -> Tensor<Self, 2> {
        match is_f32(&[&logits]) {
            true => log_probs::logits_backward(logits, softcap, targets, log_probs, gradient),
            false => plain::logits_backward(logits, softcap, targets, log_probs, gradient),
        }
    }

    fn adamw(
        parameter: Tensor<Self, 1>,
        gradient: Tensor<Self, 1>,
        moments: [Tensor<Self, 1>; 2],
        step: &AdamWStep,
    ) -> (Tensor<Self, 1>, [Tensor<Self, 1>; 2]) {
        match is_f32(&[&parameter]) {
            true => optimizer::adamw(parameter, gradient, moments, step),
            false => plain::adamw(parameter, gradient, moments, step),
        }
    }

    fn sgd(
        parameter: Tensor<Self, 1>,
        gradient: Tensor<Self, 1>,
        velocity: Option<Tensor<Self, 1>>,
        step: &SgdStep,
    ) -> (Tensor<Self, 1>, Option<Tensor<Self, 1>>) {
        match is_f32(&[&parameter]) {
            true => optimizer::sgd(parameter, gradient, velocity, step),
            false => plain::sgd(parameter, gradient, velocity, step),
        }
    }

    fn sum_of_squares(x: Tensor<Self, 1>) -> Tensor<Self, 1> {
        match is_f32(&[&x]) {
            true => optimizer::sum_of_squares(x),
            false => x.square().sum(),
        }
    }

    fn add_into(a: Tensor<Self, 1>, b: Tensor<Self, 1>) -> Tensor<Self, 1> {
        match is_f32(&[&a]) {
            true => optimizer::add_into(a, b),
            false => a + b,
        }
    }
}
