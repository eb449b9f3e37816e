//! `pref objectives`: lists the methods. In: nothing, or a method's name. Out: equations, sources, what the
//! data must contain, and defaults.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use pref_core::{Method, ObjectiveConfig, ObjectiveConfigError};
use serde_json::json;

/// List the objectives, or show one with its source, its needs and its defaults
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Name of a method, such as dpo or adpo; all methods by default
    name: Option<String>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let methods: Vec<Method> = match &args.name {
        None => Method::ALL.to_vec(),
        Some(name) => match Method::from_name(name) {
            Some(method) => vec![method],
            // This returns an error that lists the known names.
            None => {
                ObjectiveConfig::preset(name)?;
                Vec::new()
            }
        },
    };
    let mut stdout = std::io::stdout().lock();
    for method in methods {
        let info = method.info();
        let config = ObjectiveConfig::preset(info.name);
        if args.json {
            let (needs, defaults) = match &config {
                Ok(config) => (json!(config.needs().names()), config.to_value()),
                Err(_) => (json!(null), json!(null)),
            };
            let line = json!({
                "method": info.name,
                "equation": info.equation,
                "source": info.source,
                "needs": needs,
                "defaults": defaults,
            });
            writeln!(stdout, "{line}")?;
        } else if args.name.is_some() {
            write_one(&mut stdout, method, config)?;
        } else {
            writeln!(stdout, "{:<13} {}", info.name, info.equation)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn write_one(
    out: &mut impl Write,
    method: Method,
    config: Result<ObjectiveConfig, ObjectiveConfigError>,
) -> Result<()> {
    let info = method.info();
    writeln!(out, "{}\n\n  {}\n", info.name, info.equation)?;
    writeln!(out, "source    {}", info.source)?;
    match config {
        Ok(config) => {
            let needs = config.needs().names();
            let needs = match needs.is_empty() {
                true => "nothing besides the pairs".to_owned(),
                false => needs.join(", "),
            };
            writeln!(out, "needs     {needs}")?;
            writeln!(out, "defaults  {}", config.to_value())?;
        }
        Err(error) => writeln!(out, "defaults  none: {error}")?,
    }
    Ok(())
}
