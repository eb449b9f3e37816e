//! Programs that are measured. In: a program. Out: its path, or its memory and the times of its
//! steps.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Builds the `pref` command in the profile of this program, and returns its path.
///
/// # Panics
/// If it cannot be built.
pub fn build_pref() -> PathBuf {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--package", "pref-cli"])
        .status();
    assert!(
        built.is_ok_and(|status| status.success()),
        "pref can be built"
    );
    // This program is target/release/deps/train-….
    let program = std::env::current_exe().expect("this program has a path");
    let release = program.ancestors().nth(2).expect("target/release");
    release.join("pref")
}

/// Waits for a process. Returns its largest resident size in GB, and the times at which `lines`, a file to which the process
/// writes a line after each step, got its lines.
pub fn watch(child: &mut Child, lines: Option<&Path>) -> Option<(f64, Vec<Instant>)> {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0.0_f64;
    let mut times = Vec::new();
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        peak = peak.max(kib.unwrap_or(0.0) * 1024.0 / 1e9);
        let has_ended = child.try_wait().ok()?.is_some();
        let text = lines.and_then(|lines| std::fs::read_to_string(lines).ok());
        let n_lines = text.map_or(0, |text| text.matches('\n').count());
        times.resize(n_lines, Instant::now());
        if has_ended {
            return Some((peak, times));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
