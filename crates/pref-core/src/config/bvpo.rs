//! The settings of `bvpo`. In: the fields of an objective. Out: a checked [`BvpoConfig`], and the
//! objective for a backend.

use burn::tensor::backend::Backend;
use serde_json::{Value, json};

use super::error::ObjectiveConfigError;
use super::fields::{Domain, Fields, as_number};
use super::method::Method;
use super::pairwise::PairwiseConfig;
use super::reading::read_inner;
use crate::moments::GradientMoments;
use crate::objective::Bvpo;

/// The value of `alpha` for an `α` that is computed from gradient moments.
const OPTIMAL: &str = "optimal";

/// The weight `α` of the pairs with reasoning traces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BvpoAlpha {
    /// A number from 0 to 1. The default is 0.5.
    Fixed(f64),
    /// The `α*` with the least error of the mixed gradient. [`BvpoConfig::with_moments`] computes
    /// it.
    Optimal,
}

/// The checked settings of [`Bvpo`].
#[derive(Clone, Debug, PartialEq)]
pub struct BvpoConfig {
    /// Weight `α` of the pairs with reasoning traces.
    pub alpha: BvpoAlpha,
    /// The objective of both sets of pairs.
    pub inner: PairwiseConfig,
}

impl BvpoConfig {
    /// The same settings with an optimal `α` replaced by the `α*` of these moments. A fixed `α`
    /// stays as it is.
    #[must_use]
    pub fn with_moments(&self, moments: &GradientMoments) -> Self {
        let alpha = match self.alpha {
            BvpoAlpha::Fixed(alpha) => alpha,
            BvpoAlpha::Optimal => moments.optimal_alpha(),
        };
        Self {
            alpha: BvpoAlpha::Fixed(alpha),
            inner: self.inner.clone(),
        }
    }

    /// The objective for a backend.
    ///
    /// # Errors
    /// [`ObjectiveConfigError::NoGradientMoments`] if `α` is optimal and no moments were given.
    pub fn build<B: Backend>(&self) -> Result<Bvpo<B>, ObjectiveConfigError> {
        match self.alpha {
            BvpoAlpha::Fixed(alpha) => Ok(Bvpo {
                alpha,
                inner: self.inner.build(),
            }),
            BvpoAlpha::Optimal => Err(ObjectiveConfigError::NoGradientMoments),
        }
    }
}

/// Reads `alpha` and `inner`.
pub(super) fn read_bvpo(fields: &mut Fields) -> Result<BvpoConfig, ObjectiveConfigError> {
    let alpha = match fields.take("alpha") {
        None => BvpoAlpha::Fixed(0.5),
        Some(Value::String(word)) if word == OPTIMAL => BvpoAlpha::Optimal,
        Some(Value::String(other)) => {
            let expected = "a number from 0 to 1, or \"optimal\"";
            return Err(ObjectiveConfigError::wrong_type(
                "alpha",
                expected,
                &json!(other),
            ));
        }
        Some(number) => BvpoAlpha::Fixed(as_number("alpha", &number, Domain::Unit)?),
    };
    match alpha {
        BvpoAlpha::Fixed(alpha) => fields.resolve("alpha", alpha),
        BvpoAlpha::Optimal => fields.resolve("alpha", OPTIMAL),
    }
    let inner = fields.take("inner").ok_or(ObjectiveConfigError::Required {
        owner: Method::Bvpo.name(),
        key: "inner",
        expected: "the objective of both sets of pairs, such as {\"method\": \"dpo\"}",
    })?;
    let why = "both sets of bvpo hold pairs, so `inner` must be one objective over pairs";
    let (inner, resolved) = read_inner(&inner, Method::Bvpo, "inner", "an inner objective", why)?;
    fields.resolve("inner", resolved);
    Ok(BvpoConfig { alpha, inner })
}
