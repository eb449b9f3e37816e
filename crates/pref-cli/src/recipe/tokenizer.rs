//! Trains the recipe's tokenizer. In: texts. Out: `tokenizer.json`, `tokenizer_config.json` and
//! `chat_template.jinja` in a folder, as `transformers` reads them.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::json;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer};

const PAD: &str = "<|endoftext|>";
const START: &str = "<|im_start|>";
const EOS: &str = "<|im_end|>";

const TEMPLATE: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

/// The id of the padding token: special tokens come first in the vocabulary.
pub(super) const PAD_ID: u32 = 0;
/// The id of the end-of-sequence token.
pub(super) const EOS_ID: u32 = 2;

/// Trains a byte-level BPE tokenizer of at most `vocab_size` tokens, and writes it into a folder. The numbers of the
/// texts are few, so each becomes one token. The same texts give the same bytes.
///
/// # Errors
/// The error of the training or of the file system.
pub(super) fn write_tokenizer(
    folder: &Path,
    texts: &[String],
    vocab_size: usize,
) -> io::Result<()> {
    let mut tokenizer = Tokenizer::new(BPE::default());
    tokenizer
        .with_pre_tokenizer(Some(ByteLevel::new(false, true, true)))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

    use super::*;
    use crate::recipe::task::lessons;

    #[test]
    fn the_same_texts_give_the_same_tokenizer_and_texts_survive_it() {
        let texts: Vec<String> = lessons(200, 5)
            .into_iter()
            .map(|lesson| lesson.prompt + &lesson.completion)
            .collect();
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        for folder in &folders {
            write_tokenizer(folder.path(), &texts, 512).unwrap();
        }
        let bytes = |i: usize| fs::read(folders[i].path().join("tokenizer.json")).unwrap();
        assert_eq!(bytes(0), bytes(1));

        let tokenizer = pref_data::Tokenizer::from_folder(folders[0].path()).unwrap();
        assert_eq!(tokenizer.pad_id(), Some(PAD_ID));
        assert_eq!(tokenizer.eos_id(), Some(EOS_ID));
        assert!(tokenizer.vocab_size() <= 512);
        let unseen = "naïve 東京 \u{1f600}\n\t 42";
        for text in texts.iter().map(String::as_str).chain([unseen]) {
            let ids = tokenizer.encode(text).unwrap();
            assert_eq!(tokenizer.decode(&ids, false).unwrap(), text);
        }
    }
}
