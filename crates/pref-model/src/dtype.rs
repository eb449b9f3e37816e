//! Number formats of stored weights: their names in `config.json` and in safetensors, and rounding
//! to them.

use half::{bf16, f16};
use safetensors::tensor::Dtype;

/// The number format that weights are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveDtype {
    /// As the model was stored that this one comes from: what `config.json` says, or the weights
    /// themselves where it says nothing; f32 for a model that was never stored.
    Source,
    /// 32-bit floats.
    F32,
    /// IEEE half precision.
    F16,
    /// bfloat16.
    Bf16,
}

/// A format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    F32,
    F16,
    Bf16,
}

impl Format {
    /// The one that `transformers` calls so.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        match name.strip_prefix("torch.").unwrap_or(name) {
            "float32" => Some(Format::F32),
            "float16" => Some(Format::F16),
            "bfloat16" => Some(Format::Bf16),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Format::F32 => "float32",
            Format::F16 => "float16",
            Format::Bf16 => "bfloat16",
        }
    }

    /// The one of a stored tensor, if it is read.
    pub(crate) fn of_dtype(dtype: Dtype) -> Option<Self> {
        match dtype {
            Dtype::F32 => Some(Format::F32),
            Dtype::F16 => Some(Format::F16),
            Dtype::BF16 => Some(Format::Bf16),
            _ => None,
        }
    }

    pub(crate) fn dtype(self) -> Dtype {
        match self {
            Format::F32 => Dtype::F32,
            Format::F16 => Dtype::F16,
            Format::Bf16 => Dtype::BF16,
        }
    }

    /// The narrowest format that holds the values of both.
    pub(crate) fn wider(self, other: Self) -> Self {
        match self == other {
            true => self,
            false => Format::F32,
        }
    }

    /// The values of stored bytes.
    pub(crate) fn values(self, bytes: &[u8]) -> Vec<f32> {
        let pair = |b: &[u8]| [b[0], b[1]];
        match self {
            Format::F32 => {
                let words = bytes.chunks_exact(4);
                words
                    .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                    .collect()
            }
            Format::F16 => {
                let words = bytes.chunks_exact(2).map(pair);
                words.map(|b| f16::from_le_bytes(b).to_f32()).collect()
            }
            Format::Bf16 => {
                let words = bytes.chunks_exact(2).map(pair);
                words.map(|b| bf16::from_le_bytes(b).to_f32()).collect()
            }
        }
    }

    /// The nearest value of the format; infinite where it is too large for it.
    pub(crate) fn round(self, value: f32) -> f32 {
        match self {
            Format::F32 => value,
            Format::F16 => f16::from_f32(value).to_f32(),
            Format::Bf16 => bf16::from_f32(value).to_f32(),
        }
    }

    /// The bytes to store.
    pub(crate) fn bytes(self, values: &[f32]) -> Vec<u8> {
        let values = values.iter().copied();
        match self {
            Format::F32 => values.flat_map(f32::to_le_bytes).collect(),
            Format::F16 => values
                .flat_map(|v| f16::from_f32(v).to_le_bytes())
                .collect(),
            Format::Bf16 => values
                .flat_map(|v| bf16::from_f32(v).to_le_bytes())
                .collect(),
        }
    }
}
