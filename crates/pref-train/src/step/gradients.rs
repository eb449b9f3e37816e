//! Gradients by parameter name. In: a Burn module and the gradients of a backward pass. Out: one flat
//! tensor per parameter. Its name is the path of the parameter in the module, such as
//! `model.layers.0.mlp.up_proj.weight`.
//!
//! The names give all runs the same order of parameters in accumulation, clipping and the optimiser.

use std::collections::BTreeMap;

use burn::module::{AutodiffModule, Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{ElementConversion, Tensor, backend::AutodiffBackend, backend::Backend};
use pref_model::{GradientSums, Kernels};

/// Gradients by parameter, flattened to `[elements]`.
#[derive(Clone, Debug)]
pub struct NamedGradients<B: Backend> {
    by_name: BTreeMap<String, Tensor<B, 1>>,
}

impl<B: Backend> Default for NamedGradients<B> {
    fn default() -> Self {
        Self {
            by_name: BTreeMap::new(),
        }
    }
}

impl<B: Kernels> NamedGradients<B> {
    /// Adds the gradients of a backward pass to the gradients so far.
    pub fn accumulate<AB, M>(&mut self, module: &M, mut gradients: AB::Gradients)
    where
        AB: GradientSums<InnerBackend = B>,
        M: AutodiffModule<AB>,
    {
        module.visit(&mut GradientVisitor {
            path: Path::default(),
            gradients: &mut gradients,
            into: self,
        });
    }

    /// Lends the sums so far to the next backward pass, which then needs no memory for gradients of its own. The
    /// next [`accumulate`](Self::accumulate), or [`take_back`](Self::take_back), takes them back.
    pub fn lend<AB, M>(&mut self, module: &M)
    where
        AB: GradientSums<InnerBackend = B>,
        M: AutodiffModule<AB>,
    {
        module.visit(&mut Lender {
            path: Path::default(),
            from: self,
        });
    }

    /// Takes lent sums back.
    pub fn take_back<AB, M>(&mut self, module: &M)
    where
        AB: GradientSums<InnerBackend = B>,
        M: AutodiffModule<AB>,
    {
        module.visit(&mut Taker {
            path: Path::default(),
            into: self,
        });
    }

    /// `√Σ g²` over all parameters, `[1]`. `None` if no parameter has a gradient.
    pub fn norm(&self) -> Option<Tensor<B, 1>> {
        let squares = self.by_name.values().map(|g| B::sum_of_squares(g.clone()));
        let squares: Vec<Tensor<B, 1>> = squares.collect();
        (!squares.is_empty()).then(|| Tensor::cat(squares, 0).sum().sqrt())
    }

    /// The first parameters whose gradients are not finite, at most `n`.
    pub(crate) fn not_finite(&self, n: usize) -> Vec<String> {
        let is_finite = |gradient: &Tensor<B, 1>| {
            let sum = B::sum_of_squares(gradient.clone()).into_scalar();
            sum.elem::<f32>().is_finite()
        };
        let all = self.by_name.iter().filter(|(_, g)| !is_finite(g));
        all.map(|(name, _)| name.clone()).take(n).collect()
    }

    /// Takes the gradient of a parameter out, `[elements]`.
    pub(crate) fn remove(&mut self, name: &str) -> Option<Tensor<B, 1>> {
        self.by_name.remove(name)
    }
}

/// The shape of every float parameter that is trained, by name.
pub(crate) fn parameter_shapes<B: Backend, M: Module<B>>(
    module: &M,
) -> BTreeMap<String, Vec<usize>> {
    shapes(module, true)
}

/// The shape of every float parameter by name, frozen ones included.
pub(crate) fn all_shapes<B: Backend, M: Module<B>>(module: &M) -> BTreeMap<String, Vec<usize>> {
    shapes(module, false)
}

fn shapes<B: Backend, M: Module<B>>(
    module: &M,
    only_trained: bool,
) -> BTreeMap<String, Vec<usize>> {
    let mut shapes = Shapes {
        path: Path::default(),
        only_trained,
        by_name: BTreeMap::new(),
    };
    module.visit(&mut shapes);
    shapes.by_name
}

struct Shapes {
    path: Path,
    only_trained: bool,
    by_name: BTreeMap<String, Vec<usize>>,
}

impl<B: Backend> ModuleVisitor<B> for Shapes {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let value = param.val();
        if value.is_require_grad() || !self.only_trained {
            self.by_name.insert(self.path.name(), value.dims().to_vec());
        }
    }
}

