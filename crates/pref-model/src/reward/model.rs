//! The forward pass of a reward model. In: token ids. Out: hidden states, and scores of hidden states.

use std::ops::Range;
use std::path::Path;

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor, backend::Backend};

use crate::config::Config;
use crate::decoder::Decoder;
use crate::hidden_part::HiddenPart;
use crate::kernels::Kernels;
use crate::number_format::SaveDtype;
use crate::policy::Policy;
use crate::precision::Precision;
use crate::weights::{LoadError, SaveError};

/// A decoder with a linear head that gives one or several scores to each hidden state.
///
/// It is a [`Policy`], so that the same loop trains it: its [`logits`](Policy::logits) are the scores,
/// `[n, hidden]` to `[n, labels]`. Its [`log_probs`](Policy::log_probs) have no meaning.
#[derive(Module, Debug)]
pub struct RewardModel<B: Backend> {
    pub(super) decoder: Decoder<B>,
    pub(super) head: Head<B>,
    #[module(skip)]
    pub(super) labels: Vec<String>,
}

/// The head. The path of its parameter ends with Hugging Face's name for it.
#[derive(Module, Debug)]
pub(super) struct Head<B: Backend> {
    pub(super) score: Score<B>,
}

/// A linear layer without a bias, `[labels, hidden]`.
#[derive(Module, Debug)]
pub(super) struct Score<B: Backend> {
    pub(super) weight: Param<Tensor<B, 2>>,
}

impl<B: Backend> RewardModel<B> {
    /// The name of each score.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The configuration of the decoder.
    pub fn config(&self) -> &Config {
        self.decoder.config()
    }

    /// The id that pads shorter texts of a batch, as `config.json` has it. A text's score is read at its
    /// last token with another id.
    pub fn pad_id(&self) -> Option<u32> {
        self.config().pad_id()
    }

    /// This model with a decoder whose parameters are not trained.
    #[must_use]
    pub fn with_frozen_decoder(self) -> Self {
        Self {
            decoder: self.decoder.no_grad(),
            ..self
        }
    }
}

impl<B: Kernels> Policy<B> for RewardModel<B> {
    fn hidden(&self, tokens: Tensor<B, 2, Int>, branches: &[Range<usize>]) -> Tensor<B, 3> {
        self.decoder.hidden(tokens, branches)
    }

    fn hidden_parts<'a>(
        &'a self,
        tokens: Tensor<B, 2, Int>,
        branches: &'a [Range<usize>],
    ) -> Vec<HiddenPart<'a, B>> {
        self.decoder.hidden_parts(tokens, branches)
    }

    fn logits(&self, hidden: Tensor<B, 2>) -> Tensor<B, 2> {
        hidden.matmul(self.head.score.weight.val().transpose())
    }

    fn vocab_size(&self) -> usize {
        self.decoder.vocab_size()
    }

    fn max_positions(&self) -> usize {
        self.decoder.max_positions()
    }

    fn activations_per_token(&self) -> Option<usize> {
        self.decoder.activations_per_token()
    }

    fn shares_prompts(&self) -> bool {
        self.decoder.shares_prompts()
    }

    fn in_precision(self, precision: Precision) -> Option<Self> {
        Some(Self {
            decoder: self.decoder.with_precision(precision),
            ..self
        })
    }

    fn save(&self, folder: &Path, dtype: SaveDtype) -> Result<(), SaveError> {
        RewardModel::save(self, folder, dtype)
    }

    fn restore(self, folder: &Path) -> Result<Self, LoadError> {
        self.load_values(folder)
    }
}
