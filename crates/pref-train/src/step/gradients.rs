//! Gradients by parameter name. In: a Burn module and the gradients of a backward pass. Out: one flat
//! tensor per parameter. Its name is the path of the parameter in the module, such as
//! `model.layers.0.mlp.up_proj.weight`.
//!
//! The names give all runs the same order of parameters in accumulation, clipping and the optimiser.

use std::collections::BTreeMap;

use burn::module::{AutodiffModule, Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{
    ElementConversion, Tensor, TensorData, backend::AutodiffBackend, backend::Backend,
};
use pref_model::{GradientSums, Kernels};

use crate::ranks::{Ranks, RanksError};

/// Number of values that ranks sum together, unless a parameter has more. Many small sums take longer than few large
/// ones.
pub(crate) const VALUES_OF_A_SUM: usize = 1 << 24;

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
        module.visit(&mut Collector {
            path: Path::default(),
            gradients: Some(&mut gradients),
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
        module.visit(&mut Collector::<AB> {
            path: Path::default(),
            gradients: None,
            into: self,
        });
    }

    /// `√Σ g²` over all parameters, `[1]`. `None` if no parameter has a gradient.
    pub fn norm(&self) -> Option<Tensor<B, 1>> {
        let squares = self.by_name.values().map(|g| B::sum_of_squares(g.clone()));
        let squares: Vec<Tensor<B, 1>> = squares.collect();
        (!squares.is_empty()).then(|| Tensor::cat(squares, 0).sum().sqrt())
    }

    /// `Σ g · other` over all parameters.
    pub(crate) fn dot(&self, other: &Self) -> f64 {
        let both = self.by_name.iter().filter_map(|(name, own)| {
            let other = other.by_name.get(name)?;
            Some((own.clone() * other.clone()).sum())
        });
        let products: Vec<Tensor<B, 1>> = both.collect();
        match products.is_empty() {
            true => 0.0,
            // A sum of few large numbers of both signs, so in double precision.
            false => Tensor::cat(products, 0).into_data().iter::<f64>().sum(),
        }
    }

    /// Adds `factor · other`.
    pub(crate) fn add_scaled(&mut self, other: Self, factor: f64) {
        for (name, gradient) in other.by_name {
            let scaled = gradient * factor;
            let sum = match self.by_name.remove(&name) {
                Some(own) => own + scaled,
                None => scaled,
            };
            self.by_name.insert(name, sum);
        }
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

    /// Replaces the gradients by their sums over all ranks. `shapes` has the shape of every parameter
    /// that is trained. A parameter that has a gradient on some ranks only counts as 0 on the others.
    ///
    /// The values go through the memory of the host.
    pub(crate) fn sum_over(
        &mut self,
        ranks: &dyn Ranks,
        shapes: &BTreeMap<String, Vec<usize>>,
        device: &B::Device,
    ) -> Result<(), RanksError> {
        let own: Vec<bool> = shapes
            .keys()
            .map(|name| self.by_name.contains_key(name))
            .collect();
        let all = ranks.share(own)?;
        let is_anywhere = |i: usize| all.iter().any(|present| present[i]);
        let mut group = Vec::new();
        let mut n = 0;
        for (i, (name, shape)) in shapes.iter().enumerate() {
            let size = shape.iter().product();
            if !is_anywhere(i) {
                continue;
            }
            if n > 0 && n + size > VALUES_OF_A_SUM {
                self.sum_group(ranks, &std::mem::take(&mut group), device)?;
                n = 0;
            }
            group.push((name.as_str(), size));
            n += size;
        }
        self.sum_group(ranks, &group, device)
    }

    /// Sums the gradients of some parameters in one buffer.
    fn sum_group(
        &mut self,
        ranks: &dyn Ranks,
        group: &[(&str, usize)],
        device: &B::Device,
    ) -> Result<(), RanksError> {
        let mut buffer = Vec::new();
        for &(name, size) in group {
            match self.by_name.remove(name).map(host_values) {
                // The values of a single large parameter are not copied.
                Some(values) if group.len() == 1 => buffer = values,
                Some(values) => buffer.extend(values),
                None => buffer.resize(buffer.len() + size, 0.0),
            }
        }
        ranks.sum(&mut buffer)?;
        let mut put = |name: &str, values: Vec<f32>| {
            let shape = [values.len()];
            let sum = Tensor::from_data(TensorData::new(values, shape), device);
            self.by_name.insert(name.to_owned(), sum);
        };
        if let [(name, _)] = group {
            put(name, buffer);
            return Ok(());
        }
        let mut rest = buffer.as_slice();
        for &(name, size) in group {
            let (values, others) = rest.split_at(size);
            put(name, values.to_vec());
            rest = others;
        }
        Ok(())
    }

    /// Takes the gradient of a parameter out, `[elements]`.
    pub(crate) fn remove(&mut self, name: &str) -> Option<Tensor<B, 1>> {
        self.by_name.remove(name)
    }
}

/// The values of a tensor in the memory of the host.
fn host_values<B: Backend>(tensor: Tensor<B, 1>) -> Vec<f32> {
    let data = tensor.into_data().convert::<f32>();
    data.into_vec().expect("the values were converted to f32")
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

/// Collects lent sums, and the gradients of a backward pass if there was one.
struct Collector<'a, AB: GradientSums<InnerBackend: Kernels>> {
    path: Path,
    gradients: Option<&'a mut AB::Gradients>,
    into: &'a mut NamedGradients<AB::InnerBackend>,
}

impl<AB: GradientSums<InnerBackend: Kernels>> ModuleVisitor<AB> for Collector<'_, AB> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<AB, D>>) {
        // Taken out, so that the sum owns it and can be written in place.
        let gradients = self.gradients.as_deref_mut();
        let gradient = gradients.and_then(|gradients| param.val().grad_remove(gradients));
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

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::*;

    /// Two ranks, of which the other has the same gradients except of `only_here`.
    #[derive(Debug)]
    struct Two {
        /// The position of `only_here` among the names.
        only_here: usize,
    }

    impl Ranks for Two {
        fn rank(&self) -> usize {
            0
        }

        fn size(&self) -> usize {
            2
        }

        fn sum(&self, values: &mut [f32]) -> Result<(), RanksError> {
            values.iter_mut().for_each(|value| *value *= 2.0);
            Ok(())
        }

        fn gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, RanksError> {
            let mut others: Vec<bool> = postcard::from_bytes(bytes).expect("one flag a name");
            others[self.only_here] = false;
            let others = postcard::to_stdvec(&others).expect("flags are bytes");
            Ok(vec![bytes.to_vec(), others])
        }

        fn fail(&self, _: &str) {}
    }

    #[test]
    fn gradients_are_summed_in_few_buffers_and_keep_their_places() {
        let device = Default::default();
        let large = VALUES_OF_A_SUM + 1;
        let named = [
            ("a", vec![1.0, 2.0]),
            ("b", vec![0.5; large]),
            ("d", vec![-3.0]),
        ];
        let sizes = [("a", 2), ("b", large), ("c", 3), ("d", 1)];
        let shapes = sizes
            .map(|(name, size)| (name.to_owned(), vec![size]))
            .into();
        let by_name = named.clone().map(|(name, values)| {
            let shape = [values.len()];
            let values = Tensor::<Flex, 1>::from_data(TensorData::new(values, shape), &device);
            (name.to_owned(), values)
        });
        let mut gradients = NamedGradients {
            by_name: by_name.into(),
        };
        let ranks = Two { only_here: 3 };
        assert_eq!(gradients.sum_over(&ranks, &shapes, &device), Ok(()));
        for (name, values) in named {
            let expected: Vec<f32> = values.iter().map(|value| 2.0 * value).collect();
            let sum = gradients.remove(name).map(host_values);
            assert!(sum == Some(expected), "{name}");
        }
        assert!(
            gradients.remove("c").is_none(),
            "no rank has a gradient of it"
        );
    }
}
