//! Parameters that are not trained. In: a module, and patterns of names. Out: the module, whose parameters with
//! such names require no gradient.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, backend::Backend};

use crate::error::TrainError;
use crate::patterns::fitting_pattern;
use crate::step::parameter_shapes;

/// The policy with the parameters frozen that `train.freeze` names.
///
/// # Errors
/// [`TrainError`] if a pattern fits no parameter, or if none is left to train.
pub(super) fn freeze<B: Backend, M: Module<B>>(
    policy: M,
    patterns: &[String],
) -> Result<M, TrainError> {
    if patterns.is_empty() {
        return Ok(policy);
    }
    let names: Vec<String> = parameter_shapes(&policy).into_keys().collect();
    let mut compiled = Vec::new();
    for text in patterns {
        compiled.push(fitting_pattern("train.freeze", text, &names)?);
    }
    let is_frozen = |name: &str| compiled.iter().any(|pattern| pattern.matches(name));
    if names.iter().all(|name| is_frozen(name)) {
        return Err(TrainError::AllFrozen);
    }
    Ok(policy.map(&mut Freezer {
        path: Vec::new(),
        is_frozen,
    }))
}

struct Freezer<F> {
    path: Vec<String>,
    is_frozen: F,
}

impl<B: Backend, F: Fn(&str) -> bool> ModuleMapper<B> for Freezer<F> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        match (self.is_frozen)(&self.path.join(".")) {
            true => param.set_require_grad(false),
            false => param,
        }
    }
}
