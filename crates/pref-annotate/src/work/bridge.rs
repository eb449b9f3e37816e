//! Bridging of BMC. In: pairs. Out: one question for each pair, and pairs with a rewritten answer.

use minijinja::context;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::distance::{Distance, Distances};
use super::error::WorkError;
use super::produced::Produced;
use super::questions::Questions;
use super::rows::{Prepared, text_of, with_text};
use crate::request::Request;
use crate::store::Outcome;
use crate::task::{Copy, Judgement, Task};
use crate::templates::fenced;

/// Which answer is rewritten, and with what in view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// The rejected answer is improved, with the chosen one as reference. The pair becomes (rewritten, rejected).
    #[default]
    Reference,
    /// The rejected answer is improved without a reference.
    NoReference,
    /// The chosen answer is made worse. The pair becomes (chosen, rewritten).
    Degrade,
}

/// Rewritten answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bridge {
    /// What is rewritten.
    pub variant: Variant,
    /// The share of the pairs that are rewritten, above 0 and at most 1. The others stay as they are. A pair's own
    /// texts decide, so the choice is the same in every run.
    pub share: f64,
}

const SLOT: &str = "rewrite";

impl Variant {
    fn name(self) -> &'static str {
        match self {
            Variant::Reference => "reference",
            Variant::NoReference => "no-reference",
            Variant::Degrade => "degrade",
        }
    }

    /// The fields of the answer that is rewritten, and of the one that it replaces.
    fn fields(self) -> [&'static str; 2] {
        match self {
            Variant::Reference | Variant::NoReference => ["rejected", "chosen"],
            Variant::Degrade => ["chosen", "rejected"],
        }
    }
}

impl Bridge {
    /// Whether a row is rewritten.
    fn takes(&self, row: &Value) -> bool {
        let texts = [&row["prompt"], &row["chosen"], &row["rejected"]];
        let mut hash = Sha256::new();
        for text in texts {
            hash.update(text.to_string());
            hash.update([0xff]);
        }
        let digest = hash.finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        // the 53 bits that a double holds
        let random = (u64::from_be_bytes(first) >> 11) as f64 / (1u64 << 53) as f64;
        random < self.share
    }

    pub(super) fn slots(
        &self,
        maker: &Questions<'_>,
        row: &Value,
        prepared: &Prepared,
    ) -> Result<Vec<(String, Request)>, WorkError> {
        if prepared.answers.len() != 2 {
            return Err(WorkError::Row {
                place: prepared.place.clone(),
                message: "bridging needs pairs, and this is a single answer".to_owned(),
            });
        }
        if !self.takes(row) {
            return Ok(Vec::new());
        }
        let [from, _] = self.variant.fields();
        let answer = text_of(&row[from]);
        let other = match self.variant {
            Variant::Reference => Some(text_of(&row["chosen"])),
            Variant::NoReference | Variant::Degrade => None,
        };
        let mut copies = vec![Copy::new("the answer, without any change", &answer)];
        copies.extend(other.iter().map(|text| Copy::new("the reference", text)));
        let task = Task::Rewrite {
            may_keep: self.variant != Variant::Degrade,
            copies,
        };
        let request = maker.request(prepared, vec![vec![answer.clone()]], task, |_| {
            maker.template.messages(
                context! { variant => self.variant.name() },
                context! {
                    question => fenced(&prepared.question),
                    answer => fenced(answer.trim()),
                    reference => other.as_ref().map(|text| fenced(text.trim())).unwrap_or_default(),
                },
            )
        })?;
        Ok(vec![(SLOT.to_owned(), request)])
    }

    /// The row with the rewritten answer.
    pub(super) fn row(
        &self,
        mut row: Value,
        outcomes: &[(String, Outcome)],
        distances: &mut Distances,
    ) -> Produced {
        for side in ["chosen", "rejected"] {
            // The segments of the old answer.
            if let Some(fields) = row.as_object_mut() {
                fields.shift_remove(&format!("{side}_segments"));
            }
        }
        let Some((_, outcome)) = outcomes.first() else {
            return Produced::Row(row);
        };
        let text = match outcome {
            Outcome::Judged(Judgement::Rewrite(Some(text))) => text,
            Outcome::Judged(Judgement::Rewrite(None)) => return Produced::Dropped("good enough"),
            _ => return Produced::Incomplete,
        };
        let [from, to] = self.variant.fields();
        let new = with_text(&row[from], text);
        let other = text_of(&row[from]);
        let before = Distance::of(&text_of(&row["chosen"]), &text_of(&row["rejected"]));
        distances.add(before, Distance::of(&text_of(&new), &other));
        row[format!("original_{to}")] = row[to].clone();
        row[to] = new;
        Produced::Row(row)
    }
}
