//! AdamW. In: parameters and gradients by name. Out: parameters one step on.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Tensor, backend::AutodiffBackend, backend::Backend};

use crate::parameters::{NamedGradients, map_parameters};
use crate::plan::TrainPlan;

/// AdamW (Loshchilov & Hutter 2019, algorithm 2), with the arithmetic of PyTorch's. Matrices decay,
/// embeddings among them; parameters of one axis, which are the scales of norms and the biases, do
/// not, as in `transformers`' trainer.
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

impl<B: Backend> AdamW<B> {
    /// An optimiser that has taken no step.
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

    /// One step at a learning rate. Parameters without a gradient stay as they are.
    pub fn step<AB, M>(&mut self, module: M, gradients: NamedGradients<B>, rate: f64) -> M
    where
        AB: AutodiffBackend<InnerBackend = B>,
        M: Module<AB>,
    {
        self.steps += 1;
        let mut gradients = gradients;
        map_parameters::<AB, M, _>(module, |name, axes, value| match gradients.remove(name) {
            Some(gradient) => {
                let weight_decay = if axes > 1 { self.weight_decay } else { 0.0 };
                self.update(name, value, gradient, rate, weight_decay)
            }
            None => value,
        })
    }

    fn update(
        &mut self,
        name: &str,
        value: Tensor<B, 1>,
        gradient: Tensor<B, 1>,
        rate: f64,
        weight_decay: f64,
    ) -> Tensor<B, 1> {
        let Moments { first, second } = self.moments.remove(name).unwrap_or_else(|| Moments {
            first: gradient.zeros_like(),
            second: gradient.zeros_like(),
        });
        let first = first.clone() + (gradient.clone() - first) * (1.0 - self.beta1);
        let second = second * self.beta2 + gradient.square() * (1.0 - self.beta2);

        let t = self.steps as f64;
        let correction1 = 1.0 - self.beta1.powf(t);
        let correction2 = (1.0 - self.beta2.powf(t)).sqrt();
        let denominator = second.clone().sqrt() / correction2 + self.epsilon;
        let decayed = if weight_decay == 0.0 {
            value
        } else {
            value * (1.0 - rate * weight_decay)
        };
        let updated = decayed - first.clone() / denominator * (rate / correction1);
        let moments = Moments { first, second };
        self.moments.insert(name.to_owned(), moments);
        updated
    }

    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    pub(crate) fn moments(&self) -> &BTreeMap<String, Moments<B>> {
        &self.moments
    }

    pub(crate) fn restore(&mut self, steps: u64, moments: BTreeMap<String, Moments<B>>) {
        self.steps = steps;
        self.moments = moments;
    }
}
