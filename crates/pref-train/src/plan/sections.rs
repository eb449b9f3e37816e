//! A plan, and its sections `model` and `output`. The other sections have files of their own. In: settings.
//! Out: typed values, not checked yet.

use std::path::PathBuf;

use pref_core::ObjectiveConfig;
use serde::{Deserialize, Serialize};

use super::data::DataPlan;
use super::report_to::ReportTo;
use super::train::TrainPlan;

/// Everything that decides a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Plan {
    /// The policy and its reference.
    pub model: ModelPlan,
    /// Where the pairs come from, and how they become tokens.
    pub data: DataPlan,
    /// The loss.
    pub objective: ObjectiveConfig,
    /// How the loss is minimised.
    pub train: TrainPlan,
    /// What the run writes.
    pub output: OutputPlan,
}

/// The policy and its reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct ModelPlan {
    /// Folder of the model that training starts from, in Hugging Face's layout. For a policy of your
    /// own, the folder with its tokenizer. Required.
    pub path: PathBuf,
    /// Where the reference log-probs come from. The default follows from the objective: `frozen-copy`
    /// if it compares whole distributions (`adapter-off` if a new adapter is trained), `precomputed` if it
    /// uses a reference, else `none`.
    pub reference: ReferenceKind,
    /// Folder of the reference model. By default, the model that training starts from.
    pub reference_path: Option<PathBuf>,
    /// Whether the reference follows the policy (TR-DPO): every `sync_every` steps its weights become
    /// `alpha · policy + (1 − alpha) · reference`, with `sync_alpha` as `alpha`. It needs the reference
    /// `frozen-copy`, which is then the default. Default: false.
    pub sync_reference: bool,
    /// The share of the policy's weights in the reference at each synchronisation, above 0 and at most 1.
    /// Default: 0.6.
    pub sync_alpha: f64,
    /// Number of steps between two synchronisations of the reference. Default: 512.
    pub sync_every: usize,
    /// Keys of `config.json` to ignore. Pref refuses a model with a key that it does not know, unless the
    /// key is listed here. List a key only if it does not change what the model computes. A key of an
    /// inner object is written `rope_scaling.key`. Default: none.
    pub ignore_config: Vec<String>,
}

impl Default for ModelPlan {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            reference: ReferenceKind::default(),
            reference_path: None,
            sync_reference: false,
            sync_alpha: 0.6,
            sync_every: 512,
            ignore_config: Vec::new(),
        }
    }
}

/// Where the reference log-probs come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReferenceKind {
    /// The log-probs are computed once before training, and stored in the run's folder.
    #[default]
    Precomputed,
    /// A copy of the model at the start of the run computes the log-probs during training.
    FrozenCopy,
    /// The policy without its adapter computes the log-probs during training, which needs no more memory.
    AdapterOff,
    /// No log-probs are computed, because the objective uses no reference.
    None,
}

impl ReferenceKind {
    /// Its name in a plan.
    pub fn name(self) -> &'static str {
        match self {
            ReferenceKind::Precomputed => "precomputed",
            ReferenceKind::FrozenCopy => "frozen-copy",
            ReferenceKind::AdapterOff => "adapter-off",
            ReferenceKind::None => "none",
        }
    }
}

/// What the run writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct OutputPlan {
    /// The run's folder. Default: `runs/<data>-<method>`.
    pub folder: PathBuf,
    /// Number format of the final weights. Default: `source`.
    pub dtype: WeightFormat,
    /// Number of checkpoints to keep; 0 keeps all. Default: 2.
    pub keep_checkpoints: usize,
    /// Whether to write a checkpoint after the last step, from which a longer run can continue. A
    /// checkpoint takes three times the space of the weights in float32. Default: true.
    pub last_checkpoint: bool,
    /// The program that the metrics are also written for: `none` or `tensorboard`. Default: `none`.
    pub report_to: ReportTo,
    /// Folder of TensorBoard's event file. Default: `tensorboard` in the run's folder.
    pub tensorboard_folder: Option<PathBuf>,
}

impl Default for OutputPlan {
    fn default() -> Self {
        Self {
            folder: PathBuf::new(),
            dtype: WeightFormat::Source,
            keep_checkpoints: 2,
            last_checkpoint: true,
            report_to: ReportTo::None,
            tensorboard_folder: None,
        }
    }
}

/// Number format of the final weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeightFormat {
    /// The number format of the model that training started from.
    Source,
    /// 32-bit floats.
    F32,
    /// IEEE half precision.
    F16,
    /// bfloat16.
    Bf16,
}
