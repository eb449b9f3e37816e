//! Parameters that are not trained. In: a module, and patterns of names. Out: the module, whose parameters with
//! such names require no gradient.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, backend::Backend};
use glob::Pattern;

use crate::error::TrainError;
use crate::plan::PlanError;
use crate::step::parameter_sizes;

/// Number of names that an error lists.
const LISTED: usize = 3;

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
    let names: Vec<String> = parameter_sizes(&policy).into_keys().collect();
    let mut compiled = Vec::new();
    for text in patterns {
        let pattern = Pattern::new(text).map_err(|error| PlanError::Value {
            key: "train.freeze".to_owned(),
            message: format!("`{text}` is not a pattern: {}", error.msg),
        })?;
        if !names.iter().any(|name| pattern.matches(name)) {
            return Err(TrainError::NothingFrozen {
                pattern: text.clone(),
                similar: similar(text, &names),
            });
        }
        compiled.push(pattern);
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

/// The names that are most similar to a pattern: each part of the pattern is compared with the parts of a name.
fn similar(pattern: &str, names: &[String]) -> String {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    let of_part = |part: &str, name: &str| {
        let parts = name
            .split('.')
            .map(|other| strsim::jaro_winkler(part, other));
        parts.fold(0.0, f64::max)
    };
    let distance = |name: &&str| {
        let parts = pattern
            .split('.')
            .filter(|part| part.contains(char::is_alphabetic));
        let similarity: f64 = parts.map(|part| of_part(part, name)).sum();
        (similarity * -1e6) as i64
    };
    names.sort_by_key(distance);
    names.truncate(LISTED);
    names.join(", ")
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
