//! The keys of `config.json` that a model for sequence classification has. In: the names of its scores. Out: a
//! configuration that `transformers` reads as such a model.

use serde_json::{Map, Value, json};

use super::architecture::{Architecture, Config};

impl Architecture {
    /// The class of `transformers` that loads a model of this family with a head for scores.
    fn classifier(self) -> &'static str {
        match self {
            Architecture::Llama => "LlamaForSequenceClassification",
            Architecture::Mistral => "MistralForSequenceClassification",
            Architecture::Qwen2 => "Qwen2ForSequenceClassification",
            Architecture::Qwen3 => "Qwen3ForSequenceClassification",
            Architecture::Gemma3 => "Gemma3TextForSequenceClassification",
        }
    }
}

impl Config {
    /// The names of `n` scores: those of `id2label`, and `LABEL_0` and so on for scores without a name.
    pub(crate) fn labels(&self, n: usize) -> Vec<String> {
        let named = self.raw.get("id2label").and_then(Value::as_object);
        let label = |id: usize| {
            let name = named.and_then(|names| names.get(&id.to_string())?.as_str());
            name.map_or_else(|| format!("LABEL_{id}"), str::to_owned)
        };
        (0..n).map(label).collect()
    }

    /// The id that `pad_token_id` names.
    pub(crate) fn pad_id(&self) -> Option<u32> {
        let id = self.raw.get("pad_token_id").and_then(Value::as_u64);
        id.and_then(|id| u32::try_from(id).ok())
    }

    /// Sets the keys of a model with these scores. Without a `pad_id` the id stays as it is.
    pub(crate) fn become_classifier(&mut self, labels: &[String], pad_id: Option<u32>) {
        let by_id = labels.iter().enumerate();
        let id2label: Map<String, Value> = by_id
            .clone()
            .map(|(id, label)| (id.to_string(), json!(label)))
            .collect();
        let label2id: Map<String, Value> = by_id
            .map(|(id, label)| (label.clone(), json!(id)))
            .collect();
        for (key, value) in [
            ("architectures", json!([self.architecture.classifier()])),
            ("num_labels", json!(labels.len())),
            ("id2label", Value::Object(id2label)),
            ("label2id", Value::Object(label2id)),
        ] {
            self.raw.insert(key.to_owned(), value);
        }
        if let Some(id) = pad_id {
            self.raw.insert("pad_token_id".to_owned(), json!(id));
        }
    }
}
