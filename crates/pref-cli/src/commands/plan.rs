//! `pref plan`: predicts what a training step needs. In: the shape of a model, settings, and the number of GPUs.
//! Out: memory, operations, traffic and time, as text or as JSON. Nothing is loaded but `config.json`.

use std::io::Write;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use pref_model::{CPU_TOKENS_OF_A_PASS, Config, Precision};
use pref_train::{Forecast, Machine, Plan, Settings, Workload};
use serde_json::json;

use crate::model::model_folder;

/// Predict memory, operations, traffic and time of a training step
///
/// The prediction follows from the shape of the model, the lengths of the rows and the settings of `pref train`;
/// no weight is read. docs/scaling.md says what it counts, and compares it with what was measured.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Model: a folder with config.json in Hugging Face's layout, hub:OWNER/NAME or hub:OWNER/NAME@REVISION
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Number of GPUs, each with a process of its own; with --gpu cpu, number of processes
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    gpus: u32,
    /// Kind of GPU, which gives the defaults of the options below
    #[arg(long, value_enum, default_value_t = Kind::H100, value_name = "KIND")]
    gpu: Kind,
    /// Tokens of a prompt
    #[arg(long, default_value_t = 512, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    prompt_tokens: u32,
    /// Tokens of an answer
    #[arg(long, default_value_t = 512, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    answer_tokens: u32,
    /// Method, such as dpo, simpo or sft
    #[arg(long, value_name = "NAME")]
    objective: Option<String>,
    /// Any setting of `pref train`, such as train.batch-size=16 or train.lora.rank=16; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Operations of a GPU at best in the precision of the plan, 10¹² a second
    #[arg(long, value_name = "X", value_parser = positive)]
    tflops: Option<f64>,
    /// Fraction of these operations that training reaches, above 0 and at most 1
    #[arg(long, value_name = "X", value_parser = fraction)]
    efficiency: Option<f64>,
    /// Memory of a GPU, GiB
    #[arg(long, value_name = "X", value_parser = positive)]
    memory: Option<f64>,
    /// Speed of a GPU's memory, GB a second
    #[arg(long, value_name = "X", value_parser = positive)]
    memory_bandwidth: Option<f64>,
    /// Speed between processes, GB a second
    #[arg(long, value_name = "X", value_parser = positive)]
    link: Option<f64>,
    /// Speed between a GPU and the memory of the host, GB a second
    #[arg(long, value_name = "X", value_parser = positive)]
    host_link: Option<f64>,
    /// Print one JSON object, in bytes, seconds and operations
    #[arg(long)]
    json: bool,
}

/// A kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// NVIDIA H100 SXM
    H100,
    /// NVIDIA H200 SXM
    H200,
    /// Two processor cores with AVX-512
    Cpu,
}

impl Kind {
    /// `None` if the device does not train in this precision.
    fn machine(self, precision: Precision) -> Option<Machine> {
        match (self, precision) {
            (Kind::H100, precision) => Some(Machine::h100(precision)),
            (Kind::H200, precision) => Some(Machine::h200(precision)),
            (Kind::Cpu, Precision::F32) => Some(Machine::cpu()),
            (Kind::Cpu, Precision::Bf16) => None,
        }
    }

    /// The limits of a forward pass that the backend has.
    fn tokens_of_a_pass(self) -> Option<Range<usize>> {
        match self {
            Kind::H100 | Kind::H200 => None,
            Kind::Cpu => Some(CPU_TOKENS_OF_A_PASS),
        }
    }
}

fn positive(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    match value > 0.0 && value.is_finite() {
        true => Ok(value),
        false => Err("expected a number above 0".to_owned()),
    }
}

