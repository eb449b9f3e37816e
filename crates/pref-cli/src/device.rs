//! Which backend computes. In: `--device`. Out: one call of a [`Task`] with that backend: the only
//! place where backends are told apart.

use std::fmt;
use std::str::FromStr;

use anyhow::Result;
use pref_train::TrainBackend;

/// `flex`, `ndarray`, `cuda`, `cuda:N`, `wgpu`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    Flex,
    NdArray,
    Cuda(usize),
    Wgpu,
}

/// Work that runs on any backend.
pub(crate) trait Task {
    type Output;

    fn run<B: TrainBackend>(self, device: &B::Device) -> Result<Self::Output>;
}

#[derive(clap::Args)]
pub(crate) struct DeviceArgs {
    /// Where to compute: flex (CPU), ndarray (CPU), cuda:N, wgpu
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
            ("cuda", None) => Ok(Device::Cuda(0)),
            ("cuda", Some(index)) => index
                .parse()
                .map(Device::Cuda)
                .map_err(|_| format!("`{index}` is no device number; write cuda:0, cuda:1, …")),
            _ => Err("known devices are flex, ndarray, cuda:N and wgpu".to_owned()),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Flex => f.write_str("flex"),
            Device::NdArray => f.write_str("ndarray"),
            Device::Cuda(index) => write!(f, "cuda:{index}"),
            Device::Wgpu => f.write_str("wgpu"),
        }
    }
}

impl Device {
    /// Runs the task on this device.
    pub(crate) fn run<T: Task>(self, task: T) -> Result<T::Output> {
        match self {
            #[cfg(feature = "flex")]
            Device::Flex => {
                task.run::<burn::backend::Autodiff<burn::backend::Flex>>(&Default::default())
            }
            #[cfg(feature = "ndarray")]
            Device::NdArray => {
                task.run::<burn::backend::Autodiff<burn::backend::NdArray>>(&Default::default())
            }
            #[cfg(feature = "cuda")]
            Device::Cuda(index) => {
                type B = burn::backend::Autodiff<burn::backend::Cuda>;
                let device = burn::backend::cuda::CudaDevice::new(index);
                probe::<B>(&device, self)?;
                task.run::<B>(&device)
            }
            #[cfg(feature = "wgpu")]
            Device::Wgpu => {
                type B = burn::backend::Autodiff<burn::backend::Wgpu>;
                let device = burn::backend::wgpu::WgpuDevice::default();
                probe::<B>(&device, self)?;
                task.run::<B>(&device)
            }
            #[cfg(not(all(
                feature = "flex",
                feature = "ndarray",
                feature = "cuda",
                feature = "wgpu"
            )))]
            other => Err(other.not_compiled_in()),
        }
    }

    #[cfg(not(all(
        feature = "flex",
        feature = "ndarray",
        feature = "cuda",
        feature = "wgpu"
    )))]
    fn not_compiled_in(self) -> anyhow::Error {
        let feature = match self {
            Device::Flex => "flex",
            Device::NdArray => "ndarray",
            Device::Cuda(_) => "cuda",
            Device::Wgpu => "wgpu",
        };
        anyhow::anyhow!(
            "this `pref` was built without the {feature} backend; build it with \
             `cargo build --release -p pref-cli --features {feature}`, or run it through \
             `cargo xtask`, which does"
        )
    }
}

/// Asks the device for one sum. Burn's GPU backends panic where there is no driver or no device;
/// this turns it into a message before any work is begun.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn probe<B: TrainBackend>(device: &B::Device, name: Device) -> Result<()> {
    use burn::tensor::Tensor;
    use std::panic;
    use std::sync::{Arc, Mutex};

    // the cause is the first panic, often on the driver's own thread; what reaches this one is
    // that the other has gone
    let first: Arc<Mutex<Option<String>>> = Arc::default();
    let heard = Arc::clone(&first);
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if let Ok(mut first) = heard.lock() {
            first.get_or_insert_with(|| info.payload_as_str().unwrap_or_default().to_owned());
        }
    }));
    let device = device.clone();
    let result = panic::catch_unwind(panic::AssertUnwindSafe(move || {
        Tensor::<B, 1>::ones([4], &device).sum().into_data()
    }));
    panic::set_hook(hook);
    match result {
        Ok(_) => Ok(()),
        Err(_) => {
            let cause = first.lock().ok().and_then(|mut first| first.take());
            let cause = cause.unwrap_or_default();
            let cause = match cause.lines().next() {
                Some(line) if !line.is_empty() => line.chars().take(100).collect(),
                _ => "the driver said nothing".to_owned(),
            };
            Err(anyhow::anyhow!(
                "no device {name}: {cause}; check the driver, or compute on the CPU with --device flex"
            ))
        }
    }
}
