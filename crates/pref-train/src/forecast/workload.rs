//! The work of a training step. In: the shape of the rows, and how a step is divided. Out: the forward passes of a
//! rank.

use std::ops::Range;

use pref_model::{Cost, Precision};
use serde::Serialize;

use crate::plan::{Auto, Plan, ReferenceKind};

/// Largest number of bytes of the logits of a forward pass, if the plan does not say how many.
const LOGIT_BYTES: usize = 256 << 20;

/// Prompts are shared if this saves more than one token in so many.
const SHARED_IF_ONE_IN: usize = 20;

/// The work of a training step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Workload {
    /// Number of pairs or single answers of a step, on all ranks together.
    pub rows: usize,
    /// Number of answers of a row: 2 for pairs, 1 for single answers.
    pub answers: usize,
    /// Number of tokens of a prompt.
    pub prompt_tokens: usize,
    /// Number of tokens of an answer.
    pub answer_tokens: usize,
    /// Number of processes that divide a step.
    pub ranks: usize,
    /// Where the reference log-probs come from.
    pub reference: ReferenceKind,
    /// Whether the loss is computed from log-probs. If not, it is computed from the scores of a reward model.
    pub log_probs: bool,
    /// The setting `train.checkpoint-activations`.
    pub checkpoint_activations: bool,
    /// The setting `train.precision`.
    pub precision: Precision,
    /// The setting `train.batch-tokens`.
    pub batch_tokens: Auto<usize>,
    /// The setting `train.share-prompts`.
    pub share_prompts: Auto<bool>,
    /// The setting `train.vocab-chunk`.
    pub vocab_chunk: Auto<usize>,
    /// The smallest and the largest number of tokens of a forward pass that suit the backend; `None` for a GPU.
    pub tokens_of_a_pass: Option<Range<usize>>,
}

/// How a step is divided into forward passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Passes {
    /// Number of rows of a pass.
    pub(super) rows: usize,
    /// Number of passes of the rank with the most.
    pub(super) of_a_rank: usize,
    /// Number of response tokens whose logits are in memory at the same time.
    pub(super) logits: usize,
    /// Whether logits are computed twice, because a pass has more response tokens than that.
    pub(super) repeats_logits: bool,
}

impl Workload {
    /// The work of a step of a plan, on rows of these lengths.
    pub fn new(
        plan: &Plan,
        [prompt_tokens, answer_tokens]: [usize; 2],
        ranks: usize,
        tokens_of_a_pass: Option<Range<usize>>,
    ) -> Self {
        let needs = plan.objective.needs();
        let train = &plan.train;
        Self {
            rows: train.batch_size * train.gradient_accumulation,
            answers: match needs.unpaired || needs.demonstrations {
                true => 1,
                false => 2,
            },
            prompt_tokens,
            answer_tokens,
            ranks: ranks.max(1),
            reference: plan.model.reference,
            log_probs: !needs.reward_model,
            checkpoint_activations: train.checkpoint_activations,
            precision: train.precision,
            batch_tokens: train.batch_tokens,
            share_prompts: train.share_prompts,
            vocab_chunk: train.vocab_chunk,
            tokens_of_a_pass,
        }
    }

    /// Number of response tokens of a row whose logits are computed.
    pub(super) fn logits_of_a_row(&self) -> usize {
        match self.log_probs {
            true => self.answers * self.answer_tokens,
            false => 0,
        }
    }

    /// Number of tokens that are computed for a row.
    pub(super) fn tokens_of_a_row(&self) -> usize {
        let prompts = match self.shares_prompts() {
            true => 1,
            false => self.answers,
        };
        prompts * self.prompt_tokens + self.answers * self.answer_tokens
    }

    fn shares_prompts(&self) -> bool {
        let all = self.answers * (self.prompt_tokens + self.answer_tokens);
        let saves = saves_by_sharing(self.prompt_tokens, all);
        self.answers > 1 && self.share_prompts.or(saves)
    }

    pub(super) fn passes(&self, cost: &Cost) -> Passes {
        let limits = self.tokens_of_a_pass.clone();
        let chosen = tokens_of_a_pass(cost.parameters, Some(cost.kept_per_token), limits);
        let batch_tokens = self.batch_tokens.or(chosen);
        let fitting = match batch_tokens {
            0 => usize::MAX,
            tokens => (tokens / self.tokens_of_a_row().max(1)).max(1),
        };
        let rows = fitting.min(self.rows.div_ceil(self.ranks)).max(1);
        let response = rows * self.logits_of_a_row();
        let chunk = match self.vocab_chunk.or(vocab_chunk(cost.vocab_size)) {
            0 => usize::MAX,
            chunk => chunk,
        };
        Passes {
            rows,
            of_a_rank: self.rows.div_ceil(rows).div_ceil(self.ranks),
            logits: response.min(chunk),
            repeats_logits: response > chunk,
        }
    }
}

/// The value of `train.batch-tokens` that a run chooses: the number of tokens whose activations take as much memory
/// as the weights, within the limits of the backend. More tokens would take more memory than the gradients, which
/// have to be there anyway. 0, which is no limit, for a backend without limits.
pub(crate) fn tokens_of_a_pass(
    parameters: usize,
    kept_per_token: Option<usize>,
    limits: Option<Range<usize>>,
) -> usize {
    let Some(limits) = limits else {
        return 0;
    };
    let tokens = match kept_per_token {
        Some(kept) => parameters / kept.max(1),
        None => limits.start,
    };
    (tokens / 64 * 64).clamp(limits.start, limits.end)
}

/// The value of `train.vocab-chunk` that a run chooses.
pub(crate) fn vocab_chunk(vocab_size: usize) -> usize {
    (LOGIT_BYTES / size_of::<f32>() / vocab_size.max(1)).max(1)
}

/// Whether a run chooses to share prompts: `prompts` of `all` tokens need not be computed a second time.
pub(crate) fn saves_by_sharing(prompts: usize, all: usize) -> bool {
    prompts * SHARED_IF_ONE_IN > all
}
