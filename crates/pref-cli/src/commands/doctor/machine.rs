//! The processor, the memory and the disk of this machine. In: nothing. Out: a [`Machine`].

use std::path::{Path, PathBuf};

use serde::Serialize;
use sysinfo::{CpuRefreshKind, Disks, MemoryRefreshKind, RefreshKind, System};

use super::page::gib;

/// What the operating system reports about this machine. Sizes are in bytes.
#[derive(Serialize)]
pub(super) struct Machine {
    /// Name and version of the operating system, and the architecture.
    system: String,
    processor: String,
    /// Logical cores that this process may use.
    cores: usize,
    /// Instruction sets that matter to Burn's CPU backends.
    simd: Vec<&'static str>,
    /// Threads that read and tokenize data.
    threads: usize,
    memory: Memory,
    /// The disk of the current folder; `null` if the system does not list it.
    disk: Option<Disk>,
}

#[derive(Serialize)]
struct Memory {
    total: u64,
    /// Memory that can be used without swapping.
    available: u64,
    /// The container's or control group's limit; `null` if there is none below `total`.
    limit: Option<u64>,
}

#[derive(Serialize)]
struct Disk {
    /// The current folder.
    folder: PathBuf,
    free: u64,
}

/// Asks the operating system.
pub(super) fn report() -> Machine {
    let what = RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::nothing())
        .with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(what);
    let name = System::long_os_version().unwrap_or_else(|| std::env::consts::OS.to_owned());
    let processor = system
        .cpus()
        .first()
        .map(|cpu| cpu.brand().trim().to_owned());
    let limit = system.cgroup_limits().map(|limits| limits.total_memory);
    Machine {
        system: format!("{name}, {}", std::env::consts::ARCH),
        processor: processor
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "unknown processor".to_owned()),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        simd: simd(),
        threads: rayon::current_num_threads(),
        memory: Memory {
            total: system.total_memory(),
            available: system.available_memory(),
            limit: limit.filter(|limit| *limit < system.total_memory()),
        },
        disk: std::env::current_dir()
            .ok()
            .and_then(|folder| disk(&folder)),
    }
}

/// The disk whose mount point is the nearest above `folder`.
fn disk(folder: &Path) -> Option<Disk> {
    let disks = Disks::new_with_refreshed_list();
    let above = disks
        .iter()
        .filter(|disk| folder.starts_with(disk.mount_point()));
    let nearest = above.max_by_key(|disk| disk.mount_point().as_os_str().len())?;
    Some(Disk {
        folder: folder.to_owned(),
        free: nearest.available_space(),
    })
}

#[cfg(target_arch = "x86_64")]
fn simd() -> Vec<&'static str> {
    let all = [
        ("AVX", std::is_x86_feature_detected!("avx")),
        ("AVX2", std::is_x86_feature_detected!("avx2")),
        ("FMA", std::is_x86_feature_detected!("fma")),
        ("F16C", std::is_x86_feature_detected!("f16c")),
        ("AVX-512F", std::is_x86_feature_detected!("avx512f")),
        ("AVX-512 BF16", std::is_x86_feature_detected!("avx512bf16")),
    ];
    let present = all.into_iter().filter(|(_, is_there)| *is_there);
    present.map(|(name, _)| name).collect()
}

#[cfg(target_arch = "aarch64")]
fn simd() -> Vec<&'static str> {
    // Every AArch64 processor has NEON.
    vec!["NEON"]
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn simd() -> Vec<&'static str> {
    Vec::new()
}

impl Machine {
    pub(super) fn lines(&self) -> Vec<(String, String)> {
        let cores = match self.cores {
            1 => "1 core".to_owned(),
            n => format!("{n} cores"),
        };
        let simd = match self.simd.is_empty() {
            true => "none known".to_owned(),
            false => self.simd.join(", "),
        };
        let memory = &self.memory;
        let limit = match memory.limit {
            Some(limit) => format!("; this container may use {}", gib(limit)),
            None => String::new(),
        };
        let disk = match &self.disk {
            Some(disk) => format!("{} free in {}", gib(disk.free), disk.folder.display()),
            None => "unknown".to_owned(),
        };
        let available = gib(memory.available);
        [
            ("system", self.system.clone()),
            ("processor", format!("{}, {cores}", self.processor)),
            ("SIMD", simd),
            ("threads for data", self.threads.to_string()),
            (
                "memory",
                format!("{}, {available} available{limit}", gib(memory.total)),
            ),
            ("disk", disk),
        ]
        .map(|(label, text)| (label.to_owned(), text))
        .to_vec()
    }
}
