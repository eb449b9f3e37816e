//! The moments of the optimiser as a safetensors file. In: tensors by parameter name. Out: the file, and the
//! tensors again.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;

use burn::tensor::{Tensor, TensorData, backend::Backend};
use safetensors::tensor::{Dtype, SafeTensors, View};

use crate::step::Moments;

/// A moment that is copied from its device when it is written.
struct Stored<'a, B: Backend> {
    tensor: &'a Tensor<B, 1>,
    shape: [usize; 1],
}

impl<'a, B: Backend> Stored<'a, B> {
    fn new(tensor: &'a Tensor<B, 1>) -> Self {
        Self {
            tensor,
            shape: tensor.dims(),
        }
    }
}

impl<B: Backend> View for Stored<'_, B> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let data = self.tensor.to_data();
        Cow::Owned(data.iter::<f32>().flat_map(f32::to_le_bytes).collect())
    }

    fn data_len(&self) -> usize {
        self.shape[0] * size_of::<f32>()
    }
}

/// Writes the moments into a file, one tensor at a time.
pub(super) fn write<B: Backend>(
    moments: &BTreeMap<String, Moments<B>>,
    path: &Path,
) -> io::Result<()> {
    let tensors = moments
        .iter()
        .flat_map(|(name, Moments { first, second })| {
            let second = second.as_ref();
            let first = (format!("first.{name}"), Stored::new(first));
            let second = second.map(|s| (format!("second.{name}"), Stored::new(s)));
            [Some(first), second]
        })
        .flatten();
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize_to_file(tensors, Some(metadata), path).map_err(io::Error::other)
}

/// The moments in the bytes of such a file.
pub(super) fn read<B: Backend>(
    bytes: &[u8],
    device: &B::Device,
) -> io::Result<BTreeMap<String, Moments<B>>> {
    let file = SafeTensors::deserialize(bytes).map_err(io::Error::other)?;
    let read = |name: &str| -> io::Result<Tensor<B, 1>> {
        let view = file.tensor(name).map_err(io::Error::other)?;
        if view.dtype() != Dtype::F32 {
            return Err(io::Error::other(format!("{name} is not f32")));
        }
        let words = view.data().chunks_exact(4);
        let values: Vec<f32> = words
            .map(|w| f32::from_le_bytes([w[0], w[1], w[2], w[3]]))
            .collect();
        let n = values.len();
        Ok(Tensor::from_data(TensorData::new(values, [n]), device))
    };
    let mut moments = BTreeMap::new();
    for name in file.names() {
        if let Some(parameter) = name.strip_prefix("first.") {
            let first = read(name)?;
            let second = format!("second.{parameter}");
            let second = match file.names().iter().any(|name| **name == second) {
                true => Some(read(&second)?),
                false => None,
            };
            moments.insert(parameter.to_owned(), Moments { first, second });
        }
    }
    Ok(moments)
}
