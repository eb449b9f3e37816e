//! The GPUs of this machine. In: nothing. Out: what NVIDIA's driver and wgpu report about them.

use std::process::Command;

use serde::Serialize;

use super::page::gib;

/// NVIDIA's driver and its GPUs.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Nvidia {
    /// Version of the driver; `null` if it does not answer.
    driver: Option<String>,
    /// Why the driver does not answer; `null` if it does.
    error: Option<String>,
    pub(super) gpus: Vec<Gpu>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Gpu {
    /// The device's name for `--device`.
    device: String,
    name: String,
    /// Memory of the GPU, bytes.
    memory: u64,
    /// Memory that is not in use, bytes.
    free: u64,
}

/// A device that wgpu can use.
#[derive(Serialize)]
pub(super) struct Adapter {
    name: String,
    /// Vulkan, Metal, Dx12, Gl.
    interface: String,
    /// Discrete or integrated GPU, virtual GPU, or CPU.
    kind: String,
}

/// Asks `nvidia-smi`, which comes with the driver. It answers in any build of `pref`, and it cannot
/// panic in this process. `None` if there is no such program.
pub(super) fn nvidia() -> Option<Nvidia> {
    let output = Command::new("nvidia-smi")
        .args([
            "--query-gpu=driver_version,name,memory.total,memory.free",
            "--format=csv,noheader,nounits",
        ])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        return Some(parse(&text));
    }
    let line = text.lines().next().unwrap_or("nvidia-smi gave no reason");
    Some(Nvidia {
        driver: None,
        error: Some(line.trim().to_owned()),
        gpus: Vec::new(),
    })
}

/// Reads one line for each GPU: driver, name, and two sizes in MiB.
fn parse(text: &str) -> Nvidia {
    let mut driver = None;
    let mut gpus = Vec::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let [version, name, memory, free] = cells[..] else {
            continue;
        };
        let bytes = |mib: &str| mib.parse::<u64>().unwrap_or(0) << 20;
        driver = Some(version.to_owned());
        gpus.push(Gpu {
            device: format!("cuda:{}", gpus.len()),
            name: name.to_owned(),
            memory: bytes(memory),
            free: bytes(free),
        });
    }
    Nvidia {
        driver,
        error: None,
        gpus,
    }
}

/// The line about the driver.
pub(super) fn nvidia_line(nvidia: Option<&Nvidia>) -> (String, String) {
    let text = match nvidia {
        None => "not found".to_owned(),
        Some(Nvidia {
            error: Some(error), ..
        }) => format!("does not answer: {error}"),
        Some(Nvidia { driver, .. }) => driver.clone().unwrap_or_else(|| "finds no GPU".to_owned()),
    };
    ("NVIDIA driver".to_owned(), text)
}

impl Nvidia {
    /// One line for each GPU.
    pub(super) fn lines(&self) -> Vec<(String, String)> {
        let line = |gpu: &Gpu| {
            let text = format!("{}, {}, {} free", gpu.name, gib(gpu.memory), gib(gpu.free));
            (format!("GPU {}", gpu.device), text)
        };
        self.gpus.iter().map(line).collect()
    }
}

/// Every adapter that wgpu finds; `None` if wgpu is not compiled in.
#[cfg(feature = "wgpu")]
pub(super) fn adapters() -> Option<Vec<Adapter>> {
    let found = crate::panics::caught(listed_adapters);
    Some(found.unwrap_or_else(|cause| {
        crate::progress::note(&format!("wgpu cannot list its adapters: {cause}"));
        Vec::new()
    }))
}

#[cfg(feature = "wgpu")]
fn listed_adapters() -> Vec<Adapter> {
    use std::task::{Context, Poll, Waker};

    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: wgpu::Backends::all(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    // Outside of a browser, wgpu asks the drivers immediately, so the future is ready at the first poll.
    let mut all = std::pin::pin!(instance.enumerate_adapters(wgpu::Backends::all()));
    let all = match all.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(all) => all,
        Poll::Pending => Vec::new(),
    };
    let adapter = |adapter: &wgpu::Adapter| {
        let info = adapter.get_info();
        Adapter {
            name: info.name,
            interface: format!("{:?}", info.backend),
            kind: format!("{:?}", info.device_type),
        }
    };
    all.iter().map(adapter).collect()
}

/// Every adapter that wgpu finds; `None` if wgpu is not compiled in.
#[cfg(not(feature = "wgpu"))]
pub(super) fn adapters() -> Option<Vec<Adapter>> {
    None
}

impl Adapter {
    pub(super) fn line(&self) -> (String, String) {
        let text = format!("{}, {}, {}", self.name, self.interface, self.kind);
        ("wgpu adapter".to_owned(), text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_the_driver_is_a_gpu() {
        let found = parse("550.54, NVIDIA H100, 81559, 81000\n550.54, NVIDIA H100, 81559, 7\n");
        assert_eq!(found.driver.as_deref(), Some("550.54"));
        assert_eq!(found.gpus.len(), 2);
        assert_eq!(found.gpus[1].device, "cuda:1");
        assert_eq!(found.gpus[1].free, 7 << 20);
        let lines = found.lines();
        assert_eq!(lines[0].1, "NVIDIA H100, 79.6 GiB, 79.1 GiB free");
        assert_eq!(parse("").gpus, []);
    }
}
