//! Tests claims of the papers on small decoders. In: the `pref` program. Out: a run for each method, learning rate and
//! seed, and `docs/evidence.md`.
//!
//! Every run is a folder of its own with a `result.json`. A run that has one is not repeated, so the program can be
//! stopped and started at any time.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool: results on stdout, messages on stderr"
)]

mod bvpo;
mod bvpo_page;
mod claims;
mod interval;
mod methods;
mod page;
mod program;
mod real;
mod real_page;
mod runs;
mod setup;
mod steps;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};

use program::Pref;
use real::{Real, Size};
use runs::Outcome;

/// Train every method on the same data, and write which claims of the papers hold
#[derive(Parser)]
#[command(name = "reproduce")]
struct Args {
    /// The `pref` program
    #[arg(long, value_name = "FILE")]
    pref: PathBuf,
    /// Folder for all runs
    #[arg(long, default_value = "runs/evidence", value_name = "FOLDER")]
    output: PathBuf,
    /// Number of seeds that the methods are compared on
    #[arg(long, default_value_t = 5, value_name = "N")]
    seeds: u64,
    /// The page to write
    #[arg(long, default_value = "docs/evidence.md", value_name = "FILE")]
    page: PathBuf,
    /// Methods to run, such as dpo,adpo-a8; all by default
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// What is run; the page shows all parts as far as they are there
    #[arg(long, value_enum, default_value = "tasks")]
    part: Part,
    /// For the part real: an instruct model, a folder in Hugging Face's layout
    #[arg(long, value_name = "FOLDER", required_if_eq("part", "real"))]
    model: Option<PathBuf>,
    /// For the part real: pairs, JSON Lines with `prompt`, `chosen` and `rejected`
    #[arg(long, value_name = "FILE", required_if_eq("part", "real"))]
    pairs: Option<PathBuf>,
    /// For the part real: how much is trained, and on which device
    #[arg(long, value_enum, default_value = "cpu")]
    size: Size,
    /// Write the page from the runs that are there, and start none
    #[arg(long)]
    page_only: bool,
}

/// A part of the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// All methods on generated tasks
    Tasks,
    /// BVPO with a decoder that thinks, on the data of the part tasks
    Bvpo,
    /// Fine-tuning of a real model
    Real,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let known = methods::all();
    for name in &args.only {
        ensure!(
            known.iter().any(|method| method.name == name),
            "--only {name}: there is no such method; the methods are {}",
            known
                .iter()
                .map(|method| method.name)
                .collect::<Vec<_>>()
                .join(", ")
        );
    }
    let methods: Vec<_> = known
        .into_iter()
        .filter(|method| args.only.is_empty() || args.only.iter().any(|name| name == method.name))
        .collect();
    let pref = Pref::new(&args.pref)?;
    // The page shows the other parts as far as they are there.
    let show = || tasks(args, &pref, &methods, true);
    match args.part {
        _ if args.page_only => show(),
        Part::Tasks => tasks(args, &pref, &methods, false),
        Part::Bvpo => {
            for seed in 0..args.seeds {
                setup::prepare_recipe(&pref, &args.output, seed)?;
                bvpo::run(&pref, &args.output, seed)?;
                show()?;
            }
            Ok(())
        }
        Part::Real => {
            let real = Real {
                model: args.model.as_deref().context("--model is missing")?,
                pairs: args.pairs.as_deref().context("--pairs is missing")?,
                size: args.size,
                output: &args.output,
            };
            real.run(&pref, &show)
        }
    }
}

/// The first part: all methods on generated tasks. Writes the page after each seed.
fn tasks(args: &Args, pref: &Pref, methods: &[methods::Method], is_reading: bool) -> Result<()> {
    let mut outcomes: Vec<Outcome> = Vec::new();
    // The rates are chosen with the data of a seed that is not compared on.
    let mut seeds = vec![setup::RATE_SEED];
    seeds.extend(0..args.seeds);
    for &seed in &seeds {
        if !is_reading {
            setup::prepare(pref, &args.output, seed)?;
        }
        for method in methods {
            let rates = match seed == setup::RATE_SEED {
                true => methods::RATES.to_vec(),
                false => runs::candidates(&outcomes, method.name),
            };
            for rate in rates {
                let run = runs::Run {
                    method,
                    rate,
                    seed,
                    output: &args.output,
                };
                outcomes.extend(run.outcome(pref, is_reading)?);
            }
        }
        if let Some(base) = runs::base(&args.output, seed)? {
            outcomes.push(base);
        }
        page::write(&args.page, &outcomes, methods, &others(args)?)?;
    }
    println!(
        "{} results, page in {}",
        outcomes.len(),
        args.page.display()
    );
    Ok(())
}

/// The parts of the page about BVPO and about a real model.
fn others(args: &Args) -> Result<String> {
    let mut text = String::new();
    let mut outcomes = Vec::new();
    for seed in 0..args.seeds {
        outcomes.extend(bvpo::read(&args.output, seed)?);
    }
    bvpo_page::write(&mut text, &outcomes)?;
    real_page::write(
        &mut text,
        &real::name(&args.output),
        &real::read(&args.output)?,
    )?;
    Ok(text)
}
