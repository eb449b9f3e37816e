//! Flags that say how texts are continued, for `pref generate` and `pref sample`. In: flags, and a model with its
//! tokenizer. Out: options of the sampler, or what a server is told.

use pref_annotate::{Drawing, Sampling};
use pref_data::{TemplateKwargs, Tokenizer, TokenizerError};
use pref_model::{Decoder, GenerateOptions, before_stop};
use pref_train::TrainBackend;

/// Number of texts that are continued at a time if nothing else limits it: the matrix products are then as fast as
/// larger ones.
pub(crate) const MOST_TEXTS: usize = 64;

#[derive(clap::Args)]
pub(crate) struct SamplingArgs {
    /// Most tokens to add to a prompt
    #[arg(long, default_value_t = 128, value_name = "N", value_parser = parse_count)]
    pub(crate) max_new_tokens: usize,
    /// Sample only from the most probable tokens that together have this probability
    #[arg(long, default_value_t = 1.0, value_name = "P")]
    top_p: f64,
    /// Sample only from this many of the most probable tokens; 0 means all
    #[arg(long, default_value_t = 0, value_name = "K")]
    top_k: usize,
    /// Sample only from tokens with at least this share of the probability of the most probable one; 0 means all
    #[arg(long, default_value_t = 0.0, value_name = "P")]
    min_p: f64,
    /// Divide the logits of tokens that are in the text by this value if they are positive, and multiply them if they are negative; 1 changes nothing
    #[arg(long, default_value_t = 1.0, value_name = "R")]
    repetition_penalty: f64,
    /// End a text before this string, also within a token; may be repeated
    #[arg(long = "stop", value_name = "TEXT")]
    stop: Vec<String>,
    /// Seed of the sampling. Each row and each of its samples has random numbers of its own
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    seed: u64,
    /// Continue after the end-of-sequence token
    #[arg(long)]
    ignore_eos: bool,
}

/// At least one token.
fn parse_count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least one token is needed".to_owned()),
        Ok(n) => Ok(n),
        Err(_) => Err("expected a number of tokens".to_owned()),
    }
}

impl SamplingArgs {
    /// The options for a model.
    pub(crate) fn options<B: TrainBackend>(
        &self,
        temperature: f64,
        model: &Decoder<B::InnerBackend>,
        tokenizer: Option<&Tokenizer>,
    ) -> GenerateOptions {
        let mut stop_ids = model.config().eos_token_ids().to_vec();
        stop_ids.extend(tokenizer.and_then(Tokenizer::eos_id));
        if self.ignore_eos {
            stop_ids.clear();
        }
        GenerateOptions {
            max_new_tokens: self.max_new_tokens,
            temperature,
            top_p: self.top_p,
            top_k: self.top_k,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            seed: self.seed,
            stop_ids,
            stop_strings: self.stop.clone(),
        }
    }
}

impl SamplingArgs {
    /// How a server draws an answer with these flags, which have no number that it could not take.
    pub(crate) fn of_server(
        &self,
        temperature: f64,
        template_kwargs: TemplateKwargs,
    ) -> (Sampling, Drawing) {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let sampling = Sampling {
            temperature,
            top_p: self.top_p,
        };
        let drawing = Drawing {
            max_tokens: count(self.max_new_tokens),
            stop: self.stop.clone(),
            top_k: count(self.top_k),
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            template_kwargs,
        };
        (sampling, drawing)
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }
}

/// The text of the ids of an answer, up to a stop string, without special tokens.
pub(crate) fn text_of(
    ids: &[u32],
    tokenizer: &Tokenizer,
    options: &GenerateOptions,
) -> Result<String, TokenizerError> {
    let text = tokenizer.decode(ids, true)?;
    Ok(before_stop(&text, &options.stop_strings).to_owned())
}
