//! The rule that updates a parameter. In: the plan, and the name and the shape of the parameter. Out: one of the
//! optimisers' rules.

use crate::plan::{OptimizerKind, TrainPlan};

/// How a parameter is updated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// AdamW if the weight decay is decoupled from the gradient, else Adam.
    Adam {
        /// Whether the weight decay is decoupled.
        is_decoupled: bool,
    },
    /// Stochastic gradient descent.
    Sgd {
        /// Whether it has a momentum.
        has_velocity: bool,
    },
    /// Muon, for a weight of this shape, `[out, in]`.
    Muon([usize; 2]),
}

impl Rule {
    /// The rule for a parameter.
    pub(super) fn of(plan: &TrainPlan, name: &str, shape: &[usize]) -> Self {
        match (plan.optimizer, shape) {
            (OptimizerKind::Adam, _) => Rule::Adam {
                is_decoupled: false,
            },
            (OptimizerKind::Sgd, _) => Rule::Sgd {
                has_velocity: plan.momentum() > 0.0,
            },
            (OptimizerKind::Muon, &[n_out, n_in]) if !is_table_or_head(name) => {
                Rule::Muon([n_out, n_in])
            }
            (OptimizerKind::AdamW | OptimizerKind::Muon, _) => Rule::Adam { is_decoupled: true },
        }
    }

    /// Number of values that the rule keeps for each value of the parameter.
    pub(super) fn n_moments(self) -> usize {
        match self {
            Rule::Adam { .. } => 2,
            Rule::Sgd { has_velocity } => usize::from(has_velocity),
            Rule::Muon(_) => 1,
        }
    }
}

/// Whether a part of the name is that of a table of embeddings or of an output head: it begins with `embed` or
/// ends with `embedding`, `embeddings` or `head`, or it is `score`, the head of a reward model.
fn is_table_or_head(name: &str) -> bool {
    name.split('.').any(|part| {
        part.starts_with("embed")
            || ["embedding", "embeddings", "head"]
                .iter()
                .any(|end| part.ends_with(end))
            || part == "score"
    })
}
