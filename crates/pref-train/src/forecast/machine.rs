//! A machine that trains. In: what its maker says, or what was measured. Out: speeds of one rank.

use pref_model::Precision;
use serde::Serialize;

/// The speeds of the device of one rank.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Machine {
    /// Operations a second at best in the precision of the products; a multiplication and an addition are two.
    pub flops: f64,
    /// Fraction of these operations that training reaches, from 0 to 1.
    pub efficiency: f64,
    /// Bytes a second between the device and its memory.
    pub memory_bandwidth: f64,
    /// Bytes a second that a rank exchanges with the others.
    pub link_bandwidth: f64,
    /// Bytes a second between the memory of the device and the memory of the host. `None` if they are the same.
    pub host_bandwidth: Option<f64>,
    /// Bytes of memory for a rank; `None` if unknown.
    pub memory: Option<f64>,
}

impl Machine {
    /// NVIDIA H100 SXM: 67 TFLOP/s in float32 without tensor cores, 989 in bfloat16, and 3.35 TB/s, of which training
    /// may reach 40 %. Gradients go through the memory of the host, with 50 GB/s over PCI Express 5 and 10 GB/s between
    /// ranks.
    pub fn h100(precision: Precision) -> Self {
        Self {
            flops: match precision {
                Precision::F32 => 67e12,
                Precision::Bf16 => 989e12,
            },
            efficiency: 0.4,
            memory_bandwidth: 3.35e12,
            link_bandwidth: 10e9,
            host_bandwidth: Some(50e9),
            memory: Some(79.0 * GIB),
        }
    }

    /// NVIDIA H200 SXM: an [`h100`](Self::h100) with 4.8 TB/s and 139 GiB.
    pub fn h200(precision: Precision) -> Self {
        Self {
            memory_bandwidth: 4.8e12,
            memory: Some(139.0 * GIB),
            ..Self::h100(precision)
        }
    }

    /// Two processor cores with AVX-512, as measured on the project's own machine: matrix products of 0.32 TFLOP/s,
    /// of which training reaches half; 10 GB/s from memory, and 0.9 GB/s between two ranks of a machine.
    pub fn cpu() -> Self {
        Self {
            flops: 0.32e12,
            efficiency: 0.5,
            memory_bandwidth: 10e9,
            link_bandwidth: 0.9e9,
            host_bandwidth: None,
            memory: None,
        }
    }
}

/// Bytes of a GiB.
const GIB: f64 = (1_u64 << 30) as f64;
