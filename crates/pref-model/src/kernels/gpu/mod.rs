//! Operations as kernels of the GPU backends, CUDA and wgpu. In: tensors in any number format. Out: the values of the
//! plain bodies, computed in float32.
//!
//! The kernels are written in CubeCL, so both backends have the same. Attention is made of Burn operations on blocks of
//! queries. The matrix products, SGD and Muon keep their plain bodies. Burn fuses operations where it can.

mod adamw;
mod gate;
mod launch;
mod log_probs;
mod norm;
mod operation;
mod rotary;

use burn::tensor::{DType, Int, Tensor};
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement};
use burn_fusion::Fusion;

use super::inputs::{AdamWStep, Rotary, ScoreRule};
use super::plain;
use super::tensors::{primitive, tensor};
use super::traits::Kernels;
use super::visibility::Visibility;
use crate::config::Activation;
use operation::operation;

/// The number format of results that keep the precision of the arithmetic.
const WIDE: DType = DType::F32;

/// Queries of a block of attention: enough for matrix products that keep a GPU busy.
const BLOCK: usize = 512;

impl<R, F, I, BT> Kernels for Fusion<CubeBackend<R, F, I, BT>>
where
    R: CubeRuntime,
    F: FloatElement,
    I: IntElement,
    BT: BoolElement,
{
    fn causal_attention(
        queries: Tensor<Self, 4>,
        keys: Tensor<Self, 4>,
        values: Tensor<Self, 4>,
        visibility: &Visibility,
        rule: ScoreRule,
    ) -> Tensor<Self, 4> {
        plain::causal_attention_in_blocks(queries, keys, values, visibility, rule, BLOCK)
    }

    fn causal_attention_backward(
        inputs: [Tensor<Self, 4>; 3],
        visibility: &Visibility,
        rule: ScoreRule,
        gradient: Tensor<Self, 4>,
    ) -> [Tensor<Self, 4>; 3] {
        plain::causal_attention_in_blocks_backward(inputs, visibility, rule, gradient, BLOCK)
    }

    fn rms_norm(x: Tensor<Self, 2>, weight: Tensor<Self, 1>, epsilon: f64) -> Tensor<Self, 2> {
        let output = (x.shape(), x.dtype());
        let inputs = [primitive(x), primitive(weight)];
        let [normed] =
            operation::<R, F, I, BT, _, 2, 1>("pref_rms_norm", inputs, [output], move |inputs| {
                norm::rms_norm(inputs, epsilon)
            });
        tensor(normed)
    }

    fn rms_norm_backward(
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 1>,
        epsilon: f64,
        gradient: Tensor<Self, 2>,
    ) -> (Tensor<Self, 2>, Tensor<Self, 1>) {
        let outputs = [(x.shape(), x.dtype()), (weight.shape(), WIDE)];
        let inputs = [primitive(x), primitive(weight), primitive(gradient)];
        let [of_x, of_weight] = operation::<R, F, I, BT, _, 3, 2>(
            "pref_rms_norm_backward",
            inputs,
            outputs,
            move |inputs| norm::rms_norm_backward(inputs, epsilon),
        );
        (tensor(of_x), tensor(of_weight))
    }

    fn rotary(x: Tensor<Self, 4>, rotary: &Rotary<Self>) -> Tensor<Self, 4> {
        let output = (x.shape(), x.dtype());
        let (cos, sin) = (rotary.cos.clone(), rotary.sin.clone());
        let inputs = [primitive(x), primitive(cos), primitive(sin)];
        let [rotated] =
            operation::<R, F, I, BT, _, 3, 1>("pref_rotary", inputs, [output], rotary::rotary);
        tensor(rotated)
    }

    fn gated(
        gate: Tensor<Self, 2>,
        up: Tensor<Self, 2>,
        activation: Activation,
    ) -> Tensor<Self, 2> {
        let output = (gate.shape(), gate.dtype());
        let inputs = [primitive(gate), primitive(up)];
        let [product] =
            operation::<R, F, I, BT, _, 2, 1>("pref_gated", inputs, [output], move |inputs| {
                gate::gated(inputs, activation)
            });
        tensor(product)
    }

    fn gated_backward(
        gate: Tensor<Self, 2>,
        up: Tensor<Self, 2>,
        activation: Activation,
        gradient: Tensor<Self, 2>,
    ) -> [Tensor<Self, 2>; 2] {
        let outputs = [(gate.shape(), gate.dtype()), (up.shape(), up.dtype())];
        let inputs = [primitive(gate), primitive(up), primitive(gradient)];
        let gradients = operation::<R, F, I, BT, _, 3, 2>(
            "pref_gated_backward",
            inputs,
            outputs,
            move |inputs| gate::gated_backward(inputs, activation),
        );
        gradients.map(tensor)
    }

    fn log_probs_of_logits(
        logits: Tensor<Self, 2>,
        targets: Tensor<Self, 1, Int>,
    ) -> Tensor<Self, 1> {
        let output = (targets.shape(), WIDE);
        let inputs = [primitive(logits), targets.into_primitive()];
        let [log_probs] = operation::<R, F, I, BT, _, 2, 1>(
            "pref_log_probs_of_logits",
            inputs,
            [output],
            log_probs::log_probs_of_logits,
        );
        tensor(log_probs)
    }

    fn logits_backward(
        logits: Tensor<Self, 2>,
        softcap: Option<f64>,
        targets: Tensor<Self, 1, Int>,
        log_probs: Tensor<Self, 1>,
        gradient: Tensor<Self, 1>,
    ) -> Tensor<Self, 2> {
        let output = (logits.shape(), logits.dtype());
        let inputs = [
            primitive(logits),
            targets.into_primitive(),
            primitive(log_probs),
            primitive(gradient),
        ];
        let [of_logits] = operation::<R, F, I, BT, _, 4, 1>(
            "pref_logits_backward",
            inputs,
            [output],
            move |inputs| log_probs::logits_backward(inputs, softcap),
        );
        tensor(of_logits)
    }

    fn adamw(
        parameter: Tensor<Self, 1>,
        gradient: Tensor<Self, 1>,
        [first, second]: [Tensor<Self, 1>; 2],
        step: &AdamWStep,
    ) -> (Tensor<Self, 1>, [Tensor<Self, 1>; 2]) {
        let outputs = [&parameter, &first, &second].map(|x| (x.shape(), x.dtype()));
        let inputs = [
            primitive(parameter),
            primitive(gradient),
            primitive(first),
            primitive(second),
        ];
        let step = *step;
        let [parameter, first, second] =
            operation::<R, F, I, BT, _, 4, 3>("pref_adamw", inputs, outputs, move |inputs| {
                adamw::adamw(inputs, &step)
            });
        (tensor(parameter), [tensor(first), tensor(second)])
    }
}
