//! Settings of a chat template, such as `enable_thinking`. In: a JSON object of a row or of a plan.
//! Out: variables for the template.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Variables that a chat template receives besides the messages: `chat_template_kwargs` of a row, as
/// in TRL, or of a plan.
///
/// ```
/// use pref_data::TemplateKwargs;
/// let plan: TemplateKwargs = serde_json::from_str(r#"{"enable_thinking": true, "date": "May"}"#)?;
/// let row: TemplateKwargs = serde_json::from_str(r#"{"enable_thinking": false}"#)?;
/// let both: TemplateKwargs = serde_json::from_str(r#"{"enable_thinking": false, "date": "May"}"#)?;
/// assert_eq!(plan.overlaid(&row), both);
/// assert!(serde_json::from_str::<TemplateKwargs>(r#"{"messages": []}"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct TemplateKwargs(Map<String, Value>);

/// A setting has a name that is reserved: the row has a field of its own for it, or this crate
/// decides its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` cannot be set in `chat_template_kwargs`, because its value comes from the row; remove it there"
)]
pub struct ReservedName(String);

const RESERVED: [&str; 4] = [
    "messages",
    "conversation",
    "add_generation_prompt",
    "continue_final_message",
];

impl TryFrom<Map<String, Value>> for TemplateKwargs {
    type Error = ReservedName;

    fn try_from(map: Map<String, Value>) -> Result<Self, ReservedName> {
        match RESERVED.into_iter().find(|name| map.contains_key(*name)) {
            Some(name) => Err(ReservedName(name.to_owned())),
            None => Ok(Self(map)),
        }
    }
}

impl TemplateKwargs {
    /// Whether there are no settings.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The settings of both. Where both have the same name, the value of `other` is used.
    pub fn overlaid(&self, other: &Self) -> Self {
        let both = self.0.iter().chain(&other.0);
        Self(
            both.map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        )
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}
