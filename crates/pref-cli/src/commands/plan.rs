//! `pref plan`: predicts what a training step needs. In: the shape of a model, settings, and the number of GPUs.
//! Out: memory, operations, traffic and time, as text or as JSON. Nothing is loaded but `config.json`.

use std::io::Write;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use pref_model::{CPU_TOKENS_OF_A_PASS, Config};
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
    /// Float32 operations of a GPU at best, 10¹² a second
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
    fn machine(self) -> Machine {
        match self {
            Kind::H100 => Machine::h100(),
            Kind::H200 => Machine::h200(),
            Kind::Cpu => Machine::cpu(),
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
    let machine = args.machine();
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

    fn machine(&self) -> Machine {
        let kind = self.gpu.machine();
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

fn write_text(
    out: &mut impl Write,
    workload: &Workload,
    machine: &Machine,
    forecast: &Forecast,
) -> Result<()> {
    let mut line = |label: &str, text: String| writeln!(out, "{label:<22} {text}");
    let gib = |bytes: f64| format!("{:.2} GiB", bytes / GIB);
    let millions = |n: usize| format!("{:.1} M", n as f64 / 1e6);
    line(
        "parameters",
        format!(
            "{}, {} trained",
            millions(forecast.parameters),
            millions(forecast.trained)
        ),
    )?;
    let answers = match workload.answers {
        1 => "an answer",
        _ => "two answers",
    };
    line(
        "step",
        format!(
            "{} rows with {answers}, {} tokens",
            workload.rows, forecast.tokens
        ),
    )?;
    line(
        "forward passes",
        format!(
            "{} of {} tokens on each of {} ranks",
            forecast.passes, forecast.tokens_of_a_pass, workload.ranks
        ),
    )?;
    let memory = &forecast.memory;
    let total = memory.total as f64;
    let of = match machine.memory {
        Some(all) if total > all => {
            format!(" of {}: too much", gib(all))
        }
        Some(all) => format!(" of {}", gib(all)),
        None => String::new(),
    };
    line("memory of a rank", gib(total) + &of)?;
    for (label, bytes) in [
        ("  weights", memory.weights),
        ("  gradients", memory.gradients),
        ("  optimiser", memory.moments),
        ("  reference", memory.reference),
        ("  activations", memory.activations),
        ("  logits", memory.logits),
        ("  sums over ranks", memory.sums),
    ] {
        line(label, gib(bytes as f64))?;
    }
    let time = &forecast.time;
    line(
        "operations",
        format!(
            "{:.2} GFLOP a token, {:.2} TFLOP a step",
            time.flops_per_token / 1e9,
            time.flops / 1e12
        ),
    )?;
    if time.reference_flops_per_row > 0.0 {
        line(
            "reference, once",
            format!("{:.3} TFLOP a row", time.reference_flops_per_row / 1e12),
        )?;
    }
    line(
        "traffic",
        format!("{:.2} GB a step from each rank", time.traffic / 1e9),
    )?;
    line(
        "time of a step",
        format!(
            "{:.3} s: passes {:.3} s, optimiser {:.3} s, sum over ranks {:.3} s",
            time.seconds, time.compute_seconds, time.update_seconds, time.sum_seconds
        ),
    )?;
    line(
        "speed",
        format!("{:.0} tokens a second", time.tokens_per_second),
    )?;
    Ok(())
}
