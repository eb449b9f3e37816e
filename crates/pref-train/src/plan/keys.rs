//! Settings in layers, their names and aliases.
//!
//! In: TOML files and `key=value` pairs, later ones over earlier ones. Every key is checked against
//! the plan's own fields when it is added, so that a typo is named with its file. Out: the values
//! of a [`Plan`].

use std::path::Path;

use pref_data::PartRules;
use serde_json::{Map, Value, json};

use super::objective::{LOSS_TYPE, objective};
use super::{Plan, PlanError};

/// TRL's names, for those who come from there.
const ALIASES: &[(&str, &str)] = &[
    ("model_name_or_path", "model.path"),
    ("dataset_name", "data.train"),
    ("train_file", "data.train"),
    ("validation_file", "data.eval"),
    ("max_length", "data.max-length"),
    ("truncation_mode", "data.truncation"),
    ("chat_template_kwargs", "data.chat-template-kwargs"),
    ("output_dir", "output.folder"),
    ("save_total_limit", "output.keep-checkpoints"),
    ("num_train_epochs", "train.epochs"),
    ("max_steps", "train.steps"),
    ("per_device_train_batch_size", "train.batch-size"),
    ("pad_to_multiple_of", "train.pad-to-multiple-of"),
    ("gradient_accumulation_steps", "train.gradient-accumulation"),
    ("learning_rate", "train.learning-rate"),
    ("lr_scheduler_type", "train.schedule"),
    ("warmup_steps", "train.warmup-steps"),
    ("weight_decay", "train.weight-decay"),
    ("adam_beta1", "train.adam-beta1"),
    ("adam_beta2", "train.adam-beta2"),
    ("adam_epsilon", "train.adam-epsilon"),
    ("max_grad_norm", "train.max-grad-norm"),
    ("seed", "train.seed"),
    ("logging_steps", "train.log-every"),
    ("eval_steps", "train.eval-every"),
    ("save_steps", "train.save-every"),
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
];

/// Sections of a plan.
const SECTIONS: [&str; 5] = ["model", "data", "objective", "train", "output"];

/// Settings given so far, one of a name, in the order in which they were given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    given: Vec<Given>,
}

/// A setting.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Given {
    /// `section.key`, as the plan spells it.
    pub(super) name: String,
    /// As it was spelled.
    pub(super) spelled: String,
    pub(super) value: Value,
    /// The file, or `--set`.
    pub(super) origin: String,
}

impl Given {
    /// Whether it was given by this one of TRL's names.
    pub(super) fn is_spelled(&self, alias: &str) -> bool {
        self.spelled.replace('-', "_") == alias
    }
}

impl Settings {
    /// The settings of a TOML file.
    ///
    /// # Errors
    /// [`PlanError`] if it cannot be read, is no TOML, or holds a setting nobody knows.
    pub fn from_file(path: &Path) -> Result<Self, PlanError> {
        let text = std::fs::read_to_string(path).map_err(|source| PlanError::Read {
            path: path.to_owned(),
            source,
        })?;
        let table: Map<String, Value> = toml::from_str(&text).map_err(|error| PlanError::Toml {
            path: path.to_owned(),
            message: error.to_string(),
        })?;
        let mut settings = Self::default();
        settings.layer(&table, &path.display().to_string())?;
        Ok(settings)
    }

    /// Lays a table of settings over those given before. Settings of the objective stay when
    /// another layer names another method: a plan is refused where they do not fit it.
    ///
    /// # Errors
    /// [`PlanError`] names an unknown setting, or one without a finite value, and `origin`.
    pub fn layer(&mut self, table: &Map<String, Value>, origin: &str) -> Result<(), PlanError> {
        let mut seen: Vec<(String, String)> = Vec::new();
        for (key, value) in table {
            match value {
                Value::Object(section) if SECTIONS.contains(&key.as_str()) => {
                    for (inner, value) in section {
                        self.add(&format!("{key}.{inner}"), value, origin, &mut seen)?;
                    }
                }
                value => self.add(key, value, origin, &mut seen)?,
            }
        }
        Ok(())
    }

    /// Lays one `key=value` over those given before; the value is TOML, or else a string.
    ///
    /// # Errors
    /// [`PlanError`] for text without `=`, and for an unknown setting.
    pub fn set(&mut self, pair: &str) -> Result<(), PlanError> {
        let no_pair = || PlanError::NoPair(pair.to_owned());
        let (key, text) = pair.split_once('=').ok_or_else(no_pair)?;
        let value = toml::from_str::<Map<String, Value>>(&format!("value = {text}"))
            .ok()
            .and_then(|mut table| table.remove("value"))
            .unwrap_or_else(|| json!(text));
        self.layer(&Map::from_iter([(key.trim().to_owned(), value)]), "--set")
    }

    /// Sets a value whose key is known to exist, such as a flag's.
    ///
    /// # Errors
    /// [`PlanError::UnknownKey`] if it does not.
    pub fn put(&mut self, key: &str, value: impl Into<Value>) -> Result<(), PlanError> {
        self.layer(
            &Map::from_iter([(key.to_owned(), value.into())]),
            "the command line",
        )
    }

    /// Whether the setting was given.
    pub fn has(&self, key: &str) -> bool {
        self.given.iter().any(|given| given.name == key)
    }

