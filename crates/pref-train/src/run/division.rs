//! How a step is divided into forward passes. In: the plan, the policy and the lengths of the rows. Out: the
//! limits of a forward pass. Losses and gradients do not depend on them.

use std::fmt;

use pref_model::{Kernels, Policy};
use serde::{Deserialize, Serialize};

use crate::plan::{Auto, TrainPlan};
use crate::sets::Examples;

/// Largest number of bytes of the logits of a forward pass, if the plan does not say how many.
const LOGIT_BYTES: usize = 256 << 20;

/// Prompts are shared if this saves more than one token in so many.
const SHARED_IF_ONE_IN: usize = 20;

/// The limits of a forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Division {
    pub(super) batch_tokens: usize,
    pub(super) share_prompts: bool,
    pub(super) vocab_chunk: usize,
    /// What the run chose and not the user.
    chosen: [bool; 3],
}

impl Division {
    /// The limits of a plan. A setting that is `auto` gets a value.
    pub(super) fn choose<B: Kernels, P: Policy<B>>(
        plan: &mut TrainPlan,
        policy: &P,
        examples: &Examples,
    ) -> Self {
        let chosen = [
            plan.batch_tokens == Auto::Auto,
            plan.share_prompts == Auto::Auto,
            plan.vocab_chunk == Auto::Auto,
        ];
        let share_prompts = || policy.shares_prompts() && saves_by_sharing(examples);
        let vocab_chunk = || match policy.repeats_logits() {
            true => (LOGIT_BYTES / size_of::<f32>() / policy.vocab_size().max(1)).max(1),
            false => 0,
        };
        Self {
            batch_tokens: plan.batch_tokens.or_choose(|| batch_tokens::<B, P>(policy)),
            share_prompts: plan.share_prompts.or_choose(share_prompts),
            vocab_chunk: plan.vocab_chunk.or_choose(vocab_chunk),
            chosen,
        }
    }
}

/// Number of tokens whose activations take as much memory as the weights, within the limits of the backend. More
/// tokens would take more memory than the gradients, which have to be there anyway.
fn batch_tokens<B: Kernels, P: Policy<B>>(policy: &P) -> usize {
    let Some(limits) = B::TOKENS_OF_A_PASS else {
        return 0;
    };
    let weights = policy.num_params() * size_of::<f32>();
    let tokens = match policy.activations_per_token() {
        Some(activations) => weights / (activations * size_of::<f32>()).max(1),
        None => limits.start,
    };
    (tokens / 64 * 64).clamp(limits.start, limits.end)
}

/// Whether most tokens of prompts would be computed twice without sharing them.
fn saves_by_sharing(examples: &Examples) -> bool {
    if !examples.are_pairs() {
        return false;
    }
    let (mut prompts, mut all) = (0, 0);
    for entry in examples.entries() {
        let [prompt, first, second] = entry.lengths();
        prompts += prompt;
        all += 2 * prompt + first + second;
    }
    prompts * SHARED_IF_ONE_IN > all
}

impl fmt::Display for Division {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [tokens, share, chunk] = self.chosen.map(|is_chosen| match is_chosen {
            true => " (auto)",
            false => "",
        });
        write!(
            f,
            "train.batch-tokens = {}{tokens}, share-prompts = {}{share}, vocab-chunk = {}{chunk}",
            self.batch_tokens, self.share_prompts, self.vocab_chunk
        )
    }
}
