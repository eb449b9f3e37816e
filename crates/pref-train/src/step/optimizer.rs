//! The optimiser. In: parameters and gradients by name. Out: the parameters after one step.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Tensor, backend::AutodiffBackend, backend::Backend};
use pref_model::{AdamWStep, Kernels, MuonStep, SgdStep};

use super::gradients::{NamedGradients, map_parameters, parameter_shapes};
use super::groups::Groups;
use super::rule::Rule;
use crate::error::TrainError;
use crate::plan::TrainPlan;

/// The optimiser of a plan, in the arithmetic of PyTorch. `train.optimizer` chooses the rule, and `train.groups`
/// changes the learning rate and the weight decay of some parameters.
///
/// Without a group, weight decay applies to matrices, embeddings included. It does not apply to parameters with
/// one axis, which are the weights of norms and the biases, except DoRA's magnitudes. This is also what the trainer
/// of `transformers` does.
#[derive(Clone, Debug)]
pub struct Optimizer<B: Backend> {
    plan: TrainPlan,
    groups: Groups,
    steps: u64,
    moments: BTreeMap<String, Moments<B>>,
}

/// What an optimiser keeps of the gradients of a parameter, flat, `[elements]`.
#[derive(Clone, Debug)]
pub(crate) struct Moments<B: Backend> {
    /// The running mean of the gradient, or the velocity of stochastic gradient descent.
    pub(crate) first: Tensor<B, 1>,
    /// The running mean of the squared gradient, for AdamW and Adam.
    pub(crate) second: Option<Tensor<B, 1>>,
}

impl<B: Kernels> Optimizer<B> {
    /// An optimiser of the parameters of `module` before its first step.
    ///
    /// # Errors
    /// [`TrainError`] if a pattern of `train.groups` fits no parameter, or only parameters of earlier groups.
    pub fn new<A: Backend, M: Module<A>>(plan: &TrainPlan, module: &M) -> Result<Self, TrainError> {
        Ok(Self {
            groups: Groups::of(plan, parameter_shapes(module).into_keys())?,
            plan: plan.clone(),
            steps: 0,
            moments: BTreeMap::new(),
        })
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
        map_parameters::<AB, M, _>(module, |name, shape, value| match gradients.remove(name) {
            Some(gradient) => self.update((name, shape), value, gradient, gradient_scale, rate),
            None => value,
        })
    }

    fn update(
        &mut self,
        (name, shape): (&str, &[usize]),
        value: Tensor<B, 1>,
        gradient: Tensor<B, 1>,
        gradient_scale: f64,
        rate: f64,
    ) -> Tensor<B, 1> {
        let plan = &self.plan;
        let rate = rate * self.groups.rate_factor(name);
        let weight_decay = self.groups.weight_decay(name, shape.len());
        let rule = Rule::of(plan, name, shape);
        let moments = match (self.moments.remove(name), rule.n_moments()) {
            (Some(moments), _) => Some(moments),
            (None, 0) => None,
            (None, n) => Some(Moments {
                first: gradient.zeros_like(),
                second: (n > 1).then(|| gradient.zeros_like()),
            }),
        };
        let (first, second) = moments.map_or((None, None), |m| (Some(m.first), m.second));
        let (updated, first, second) = match (rule, first, second) {
            (Rule::Adam { is_decoupled }, Some(first), Some(second)) => {
                let step = AdamWStep {
                    step: self.steps,
                    rate,
                    beta1: plan.adam_beta1,
                    beta2: plan.adam_beta2,
                    epsilon: plan.adam_epsilon,
                    weight_decay: if is_decoupled { weight_decay } else { 0.0 },
                    l2: if is_decoupled { 0.0 } else { weight_decay },
                    gradient_scale,
                };
                let (updated, [first, second]) = B::adamw(value, gradient, [first, second], &step);
                (updated, Some(first), Some(second))
            }
            (Rule::Muon(matrix), Some(first), _) => {
                let step = MuonStep {
                    rate,
                    adjusted_rate: rate * plan.muon_rate.unwrap_or_default().factor(matrix),
                    momentum: plan.momentum(),
                    nesterov: plan.nesterov(),
                    iterations: plan.muon_iterations(),
                    weight_decay,
                    gradient_scale,
                };
                let [value, gradient, first] =
                    [value, gradient, first].map(|flat| flat.reshape(matrix));
                let (updated, first) = B::muon(value, gradient, first, &step);
                (updated.reshape([-1]), Some(first.reshape([-1])), None)
            }
            (Rule::Sgd { .. }, velocity, _) => {
                let step = SgdStep {
                    rate,
                    momentum: plan.momentum(),
                    nesterov: plan.nesterov(),
                    l2: weight_decay,
                    gradient_scale,
                };
                let (updated, velocity) = B::sgd(value, gradient, velocity, &step);
                (updated, velocity, None)
            }
            (Rule::Adam { .. } | Rule::Muon(_), _, _) => {
                unreachable!("`restore` only takes moments that fit the rule of a parameter")
            }
        };
        if let Some(first) = first {
            let moments = Moments { first, second };
            self.moments.insert(name.to_owned(), moments);
        }
        updated
    }

    /// Number of steps so far.
    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    /// The moments of every parameter that has some.
    pub(crate) fn moments(&self) -> &BTreeMap<String, Moments<B>> {
        &self.moments
    }

    /// Sets the number of steps so far and the moments, which have to fit the parameters: see
    /// [`flaw_of_moments`].
    pub(crate) fn restore(&mut self, steps: u64, moments: BTreeMap<String, Moments<B>>) {
        self.steps = steps;
        self.moments = moments;
    }
}

/// Why these cannot be the moments after `steps` steps of the optimiser of a plan, for parameters of these shapes.
/// `None` if they can.
pub(crate) fn flaw_of_moments<B: Backend>(
    plan: &TrainPlan,
    steps: u64,
    shapes: &BTreeMap<String, Vec<usize>>,
    moments: &BTreeMap<String, Moments<B>>,
) -> Option<String> {
    for (name, Moments { first, second }) in moments {
        let n_moments = 1 + usize::from(second.is_some());
        let is_fit = shapes.get(name).is_some_and(|shape| {
            let n_elements: usize = shape.iter().product();
            let fits = |moment: &Tensor<B, 1>| moment.dims() == [n_elements];
            n_moments == Rule::of(plan, name, shape).n_moments()
                && fits(first)
                && second.as_ref().is_none_or(fits)
        });
        if !is_fit {
            return Some(format!("the moments of `{name}` do not fit the weights"));
        }
    }
    let needs = |name: &str, shape: &[usize]| Rule::of(plan, name, shape).n_moments() > 0;
    let missing = shapes
        .iter()
        .find(|(name, shape)| needs(name, shape) && !moments.contains_key(*name));
    match missing {
        Some((name, _)) if steps > 0 => Some(format!("it has no moments of `{name}`")),
        Some(_) | None => None,
    }
}
