//! Means under names with a prefix, such as TRL's `eval_loss` and `eval_rewards/margins`. In: means, or the
//! fields of a record. Out: the fields of the record, or the means.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

fn write<S: Serializer>(
    prefix: &str,
    means: Option<&impl Serialize>,
    s: S,
) -> Result<S::Ok, S::Error> {
    let value = serde_json::to_value(means).map_err(serde::ser::Error::custom)?;
    let fields = value.as_object().into_iter().flatten();
    let prefixed: Map<String, Value> = fields
        .map(|(key, value)| (format!("{prefix}{key}"), value.clone()))
        .collect();
    prefixed.serialize(s)
}

/// The means whose names have the prefix. `None` if there is no loss with the prefix.
fn read<'de, D: Deserializer<'de>, M: DeserializeOwned>(
    prefix: &str,
    d: D,
) -> Result<Option<M>, D::Error> {
    let prefixed = BTreeMap::<String, Value>::deserialize(d)?;
    let plain: Map<String, Value> = prefixed
        .into_iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(prefix)?.to_owned(), value)))
        .collect();
    match plain.contains_key("loss") {
        true => serde_json::from_value(Value::Object(plain)).map_err(D::Error::custom),
        false => Ok(None),
    }
}

/// `eval_…`: an evaluation.
pub(super) mod eval {
    use serde::{Deserializer, Serializer, de::Error};

    use crate::metrics::Means;

    pub(crate) fn serialize<S: Serializer>(means: &Means, s: S) -> Result<S::Ok, S::Error> {
        super::write("eval_", Some(means), s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Means, D::Error> {
        let means = super::read("eval_", d)?;
        means.ok_or_else(|| D::Error::custom("no evaluation"))
    }
}

/// A module for optional means with a prefix.
macro_rules! optional {
    ($name:ident, $prefix:literal, $what:literal) => {
        #[doc = $what]
        pub(super) mod $name {
            use serde::{Deserializer, Serializer};

            use crate::metrics::PairMeans;

            pub(crate) fn serialize<S: Serializer>(
                means: &Option<PairMeans>,
                s: S,
            ) -> Result<S::Ok, S::Error> {
                crate::metrics::prefix::write($prefix, means.as_ref(), s)
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
                d: D,
            ) -> Result<Option<PairMeans>, D::Error> {
                crate::metrics::prefix::read($prefix, d)
            }
        }
    };
}

optional!(empty, "empty_", "`empty_…`: pairs with emptied traces.");
optional!(
    eval_empty,
    "eval_empty_",
    "`eval_empty_…`: an evaluation on pairs with emptied traces."
);
