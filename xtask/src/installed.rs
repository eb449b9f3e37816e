//! What is installed beside a Rust toolchain, and what more tests need. In: the machine. Out: yes or no for each.

use std::path::{Path, PathBuf};

/// Libraries with which more can be tested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Installed {
    /// An MPI library, for runs of several processes.
    pub(crate) mpi: bool,
    /// A Vulkan driver and its loader, for the backend wgpu. Mesa has a driver that computes on the CPU.
    pub(crate) vulkan: bool,
}

/// Where drivers are registered with the loader.
const DRIVERS: [&str; 3] = [
    "/usr/share/vulkan/icd.d",
    "/usr/local/share/vulkan/icd.d",
    "/etc/vulkan/icd.d",
];

/// Folders of libraries. Debian has a folder for each processor below the first two.
const LIBRARIES: [&str; 4] = ["/usr/lib", "/usr/local/lib", "/usr/lib64", "/lib64"];

impl Installed {
    /// What this machine has.
    pub(crate) fn here() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let is_there = |name: &str| std::env::split_paths(&path).any(|at| at.join(name).is_file());
        let named = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"];
        let is_named = named.iter().any(|name| std::env::var_os(name).is_some());
        let drivers: Vec<PathBuf> = DRIVERS.iter().map(PathBuf::from).collect();
        let libraries: Vec<PathBuf> = LIBRARIES.iter().map(PathBuf::from).collect();
        Self {
            mpi: ["mpicc", "mpirun"].into_iter().all(is_there),
            vulkan: has_loader(&libraries) && (is_named || has_driver(&drivers)),
        }
    }
}

fn has_driver(folders: &[PathBuf]) -> bool {
    folders.iter().any(|folder| {
        below(folder).any(|file| file.extension().is_some_and(|ending| ending == "json"))
    })
}

/// Whether the loader is in one of the folders, or in a folder directly below.
fn has_loader(folders: &[PathBuf]) -> bool {
    let is_in = |folder: &Path| folder.join("libvulkan.so.1").exists();
    folders
        .iter()
        .any(|folder| is_in(folder) || below(folder).any(|below| is_in(&below)))
}

/// What is in a folder; nothing if it cannot be read.
fn below(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_and_the_loader_are_found_where_they_are_installed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [drivers, libraries] = ["icd.d", "lib"].map(|name| folder.path().join(name));
        let processor = libraries.join("x86_64-linux-gnu");
        for folder in [&drivers, &processor] {
            std::fs::create_dir_all(folder).expect("created");
        }
        let found = || {
            let (drivers, libraries) = ([drivers.clone()], [libraries.clone()]);
            (has_driver(&drivers), has_loader(&libraries))
        };
        assert_eq!(found(), (false, false));
        std::fs::write(drivers.join("lvp_icd.json"), "{}").expect("written");
        assert_eq!(found(), (true, false));
        std::fs::write(processor.join("libvulkan.so.1"), "").expect("written");
        assert_eq!(found(), (true, true));
        assert!(!has_driver(&[folder.path().join("none")]));
    }
}
