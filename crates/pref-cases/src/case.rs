//! A reference case. In: the JSON text of a case. Out: [`Case`], whose data fits its objective.

use std::str::FromStr;

use pref_core::{BvpoAlpha, ObjectiveConfig, ObjectiveKind};
use serde::Deserialize;

use super::compare::Expected;
use super::data::Data;
use super::error::CaseError;

/// An objective, the data to compute it on, and the expected values. Parse it from JSON with
/// [`str::parse`].
#[derive(Clone, Debug)]
pub struct Case {
    /// Family and name, such as `dpo/plain`. May be empty.
    pub name: String,
    /// The objective.
    pub objective: ObjectiveConfig,
    /// The expected values, if they are known.
    pub expect: Option<Expected>,
    pub(super) data: Data,
}

/// A case as the JSON has it, before the data is checked.
#[derive(Deserialize)]
struct RawCase {
    #[serde(default)]
    name: String,
    objective: ObjectiveConfig,
    data: Data,
    expect: Option<Expected>,
}

impl FromStr for Case {
    type Err = CaseError;

    /// # Errors
    /// [`CaseError`] if the text is not a case, the objective is not valid, or the data does not
    /// fit the objective.
    fn from_str(text: &str) -> Result<Self, CaseError> {
        let mut json = serde_json::Deserializer::from_str(text);
        let schema = |path: String, message: String| CaseError::Schema { path, message };
        let raw: RawCase = serde_path_to_error::deserialize(&mut json)
            .map_err(|e| schema(e.path().to_string(), e.inner().to_string()))?;
        json.end()
            .map_err(|e| schema("after the case".to_owned(), e.to_string()))?;
        let case = Self {
            name: raw.name,
            objective: raw.objective,
            expect: raw.expect,
            data: raw.data,
        };
        case.check_lists()?;
        case.data.check()?;
        Ok(case)
    }
}

impl Case {
    /// Refuses a case without the lists that its objective needs.
    fn check_lists(&self) -> Result<(), CaseError> {
        let method = self.objective.method().name();
        let data = &self.data;
        let need = |needed, is_absent: bool| match is_absent {
            true => Err(CaseError::NoData { method, needed }),
            false => Ok(()),
        };
        match self.objective.kind() {
            ObjectiveKind::Pairwise(_) | ObjectiveKind::Sum(_) | ObjectiveKind::Sft(_) => {
                need("pairs", data.pairs.is_empty())
            }
            ObjectiveKind::BradleyTerry(_) | ObjectiveKind::Segments(_) => {
                Err(CaseError::RewardModel { method })
            }
            ObjectiveKind::Bvpo(bvpo) => {
                need("trace", data.trace.is_empty())?;
                need("empty", data.empty.is_empty())?;
                let needs_moments = bvpo.alpha == BvpoAlpha::Optimal;
                need("moments", needs_moments && data.moments.is_none())
            }
            ObjectiveKind::Kto(_) => {
                need("examples", data.examples.is_empty())?;
                need("kl_examples", data.kl_examples.is_empty())
            }
        }
    }
}
