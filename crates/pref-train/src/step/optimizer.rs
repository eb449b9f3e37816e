//! AdamW. In: parameters and gradients by name. Out: the parameters after one step.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Tensor, backend::AutodiffBackend, backend::Backend};
use pref_model::{AdamWStep, Kernels};

use super::gradients::{NamedGradients, map_parameters};
use crate::plan::TrainPlan;

/// End of the name of DoRA's magnitudes. They have one axis, but the trainer of `transformers` decays them.
const MAGNITUDE: &str = ".lora.magnitude";

/// AdamW (Loshchilov & Hutter 2019, algorithm 2), in the arithmetic of PyTorch. Weight decay applies to
/// matrices, embeddings included. It does not apply to parameters with one axis, which are the weights of
/// norms and the biases, except DoRA's magnitudes. This is also what the trainer of `transformers` does.
#[derive(Clone, Debug)]
pub struct AdamW<B: Backend> {
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    weight_decay: f64,
    steps: u64,
    moments: BTreeMap<String, Moments<B>>,
}

/// The running means of a parameter's gradient and of its square, flat, `[elements]`.
#[derive(Clone, Debug)]
pub(crate) struct Moments<B: Backend> {
    pub(crate) first: Tensor<B, 1>,
    pub(crate) second: Tensor<B, 1>,
}

impl<B: Kernels> AdamW<B> {
    /// An optimiser before its first step.
    pub fn new(plan: &TrainPlan) -> Self {
        Self {
            beta1: plan.adam_beta1,
            beta2: plan.adam_beta2,
            epsilon: plan.adam_epsilon,
            weight_decay: plan.weight_decay,
            steps: 0,
            moments: BTreeMap::new(),
        }
    }

    /// Takes one step with the learning rate `rate`. Gradients are multiplied by `gradient_scale` first, which
    /// clips them. Parameters without a gradient do not change.
    ///
    /// The values of the parameters are changed in place if `module` is their only owner.
    pub fn step<AB, M>(
        &mut self,
        module: M,
        gradients: NamedGradients<B>,
        gradient_scale: f64,
        rate: f64,
    ) -> M
    where
        AB: AutodiffBackend<InnerBackend = B>,
        M: Module<AB>,
    {
        self.steps += 1;
        let mut gradients = gradients;
        map_parameters::<AB, M, _>(module, |name, axes, value| match gradients.remove(name) {
            Some(gradient) => {
                let decays = axes > 1 || name.ends_with(MAGNITUDE);
                let weight_decay = if decays { self.weight_decay } else { 0.0 };
                let step = AdamWStep {
                    step: self.steps,
                    rate,
                    beta1: self.beta1,
                    beta2: self.beta2,
                    epsilon: self.epsilon,
                    weight_decay,
                    gradient_scale,
                };
                self.update(name, value, gradient, &step)
            }
            None => value,
        })
    }

    fn update(
        &mut self,
        name: &str,
        value: Tensor<B, 1>,
        gradient: Tensor<B, 1>,
        step: &AdamWStep,
    ) -> Tensor<B, 1> {
        let Moments { first, second } = self.moments.remove(name).unwrap_or_else(|| Moments {
            first: gradient.zeros_like(),
            second: gradient.zeros_like(),
        });
        let (updated, [first, second]) = B::adamw(value, gradient, [first, second], step);
        let moments = Moments { first, second };
        self.moments.insert(name.to_owned(), moments);
        updated
    }

    /// Number of steps so far.
    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    /// The moments of every parameter.
    pub(crate) fn moments(&self) -> &BTreeMap<String, Moments<B>> {
        &self.moments
    }

    /// Sets the number of steps so far and the moments.
    pub(crate) fn restore(&mut self, steps: u64, moments: BTreeMap<String, Moments<B>>) {
        self.steps = steps;
        self.moments = moments;
    }
}
