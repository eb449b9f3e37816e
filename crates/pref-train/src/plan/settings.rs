//! Settings in layers. In: TOML files and `key=value` pairs; a later setting replaces an earlier one of the
//! same name. Out: the values of a [`Plan`]. Every key is checked when it is added, so that an error names
//! the file.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::error::PlanError;
use super::keys::{SECTIONS, canonical};
use super::lora;
use super::lora_table::lora_table;
use super::objective::{Given, objective};
use super::sections::{Plan, ReferenceKind};
use super::train::TrainPlan;

/// Settings in the order in which they were given, at most one for each name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    given: Vec<Given>,
}

impl Settings {
    /// The settings of a TOML file.
    ///
    /// # Errors
    /// [`PlanError`] if the file cannot be read, is not TOML, or has an unknown setting.
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

    /// Adds a table of settings. Each setting replaces an earlier one of the same name.
    ///
    /// If a later layer changes the method, the earlier settings of the objective stay. The plan is refused
    /// if they do not fit the new method.
    ///
    /// # Errors
    /// [`PlanError`] names `origin` and the setting: it is unknown, the table gives it twice, or its value
    /// is not finite.
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

    /// Adds one `key=value`. The value is TOML; text that is not TOML is a string.
    ///
    /// # Errors
    /// [`PlanError`] for text without `=`, for an unknown setting, and for a value that is not finite.
    pub fn set(&mut self, pair: &str) -> Result<(), PlanError> {
        let no_pair = || PlanError::NoPair(pair.to_owned());
        let (key, text) = pair.split_once('=').ok_or_else(no_pair)?;
        let value = toml::from_str::<Map<String, Value>>(&format!("value = {text}"))
            .ok()
            .and_then(|mut table| table.remove("value"))
            .unwrap_or_else(|| json!(text));
        self.layer(&Map::from_iter([(key.trim().to_owned(), value)]), "--set")
    }

    /// Adds one setting of the command line, such as the value of a flag.
    ///
    /// # Errors
    /// [`PlanError`] for an unknown setting, and for a value that is not finite.
    pub fn put(&mut self, key: &str, value: impl Into<Value>) -> Result<(), PlanError> {
        self.layer(
            &Map::from_iter([(key.to_owned(), value.into())]),
            "the command line",
        )
    }

    /// Whether a setting was given. `key` is its name in the plan, such as `train.steps`.
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
        // A table of settings of an inner objective, or of an adapter, is added as one setting for each key.
        if let ("objective.inner" | lora::SECTION, Value::Object(inner)) = (name.as_str(), value) {
            if inner.is_empty() && name == lora::SECTION {
                return self.add(key, &json!(true), origin, seen);
            }
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
        // A table replaces all settings within it. A switch does not.
        let within = format!("{name}.");
        self.given.retain(|given| {
            let is_within = given.name.starts_with(&within) && !value.is_boolean();
            given.name != name && !is_within
        });
        self.given.push(Given {
            name,
            spelled: key.to_owned(),
            value: value.clone(),
            origin: origin.to_owned(),
        });
        Ok(())
    }

    /// The plan of these settings, not checked yet. A setting that was not given has its default.
    pub(super) fn into_plan(self) -> Result<Plan, PlanError> {
        for (key, expected, flag) in [
            (
                "model.path",
                "a model folder in Hugging Face's layout",
                "--model FOLDER",
            ),
            ("data.train", "a file of preference pairs", "--data FILE"),
        ] {
            if !self.has(key) {
                return Err(PlanError::Required {
                    key,
                    expected,
                    flag,
                });
            }
        }
        let mut tree = json!({"model": {}, "data": {}, "train": {}, "output": {}});
        for given in &self.given {
            let (section, inner) = given
                .name
                .split_once('.')
                .expect("canonical keys have a section");
            if section != "objective" && !given.name.starts_with(lora::SECTION) {
                tree[section][inner] = given.value.clone();
            }
        }
        if let Some(lora) = lora_table(&self.given)? {
            tree["train"]["lora"] = lora;
        }
        let objective = objective(&self.given)?;
        tree["objective"] = objective.to_value();
        if !self.has("output.folder") {
            tree["output"]["folder"] = default_folder(&tree);
        }
        let needs = objective.needs();
        if !self.has("train.learning-rate") {
            // The defaults of TRL's `SFTConfig` and `RewardConfig`, and of its `DPOConfig`.
            tree["train"]["learning-rate"] =
                json!(match (needs.demonstrations, needs.reward_model) {
                    (true, _) => 2e-5,
                    (false, true) => 1e-4,
                    (false, false) => TrainPlan::default().learning_rate,
                });
        }
        if !self.has("model.reference") {
            let lora = &tree["train"]["lora"];
            let is_new_adapter = lora.is_object() && lora["adapter"].is_null();
            let has_path = self.has("model.reference-path");
            let is_synced = tree["model"]["sync-reference"] == json!(true);
            tree["model"]["reference"] = json!(match (needs.kl, needs.reference) {
                (_, true) if is_synced => ReferenceKind::FrozenCopy,
                (true, _) if is_new_adapter && !has_path => ReferenceKind::AdapterOff,
                (true, _) => ReferenceKind::FrozenCopy,
                (false, true) => ReferenceKind::Precomputed,
                (false, false) => ReferenceKind::None,
            });
        }
        serde_path_to_error::deserialize(tree).map_err(|error| PlanError::Value {
            key: error.path().to_string(),
            message: error.inner().to_string(),
        })
    }
}

/// Whether a value is null or contains null. TOML has no null; it appears here for `nan` and `inf`,
/// which JSON values cannot hold.
fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.iter().any(has_null),
        Value::Object(map) => map.values().any(has_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// The run's folder if the user names none: `runs/<data>-<method>`.
fn default_folder(tree: &Value) -> Value {
    let data = tree["data"]["train"].as_str().unwrap_or_default();
    let stem = Path::new(data).file_stem().unwrap_or_default();
    let method = tree["objective"]["method"].as_str().unwrap_or_default();
    json!(format!("runs/{}-{method}", stem.to_string_lossy()))
}
