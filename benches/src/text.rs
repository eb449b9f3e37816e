//! Made-up text and ids: pairs of a known length as a file, answers that differ in a known share.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use pref_data::arithmetic_pairs;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

/// Word problems in one prompt, so that prompt and answer have about 300 tokens together.
const PROBLEMS: usize = 5;

/// Writes pairs of several word problems each, as JSON Lines.
///
/// # Errors
/// If the file cannot be written.
pub fn write_pairs(path: &Path, n: usize) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for seed in 0..n as u64 {
        let some = arithmetic_pairs(PROBLEMS, seed);
        let join = |of: &dyn Fn(&pref_data::Pair) -> String| {
            let texts: Vec<String> = some.iter().map(of).collect();
            texts.join("\n\n")
        };
        let row = json!({
            "prompt": join(&|pair| pair.prompt.to_string()),
            "chosen": join(&|pair| pair.chosen.to_string()),
            "rejected": join(&|pair| pair.rejected.to_string()),
        });
        writeln!(file, "{row}")?;
    }
    file.flush()
}

/// The folder of the fixtures' tokenizer.
pub fn tokenizer_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/models/llama")
}

/// Two lists of `n` ids of 30,000, of which `share` were replaced, left out or put in.
pub fn answers_that_differ(n: usize, share: f64) -> [Vec<u32>; 2] {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let chosen: Vec<u32> = (0..n).map(|_| rng.random_range(0..30_000)).collect();
    let mut rejected = Vec::with_capacity(n);
    for &id in &chosen {
        if rng.random_bool(1.0 - share) {
            rejected.push(id);
            continue;
        }
        let other = rng.random_range(0..30_000);
        match rng.random_range(0..3) {
            0 => rejected.push(other),
            1 => rejected.extend([id, other]),
            _ => {}
        }
    }
    [chosen, rejected]
}
