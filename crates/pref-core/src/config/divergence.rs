//! The settings `f_divergence_type` and `f_alpha_divergence_coef`, with TRL's names. In: the fields
//! of an objective. Out: a [`Divergence`].

use super::error::ObjectiveConfigError;
use super::fields::{Domain, Fields};
use crate::divergence::Divergence;

/// The words of `f_divergence_type`.
#[derive(Clone, Copy)]
enum Kind {
    ReverseKl,
    ForwardKl,
    JensenShannon,
    Alpha,
}

const KIND_KEY: &str = "f_divergence_type";
const ALPHA_KEY: &str = "f_alpha_divergence_coef";

const KINDS: [(&str, Kind); 4] = [
    (Kind::ReverseKl.name(), Kind::ReverseKl),
    (Kind::ForwardKl.name(), Kind::ForwardKl),
    (Kind::JensenShannon.name(), Kind::JensenShannon),
    (Kind::Alpha.name(), Kind::Alpha),
];

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Kind::ReverseKl => "reverse_kl",
            Kind::ForwardKl => "forward_kl",
            Kind::JensenShannon => "js_divergence",
            Kind::Alpha => "alpha_divergence",
        }
    }
}

/// Reads the divergence, by default reverse KL. This default is not written to the resolved
/// settings, because most methods allow no other divergence.
pub(super) fn read_divergence(fields: &mut Fields) -> Result<Divergence, ObjectiveConfigError> {
    let kind = fields.choice(KIND_KEY, KIND_KEY, &KINDS)?;
    let kind = kind.unwrap_or(Kind::ReverseKl);
    let alpha = fields.optional_number(ALPHA_KEY, Domain::Finite)?;
    let without_alpha = |divergence| match alpha {
        None => Ok(divergence),
        Some(_) => Err(ObjectiveConfigError::WithoutEffect {
            key: ALPHA_KEY,
            other: KIND_KEY,
            required: Kind::Alpha.name(),
            found: kind.name(),
        }),
    };
    let divergence = match kind {
        Kind::ReverseKl => return without_alpha(Divergence::ReverseKl),
        Kind::ForwardKl => without_alpha(Divergence::ForwardKl)?,
        Kind::JensenShannon => without_alpha(Divergence::JensenShannon)?,
        Kind::Alpha => {
            let alpha = alpha.unwrap_or(0.5);
            fields.resolve(ALPHA_KEY, alpha);
            Divergence::Alpha(alpha)
        }
    };
    fields.resolve(KIND_KEY, kind.name());
    Ok(divergence)
}
