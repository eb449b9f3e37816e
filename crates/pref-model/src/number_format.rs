//! Number formats of stored weights. In: f32 values, or stored bytes. Out: rounded values and bytes of
//! a format, and the names of formats in `config.json` and in safetensors.

use half::{bf16, f16};
use safetensors::tensor::Dtype;

/// The number format that weights are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveDtype {
    /// The format of the stored model that this one was loaded or trained from. It is taken from
    /// `config.json`, or from the weights if `config.json` does not say. A model that was never
    /// stored is written as f32.
    Source,
    /// 32-bit floats.
    F32,
    /// IEEE half precision.
    F16,
    /// bfloat16.
    Bf16,
}

/// A number format that files are read and written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    F32,
    F16,
    Bf16,
}

impl Format {
    /// The format to save in. `source` is the format of the stored model, if there is one.
    pub(crate) fn to_save(dtype: SaveDtype, source: Option<Self>) -> Self {
        match dtype {
            SaveDtype::F32 => Format::F32,
            SaveDtype::F16 => Format::F16,
            SaveDtype::Bf16 => Format::Bf16,
            SaveDtype::Source => source.unwrap_or(Format::F32),
        }
    }

    /// The format of a name that `transformers` uses. `None` for a format that is not implemented.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        match name.strip_prefix("torch.").unwrap_or(name) {
            "float32" => Some(Format::F32),
            "float16" => Some(Format::F16),
            "bfloat16" => Some(Format::Bf16),
            _ => None,
        }
    }

    /// The name that `transformers` uses.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Format::F32 => "float32",
            Format::F16 => "float16",
            Format::Bf16 => "bfloat16",
        }
    }

    /// The format of a stored tensor. `None` for a format that is not implemented.
    pub(crate) fn of_dtype(dtype: Dtype) -> Option<Self> {
        match dtype {
            Dtype::F32 => Some(Format::F32),
            Dtype::F16 => Some(Format::F16),
            Dtype::BF16 => Some(Format::Bf16),
            _ => None,
        }
    }

    /// The name of the format in safetensors.
    pub(crate) fn dtype(self) -> Dtype {
        match self {
            Format::F32 => Dtype::F32,
            Format::F16 => Dtype::F16,
            Format::Bf16 => Dtype::BF16,
        }
    }

    /// The narrowest format that holds every value of both formats.
    pub(crate) fn wider(self, other: Self) -> Self {
        match self == other {
            true => self,
            false => Format::F32,
        }
    }

    /// The values of stored little-endian bytes.
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

    /// The nearest value of the format. It is infinite if the value is too large for the format.
    pub(crate) fn round(self, value: f32) -> f32 {
        match self {
            Format::F32 => value,
            Format::F16 => f16::from_f32(value).to_f32(),
            Format::Bf16 => bf16::from_f32(value).to_f32(),
        }
    }

    /// The little-endian bytes of some values.
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
