//! The parameters of a Burn module by name. In: a module. Out: a call for each parameter, with its values on
//! the host.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData, backend::Backend};

/// Copies each float parameter of a module from its device, and passes its name and its values to `visit`. The
/// name is the path in the module, such as `model.layers.0.mlp.up_proj.weight`. The order is that of the
/// module.
///
/// # Errors
/// The first error of `visit`; no further parameter is then copied.
pub fn try_for_each_parameter<B: Backend, M: Module<B>, E>(
    module: &M,
    visit: impl FnMut(&str, TensorData) -> Result<(), E>,
) -> Result<(), E> {
    let mut visitor = Visitor {
        path: Vec::new(),
        visit,
        result: Ok(()),
    };
    module.visit(&mut visitor);
    visitor.result
}

struct Visitor<F, E> {
    path: Vec<String>,
    visit: F,
    result: Result<(), E>,
}

impl<B, F, E> ModuleVisitor<B> for Visitor<F, E>
where
    B: Backend,
    F: FnMut(&str, TensorData) -> Result<(), E>,
{
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        if self.result.is_ok() {
            self.result = (self.visit)(&self.path.join("."), param.val().into_data());
        }
    }
}
