//! `pref merge`: adds an adapter to the weights of its base model. In: both folders. Out: a model folder, which
//! needs no adapter.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use pref_model::SaveDtype;
use pref_train::{TrainBackend, copy_tokenizer};

use crate::command_line::results;
use crate::device::{DeviceArgs, Task};
use crate::model::{ModelSource, whole_model};

/// Merge an adapter into its base model
///
/// Writes a model folder in Hugging Face's layout, which computes the same as the base model with the
/// adapter, up to rounding. Configuration and tokenizer are those of the base model.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Adapter: a folder that PEFT or `pref train` wrote
    #[arg(long, value_name = "FOLDER")]
    adapter: PathBuf,
    /// Base model: a folder, hub:OWNER/NAME or hub:OWNER/NAME@REVISION; by default, the folder that the adapter names
    #[arg(long, value_name = "FOLDER")]
    model: Option<PathBuf>,
    /// New folder for the merged model
    #[arg(long, value_name = "FOLDER")]
    output: PathBuf,
    /// Number format of the merged weights; source is that of the base model
    #[arg(long, value_enum, default_value_t = Dtype::Source, value_name = "FORMAT")]
    dtype: Dtype,
    /// A key of config.json to ignore, if Pref does not know it and it does not change the model; may be repeated
    #[arg(long, value_name = "KEY")]
    ignore_config: Vec<String>,
    #[command(flatten)]
    device: DeviceArgs,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Dtype {
    Source,
    F32,
    F16,
    Bf16,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    args.device.device.run(Merge { args })
}

struct Merge<'a> {
    args: &'a Args,
}

impl Task for Merge<'_> {
    type Output = ExitCode;

    fn run<B: TrainBackend>(self, device: &B::Device) -> Result<ExitCode> {
        let args = self.args;
        let output = &args.output;
        ensure!(
            is_free(output),
            "{} already exists; move it away, or choose another --output",
            output.display()
        );
        let source = match &args.model {
            Some(model) => ModelSource {
                folder: whole_model(model)?,
                adapter: Some(args.adapter.clone()),
            },
            None => ModelSource::of_adapter(&args.adapter)?,
        };
        let model = source.load::<B::InnerBackend>(&args.ignore_config, device)?;
        let dtype = match args.dtype {
            Dtype::Source => SaveDtype::Source,
            Dtype::F32 => SaveDtype::F32,
            Dtype::F16 => SaveDtype::F16,
            Dtype::Bf16 => SaveDtype::Bf16,
        };
        // The folder gets its name when it is complete.
        let parent = match output.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let at = |path: &Path| path.display().to_string();
        fs::create_dir_all(parent).with_context(|| at(parent))?;
        let folder = tempfile::Builder::new()
            .prefix(".merge.")
            .tempdir_in(parent);
        let folder = folder.with_context(|| at(parent))?;
        let whole = folder.path().join("model");
        model.merge_lora().save(&whole, dtype)?;
        copy_tokenizer(&source.folder, &whole).with_context(|| at(&whole))?;
        fs::rename(&whole, output).with_context(|| at(output))?;
        writeln!(results(), "merged model in {}", output.display())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Whether a folder does not exist, or is empty.
fn is_free(folder: &Path) -> bool {
    match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}
