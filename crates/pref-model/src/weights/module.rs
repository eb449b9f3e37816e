//! Saves the parameters of any Burn module into a folder, and loads them. In: a module. Out: safetensors with
//! one tensor per parameter, named by the parameter's path in the module; or the module with the values
//! of such a folder.

use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData, backend::Backend};

use super::files::{StoredTensors, WeightFiles};
use super::load_error::LoadError;
use super::save_error::SaveError;
use super::write::{SHARD_BYTES, TensorsToSave};
use crate::number_format::{Format, SaveDtype};

/// Writes every float parameter of a module into a folder, with checksums.
///
/// [`SaveDtype::Source`] writes f32, since a plain module does not know the format that it was loaded
/// from.
///
/// # Errors
/// [`SaveError`] names the file, or the parameter with a value that the format cannot hold.
pub fn save_parameters<B: Backend, M: Module<B>>(
    module: &M,
    folder: &Path,
    dtype: SaveDtype,
) -> Result<(), SaveError> {
    let format = Format::to_save(dtype, None);
    TensorsToSave::of_module(module, format, folder)?.write(SHARD_BYTES, || Ok(()))
}

/// Replaces the values of every float parameter of a module by the values in a folder. Checksums are
/// verified.
///
/// # Errors
/// [`LoadError`] names the file and the tensor; shapes and names must match exactly.
pub fn load_parameters<B: Backend, M: Module<B>>(module: M, folder: &Path) -> Result<M, LoadError> {
    load_renamed(module, folder, |path| path)
}

/// Does what [`load_parameters`] does, for tensors with other names: `name` gives the name of a tensor from
/// the path of its parameter.
///
/// # Errors
/// The errors of [`load_parameters`].
pub(crate) fn load_renamed<B: Backend, M: Module<B>>(
    module: M,
    folder: &Path,
    name: fn(&str) -> &str,
) -> Result<M, LoadError> {
    WeightFiles::open(folder)?.read(|tensors| {
        let mut loader = Loader {
            path: Vec::new(),
            name,
            tensors,
            failure: None,
        };
        let module = module.map(&mut loader);
        match loader.failure {
            Some(failure) => Err(failure),
            None => Ok(module),
        }
    })
}

struct Loader<'a, 'b> {
    path: Vec<String>,
    name: fn(&str) -> &str,
    tensors: &'a mut StoredTensors<'b>,
    /// The first parameter without values.
    failure: Option<LoadError>,
}

impl<B: Backend> ModuleMapper<B> for Loader<'_, '_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        if self.failure.is_some() {
            return param;
        }
        let shape = param.dims();
        let path = self.path.join(".");
        match self.tensors.values((self.name)(&path), &shape) {
            Ok(values) => {
                let data = TensorData::new(values, shape);
                param.map(|tensor| {
                    let is_trained = tensor.is_require_grad();
                    let loaded = Tensor::from_data(data, &tensor.device());
                    loaded.set_require_grad(is_trained)
                })
            }
            Err(error) => {
                self.failure = Some(error);
                param
            }
        }
    }
}