    fn add(
        &mut self,
        key: &str,
        value: &Value,
        origin: &str,
        seen: &mut Vec<(String, String)>,
    ) -> Result<(), PlanError> {
        let name = canonical(key, origin)?;
        if let Some((_, first)) = seen.iter().find(|(n, _)| *n == name) {
            return Err(PlanError::Twice {
                first: first.clone(),
                second: key.to_owned(),
                origin: origin.to_owned(),
            });
        }
        // an objective within another is given setting by setting, as the other is
        if let ("objective.inner", Value::Object(inner)) = (name.as_str(), value) {
            for (setting, value) in inner {
                self.add(&format!("{key}.{setting}"), value, origin, seen)?;
            }
            return Ok(());
        }
        if has_null(value) {
            return Err(PlanError::NotFinite {
                key: key.to_owned(),
                origin: origin.to_owned(),
            });
        }
        seen.push((name.clone(), key.to_owned()));
        // a whole table replaces what was given of it
        let within = format!("{name}.");
        self.given
            .retain(|given| given.name != name && !given.name.starts_with(&within));
        self.given.push(Given {
            name,
            spelled: key.to_owned(),
            value: value.clone(),
            origin: origin.to_owned(),
        });
        Ok(())
    }

    pub(super) fn into_plan(self) -> Result<Plan, PlanError> {
        let mut tree = defaults();
        for given in &self.given {
            let (section, inner) = given
                .name
                .split_once('.')
                .expect("canonical keys have a section");
            if section == "objective" {
                continue;
            }
            tree[section][inner] = given.value.clone();
        }
        let objective = objective(&self.given)?;
        tree["objective"] = objective.to_value();
        if tree["output"]["folder"].is_null() {
            tree["output"]["folder"] = default_folder(&tree);
        }
        for (key, expected, flag) in [
            (
                "model.path",
                "a model's folder in Hugging Face's layout",
                "--model FOLDER",
            ),
            ("data.train", "a file of preference pairs", "--data FILE"),
        ] {
            let (section, inner) = key.split_once('.').expect("written so above");
            if tree[section][inner].is_null() {
                return Err(PlanError::Required {
                    key,
                    expected,
                    flag,
                });
            }
        }
        if tree["model"]["reference"].is_null() {
            let needs = objective.needs();
            tree["model"]["reference"] = json!(match (needs.kl, needs.reference) {
                (true, _) => "frozen-copy",
                (false, true) => "precomputed",
                (false, false) => "none",
            });
        }
        serde_path_to_error::deserialize(tree).map_err(|error| PlanError::Value {
            key: error.path().to_string(),
            message: error.inner().to_string(),
        })
    }
}

/// Whether a value, or one within it, is absent: TOML has no such values, and JSON has no others for
/// what is no finite number.
fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.iter().any(has_null),
        Value::Object(map) => map.values().any(has_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// `section.key` as the plan spells it.
fn canonical(key: &str, origin: &str) -> Result<String, PlanError> {
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
        // the objective's own schema names its settings, once the method is known
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
            // a name is as near as it is spelled, or as its last part is
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

fn known_keys() -> Vec<String> {
    let tree = defaults();
    let sections = tree.as_object().into_iter().flatten();
    sections
        .flat_map(|(section, keys)| {
            let keys = keys.as_object().into_iter().flatten();
            keys.map(move |(key, _)| format!("{section}.{key}"))
        })
        .collect()
}

/// `runs/<data>-<method>`, for a run that nobody named.
fn default_folder(tree: &Value) -> Value {
    let data = tree["data"]["train"].as_str().unwrap_or_default();
    let stem = Path::new(data).file_stem().unwrap_or_default();
    let method = tree["objective"]["method"].as_str().unwrap_or_default();
    json!(format!("runs/{}-{method}", stem.to_string_lossy()))
}

/// Every setting with its default; `null` where there is none.
fn defaults() -> Value {
    json!({
        "model": {
            "path": null,
            "reference": null,
            "reference-path": null,
            "ignore-config": [],
        },
        "data": {
            "train": null,
            "empty": null,
            "shape": null,
            "columns": {},
            "on-error": "stop",
            "rows": null,
            "eval": null,
            "empty-eval": null,
            "eval-fraction": 0.0,
            "max-length": null,
            "truncation": "keep-start",
            "boundary": "joint",
            "long-prompts": "drop",
            "chat-template-kwargs": {},
            "diff": "levenshtein",
            "ignore-stop-words": false,
            "first-part": "reasoning",
            "parts": PartRules::default_markers(),
            "shuffle": true,
            "template-time": null,
            "skip": [],
        },
        "train": {
            "epochs": 1.0,
            "steps": null,
            "batch-size": 8,
            "batch-tokens": 0,
            "share-prompts": false,
            "pad-to-multiple-of": 0,
            "gradient-accumulation": 1,
            "learning-rate": 1e-6,
            "schedule": "linear",
            "warmup-steps": 0,
            "weight-decay": 0.0,
            "adam-beta1": 0.9,
            "adam-beta2": 0.999,
            "adam-epsilon": 1e-8,
            "max-grad-norm": 1.0,
            "seed": 42,
            "vocab-chunk": 0,
            "log-every": 1,
            "eval-every": 0,
            "save-every": 0,
            "save-minutes": 5.0,
        },
        "output": {
            "folder": null,
            "dtype": "source",
            "keep-checkpoints": 2,
            "last-checkpoint": true,
        },
    })
}
