//! How a step is divided into forward passes. In: the plan, the policy and the lengths of the rows. Out: the
//! limits of a forward pass. Losses and gradients do not depend on them.

use std::fmt;

use pref_model::{Kernels, Policy};
use serde::{Deserialize, Serialize};

use crate::forecast::{saves_by_sharing, tokens_of_a_pass, vocab_chunk};
use crate::plan::{Auto, TrainPlan};
use crate::sets::Examples;

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
        let share_prompts = || policy.shares_prompts() && shared_prompts_save(examples);
        let batch_tokens = || {
            let (n, kept) = (policy.num_params(), policy.activations_per_token());
            tokens_of_a_pass(n, kept, B::TOKENS_OF_A_PASS)
        };
        let vocab_chunk = || match policy.repeats_logits() {
            true => vocab_chunk(policy.vocab_size()),
            false => 0,
        };
        Self {
            batch_tokens: plan.batch_tokens.or_choose(batch_tokens),
            share_prompts: plan.share_prompts.or_choose(share_prompts),
            vocab_chunk: plan.vocab_chunk.or_choose(vocab_chunk),
            chosen,
        }
    }
}

/// Whether most tokens of prompts would be computed twice without sharing them.
fn shared_prompts_save(examples: &Examples) -> bool {
    if !examples.are_pairs() {
        return false;
    }
    let (mut prompts, mut all) = (0, 0);
    for entry in examples.entries() {
        let [prompt, first, second] = entry.lengths();
        prompts += prompt;
        all += 2 * prompt + first + second;
    }
    saves_by_sharing(prompts, all)
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