/// Replaces every float parameter that is trained by `update(name, shape, flat value)`.
pub(crate) fn map_parameters<AB, M, F>(module: M, update: F) -> M
where
    AB: AutodiffBackend,
    M: Module<AB>,
    F: FnMut(&str, &[usize], Tensor<AB::InnerBackend, 1>) -> Tensor<AB::InnerBackend, 1>,
{
    module.map(&mut Updater {
        path: Path::default(),
        update,
    })
}

/// The names from the root of a module to a parameter.
#[derive(Default)]
struct Path(Vec<String>);

impl Path {
    fn enter(&mut self, name: &str) {
        self.0.push(name.to_owned());
    }

    fn exit(&mut self) {
        self.0.pop();
    }

    fn name(&self) -> String {
        self.0.join(".")
    }
}

struct GradientVisitor<'a, AB: GradientSums<InnerBackend: Kernels>> {
    path: Path,
    gradients: &'a mut AB::Gradients,
    into: &'a mut NamedGradients<AB::InnerBackend>,
}

impl<AB: GradientSums<InnerBackend: Kernels>> ModuleVisitor<AB> for GradientVisitor<'_, AB> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<AB, D>>) {
        // Taken out, so that the sum owns it and can be written in place.
        let gradient = param.val().grad_remove(self.gradients);
        let gradient = gradient.map(|gradient| gradient.reshape([-1]));
        let name = self.path.name();
        let lent = AB::take_sum(param.val());
        let sum = match (lent.or_else(|| self.into.by_name.remove(&name)), gradient) {
            (Some(sum), Some(gradient)) => AB::InnerBackend::add_into(sum, gradient),
            (Some(sum), None) => sum,
            (None, Some(gradient)) => gradient,
            (None, None) => return,
        };
        self.into.by_name.insert(name, sum);
    }
}

struct Lender<'a, B: Backend> {
    path: Path,
    from: &'a mut NamedGradients<B>,
}

impl<AB: GradientSums<InnerBackend: Kernels>> ModuleVisitor<AB> for Lender<'_, AB::InnerBackend> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<AB, D>>) {
        if let Some(sum) = self.from.by_name.remove(&self.path.name()) {
            AB::lend_sum(param.val(), sum);
        }
    }
}

struct Taker<'a, B: Backend> {
    path: Path,
    into: &'a mut NamedGradients<B>,
}

impl<AB: GradientSums<InnerBackend: Kernels>> ModuleVisitor<AB> for Taker<'_, AB::InnerBackend> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<AB, D>>) {
        if let Some(sum) = AB::take_sum(param.val()) {
            self.into.by_name.insert(self.path.name(), sum);
        }
    }
}

struct Updater<F> {
    path: Path,
    update: F,
}

impl<AB, F> ModuleMapper<AB> for Updater<F>
where
    AB: AutodiffBackend,
    F: FnMut(&str, &[usize], Tensor<AB::InnerBackend, 1>) -> Tensor<AB::InnerBackend, 1>,
{
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<AB, D>>) -> Param<Tensor<AB, D>> {
        if !param.is_require_grad() {
            return param;
        }
        let (id, tensor, mapper) = param.consume();
        let dims = tensor.dims();
        let flat = tensor.inner().reshape([-1]);
        let updated = (self.update)(&self.path.name(), &dims, flat).reshape(dims);
        let tensor = Tensor::from_inner(updated).require_grad();
        Param::from_mapped_value(id, tensor, mapper)
    }
}