fn fraction(text: &str) -> Result<f64, String> {
    let value = positive(text)?;
    match value <= 1.0 {
        true => Ok(value),
        false => Err("expected a number above 0 and at most 1".to_owned()),
    }
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let folder = model_folder(&args.model)?;
    let model = Config::from_folder(&folder)?;
    let plan = args.plan(&folder.to_string_lossy())?;
    let lengths = [args.prompt_tokens as usize, args.answer_tokens as usize];
    let positions = model.max_position_embeddings();
    ensure!(
        lengths.iter().sum::<usize>() <= positions,
        "--prompt-tokens {} and --answer-tokens {} are more than the {positions} positions of {}; give smaller numbers",
        lengths[0],
        lengths[1],
        folder.display()
    );
    let ranks = args.gpus as usize;
    let workload = Workload::new(&plan, lengths, ranks, args.gpu.tokens_of_a_pass());
    let kind = args.gpu.machine(plan.train.precision);
    let kind = kind.context(
        "train.precision is \"bf16\", which CPUs do not train in; leave it out, or choose --gpu h100 or h200",
    )?;
    let machine = args.machine(kind);
    let forecast = Forecast::new(&model, &plan.train, &workload, &machine)?;
    let mut out = std::io::stdout().lock();
    if args.json {
        let line = json!({"workload": workload, "machine": machine, "forecast": forecast});
        writeln!(out, "{line}")?;
    } else {
        write_text(&mut out, &workload, &machine, &forecast)?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn plan(&self, model: &str) -> Result<Plan> {
        let mut settings = Settings::default();
        settings.put("model.path", model)?;
        // The rows are given by their lengths.
        settings.put("data.train", "rows")?;
        settings.put(
            "objective.method",
            self.objective.as_deref().unwrap_or("dpo"),
        )?;
        for pair in &self.set {
            settings.set(pair)?;
        }
        Plan::from_settings(settings).context("the settings of the plan")
    }

    /// A machine of a kind, with the speeds that are given.
    fn machine(&self, kind: Machine) -> Machine {
        let scaled = |given: Option<f64>, unit: f64, default: f64| {
            given.map_or(default, |value| value * unit)
        };
        Machine {
            flops: scaled(self.tflops, 1e12, kind.flops),
            efficiency: self.efficiency.unwrap_or(kind.efficiency),
            memory_bandwidth: scaled(self.memory_bandwidth, 1e9, kind.memory_bandwidth),
            link_bandwidth: scaled(self.link, 1e9, kind.link_bandwidth),
            host_bandwidth: self.host_link.map(|x| x * 1e9).or(kind.host_bandwidth),
            memory: self.memory.map(|x| x * GIB).or(kind.memory),
        }
    }
}

/// Bytes of a GiB.
const GIB: f64 = (1_u64 << 30) as f64;

/// A number with the prefix that leaves one to three digits before the point, for `step` of 1000 or 1024.
fn with_prefix(value: f64, step: f64, units: [&str; 5]) -> String {
    let mut value = value;
    let mut unit = 0;
    while value >= step && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    let digits = if unit == 0 { 0 } else { 2 };
    format!("{value:.digits$} {}", units[unit])
}

fn bytes(n: f64) -> String {
    with_prefix(n, 1024.0, ["B", "KiB", "MiB", "GiB", "TiB"])
}

fn operations(n: f64) -> String {
    with_prefix(n, 1000.0, ["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP"])
}

fn time(seconds: f64) -> String {
    match seconds < 1.0 {
        true => format!("{:.2} ms", seconds * 1e3),
        false => format!("{seconds:.2} s"),
    }
}

fn write_text(
    out: &mut impl Write,
    workload: &Workload,
    machine: &Machine,
    forecast: &Forecast,
) -> Result<()> {
    let mut line = |label: &str, text: String| writeln!(out, "{label:<22} {text}");
    let count = |n: usize| with_prefix(n as f64, 1000.0, ["", "K", "M", "G", "T"]);
    let (parameters, trained) = (count(forecast.parameters), count(forecast.trained));
    line("parameters", format!("{parameters}, {trained} trained"))?;
    let answers = match workload.answers {
        1 => "an answer",
        _ => "two answers",
    };
    let (rows, tokens) = (workload.rows, forecast.tokens);
    line(
        "step",
        format!("{rows} rows with {answers}, {tokens} tokens"),
    )?;
    let (passes, tokens) = (forecast.passes, forecast.tokens_of_a_pass);
    let on = match workload.ranks {
        1 => "one process".to_owned(),
        ranks => format!("each of {ranks} processes"),
    };
    line(
        "forward passes",
        format!("{passes} of {tokens} tokens on {on}"),
    )?;
    let memory = &forecast.memory;
    let total = memory.total as f64;
    let of = match machine.memory {
        Some(all) if total > all => format!(" of {}: too much", bytes(all)),
        Some(all) => format!(" of {}", bytes(all)),
        None => String::new(),
    };
    line("memory of a process", bytes(total) + &of)?;
    for (label, n) in [
        ("  weights", memory.weights),
        ("  gradients", memory.gradients),
        ("  optimiser", memory.moments),
        ("  reference", memory.reference),
        ("  activations", memory.activations),
        ("  logits", memory.logits),
        ("  sums", memory.sums),
    ] {
        line(label, bytes(n as f64))?;
    }
    let step = &forecast.time;
    let (a_token, a_step) = (operations(step.flops_per_token), operations(step.flops));
    line("operations", format!("{a_token} a token, {a_step} a step"))?;
    if step.reference_flops_per_row > 0.0 {
        let once = operations(step.reference_flops_per_row);
        line("reference, once", format!("{once} a row"))?;
    }
    line(
        "traffic",
        format!("{} a step from each process", bytes(step.traffic)),
    )?;
    line("time of a step", time(step.seconds))?;
    for (label, seconds) in [
        ("  forward and backward", step.compute_seconds),
        ("  optimiser", step.update_seconds),
        ("  sum of gradients", step.sum_seconds),
    ] {
        line(label, time(seconds))?;
    }
    line(
        "speed",
        format!("{:.0} tokens a second", step.tokens_per_second),
    )?;
    Ok(())
}
