//! Whether devices compute. In: the number of NVIDIA GPUs. Out: for each device that this program
//! was built for, the time of a matrix product, or the error.

use std::time::Instant;

use anyhow::{Result, anyhow, ensure};
use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;
use serde::Serialize;

use crate::device::{Device, Task};
use crate::{panics, progress};

/// Rows and columns of the matrices.
const SIZE: usize = 256;

/// A backend of Burn.
#[derive(Serialize)]
pub(super) struct Backend {
    name: &'static str,
    is_compiled_in: bool,
}

/// The result of the product on one device.
#[derive(Serialize)]
pub(super) struct Probe {
    /// The device's name for `--device`.
    device: String,
    /// Time of the second product. The first one compiles and chooses kernels. `null` if there is an error.
    milliseconds: Option<f64>,
    pub(super) error: Option<String>,
}

/// All backends of `pref`.
pub(super) fn backends() -> Vec<Backend> {
    let all = [
        Device::Flex,
        Device::NdArray,
        Device::Cuda(Some(0)),
        Device::Wgpu,
    ];
    let backend = |device: Device| Backend {
        name: device.backend(),
        is_compiled_in: device.is_compiled_in(),
    };
    all.into_iter().map(backend).collect()
}

/// The backends in one line.
pub(super) fn summary(backends: &[Backend]) -> String {
    let names = |is_compiled_in: bool| {
        let some = backends
            .iter()
            .filter(|b| b.is_compiled_in == is_compiled_in);
        some.map(|backend| backend.name)
            .collect::<Vec<_>>()
            .join(", ")
    };
    match names(false).as_str() {
        "" => names(true),
        others => format!("{}; not compiled in: {others}", names(true)),
    }
}

/// Computes a product on every device whose backend is compiled in. Without a GPU, `cuda:0` is still
/// tried, so that the report has the driver's reason.
pub(super) fn probe_all(n_gpus: usize) -> Vec<Probe> {
    let gpus = (0..n_gpus.max(1)).map(|n| Device::Cuda(Some(n)));
    let all = [Device::Flex, Device::NdArray].into_iter().chain(gpus);
    let all = all.chain([Device::Wgpu]);
    all.filter(|device| device.is_compiled_in())
        .map(probe)
        .collect()
}

fn probe(device: Device) -> Probe {
    if matches!(device, Device::Cuda(_) | Device::Wgpu) {
        progress::note(&format!(
            "{device}: computing a product; the first use of a GPU compiles kernels, which can \
             take a minute"
        ));
    }
    let result = device.run(Product);
    Probe {
        device: device.to_string(),
        milliseconds: result.as_ref().ok().copied(),
        error: result.err().map(|error| format!("{error:#}")),
    }
}

/// A product of two matrices of ones, and its time in milliseconds.
struct Product;

impl Task for Product {
    type Output = f64;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<f64> {
        let device = device.clone();
        let product = move || {
            let ones = Tensor::<B::InnerBackend, 2>::ones([SIZE, SIZE], &device);
            let mut milliseconds = 0.0;
            let mut corner = 0.0;
            for _ in 0..2 {
                let started = Instant::now();
                let product = ones.clone().matmul(ones.clone());
                // Reading a value waits for the device.
                let value = product.slice([0..1, 0..1]).into_data();
                milliseconds = started.elapsed().as_secs_f64() * 1e3;
                corner = value.iter::<f64>().next().unwrap_or(f64::NAN);
            }
            (milliseconds, corner)
        };
        let (milliseconds, corner) = panics::caught(product)
            .map_err(|cause| anyhow!("{cause}; compute on another device with --device"))?;
        ensure!(
            corner == SIZE as f64,
            "the product of two matrices of ones has {corner} where {SIZE} was expected; do not \
             train on this device, and check its driver"
        );
        Ok(milliseconds)
    }
}

impl Probe {
    pub(super) fn line(&self) -> (String, String) {
        let text = match (&self.error, self.milliseconds) {
            (Some(error), _) => error.clone(),
            (None, milliseconds) => format!(
                "works: [{SIZE}, {SIZE}] times [{SIZE}, {SIZE}] in {:.1} ms",
                milliseconds.unwrap_or(f64::NAN)
            ),
        };
        (format!("device {}", self.device), text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_what_is_missing() {
        let backend = |name, is_compiled_in| Backend {
            name,
            is_compiled_in,
        };
        let some = [backend("flex", true), backend("cuda", false)];
        assert_eq!(summary(&some), "flex; not compiled in: cuda");
        assert_eq!(summary(&some[..1]), "flex");
    }
}
