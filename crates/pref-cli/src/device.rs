//! The backend that computes. In: `--device`. Out: one call of a [`Task`] with that backend. Only this file
//! distinguishes backends.

use std::fmt;
use std::str::FromStr;

use anyhow::Result;
use pref_train::TrainBackend;

/// A device to compute on: `flex`, `ndarray`, `cuda`, `cuda:N`, `wgpu`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    Flex,
    NdArray,
    /// The NVIDIA GPU with this number. The driver counts GPUs from 0. Without a number, each of the ranks of a
    /// machine has a GPU of its own.
    Cuda(Option<usize>),
    Wgpu,
}

/// Work that runs on any backend.
pub(crate) trait Task {
    /// The result of the work.
    type Output;

    /// Does the work on a device of the backend.
    fn run<B: TrainBackend>(self, device: &B::Device) -> Result<Self::Output>;
}

#[derive(clap::Args)]
pub(crate) struct DeviceArgs {
    /// Device to compute on: flex or ndarray (both on the CPU), cuda, cuda:N, or wgpu
    #[arg(long, default_value_t = Device::Flex, value_name = "DEVICE")]
    pub(crate) device: Device,
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, index) = match text.split_once(':') {
            Some((name, index)) => (name, Some(index)),
            None => (text, None),
        };
        match (name, index) {
            ("flex" | "cpu", None) => Ok(Device::Flex),
            ("ndarray", None) => Ok(Device::NdArray),
            ("wgpu", None) => Ok(Device::Wgpu),
            ("cuda", None) => Ok(Device::Cuda(None)),
            ("cuda", Some(index)) => index
                .parse()
                .map(|index| Device::Cuda(Some(index)))
                .map_err(|_| format!("`{index}` is not a device number; write cuda:0, cuda:1, …")),
            _ => Err("known devices are flex, ndarray, cuda:N and wgpu".to_owned()),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cuda(Some(index)) => write!(f, "cuda:{index}"),
            Device::Cuda(None) | Device::Flex | Device::NdArray | Device::Wgpu => {
                f.write_str(self.backend())
            }
        }
    }
}

impl Device {
    /// The name of the device's backend, which is also the feature that compiles it in.
    pub(crate) fn backend(self) -> &'static str {
        match self {
            Device::Flex => "flex",
            Device::NdArray => "ndarray",
            Device::Cuda(_) => "cuda",
            Device::Wgpu => "wgpu",
        }
    }

    /// Whether this program was built with the device's backend.
    pub(crate) fn is_compiled_in(self) -> bool {
        match self {
            Device::Flex => cfg!(feature = "flex"),
            Device::NdArray => cfg!(feature = "ndarray"),
            Device::Cuda(_) => cfg!(feature = "cuda"),
            Device::Wgpu => cfg!(feature = "wgpu"),
        }
    }

    /// Runs the task on this device.
    ///
    /// # Errors
    ///
    /// The error of the task, or an error for a backend that is not compiled in, or for a GPU that is missing
    /// or does not work.
    pub(crate) fn run<T: Task>(self, task: T) -> Result<T::Output> {
        match self {
            #[cfg(feature = "flex")]
            Device::Flex => {
                task.run::<burn::backend::Autodiff<burn::backend::Flex>>(&Default::default())
            }
            #[cfg(not(feature = "flex"))]
            Device::Flex => Err(self.not_compiled_in()),
            #[cfg(feature = "ndarray")]
            Device::NdArray => {
                task.run::<burn::backend::Autodiff<burn::backend::NdArray>>(&Default::default())
            }
            #[cfg(not(feature = "ndarray"))]
            Device::NdArray => Err(self.not_compiled_in()),
            #[cfg(feature = "cuda")]
            Device::Cuda(index) => {
                type B = burn::backend::Autodiff<burn::backend::Cuda>;
                let index = index.unwrap_or_else(crate::ranks::number_on_machine);
                let device = burn::backend::cuda::CudaDevice::new(index);
                probe::<B>(&device, self)?;
                task.run::<B>(&device)
            }
            #[cfg(not(feature = "cuda"))]
            Device::Cuda(_) => Err(self.not_compiled_in()),
            #[cfg(feature = "wgpu")]
            Device::Wgpu => {
                type B = burn::backend::Autodiff<burn::backend::Wgpu>;
                let device = burn::backend::wgpu::WgpuDevice::default();
                probe::<B>(&device, self)?;
                task.run::<B>(&device)
            }
            #[cfg(not(feature = "wgpu"))]
            Device::Wgpu => Err(self.not_compiled_in()),
        }
    }

    #[cfg(not(all(
        feature = "flex",
        feature = "ndarray",
        feature = "cuda",
        feature = "wgpu"
    )))]
    fn not_compiled_in(self) -> anyhow::Error {
        let feature = self.backend();
        anyhow::anyhow!(
            "this `pref` was built without the {feature} backend; build it with \
             `cargo build --release -p pref-cli --features {feature}`, or run it through \
             `cargo xtask`, which adds the backend"
        )
    }
}

/// Computes one sum on a GPU, so that a missing driver or device is reported before any work.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn probe<B: TrainBackend>(device: &B::Device, name: Device) -> Result<()> {
    use burn::tensor::Tensor;

    let device = device.clone();
    let sum = crate::panics::caught(move || Tensor::<B, 1>::ones([4], &device).sum().into_data());
    sum.map(drop).map_err(|cause| {
        anyhow::anyhow!(
            "no device {name}: {cause}; check the driver, or compute on the CPU with --device flex"
        )
    })
}
