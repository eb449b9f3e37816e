//! The names of settings. In: a key as a user wrote it. Out: `section.key` as the plan spells it, or an
//! error with a suggestion.

use serde_json::{Value, json};

use super::data::DataPlan;
use super::error::PlanError;
use super::lora::{self, LoraPlan};
use super::sections::{ModelPlan, OutputPlan};
use super::train::TrainPlan;

/// TRL's name of the setting that is `objective.method` here.
pub(super) const LOSS_TYPE: &str = "loss_type";

/// TRL's names of settings, each with Pref's name.
const ALIASES: &[(&str, &str)] = &[
    ("model_name_or_path", "model.path"),
    ("sync_ref_model", "model.sync-reference"),
    ("ref_model_mixup_alpha", "model.sync-alpha"),
    ("ref_model_sync_steps", "model.sync-every"),
    ("dataset_name", "data.train"),
    ("train_file", "data.train"),
    ("validation_file", "data.eval"),
    ("max_length", "data.max-length"),
    ("truncation_mode", "data.truncation"),
    ("chat_template_kwargs", "data.chat-template-kwargs"),
    ("assistant_only_loss", "data.all-turns"),
    ("output_dir", "output.folder"),
    ("save_total_limit", "output.keep-checkpoints"),
    ("report_to", "output.report-to"),
    ("logging_dir", "output.tensorboard-folder"),
    ("num_train_epochs", "train.epochs"),
    ("max_steps", "train.steps"),
    ("per_device_train_batch_size", "train.batch-size"),
    ("packing", "train.packing"),
    ("pad_to_multiple_of", "train.pad-to-multiple-of"),
    ("gradient_accumulation_steps", "train.gradient-accumulation"),
    ("learning_rate", "train.learning-rate"),
    ("lr_scheduler_type", "train.schedule"),
    ("min_lr", "train.min-learning-rate"),
    ("lr_end", "train.min-learning-rate"),
    ("warmup_steps", "train.warmup-steps"),
    ("warmup_ratio", "train.warmup-ratio"),
    ("optim", "train.optimizer"),
    ("weight_decay", "train.weight-decay"),
    ("adam_beta1", "train.adam-beta1"),
    ("adam_beta2", "train.adam-beta2"),
    ("adam_epsilon", "train.adam-epsilon"),
    ("max_grad_norm", "train.max-grad-norm"),
    ("seed", "train.seed"),
    ("gradient_checkpointing", "train.checkpoint-activations"),
    ("logging_steps", "train.log-every"),
    ("eval_steps", "train.eval-every"),
    ("save_steps", "train.save-every"),
    ("metric_for_best_model", "train.best-metric"),
    ("greater_is_better", "train.best-is-greater"),
    ("load_best_model_at_end", "train.load-best"),
    ("early_stopping_patience", "train.early-stopping-patience"),
    ("early_stopping_threshold", "train.early-stopping-min-delta"),
    ("use_peft", lora::SECTION),
    ("lora_r", "train.lora.rank"),
    ("lora_alpha", "train.lora.alpha"),
    ("lora_dropout", "train.lora.dropout"),
    ("lora_target_modules", "train.lora.targets"),
    ("target_modules", "train.lora.targets"),
    ("exclude_modules", "train.lora.exclude"),
    ("use_rslora", "train.lora.rslora"),
    ("use_dora", "train.lora.dora"),
    (LOSS_TYPE, "objective.method"),
    ("beta", "objective.beta"),
    ("label_smoothing", "objective.label_smoothing"),
    ("discopop_tau", "objective.tau"),
    ("simpo_gamma", "objective.gamma"),
    ("f_divergence_type", "objective.f_divergence_type"),
    (
        "f_alpha_divergence_coef",
        "objective.f_alpha_divergence_coef",
    ),
    ("desirable_weight", "objective.desirable_weight"),
    ("undesirable_weight", "objective.undesirable_weight"),
    (
        "center_rewards_coefficient",
        "objective.center_rewards_coefficient",
    ),
];

/// The sections of a plan.
pub(super) const SECTIONS: [&str; 5] = ["model", "data", "objective", "train", "output"];

/// `section.key` as the plan spells it.
///
/// # Errors
/// [`PlanError::UnknownKey`] suggests the nearest name.
pub(super) fn canonical(key: &str, origin: &str) -> Result<String, PlanError> {
    let snake = key.replace('-', "_");
    if let Some((_, name)) = ALIASES.iter().find(|(alias, _)| *alias == snake) {
        return Ok((*name).to_owned());
    }
    let unknown = |suggestion: String| PlanError::UnknownKey {
        key: key.to_owned(),
        origin: origin.to_owned(),
        suggestion,
    };
    let known = known_keys();
    let kebab = key.replace('_', "-");
    if let Some(inner) = key.strip_prefix("objective.") {
        // The settings of an objective depend on its method, so they are checked later.
        return Ok(format!("objective.{}", inner.replace('-', "_")));
    }
    if known.contains(&kebab) {
        return Ok(kebab);
    }
    let candidates = known
        .iter()
        .map(String::as_str)
        .chain(SECTIONS)
        .chain(ALIASES.iter().map(|(alias, _)| *alias));
    let last = |name: &str| {
        name.rsplit('.')
            .next()
            .unwrap_or_default()
            .replace('_', "-")
    };
    let nearest = candidates
        .map(|name| {
            // Two names are similar if the whole names are similar, or their last parts. The small
            // number prefers similar whole names if both similarities are equal.
            let whole = strsim::jaro_winkler(&kebab, name) + 1e-9;
            let tail = strsim::jaro_winkler(&last(&kebab), &last(name));
            (whole.max(tail), name)
        })
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    Err(unknown(match nearest {
        Some((_, name)) => format!("; did you mean `{name}`?"),
        None => format!("; the settings are {}, objective.*", known.join(", ")),
    }))
}

/// Every key outside the objective, as `section.key`, read from the types of the sections.
fn known_keys() -> Vec<String> {
    let sections = [
        ("model", json!(ModelPlan::default())),
        ("data", json!(DataPlan::default())),
        ("train", json!(TrainPlan::default())),
        (lora::SECTION, json!(LoraPlan::default())),
        ("output", json!(OutputPlan::default())),
    ];
    let keys = |(section, defaults): (&str, Value)| {
        let keys = defaults.as_object().into_iter().flatten();
        let keys = keys.map(|(key, _)| format!("{section}.{key}"));
        keys.collect::<Vec<String>>()
    };
    sections.into_iter().flat_map(keys).collect()
}
