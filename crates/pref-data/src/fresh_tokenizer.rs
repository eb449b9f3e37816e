//! A tokenizer made from texts, for a model made from nothing. In: texts. Out: `tokenizer.json`,
//! `tokenizer_config.json` and `chat_template.jinja`, as `transformers` reads them.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::json;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::{AddedToken, Tokenizer};

const PAD: &str = "<|endoftext|>";
const START: &str = "<|im_start|>";
const EOS: &str = "<|im_end|>";

const TEMPLATE: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

/// Ids of the special tokens of a fresh tokenizer.
pub const FRESH_PAD_ID: u32 = 0;
/// The end-of-sequence token's.
pub const FRESH_EOS_ID: u32 = 2;

/// Makes a byte-level BPE tokenizer of at most `vocab_size` tokens from texts, every digit a token
/// of its own, and writes it into a model's folder. The same texts give the same bytes.
///
/// # Errors
/// What the tokenizer's training or the file system says.
pub fn write_fresh_tokenizer(folder: &Path, texts: &[String], vocab_size: usize) -> io::Result<()> {
    let mut tokenizer = Tokenizer::new(BPE::default());
    let pre_tokenizers = vec![
        Digits::new(true).into(),
        ByteLevel::new(false, true, true).into(),
    ];
    tokenizer
        .with_pre_tokenizer(Some(Sequence::new(pre_tokenizers)))
        .with_decoder(Some(ByteLevel::default()));
    let special = [PAD, START, EOS].map(|token| AddedToken::from(token, true));
    let mut trainer: TrainerWrapper = BpeTrainerBuilder::new()
        .vocab_size(vocab_size)
        .show_progress(false)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(special.to_vec())
        .build()
        .into();
    tokenizer
        .train(&mut trainer, texts.iter().map(String::as_str))
        .map_err(io::Error::other)?;
    let tokenizer = tokenizer.to_string(true).map_err(io::Error::other)?;
    let config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": EOS,
        "pad_token": PAD,
        "model_max_length": 1_000_000_000_000_000_019_884_624_838_656.0,
    });
    fs::create_dir_all(folder)?;
    fs::write(folder.join("tokenizer.json"), tokenizer)?;
    fs::write(
        folder.join("tokenizer_config.json"),
        format!("{config:#}\n"),
    )?;
    fs::write(folder.join("chat_template.jinja"), TEMPLATE)
}
