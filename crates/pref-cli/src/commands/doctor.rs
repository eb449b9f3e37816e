//! `pref doctor`: reports on this machine. In: nothing. Out: devices that work, memory, versions and settings,
//! as text or as JSON.

mod devices;
mod environment;
mod gpus;
mod machine;
mod page;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

use devices::{Backend, Probe};
use environment::{Cache, Variable};
use gpus::{Adapter, Nvidia};
use machine::Machine;

/// The version of Burn that `pref` is built on; the workspace pins it exactly.
const BURN_VERSION: &str = "0.21.0";

/// Show what this machine offers: devices, memory, versions, settings
///
/// Each device that this program was built for computes a small matrix product. Exit code 1 if none
/// of them works.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object, with sizes in bytes
    #[arg(long)]
    json: bool,
}

/// Everything that `pref doctor` reports.
#[derive(Serialize)]
struct Report {
    /// Version of `pref`.
    pref: &'static str,
    /// Version of Burn.
    burn: &'static str,
    backends: Vec<Backend>,
    #[serde(flatten)]
    machine: Machine,
    /// `null` if no NVIDIA driver is installed.
    nvidia: Option<Nvidia>,
    /// What wgpu can use; `null` if wgpu is not compiled in.
    adapters: Option<Vec<Adapter>>,
    hub: Cache,
    variables: Vec<Variable>,
    devices: Vec<Probe>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let nvidia = gpus::nvidia();
    let n_gpus = nvidia.as_ref().map_or(0, |nvidia| nvidia.gpus.len());
    let report = Report {
        pref: env!("CARGO_PKG_VERSION"),
        burn: BURN_VERSION,
        backends: devices::backends(),
        machine: machine::report(),
        nvidia,
        adapters: gpus::adapters(),
        hub: environment::hub(),
        variables: environment::variables(),
        devices: devices::probe_all(n_gpus),
    };
    let text = match args.json {
        true => serde_json::to_string(&report)? + "\n",
        false => page::lines(&report.sections()),
    };
    std::io::stdout().write_all(text.as_bytes())?;
    let works = report.devices.iter().any(|device| device.error.is_none());
    Ok(match works {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

impl Report {
    /// The groups of lines that a person reads, each line with its label.
    fn sections(&self) -> Vec<Vec<(String, String)>> {
        let versions = format!("{} on Burn {}", self.pref, self.burn);
        let mut first = vec![("pref".to_owned(), versions)];
        first.push(("backends".to_owned(), devices::summary(&self.backends)));
        let mut gpus = vec![gpus::nvidia_line(self.nvidia.as_ref())];
        gpus.extend(self.nvidia.iter().flat_map(Nvidia::lines));
        gpus.extend(self.adapters.iter().flatten().map(Adapter::line));
        let mut settings = self.hub.lines();
        settings.extend(self.variables.iter().map(Variable::line));
        let devices = self.devices.iter().map(Probe::line).collect();
        vec![first, self.machine.lines(), gpus, settings, devices]
    }
}
