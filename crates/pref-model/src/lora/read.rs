//! Reads PEFT's `adapter_config.json`. In: its text. Out: a [`LoraConfig`], or an error that names a setting
//! which may change what the adapter computes and is not implemented.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::CONFIG;
use super::config::LoraConfig;
use super::error::LoraError;
use super::targets::LoraTargets;

/// Settings that do not change what a trained adapter computes.
const IRRELEVANT: [&str; 11] = [
    "auto_mapping",
    "corda_config",
    "eva_config",
    "inference_mode",
    "loftq_config",
    "lora_ga_config",
    "megatron_core",
    "peft_version",
    "qalora_group_size",
    "revision",
    "runtime_config",
];

/// Values of `init_lora_weights` that do not change the weights of the base model.
const PLAIN_STARTS: [&str; 3] = ["gaussian", "eva", "orthogonal"];

const NOT_IMPLEMENTED: &str = "it is not implemented, and it may change what the adapter computes; merge the adapter with PEFT, or train without this setting";

impl LoraConfig {
    /// Reads the `adapter_config.json` of an adapter's folder.
    ///
    /// # Errors
    /// [`LoraError`] names the file and the setting.
    pub fn from_folder(folder: &Path) -> Result<Self, LoraError> {
        let path = folder.join(CONFIG);
        let text = fs::read_to_string(&path).map_err(|source| LoraError::Read {
            path: path.clone(),
            source,
        })?;
        let map = serde_json::from_str(&text).map_err(|error| LoraError::Json {
            path: path.clone(),
            message: error.to_string(),
        })?;
        Settings { path, map }.read()
    }
}

/// The settings that were not read so far.
struct Settings {
    path: PathBuf,
    map: Map<String, Value>,
}

impl Settings {
    fn read(mut self) -> Result<LoraConfig, LoraError> {
        self.require("peft_type", "LORA")?;
        self.require("task_type", "CAUSAL_LM")?;
        self.require("bias", "none")?;
        self.check_start()?;
        let default = LoraConfig::default();
        let config = LoraConfig {
            rank: self.or("r", 8, "expected a whole number")?,
            alpha: self.or("lora_alpha", 8.0, "expected a number")?,
            dropout: self.or("lora_dropout", 0.0, "expected a number")?,
            targets: self.or(
                "target_modules",
                default.targets,
                "expected a list of names or a text",
            )?,
            exclude: self.take("exclude_modules", "expected a list of names or a text")?,
            rslora: self.or("use_rslora", false, "expected true or false")?,
            dora: self.or("use_dora", false, "expected true or false")?,
            rank_pattern: self.pattern("rank_pattern", |v| Some(v.as_u64()? as usize))?,
            alpha_pattern: self.pattern("alpha_pattern", Value::as_f64)?,
            layers: self.layers()?,
            base: self.take("base_model_name_or_path", "expected a text")?,
        };
        if config.layers.is_some() && !matches!(config.targets, LoraTargets::Names(_)) {
            let found = serde_json::json!(config.targets);
            return Err(self.unsupported(
                "target_modules",
                &found,
                "with `layers_to_transform` it must be a list of names",
            ));
        }
        for key in IRRELEVANT {
            self.map.remove(key);
        }
        let is_empty = |value: &Value| match value {
            Value::Null | Value::Bool(false) => true,
            Value::String(text) => text.is_empty(),
            Value::Array(list) => list.is_empty(),
            Value::Object(map) => map.is_empty(),
            Value::Bool(true) | Value::Number(_) => false,
        };
        match self.map.iter().find(|(_, value)| !is_empty(value)) {
            None => Ok(config),
            Some((key, value)) => Err(self.unsupported(key, value, NOT_IMPLEMENTED)),
        }
    }

    fn unsupported(&self, key: &str, found: &Value, expected: &'static str) -> LoraError {
        LoraError::Unsupported {
            path: self.path.clone(),
            key: key.to_owned(),
            found: found.to_string(),
            expected,
        }
    }

    /// The value of a key, which is removed. `None` if it is absent or null.
    fn take<T: serde::de::DeserializeOwned>(
        &mut self,
        key: &str,
        expected: &'static str,
    ) -> Result<Option<T>, LoraError> {
        match self.map.remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match serde_json::from_value(value.clone()) {
                Ok(value) => Ok(Some(value)),
                Err(_) => Err(self.unsupported(key, &value, expected)),
            },
        }
    }

    /// The value of a key, or its default in PEFT.
    fn or<T: serde::de::DeserializeOwned>(
        &mut self,
        key: &str,
        default: T,
        expected: &'static str,
    ) -> Result<T, LoraError> {
        Ok(self.take(key, expected)?.unwrap_or(default))
    }

    /// Refuses any other value of a key.
    fn require(&mut self, key: &str, only: &'static str) -> Result<(), LoraError> {
        match self.map.remove(key) {
            None | Some(Value::Null) => Ok(()),
            Some(Value::String(found)) if found == only => Ok(()),
            Some(found) => Err(self.unsupported(
                key,
                &found,
                match only {
                    "none" => "only adapters without trained biases, `none`, are implemented",
                    "LORA" => "only LoRA and DoRA, `LORA`, are implemented",
                    _ => "only adapters of language models, `CAUSAL_LM`, are implemented",
                },
            )),
        }
    }

    /// Refuses a start of the adapter that changed the weights of the base model as well.
    fn check_start(&mut self) -> Result<(), LoraError> {
        match self.map.remove("init_lora_weights") {
            None | Some(Value::Null | Value::Bool(_)) => Ok(()),
            Some(Value::String(name)) if PLAIN_STARTS.contains(&name.as_str()) => Ok(()),
            Some(found) => Err(self.unsupported(
                "init_lora_weights",
                &found,
                "such a start changes the weights of the base model too; convert the adapter with PEFT's `path_initial_model_for_weight_conversion`, or merge it with PEFT",
            )),
        }
    }

    /// A value for each pattern.
    fn pattern<T>(
        &mut self,
        key: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Vec<(String, T)>, LoraError> {
        let expected = "expected an object of numbers";
        let map: Map<String, Value> = self.or(key, Map::new(), expected)?;
        let read = |(pattern, value): (&String, &Value)| Some((pattern.clone(), read(value)?));
        let values: Option<Vec<(String, T)>> = map.iter().map(read).collect();
        values.ok_or_else(|| self.unsupported(key, &Value::Object(map.clone()), expected))
    }

    /// The numbers of the layers that have adapters. One number is a list of one, and an empty list is no limit.
    fn layers(&mut self) -> Result<Option<Vec<usize>>, LoraError> {
        let expected = "expected a whole number or a list of them";
        let layers = match self.map.get("layers_to_transform").and_then(Value::as_u64) {
            Some(layer) => {
                self.map.remove("layers_to_transform");
                Some(vec![layer as usize])
            }
            None => self.take("layers_to_transform", expected)?,
        };
        // The layers of every family are `model.layers`.
        let is_usual = match self.map.get("layers_pattern") {
            Some(Value::String(name)) => name == "layers",
            Some(Value::Array(names)) => names.iter().any(|name| name == "layers"),
            _ => false,
        };
        if is_usual || layers.is_none() {
            self.map.remove("layers_pattern");
        }
        Ok(layers.filter(|layers: &Vec<usize>| !layers.is_empty()))
    }
}
