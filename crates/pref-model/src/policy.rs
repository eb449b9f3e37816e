//! The interface between models and training. In: token ids. Out: hidden states, logits and log-probs, and
//! the sizes of the model that a run needs to know.

use std::ops::Range;
use std::path::Path;

use burn::module::Module;
use burn::tensor::{Int, Tensor, backend::Backend};

use crate::decoder::Decoder;
use crate::hidden_part::HiddenPart;
use crate::kernels::{Kernels, token_log_probs};
use crate::lora::TrainingPass;
use crate::number_format::SaveDtype;
use crate::precision::Precision;
use crate::weights::{LoadError, SaveError, load_parameters, save_parameters};

/// A causal language model that can be trained, evaluated and saved.
///
/// [`Decoder`] is one. A Burn module of your own becomes one with the four methods that have no default
/// body; `pref-train` then trains it (see the example in its documentation). Parameters that require no
/// gradient are not trained.
pub trait Policy<B: Backend>: Module<B> {
    /// Hidden states before the output head, `[rows, tokens, hidden]`, of `[rows, tokens]` ids.
    ///
    /// Rows are padded on the right with any id, so a token must attend only to itself and to earlier tokens.
    ///
    /// A row can hold two answers to one prompt (prompt, first answer, second answer), so that the
    /// prompt is computed once. In this case `branches[row]` is the range of the first answer. The tokens of
    /// the second answer must not attend to it, and their positions continue the positions of the prompt.
    /// If every row is one text, `branches` is empty. It is always empty if
    /// [`shares_prompts`](Self::shares_prompts) is false.
    ///
    /// # Panics
    /// If there are no tokens, or the number of branches is neither 0 nor the number of rows.
    fn hidden(&self, tokens: Tensor<B, 2, Int>, branches: &[Range<usize>]) -> Tensor<B, 3>;

    /// The computation of [`hidden`](Self::hidden) as parts that follow each other; the result of the last is that of
    /// `hidden`. With `train.checkpoint-activations`, a run keeps only the results of the parts for the backward pass,
    /// and computes each part a second time. The default is a single part, which saves no memory.
    fn hidden_parts<'a>(
        &'a self,
        tokens: Tensor<B, 2, Int>,
        branches: &'a [Range<usize>],
    ) -> Vec<HiddenPart<'a, B>> {
        vec![Box::new(move |_| self.hidden(tokens.clone(), branches))]
    }

    /// Logits of hidden states: `[n, hidden]` to `[n, vocab]`.
    fn logits(&self, hidden: Tensor<B, 2>) -> Tensor<B, 2>;

    /// Number of token ids that the model knows. Data with a larger id is refused.
    fn vocab_size(&self) -> usize;

    /// Number of tokens of the longest sequence.
    fn max_positions(&self) -> usize;

    /// Number of values that a training step keeps for the backward pass, for each token of a batch. A run uses it
    /// to choose how many tokens it computes at a time. `None` if it is not known.
    fn activations_per_token(&self) -> Option<usize> {
        None
    }

    /// Whether [`logits`](Self::logits) gives the same values for the same hidden states within a forward pass.
    /// Dropout in the head draws new values each time, so logits cannot be computed a second time.
    fn repeats_logits(&self) -> bool {
        true
    }

    /// Whether [`hidden`](Self::hidden) accepts branches.
    fn shares_prompts(&self) -> bool {
        false
    }

    /// `log softmax(logits)[target]` of each row of hidden states, nats. `hidden` is `[n, hidden]`, `targets`
    /// and the result are `[n]`.
    fn log_probs(&self, hidden: Tensor<B, 2>, targets: Tensor<B, 1, Int>) -> Tensor<B, 1> {
        token_log_probs(self.logits(hidden), targets)
    }

    /// The reference of a run that starts from this model. The default is a copy, which costs no memory until
    /// the policy changes.
    #[must_use]
    fn reference(&self) -> Self {
        self.clone()
    }

    /// The model without its adapters, which shares its memory. The default is `None`, for a model without
    /// adapters.
    #[must_use]
    fn without_adapters(&self) -> Option<Self> {
        None
    }

    /// The model as it computes in one forward pass of training. It has the same parameters. A model with
    /// dropout switches it on here, and takes its random numbers from `pass`, so that a resumed run repeats
    /// them. The default is a copy.
    #[must_use]
    fn in_training(&self, pass: TrainingPass) -> Self {
        let _ = pass;
        self.clone()
    }

    /// The model as it computes in this precision. The default is `None` for bfloat16, for a model that computes in
    /// float32 only.
    #[must_use]
    fn in_precision(self, precision: Precision) -> Option<Self> {
        (precision == Precision::F32).then_some(self)
    }

    /// Writes the model into a folder. The default writes the parameters alone, as
    /// [`save_parameters`] does.
    ///
    /// # Errors
    /// [`SaveError`] names the file, or the weight that the format cannot hold.
    fn save(&self, folder: &Path, dtype: SaveDtype) -> Result<(), SaveError> {
        save_parameters(self, folder, dtype)
    }

    /// This model with the weights that [`save`](Self::save) wrote into a folder. The default reads the
    /// parameters alone, as [`load_parameters`] does.
    ///
    /// # Errors
    /// [`LoadError`] names the file and the tensor.
    fn restore(self, folder: &Path) -> Result<Self, LoadError> {
        load_parameters(self, folder)
    }
}

impl<B: Kernels> Policy<B> for Decoder<B> {
    fn hidden(&self, tokens: Tensor<B, 2, Int>, branches: &[Range<usize>]) -> Tensor<B, 3> {
        self.forward(tokens, branches, None)
    }

    fn hidden_parts<'a>(
        &'a self,
        tokens: Tensor<B, 2, Int>,
        branches: &'a [Range<usize>],
    ) -> Vec<HiddenPart<'a, B>> {
        self.parts(tokens, branches)
    }

    fn logits(&self, hidden: Tensor<B, 2>) -> Tensor<B, 2> {
        Decoder::logits(self, hidden)
    }

    fn vocab_size(&self) -> usize {
        self.config().vocab_size()
    }

    fn max_positions(&self) -> usize {
        self.config().max_position_embeddings()
    }

    fn activations_per_token(&self) -> Option<usize> {
        Some(self.config().activations_per_token())
    }

    fn repeats_logits(&self) -> bool {
        let has_dropout = self.lora().is_some_and(|config| config.dropout > 0.0);
        !has_dropout || !self.has_adapted_head()
    }

    fn shares_prompts(&self) -> bool {
        true
    }

    fn log_probs(&self, hidden: Tensor<B, 2>, targets: Tensor<B, 1, Int>) -> Tensor<B, 1> {
        self.target_log_probs(hidden, targets)
    }

    fn without_adapters(&self) -> Option<Self> {
        self.lora().map(|_| self.without_lora())
    }

    fn in_training(&self, pass: TrainingPass) -> Self {
        self.in_pass(pass)
    }

    fn in_precision(self, precision: Precision) -> Option<Self> {
        Some(self.with_precision(precision))
    }

    /// A decoder with an adapter saves the adapter alone.
    fn save(&self, folder: &Path, dtype: SaveDtype) -> Result<(), SaveError> {
        Decoder::save(self, folder, dtype)
    }

    /// A decoder with an adapter reads the adapter alone.
    fn restore(self, folder: &Path) -> Result<Self, LoadError> {
        match self.lora() {
            Some(_) => self.restore_lora(folder),
            None => load_parameters(self, folder),
        }
    }
}
