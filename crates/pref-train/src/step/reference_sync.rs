//! A reference that follows the policy. In: the policy, and the frozen reference. Out: the reference with weights
//! between its own and those of the policy.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, backend::Backend};

/// The weights `alpha · policy + (1 − alpha) · reference` (TR-DPO, Gorbatovski et al. 2024, eq. 7).
///
/// # Panics
/// If the reference has a parameter that the policy does not have, or with another shape. The set-up of a run
/// refuses such a reference.
pub(super) fn mixed<B: Backend, M: Module<B>>(policy: &M, reference: M, alpha: f64) -> M {
    let mut values = Values::default();
    policy.visit(&mut values);
    reference.map(&mut Mixer {
        path: Vec::new(),
        policy: values.by_name,
        alpha,
    })
}

/// The flat values of every float parameter, by name.
struct Values<B: Backend> {
    path: Vec<String>,
    by_name: BTreeMap<String, Tensor<B, 1>>,
}

impl<B: Backend> Default for Values<B> {
    fn default() -> Self {
        Self {
            path: Vec::new(),
            by_name: BTreeMap::new(),
        }
    }
}

impl<B: Backend> ModuleVisitor<B> for Values<B> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let flat = param.val().reshape([-1]);
        self.by_name.insert(self.path.join("."), flat);
    }
}

struct Mixer<B: Backend> {
    path: Vec<String>,
    policy: BTreeMap<String, Tensor<B, 1>>,
    alpha: f64,
}

impl<B: Backend> ModuleMapper<B> for Mixer<B> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let name = self.path.join(".");
        let policy = self.policy.remove(&name);
        let policy = policy.expect("the reference has the parameters of the policy");
        let alpha = self.alpha;
        param.map(|reference| {
            let policy = policy.reshape(reference.dims());
            reference * (1.0 - alpha) + policy * alpha
        })
    }
}
